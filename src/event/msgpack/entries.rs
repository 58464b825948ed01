//! Runs of `[time, map]` entries, as PackedForward messages and chunks hold them: check, walk, bring into the canonical form.
//!
//! Canonical is what [`crate::event::Batch::packed`] takes: two-element arrays of an EventTime or an integer and a map whose keys, nested ones
//! too, are texts without repetition. (Maps with other keys are canonical only after [`normalize_entries`] has removed repetitions.)

use super::{Head, Invalid, Known, Layouts, MAX_DEPTH, Reader, read_record, write_array_head, write_record, write_time};
use crate::event::keys::{EMPTY_SLOTS, Keys, all_differ, wants_table};
use crate::event::{EventTime, PART_EVENTS};
use bumpalo::Bump;

/// What came of [`check_entries`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How many values there are, whether canonical or not.
    pub count: usize,
    /// Whether all are canonical, so that the bytes can go on as they are.
    pub canonical: bool,
    /// Whether some canonical entry's time is 0 seconds, which some senders mean as "now".
    pub zero_time: bool,
}

/// A time as it stands in an entry or message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TimeForm {
    /// Seconds, as an integer.
    Seconds(i64),
    /// An EventTime extension.
    Event(EventTime),
    /// nil.
    Nil,
    /// A float of seconds.
    Float(f64),
    /// None of these.
    Other,
}

impl TimeForm {
    /// Reads a time; of a `[time, metadata]` array the first element counts.
    pub fn read(reader: &mut Reader<'_>) -> Result<TimeForm, Invalid> {
        match reader.head()? {
            Head::Array(count) if count > 0 => {
                let time = TimeForm::read_plain(reader)?;
                (1..count).try_for_each(|_| reader.skip())?;
                Ok(time)
            }
            head => TimeForm::of(head, reader),
        }
    }

    fn read_plain(reader: &mut Reader<'_>) -> Result<TimeForm, Invalid> {
        let head = reader.head()?;
        TimeForm::of(head, reader)
    }

    fn of(head: Head, reader: &mut Reader<'_>) -> Result<TimeForm, Invalid> {
        match head {
            Head::Int(seconds) => Ok(TimeForm::Seconds(seconds)),
            Head::UInt(seconds) => Ok(i64::try_from(seconds).map_or(TimeForm::Other, TimeForm::Seconds)),
            Head::Nil => Ok(TimeForm::Nil),
            Head::Float(seconds) => Ok(TimeForm::Float(seconds)),
            Head::Ext(0, 8) => reader.take(8).map(|body| event_time(body).map_or(TimeForm::Other, TimeForm::Event)),
            Head::Str(length) | Head::Bin(length) | Head::Ext(_, length) => reader.take(length).map(|_| TimeForm::Other),
            Head::Array(count) => (0..count).try_for_each(|_| reader.skip()).map(|()| TimeForm::Other),
            Head::Map(count) => (0..count.saturating_mul(2)).try_for_each(|_| reader.skip()).map(|()| TimeForm::Other),
            Head::Bool(_) => Ok(TimeForm::Other),
        }
    }

    /// The time where it is an integer or an EventTime.
    pub fn exact(self) -> Option<EventTime> {
        match self {
            TimeForm::Seconds(seconds) => Some(EventTime::from_secs(seconds)),
            TimeForm::Event(time) => Some(time),
            TimeForm::Nil | TimeForm::Float(_) | TimeForm::Other => None,
        }
    }

    /// The time as a sender meant it: nil and 0 are `now`, floats are seconds; `None` for what is no time.
    pub fn meant(self, now: EventTime) -> Option<EventTime> {
        match self {
            TimeForm::Nil => Some(now),
            TimeForm::Float(seconds) if seconds.is_finite() => Some(EventTime::from_f64(seconds)),
            form => form.exact(),
        }
        .map(|time| if time.sec == 0 { now } else { time })
    }
}

/// The EventTime in the 8 bytes of its extension.
pub fn event_time(body: &[u8]) -> Option<EventTime> {
    let (sec, nsec) = (body.first_chunk::<4>()?, body.get(4..)?.first_chunk::<4>()?);
    Some(EventTime { sec: i64::from(u32::from_be_bytes(*sec)), nsec: u32::from_be_bytes(*nsec) })
}

/// Walks over a run of values and says whether all are canonical entries. An error says that the bytes are no run of msgpack values.
pub fn check_entries(bytes: &[u8]) -> Result<Checked, Invalid> {
    check_entries_noting(bytes, &mut Vec::new())
}

/// The same, and notes where each run of [`PART_EVENTS`] values begins.
pub fn check_entries_noting(bytes: &[u8], marks: &mut Vec<usize>) -> Result<Checked, Invalid> {
    Layouts::of_thread(|layouts| check_all(bytes, marks, layouts))
}

pub(super) fn check_all(bytes: &[u8], marks: &mut Vec<usize>, layouts: &mut Layouts) -> Result<Checked, Invalid> {
    marks.clear();
    let mut reader = Reader::new(bytes);
    let mut checked = Checked { count: 0, canonical: true, zero_time: false };
    while !reader.is_at_end() {
        let start = reader.position();
        if checked.count.is_multiple_of(PART_EVENTS) {
            marks.push(start);
        }
        match check_entry(&mut reader, layouts) {
            Ok(zero) => checked.zero_time |= zero,
            Err(Invalid::Type) => {
                checked.canonical = false;
                reader = Reader::starting_at(bytes, super::skip(bytes, start)?);
            }
            Err(invalid) => return Err(invalid),
        }
        checked.count += 1;
    }
    Ok(checked)
}

/// Passes over one canonical entry and says whether its time is zero; `Invalid::Type` where it is not canonical.
fn check_entry(reader: &mut Reader<'_>, layouts: &mut Layouts) -> Result<bool, Invalid> {
    if let Some(time) = reader.usual_entry_time().filter(|time| time.nsec < 1_000_000_000) {
        check_record(reader, layouts)?;
        return Ok(time.sec == 0);
    }
    if reader.head()? != Head::Array(2) {
        return Err(Invalid::Type);
    }
    check_time_and_record(reader, layouts)
}

/// Passes over a time and a record as a canonical entry holds them, without the entry's own head, and says whether the time is zero;
/// `Invalid::Type` where they are not canonical.
pub fn check_event(reader: &mut Reader<'_>) -> Result<bool, Invalid> {
    Layouts::of_thread(|layouts| check_time_and_record(reader, layouts))
}

#[inline]
fn check_time_and_record(reader: &mut Reader<'_>, layouts: &mut Layouts) -> Result<bool, Invalid> {
    let seconds = match reader.head()? {
        Head::Int(seconds) => seconds,
        Head::UInt(seconds) => i64::try_from(seconds).map_err(|_| Invalid::Type)?,
        Head::Ext(0, 8) => event_time(reader.take(8)?).filter(|time| time.nsec < 1_000_000_000).ok_or(Invalid::Type)?.sec,
        _ => return Err(Invalid::Type),
    };
    check_record(reader, layouts)?;
    Ok(seconds == 0)
}

/// Passes over one map in canonical form; `Invalid::Type` where it is not canonical.
fn check_record(reader: &mut Reader<'_>, layouts: &mut Layouts) -> Result<(), Invalid> {
    let Head::Map(count) = reader.head()? else { return Err(Invalid::Type) };
    let (start, layout) = (*reader, layouts.of(count));
    if let Some(keys) = layout.keys(count) {
        if check_expected(reader, keys)? {
            layout.met();
            return Ok(());
        }
        *reader = start;
    }
    check_map(reader, count, 1)?;
    layout.missed(start, count);
    Ok(())
}

/// Passes over pairs with these keys, which are known to differ; `false` at the first other one.
#[inline]
fn check_expected(reader: &mut Reader<'_>, keys: &[Known]) -> Result<bool, Invalid> {
    for key in keys {
        if reader.known_key(key).is_none() {
            return Ok(false);
        }
        if reader.usual_text().is_none() {
            check_value(reader, 1)?;
        }
    }
    Ok(true)
}

/// Wide maps nested deeper than this do without a table on the stack, so that no input makes the stack large.
const TABLES_DEEP: usize = 8;

fn check_map(reader: &mut Reader<'_>, count: usize, depth: usize) -> Result<(), Invalid> {
    if wants_table(count) && depth <= TABLES_DEEP {
        check_wide_map(reader, count, depth)
    } else {
        check_pairs(reader, count, depth, Keys::for_map(count, None))
    }
}

#[inline(never)]
fn check_wide_map(reader: &mut Reader<'_>, count: usize, depth: usize) -> Result<(), Invalid> {
    let mut slots = EMPTY_SLOTS;
    check_pairs(reader, count, depth, Keys::for_map(count, Some(&mut slots)))
}

#[inline]
fn check_pairs<'k>(reader: &mut Reader<'k>, count: usize, depth: usize, mut keys: Keys<'_, 'k>) -> Result<(), Invalid> {
    let start = *reader;
    let mut repeated = false;
    for _ in 0..count {
        let key = match reader.usual_text() {
            Some(key) => key,
            None => rare_key(reader)?,
        };
        repeated |= keys.add(key);
        if reader.usual_text().is_none() {
            check_value(reader, depth)?;
        }
    }
    if repeated && !keys_differ(start, count)? {
        return Err(Invalid::Type);
    }
    Ok(())
}

fn check_value(reader: &mut Reader<'_>, depth: usize) -> Result<(), Invalid> {
    match reader.head()? {
        Head::Str(length) | Head::Bin(length) | Head::Ext(_, length) => reader.take(length).map(drop),
        Head::Array(_) | Head::Map(_) if depth >= MAX_DEPTH => Err(Invalid::TooDeep),
        Head::Array(count) => (0..count).try_for_each(|_| check_value(reader, depth + 1)),
        Head::Map(count) => check_map(reader, count, depth + 1),
        _ => Ok(()),
    }
}

#[cold]
fn rare_key<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Invalid> {
    match reader.head()? {
        Head::Str(length) => reader.take(length),
        _ => Err(Invalid::Type),
    }
}

/// The exact check of a map that [`check_map`] has walked over: all of it is there, and its keys are texts.
fn keys_differ(mut reader: Reader<'_>, count: usize) -> Result<bool, Invalid> {
    let mut keys = Vec::with_capacity(count);
    for _ in 0..count {
        keys.push(reader.str()?);
        reader.skip()?;
    }
    Ok(all_differ(keys.into_iter()))
}

/// One entry of a run.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its time.
    pub time: TimeForm,
    /// The msgpack of its record: a map where [`Entry::is_event`].
    pub record: &'a [u8],
    /// The msgpack of the whole entry.
    pub whole: &'a [u8],
}

impl Entry<'_> {
    /// Whether the record is a map.
    pub fn is_event(&self) -> bool {
        matches!(self.record.first(), Some(0x80..=0x8f | 0xde | 0xdf))
    }
}

/// Walks over a run of entries. What is no array has `TimeForm::Other` and an empty record. Ends at the first fault.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    reader: Reader<'a>,
}

impl<'a> Entries<'a> {
    /// Over these bytes.
    pub fn new(bytes: &'a [u8]) -> Entries<'a> {
        Entries { reader: Reader::new(bytes) }
    }

    fn entry(&mut self) -> Result<Entry<'a>, Invalid> {
        let bytes = self.reader.bytes();
        let start = self.reader.position();
        let (mut time, mut record) = (TimeForm::Other, &bytes[..0]);
        match self.reader.head()? {
            Head::Array(count @ 2..) => {
                time = TimeForm::read(&mut self.reader)?;
                let from = self.reader.position();
                self.reader.skip()?;
                record = &bytes[from..self.reader.position()];
                (2..count).try_for_each(|_| self.reader.skip())?;
            }
            _ => {
                self.reader = Reader::starting_at(bytes, super::skip(bytes, start)?);
            }
        }
        Ok(Entry { time, record, whole: &bytes[start..self.reader.position()] })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Invalid>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_at_end() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            self.reader = Reader::starting_at(self.reader.bytes(), usize::MAX);
        }
        Some(entry)
    }
}

/// Appends the entries in canonical form to `out` and gives their number. `time` decides about each one's time: `None` leaves the entry out, as
/// is one without a map. `bump` is used for records that have to be decoded.
pub fn normalize_entries(
    bytes: &[u8],
    bump: &Bump,
    out: &mut Vec<u8>,
    mut time: impl FnMut(&Entry<'_>) -> Option<EventTime>,
) -> Result<usize, Invalid> {
    let mut count = 0;
    let mut layouts = Layouts::default();
    for entry in Entries::new(bytes) {
        let entry = entry?;
        let Some(at) = time(&entry).filter(|_| entry.is_event()) else { continue };
        if entry.time.exact() == Some(at) && check_entry(&mut Reader::new(entry.whole), &mut layouts).is_ok() {
            out.extend_from_slice(entry.whole);
        } else {
            write_array_head(2, out);
            write_time(at, out);
            if check_record(&mut Reader::new(entry.record), &mut layouts).is_ok() {
                out.extend_from_slice(entry.record);
            } else {
                write_record(&read_record(bump, &mut Reader::new(entry.record))?, out);
            }
        }
        count += 1;
    }
    Ok(count)
}
