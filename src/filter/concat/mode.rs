//! What makes events pieces of one: exactly one of the ways that the parameters describe.

use super::{MetadataFormat, Params};
use crate::regex::{Flags, Regex};

/// How the end of an event is found.
pub enum Mode {
    /// By the number of pieces.
    Lines(usize),
    /// By what first and last lines look like.
    Regexp {
        /// A first line.
        start: Option<Regex>,
        /// A last line.
        end: Option<Regex>,
        /// A line that goes on.
        continuous: Option<Regex>,
    },
    /// By a field that has a value in all pieces but the last.
    Partial {
        /// The field.
        key: String,
        /// The value.
        value: String,
    },
    /// By Docker's fields.
    Metadata(&'static Metadata),
    /// By CRI's log tag in this field.
    Cri(Option<String>),
}

/// The names of Docker's fields.
pub struct Metadata {
    /// Whether it is a piece.
    pub message: &'static str,
    /// Of which message.
    pub id: &'static str,
    /// The how manieth.
    pub ordinal: &'static str,
    /// Whether it is the last one.
    pub last: &'static str,
    /// The field that all pieces have: journald's driver gives the last one no `message`.
    indicator: &'static str,
}

static FLUENTD: Metadata = Metadata {
    message: "partial_message",
    id: "partial_id",
    ordinal: "partial_ordinal",
    last: "partial_last",
    indicator: "partial_message",
};
static JOURNALD: Metadata = Metadata {
    message: "CONTAINER_PARTIAL_MESSAGE",
    id: "CONTAINER_PARTIAL_ID",
    ordinal: "CONTAINER_PARTIAL_ORDINAL",
    last: "CONTAINER_PARTIAL_LAST",
    indicator: "CONTAINER_PARTIAL_ID",
};
static JOURNALD_LOWERCASE: Metadata = Metadata {
    message: "container_partial_message",
    id: "container_partial_id",
    ordinal: "container_partial_ordinal",
    last: "container_partial_last",
    indicator: "container_partial_id",
};

impl Mode {
    /// The way that the parameters describe; errors are in the plugin's words.
    pub fn of(params: &Params) -> Result<Mode, String> {
        let regexps = params.multiline_start_regexp.is_some() || params.multiline_end_regexp.is_some();
        // Fluentd: of the last two both may be given; Docker's fields then count.
        let given = [
            ("n_lines", params.n_lines.is_some()),
            ("multiline_start_regexp/multiline_end_regexp", regexps),
            ("partial_key", params.partial_key.is_some()),
            ("use_partial_metadata", params.use_partial_metadata),
            ("use_partial_cri_logtag", params.use_partial_cri_logtag && !params.use_partial_metadata),
        ];
        refuse_pairs(&given)?;
        if let Some(count) = params.n_lines {
            return Ok(Mode::Lines(usize::try_from(count).unwrap_or(0)));
        }
        if let Some(key) = &params.partial_key {
            let value = params.partial_value.clone().ok_or("partial_value is required when partial_key is specified")?;
            return Ok(Mode::Partial { key: key.clone(), value });
        }
        if params.use_partial_metadata {
            return Ok(Mode::Metadata(match params.partial_metadata_format {
                MetadataFormat::Fluentd => &FLUENTD,
                MetadataFormat::Journald => &JOURNALD,
                MetadataFormat::JournaldLowercase => &JOURNALD_LOWERCASE,
            }));
        }
        if params.use_partial_cri_logtag {
            return Ok(Mode::Cri(params.partial_cri_logtag_key.clone()));
        }
        Ok(Mode::Regexp {
            start: regex("multiline_start_regexp", params.multiline_start_regexp.as_deref())?,
            end: regex("multiline_end_regexp", params.multiline_end_regexp.as_deref())?,
            continuous: regex("continuous_line_regexp", params.continuous_line_regexp.as_deref())?,
        })
    }

    /// The field without which an event is no piece, besides `key`.
    pub fn indicator(&self) -> Option<&str> {
        match self {
            Mode::Partial { key, .. } => Some(key),
            Mode::Metadata(fields) => Some(fields.indicator),
            Mode::Lines(_) | Mode::Regexp { .. } | Mode::Cri(_) => None,
        }
    }

    /// The parameters that are given and that this way does not look at.
    pub fn without_effect(&self, params: &Params) -> Vec<&'static str> {
        let regexp = matches!(self, Mode::Regexp { .. });
        let unused = [
            ("use_partial_cri_logtag", params.use_partial_cri_logtag && !matches!(self, Mode::Cri(_))),
            ("partial_value", params.partial_value.is_some() && !matches!(self, Mode::Partial { .. })),
            ("continuous_line_regexp", params.continuous_line_regexp.is_some() && !regexp),
            ("partial_cri_logtag_key", params.partial_cri_logtag_key.is_some() && !matches!(self, Mode::Cri(_))),
        ];
        unused.into_iter().filter(|(_, unused)| *unused).map(|(name, _)| name).collect()
    }
}

/// Refuses where none of the ways is given, or two.
fn refuse_pairs(given: &[(&str, bool)]) -> Result<(), String> {
    let mut found = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
    match (found.next(), found.next()) {
        (None, _) => Err("Either n_lines, multiline_start_regexp, multiline_end_regexp, partial_key, use_partial_metadata or \
                          use_partial_cri_logtag is required"
            .to_owned()),
        (Some(_), None) => Ok(()),
        // Fluentd names the later parameter first, but for this pair.
        (Some("n_lines"), Some(other @ "multiline_start_regexp/multiline_end_regexp")) => Err(format!("n_lines and {other} are exclusive")),
        (Some(one), Some(other)) => Err(format!("{other} and {one} are exclusive")),
    }
}

/// An expression between slashes: the first and the last character are no part of it, whatever they are.
fn regex(name: &str, text: Option<&str>) -> Result<Option<Regex>, String> {
    let Some(text) = text else { return Ok(None) };
    let mut inside = text.chars();
    if inside.next().is_none() {
        return Err(format!("{name}: expected a regular expression between slashes, got nothing"));
    }
    inside.next_back();
    Regex::new(inside.as_str(), Flags::default()).map(Some).map_err(|why| format!("{name}: {}", why.message))
}
