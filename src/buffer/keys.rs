//! Chunk keys, compiled: what a `<buffer tag, time, $.a.b>` asks of each event.

use super::ChunkKeys;
use crate::event::{Accessor, Event, EventTime, Tag, Value, Zone, ruby};
use std::borrow::Cow;

/// The chunk keys of a buffer.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Whether the tag is one.
    pub tag: bool,
    /// Whether the time is one, and how it is sliced.
    pub time: Option<TimeSlices>,
    /// The fields that are.
    pub fields: Vec<FieldKey>,
}

/// A field that is a chunk key.
#[derive(Clone, Debug)]
pub struct FieldKey {
    /// As configured: `kind`, `$.a.b`.
    pub name: String,
    /// Finds it in a record.
    pub accessor: Accessor,
}

/// How time is sliced.
#[derive(Clone, Debug)]
pub struct TimeSlices {
    /// Length in seconds.
    pub length: f64,
    /// Seconds that a slice waits after its end.
    pub wait: i64,
    /// Where its days and hours begin.
    pub zone: Zone,
}

impl TimeSlices {
    /// Start of the slice that a time in seconds since 1970 is in.
    pub fn start(&self, sec: i64) -> i64 {
        sec - self.rest_of(sec + i64::from(self.zone.offset_at(sec)))
    }

    /// Whether a slice and the wait after it are over.
    pub fn is_over(&self, start: i64, now: i64) -> bool {
        start < now - self.rest_of(now) && start.saturating_add(self.length as i64).saturating_add(self.wait) <= now
    }

    /// How far into its slice a time is. Fluentd takes the rest of the time as it is, before it makes whole seconds of it.
    fn rest_of(&self, sec: i64) -> i64 {
        if self.length.fract() == 0.0 {
            return sec.rem_euclid(self.length as i64);
        }
        let rest = (sec as f64).rem_euclid(self.length);
        sec - (sec as f64 - rest) as i64
    }
}

impl Keys {
    /// Whether all events of a batch have the same keys.
    pub fn are_simple(&self) -> bool {
        self.time.is_none() && self.fields.is_empty()
    }

    /// Whether there are none: all events share their chunks.
    pub fn are_none(&self) -> bool {
        self.are_simple() && !self.tag
    }

    /// The keys of a whole batch, where they are simple.
    pub fn of_tag(&self, tag: &Tag) -> ChunkKeys {
        ChunkKeys { tag: self.tag.then(|| tag.clone()), timekey: None, variables: Vec::new() }
    }

    /// The keys of one event.
    pub fn of(&self, tag: &Tag, event: &Event<'_>) -> ChunkKeys {
        let variables = self.fields.iter().map(|field| (field.name.clone(), self.value(field, event).map(Cow::into_owned))).collect();
        ChunkKeys { tag: self.tag.then(|| tag.clone()), timekey: self.time.as_ref().map(|time| time.start(event.time.sec)), variables }
    }

    /// Whether `keys`, found for another event of the same tag, are this event's too: most neighbours are alike, and nothing is allocated for them.
    pub fn fit(&self, keys: &ChunkKeys, event: &Event<'_>) -> bool {
        keys.timekey == self.time.as_ref().map(|time| time.start(event.time.sec))
            && self.fields.iter().zip(&keys.variables).all(|(field, (_, value))| self.value(field, event).as_deref() == value.as_deref())
    }

    /// Why an event has no keys, in Ruby's words: the way to a nested field leads through a value that has no fields.
    pub fn fault(&self, event: &Event<'_>) -> Option<String> {
        let nested = self.fields.iter().filter(|field| field.accessor.is_nested());
        nested.filter_map(|field| field.accessor.dig(&event.record).err()).next()
    }

    fn value<'a>(&self, field: &FieldKey, event: &Event<'a>) -> Option<Cow<'a, str>> {
        key_text(field.accessor.get(&event.record)?)
    }
}

/// A field's value as part of a name; `None` for nil.
fn key_text<'a>(value: Value<'a>) -> Option<Cow<'a, str>> {
    match value {
        Value::Nil => None,
        Value::Str(bytes) | Value::Bin(bytes) => Some(String::from_utf8_lossy(bytes)),
        other => {
            let mut text = Vec::new();
            ruby::to_s(&other, &mut text);
            Some(Cow::Owned(String::from_utf8_lossy(&text).into_owned()))
        }
    }
}

/// The machine's offset at present, which is the default zone of time slices.
pub fn local_zone() -> Zone {
    Zone::Fixed(Zone::Local.offset_at(EventTime::now().sec))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(length: f64, zone_name: &str) -> TimeSlices {
        TimeSlices { length, wait: 60, zone: Zone::parse(zone_name).unwrap() }
    }

    #[test]
    fn slices_begin_where_the_zone_says() {
        let noon = 1_700_000_000; // 2023-11-14 22:13:20 UTC
        assert_eq!(slices(86_400.0, "+00:00").start(noon), 1_699_920_000);
        assert_eq!(slices(86_400.0, "+0900").start(noon), 1_699_920_000 + 54_000);
        assert_eq!(slices(3600.0, "Asia/Kolkata").start(noon), 1_699_999_200 - 1800);
        assert_eq!(slices(60.0, "-03").start(-1), -60);
        assert_eq!(slices(90.7, "+00:00").start(noon), noon - 14);
    }

    #[test]
    fn a_slice_is_over_after_its_wait() {
        let slices = slices(3600.0, "+00");
        assert!(!slices.is_over(7200, 7200 + 3600 + 59));
        assert!(slices.is_over(7200, 7200 + 3600 + 60));
        assert!(!slices.is_over(7200, 7300));
    }
}
