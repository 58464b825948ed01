//! What all parsers have in common: where the time is and how it reads, which values are nil, and conversions of values.

use super::types::Conversion;
use super::{ParseError, Parsed};
use crate::config::{Element, Refused, Seconds};
use crate::event::{EventTime, Record, Scope, TimeOptions, TimeParser, TimeType, Value, Zone};
use crate::plugin::Context;
use crate::regex::{Matched, Regex};

crate::choice! {
    /// What a time looks like.
    pub enum TimeKind { String = "string", Unixtime = "unixtime", Float = "float", Mixed = "mixed" }
}

crate::section! {
    /// What every parser takes.
    pub struct BaseParams {
        /// Conversions of fields: `field:type` or `field:type:option`, types string, integer, float, bool, time and array.
        pub types: Option<Vec<(String, String)>>,
        /// The field that holds the time.
        pub time_key: Option<String>,
        /// Texts that match become nil.
        pub null_value_pattern: Option<Regex>,
        /// Whether empty texts become nil.
        pub null_empty_string: bool = "false",
        /// Whether an event without a time has the present one.
        pub estimate_current_event: bool = "true",
        /// Whether the field of the time stays.
        pub keep_time_key: bool = "false",
        /// How much processor time the expressions may take for one text; without it, each may take 8 ms.
        pub timeout: Option<Seconds>,
        /// What a time looks like.
        pub time_type: Option<TimeKind>,
        /// The format of times; `%iso8601` is one too.
        pub time_format: Option<String>,
        /// Whether times without a zone are local.
        pub localtime: bool = "true",
        /// Whether they are UTC.
        pub utc: bool = "false",
        /// The zone that they are in.
        pub timezone: Option<String>,
        /// What is tried after `time_format` where `time_type` is mixed.
        pub time_format_fallbacks: Option<Vec<String>>,
    }
}

/// What a parser has in place of the common defaults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defaults {
    /// Of `time_key`.
    pub time_key: Option<&'static str>,
    /// Of `time_type`, where no `time_format` is given either.
    pub time_type: TimeType,
    /// Of `time_format`.
    pub time_format: Option<&'static str>,
}

/// What becomes of the texts of a field, found out once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    /// Whether they name the event's time.
    pub(super) is_time: bool,
    /// Whether they stay in the record.
    pub(super) stays: bool,
    /// Which of the conversions they pass.
    conversion: Option<usize>,
}

/// The common part of a parser.
#[derive(Clone, Debug)]
pub struct Base {
    time_key: Option<String>,
    keep_time_key: bool,
    estimate_current_event: bool,
    options: TimeOptions,
    time_parser: TimeParser,
    conversions: Vec<(String, Conversion)>,
    null_value_pattern: Option<Regex>,
    null_empty_string: bool,
}

impl Base {
    /// Reads the common parameters of a `<parse>` section (or of a section inside it).
    pub fn read(element: &Element, defaults: Defaults, context: &Context<'_>) -> Result<Base, Refused> {
        let params = BaseParams::read(element, context.diagnostics)?;
        let options = time_options(&params, element, defaults, context)?;
        let refuse = |why: String| context.refuse("FLM0422", element.span, why);
        let time_parser = TimeParser::new(&options).map_err(refuse)?;
        let mut conversions = Vec::new();
        for (field, definition) in params.types.unwrap_or_default() {
            let conversion = Conversion::parse(&definition, &options).map_err(refuse)?.ok_or_else(|| {
                let kind = definition.split(':').next().unwrap_or_default();
                refuse(format!("unknown value conversion for key:'{field}', type:'{kind}'"))
            })?;
            // Of several for a field the first counts.
            if conversions.iter().all(|(known, _)| *known != field) {
                conversions.push((field, conversion));
            }
        }
        Ok(Base {
            time_key: params.time_key.or_else(|| defaults.time_key.map(str::to_owned)),
            keep_time_key: params.keep_time_key,
            estimate_current_event: params.estimate_current_event,
            options,
            time_parser,
            conversions,
            null_value_pattern: params.null_value_pattern,
            null_empty_string: params.null_empty_string,
        })
    }

    /// Whether events without a time have the present one.
    pub fn estimates_current_event(&self) -> bool {
        self.estimate_current_event
    }

    /// The field that holds the time.
    pub fn time_key(&self) -> Option<&str> {
        self.time_key.as_deref()
    }

    /// Reads a time as the parameters of the section say.
    pub fn parse_time(&self, value: &Value<'_>) -> Result<EventTime, String> {
        self.time_parser.parse(value)
    }

    /// Whether the field of the time stays.
    pub fn keeps_time_key(&self) -> bool {
        self.keep_time_key
    }

    /// Reads times with the parameters of the section, but in this format.
    pub fn time_parser_for(&self, format: &str) -> Result<TimeParser, String> {
        TimeParser::new(&TimeOptions { format: Some(format.to_owned()), ..self.options.clone() })
    }

    /// Takes the time out of a record, converts the values, and adds the event to `out`.
    pub fn finish<'a>(&self, scope: &Scope<'a>, mut record: Record<'a>, out: &mut Parsed<'a>) -> Result<(), ParseError> {
        let time = self.take_time(&mut record, out)?;
        self.convert(scope, &mut record);
        out.events.push((time, record));
        Ok(())
    }

    /// The time of a record: of its time field, else the present or none.
    pub fn take_time<'a>(&self, record: &mut Record<'a>, out: &mut Parsed<'a>) -> Result<Option<crate::event::EventTime>, ParseError> {
        let key = self.time_key.as_deref().unwrap_or_default().as_bytes();
        let value = match &self.time_key {
            None => None,
            Some(_) if self.keep_time_key => record.get(key),
            Some(_) => record.remove(key),
        };
        match value {
            Some(value) => self.time_parser.parse(&value).map(Some).map_err(ParseError::failed),
            None => Ok(self.present(out)),
        }
    }

    fn present(&self, out: &mut Parsed<'_>) -> Option<EventTime> {
        self.estimate_current_event.then(|| out.now())
    }

    /// What becomes of the texts of a field.
    pub(super) fn fate(&self, field: &str) -> Fate {
        let is_time = self.time_key.as_deref() == Some(field);
        let conversion = self.conversions.iter().position(|(name, _)| name == field);
        // A text stays what it is as a string.
        let conversion = conversion.filter(|at| !matches!(self.conversions[*at].1, Conversion::String));
        Fate { is_time, stays: !is_time || self.keep_time_key, conversion }
    }

    /// Whether values have to be searched by an expression.
    pub(super) fn searches_values(&self) -> bool {
        self.null_value_pattern.is_some()
    }

    /// Whether a text of such a field may become something else without being searched.
    #[inline]
    pub(super) fn changes(&self, fate: Fate) -> bool {
        fate.conversion.is_some() || self.null_empty_string
    }

    /// A text, as [`Base::convert`] leaves it where it does not have to be searched.
    #[inline(never)]
    pub(super) fn converted<'a>(&self, scope: &Scope<'a>, fate: Fate, text: &'a [u8]) -> Value<'a> {
        match fate.conversion {
            _ if self.null_empty_string && text.is_empty() => Value::Nil,
            Some(at) => self.conversions[at].1.apply(scope, Value::Str(text)),
            None => Value::Str(text),
        }
    }

    /// The time that a text of the time field names; where there is none, the present or none. Lines that follow each other mostly name the
    /// same one.
    pub(super) fn time_of<'a>(&self, text: Option<&'a [u8]>, out: &mut Parsed<'a>) -> Result<Option<EventTime>, ParseError> {
        let Some(text) = text else { return Ok(self.present(out)) };
        let by = std::ptr::from_ref(self).addr();
        match out.last_time {
            Some((same, last, time)) if same == by && last == text => Ok(Some(time)),
            _ => {
                let time = self.time_parser.parse(&Value::Str(text)).map_err(ParseError::failed)?;
                out.last_time = Some((by, text, time));
                Ok(Some(time))
            }
        }
    }

    /// Applies what makes texts nil, and the conversions.
    pub fn convert<'a>(&self, scope: &Scope<'a>, record: &mut Record<'a>) {
        if self.null_value_pattern.is_some() || self.null_empty_string {
            for (_, value) in record.fields_mut() {
                if value.as_bytes().is_some_and(|text| self.is_like_null(text)) {
                    *value = Value::Nil;
                }
            }
        }
        for (name, conversion) in &self.conversions {
            if let Some(value) = record.get_mut(name.as_bytes())
                && !matches!(value, Value::Nil | Value::Bool(false))
            {
                *value = conversion.apply(scope, *value);
            }
        }
    }

    #[inline]
    fn is_like_null(&self, text: &[u8]) -> bool {
        let matches = |pattern: &Regex| pattern.is_match(text) == Matched::Yes;
        (self.null_empty_string && text.is_empty()) || self.null_value_pattern.as_ref().is_some_and(matches)
    }
}

/// The parameters of time, checked as Fluentd checks them.
fn time_options(params: &BaseParams, element: &Element, defaults: Defaults, context: &Context<'_>) -> Result<TimeOptions, Refused> {
    let refuse = |why: &str| context.refuse("FLM0423", element.span, why);
    let (local_given, utc_given) = (element.param("localtime").is_some(), element.param("utc").is_some());
    let localtime = if local_given { params.localtime } else { !(utc_given && params.utc) };
    if local_given && utc_given && localtime == params.utc {
        return Err(refuse("both of utc and localtime are specified, use only one of them"));
    }
    let time_type = match params.time_type {
        Some(TimeKind::String) => TimeType::String,
        Some(TimeKind::Unixtime) => TimeType::Unixtime,
        Some(TimeKind::Float) => TimeType::Float,
        Some(TimeKind::Mixed) => TimeType::Mixed,
        None if params.time_format.is_some() => TimeType::String,
        None => defaults.time_type,
    };
    let fallbacks = params.time_format_fallbacks.clone().unwrap_or_default();
    if time_type == TimeType::Mixed && params.time_format.is_none() && fallbacks.is_empty() {
        return Err(refuse("time_type is :mixed but time_format and time_format_fallbacks is empty."));
    }
    if let Some(why) = params.timezone.as_deref().and_then(|zone| Zone::parse(zone).err()) {
        return Err(refuse(&why));
    }
    let format = params.time_format.clone().or_else(|| defaults.time_format.map(str::to_owned));
    Ok(TimeOptions { time_type, format, localtime, utc: params.utc, timezone: params.timezone.clone(), fallbacks })
}
