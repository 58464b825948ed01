//! `<extract>`: takes the tag and the time of an event out of fields of its record.

use super::ParseError;
use crate::config::{Element, Refused};
use crate::event::{Accessor, EventTime, Record, Scope, TimeOptions, TimeParser, TimeType, Value, Zone, ruby};
use crate::plugin::Context;

crate::choice! {
    /// What a time looks like.
    pub enum TimeKind { Float = "float", Unixtime = "unixtime", String = "string" }
}

crate::section! {
    /// Takes the tag and the time of an event out of fields of its record.
    pub struct Params {
        /// The field of the tag.
        pub tag_key: Option<String>,
        /// Whether it stays.
        pub keep_tag_key: bool = "false",
        /// The field of the time.
        pub time_key: Option<String>,
        /// Whether it stays.
        pub keep_time_key: bool = "false",
        /// What the time looks like; a string where `time_format` is given.
        pub time_type: Option<TimeKind>,
        /// The format of the time.
        pub time_format: Option<String>,
        /// Whether times without a zone are local.
        pub localtime: bool = "true",
        /// Whether they are UTC.
        pub utc: bool = "false",
        /// The zone that they are in.
        pub timezone: Option<String>,
    }
}

/// What an `<extract>` section says; nothing where there is none.
#[derive(Default)]
pub struct Extract {
    tag: Option<(Accessor, bool)>,
    time: Option<(Accessor, bool, TimeParser)>,
}

impl Extract {
    /// Reads the section of an element.
    pub fn read(element: &Element, context: &Context<'_>) -> Result<Extract, Refused> {
        let Some(section) = element.section("extract") else { return Ok(Extract::default()) };
        let params = Params::read(section, context.diagnostics)?;
        let refuse = |why: String| context.refuse("FLM0428", section.span, why);
        let accessor = |key: &str| Accessor::parse(key).map_err(refuse);
        let tag = params.tag_key.as_deref().map(|key| accessor(key).map(|key| (key, params.keep_tag_key))).transpose()?;
        let Some(time_key) = &params.time_key else { return Ok(Extract { tag, time: None }) };
        if let Some(why) = params.timezone.as_deref().and_then(|zone| Zone::parse(zone).err()) {
            return Err(refuse(why));
        }
        let time_type = match params.time_type {
            Some(TimeKind::Float) => TimeType::Float,
            Some(TimeKind::Unixtime) => TimeType::Unixtime,
            Some(TimeKind::String) => TimeType::String,
            None if params.time_format.is_some() => TimeType::String,
            None => TimeType::Float,
        };
        let options = TimeOptions {
            time_type,
            format: params.time_format.clone(),
            localtime: params.localtime && !params.utc,
            utc: params.utc,
            timezone: params.timezone.clone(),
            fallbacks: Vec::new(),
        };
        let parser = TimeParser::new(&options).map_err(refuse)?;
        Ok(Extract { tag, time: Some((accessor(time_key)?, params.keep_time_key, parser)) })
    }

    /// Whether events may have tags of their own.
    pub fn has_tag(&self) -> bool {
        self.tag.is_some()
    }

    /// The tag that the record names.
    pub fn tag<'a>(&self, scope: &Scope<'a>, record: &mut Record<'a>) -> Option<String> {
        let (key, keep) = self.tag.as_ref()?;
        let value = key.get(record).filter(|value| *value != Value::Nil)?;
        if !keep {
            key.delete(record, scope.bump());
        }
        let mut text = Vec::new();
        ruby::to_s(&value, &mut text);
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// The time that the record names.
    pub fn time<'a>(&self, scope: &Scope<'a>, record: &mut Record<'a>) -> Result<Option<EventTime>, ParseError> {
        let Some((key, keep, parser)) = &self.time else { return Ok(None) };
        let Some(value) = key.get(record).filter(|value| *value != Value::Nil) else { return Ok(None) };
        if !keep {
            key.delete(record, scope.bump());
        }
        parser.parse(&value).map(Some).map_err(ParseError::failed)
    }
}
