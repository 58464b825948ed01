//! The `<inject>` section: fields that an output adds to each record it writes.

use crate::config::{Element, Refused};
use crate::event::{Event, EventTime, Record, Scope, Tag, TimeFormatter, Value};
use crate::plugin::Context;
use std::cell::RefCell;

crate::choice! {
    /// How the time is written.
    pub enum TimeType {
        Float = "float", Unixtime = "unixtime", UnixtimeMillis = "unixtime_millis", UnixtimeMicros = "unixtime_micros",
        UnixtimeNanos = "unixtime_nanos", String = "string",
    }
}

crate::section! {
    /// Fields that are added to each record.
    pub struct Params {
        /// The field for the host's name.
        pub hostname_key: Option<String>,
        /// The name in that field; the machine's by default.
        pub hostname: Option<String>,
        /// The field for the worker's number.
        pub worker_id_key: Option<String>,
        /// The field for the tag.
        pub tag_key: Option<String>,
        /// The field for the time.
        pub time_key: Option<String>,
        /// How the time is written.
        pub time_type: TimeType = "float",
        /// The format of a time of type `string`; ISO 8601 by default.
        pub time_format: Option<String>,
        /// Whether times are local.
        pub localtime: bool = "true",
        /// Whether times are UTC.
        pub utc: bool = "false",
        /// The zone of times.
        pub timezone: Option<String>,
    }
}

enum Time {
    Number(TimeType),
    Text(TimeFormatter),
}

/// What is added, made ready.
pub struct Inject {
    hostname: Option<(String, String)>,
    worker_id: Option<(String, i64)>,
    tag_key: Option<String>,
    time: Option<(String, Time)>,
}

thread_local! {
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Inject {
    /// Reads the section of an output or filter; `None` where there is none or it adds nothing.
    pub fn read(owner: &Element, context: &Context<'_>) -> Result<Option<Inject>, Refused> {
        let Some(section) = owner.section("inject") else { return Ok(None) };
        let params = Params::read(section, context.diagnostics)?;
        if let Some((used, conflict)) = both_zones(&params) {
            return Err(context.refuse(
                "FLM0413",
                section.span,
                format!("both of {used} and {conflict} are specified, use only one of them"),
            ));
        }
        if params.time_key.is_none() && params.time_format.is_some() {
            context.diagnostics.warn("FLM0417", Some(section.span), "'time_format' specified without 'time_key', will be ignored");
        }
        let time = match (params.time_key, params.time_type) {
            (Some(key), TimeType::String) => {
                let local = params.localtime && !params.utc;
                let formatter = TimeFormatter::new(params.time_format.as_deref(), local, params.timezone.as_deref())
                    .map_err(|why| context.refuse("FLM0414", section.span, why))?;
                Some((key, Time::Text(formatter)))
            }
            (Some(key), number) => Some((key, Time::Number(number))),
            (None, _) => None,
        };
        let hostname = params.hostname_key.map(|key| (key, params.hostname.unwrap_or_else(machine_name)));
        let worker_id = params.worker_id_key.map(|key| (key, context.host.worker()));
        let inject = Inject { hostname, worker_id, tag_key: params.tag_key, time };
        Ok((!inject.is_empty()).then_some(inject))
    }

    fn is_empty(&self) -> bool {
        self.hostname.is_none() && self.worker_id.is_none() && self.tag_key.is_none() && self.time.is_none()
    }

    /// The event with the fields added; its own record stays as it is.
    pub fn apply<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>) -> Event<'a> {
        let mut record = Record::with_capacity(scope.bump(), event.record.len() + 4);
        event.record.fields().iter().for_each(|(key, value)| record.push(*key, *value));
        let mut add = |key: &str, value: Value<'a>| record.set(scope.text(key).as_bytes(), value);
        if let Some((key, name)) = &self.hostname {
            add(key, Value::text(scope.text(name)));
        }
        if let Some((key, worker)) = &self.worker_id {
            add(key, Value::Int(*worker));
        }
        if let Some(key) = &self.tag_key {
            add(key, Value::text(scope.text(tag)));
        }
        match &self.time {
            Some((key, Time::Number(kind))) => add(key, number(event.time, *kind)),
            Some((key, Time::Text(formatter))) => {
                let text = TEXT.with_borrow_mut(|text| {
                    text.clear();
                    formatter.write(event.time, text);
                    scope.bytes(text)
                });
                add(key, Value::Str(text));
            }
            None => {}
        }
        Event { time: event.time, record }
    }
}

/// The machine's name.
fn machine_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// The names of two parameters that contradict each other.
fn both_zones(params: &Params) -> Option<(&'static str, &'static str)> {
    // `localtime` is true where nothing is said, so only `utc` with a zone can be seen to contradict.
    (params.utc && params.timezone.is_some()).then_some(("utc", "timezone"))
}

fn number<'a>(time: EventTime, kind: TimeType) -> Value<'a> {
    let scaled = |scale: i64, fraction: u32| Value::Int(time.sec.saturating_mul(scale).saturating_add(i64::from(fraction)));
    match kind {
        TimeType::Unixtime => Value::Int(time.sec),
        TimeType::UnixtimeMillis => scaled(1_000, time.nsec / 1_000_000),
        TimeType::UnixtimeMicros => scaled(1_000_000, time.nsec / 1_000),
        TimeType::UnixtimeNanos => scaled(1_000_000_000, time.nsec),
        // Exact to the microsecond, and then the nearest float.
        TimeType::Float | TimeType::String => {
            let micros = i128::from(time.sec) * 1_000_000 + i128::from(time.nsec / 1_000);
            Value::Float(micros as f64 / 1e6)
        }
    }
}
