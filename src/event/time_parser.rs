//! Times from the values of fields, by the parameters that Fluentd has for it: type, format, zone, fallbacks.

use super::strptime::{Fast, Full, NoTime, guess, iso8601};
use super::{EventTime, Value, Zone, ruby};

/// What a time looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeType {
    /// Text in a format.
    #[default]
    String,
    /// Seconds since 1970.
    Unixtime,
    /// Seconds since 1970 with a fraction.
    Float,
    /// One of several, tried in order.
    Mixed,
}

/// How times are read or written, as it was configured.
#[derive(Clone, Debug)]
pub struct TimeOptions {
    /// What a time looks like.
    pub time_type: TimeType,
    /// Its format; `%iso8601` is one too.
    pub format: Option<String>,
    /// Whether a time without a zone is local.
    pub localtime: bool,
    /// Whether it is UTC.
    pub utc: bool,
    /// The zone of a time without one.
    pub timezone: Option<String>,
    /// What is tried after `format` where the type is mixed: formats, `unixtime`, `float`.
    pub fallbacks: Vec<String>,
}

impl Default for TimeOptions {
    fn default() -> TimeOptions {
        TimeOptions { time_type: TimeType::String, format: None, localtime: true, utc: false, timezone: None, fallbacks: Vec::new() }
    }
}

/// Reads times.
#[derive(Clone, Debug)]
pub struct TimeParser {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Text(TextParser),
    Unixtime,
    Float,
    Mixed(Vec<Kind>),
}

#[derive(Clone, Debug)]
struct TextParser {
    reader: Reader,
    /// The zone of times that name none; `None` where the format has a place for it, or where it is the local one.
    zone: Option<Zone>,
}

#[derive(Clone, Debug)]
enum Reader {
    Fast(Fast),
    Full(Full),
    Iso8601,
    Guess,
}

impl TimeParser {
    /// A parser for these options; an error in Fluentd's words where they contradict each other.
    pub fn new(options: &TimeOptions) -> Result<TimeParser, String> {
        let local = options.localtime && options.timezone.is_none() && !options.utc;
        let text = |format: Option<&str>| text_parser(format, local, options.timezone.as_deref());
        let kind = match options.time_type {
            TimeType::String => text(options.format.as_deref())?,
            TimeType::Unixtime => Kind::Unixtime,
            TimeType::Float => Kind::Float,
            TimeType::Mixed => {
                let formats = options.format.iter().chain(&options.fallbacks);
                let kinds = formats.map(|format| match format.as_str() {
                    // Fluentd: among fallbacks both words mean a float.
                    "unixtime" | "float" => Ok(Kind::Float),
                    other => text(Some(other)),
                });
                Kind::Mixed(kinds.collect::<Result<_, String>>()?)
            }
        };
        Ok(TimeParser { kind })
    }

    /// The time of a value; an error in Fluentd's words.
    pub fn parse(&self, value: &Value<'_>) -> Result<EventTime, String> {
        self.kind.parse(value)
    }

    /// The time of a text.
    pub fn parse_text(&self, text: &[u8]) -> Result<EventTime, String> {
        self.kind.parse(&Value::Str(text))
    }
}

fn text_parser(format: Option<&str>, local: bool, timezone: Option<&str>) -> Result<Kind, String> {
    let Some(format) = format else {
        if timezone.is_some() || !local {
            return Err("specifying timezone requires time format".to_owned());
        }
        return Ok(Kind::Text(TextParser { reader: Reader::Guess, zone: None }));
    };
    let names_zone = format.contains("%z") || format.contains("%Z");
    let zone = match timezone {
        _ if names_zone => None,
        Some(timezone) => Some(Zone::parse(timezone)?),
        None if local => None,
        None => Some(Zone::Utc),
    };
    let reader = match Fast::compile(format) {
        _ if format == "%iso8601" => return Ok(Kind::Text(TextParser { reader: Reader::Iso8601, zone: None })),
        Some(fast) => Reader::Fast(fast),
        None => Reader::Full(Full::compile(format)),
    };
    Ok(Kind::Text(TextParser { reader, zone }))
}

impl Kind {
    fn parse(&self, value: &Value<'_>) -> Result<EventTime, String> {
        match self {
            Kind::Text(parser) => match value {
                Value::Str(text) | Value::Bin(text) => {
                    parser.parse(text).map_err(|NoTime(why)| invalid(value, &format!(", error_class = ArgumentError, error = {why}")))
                }
                other => Err(format!("value must be string: {}", shown(other))),
            },
            Kind::Unixtime => numeric(value).map(|()| EventTime::from_secs(ruby::to_i(value))),
            Kind::Float => numeric(value).map(|()| float(value)),
            Kind::Mixed(kinds) => {
                let fits = |kind: &&Kind| !matches!(kind, Kind::Float) || ruby::is_float(value);
                kinds.iter().filter(fits).find_map(|kind| kind.parse(value).ok()).ok_or_else(|| {
                    let classes: Vec<&str> = kinds.iter().map(Kind::class).collect();
                    invalid(value, &format!(", even though fallbacks: {}", classes.join(",")))
                })
            }
        }
    }

    fn class(&self) -> &'static str {
        match self {
            Kind::Text(_) => "Fluent::TimeParser",
            _ => "Fluent::NumericTimeParser",
        }
    }
}

impl TextParser {
    fn parse(&self, text: &[u8]) -> Result<EventTime, NoTime> {
        let zone = self.zone.as_ref();
        if let Reader::Fast(fast) = &self.reader {
            let time = fast.read(text, if zone.is_some() { &Zone::Utc } else { &Zone::Local }, EventTime::now)?;
            return Ok(zone.map_or(time, |zone| moved(time, zone)));
        }
        let text = std::str::from_utf8(text).map_err(|_| NoTime("invalid byte sequence in UTF-8".to_owned()))?;
        let read = match &self.reader {
            Reader::Full(full) => full.read(text, EventTime::now())?,
            Reader::Iso8601 => iso8601(text)?,
            Reader::Guess | Reader::Fast(_) => guess(text, EventTime::now())?,
        };
        let wall = EventTime { sec: read.time.sec + read.offset, nsec: read.time.nsec };
        Ok(zone.map_or(read.time, |zone| moved(wall, zone)))
    }
}

/// From what a clock in the zone shows to the time. Fluentd: the zone's offset is looked up at that hour on the local clock.
fn moved(wall: EventTime, zone: &Zone) -> EventTime {
    let offset = match zone {
        Zone::Utc => 0,
        Zone::Fixed(offset) => *offset,
        Zone::Local | Zone::Named(_) => zone.offset_at(Zone::Local.from_wall(wall.sec)),
    };
    EventTime { sec: wall.sec - i64::from(offset), nsec: wall.nsec }
}

fn shown(value: &Value<'_>) -> String {
    let mut text = Vec::new();
    ruby::to_s(value, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn invalid(value: &Value<'_>, why: &str) -> String {
    format!("invalid time format: value = {}{why}", shown(value))
}

fn numeric(value: &Value<'_>) -> Result<(), String> {
    match value {
        Value::Int(_) | Value::UInt(_) | Value::Big(_) | Value::Float(_) | Value::Str(_) | Value::Bin(_) => Ok(()),
        other => Err(format!("value must be a string or a number: {}({})", shown(other), ruby::class(other))),
    }
}

/// Seconds and what is behind the first point, as digits: `1.5e9` is 1.000000005, as it is for Fluentd.
fn float(value: &Value<'_>) -> EventTime {
    let mut buffer = Vec::new();
    let text = match value {
        Value::Str(text) | Value::Bin(text) => text,
        other => {
            ruby::to_s(other, &mut buffer);
            buffer.as_slice()
        }
    };
    let mut parts = text.splitn(3, |byte| *byte == b'.');
    let sec = ruby::leading_integer(parts.next().unwrap_or_default());
    let fraction = parts.next().unwrap_or_default();
    // Fluentd: ten digits are taken, of which the first nine should be all.
    let mut digits = [b'0'; 10];
    let kept = fraction.len().min(10);
    digits[..kept].copy_from_slice(&fraction[..kept]);
    let nanoseconds = ruby::leading_integer(&digits[..kept.max(9)]).clamp(0, 9_999_999_999);
    EventTime { sec: sec.saturating_add(nanoseconds / 1_000_000_000), nsec: (nanoseconds % 1_000_000_000) as u32 }
}

#[cfg(test)]
mod tests;
