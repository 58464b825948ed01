//! Events that travel together: packed msgpack until somebody has to look, then decoded records.

use super::msgpack::{Layouts, Reader, read_canonical_record, write_entry};
use super::{EventTime, Record, Scope};
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use std::cell::OnceCell;

/// One decoded event.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Its time.
    pub time: EventTime,
    /// Its record.
    pub record: Record<'a>,
}

impl Event<'_> {
    /// The same with all it refers to in another arena.
    pub fn copied_into<'b>(&self, bump: &'b Bump) -> Event<'b> {
        Event { time: self.time, record: self.record.copied_into(bump) }
    }
}

/// So many events are a part, where a batch is looked at in parts.
pub const PART_EVENTS: usize = 64;

/// Events of one tag. `packed` is a run of msgpack `[time, map]` entries that [`Batch::packed`]'s caller has checked;
/// it is dropped as soon as an event is changed.
pub struct Batch<'a> {
    packed: Option<&'a [u8]>,
    count: usize,
    /// Where the parts of `packed` begin; none where nobody has noted that.
    marks: &'a [usize],
    /// How many messages it was made of, where it was made for speed only.
    messages: Option<usize>,
    events: OnceCell<BumpVec<'a, Event<'a>>>,
}

impl<'a> Batch<'a> {
    /// A batch of checked msgpack entries `[time, map]` with times as EventTime or integer, one after another.
    pub fn packed(entries: &'a [u8], count: usize) -> Batch<'a> {
        Batch { packed: Some(entries), count, marks: &[], messages: None, events: OnceCell::new() }
    }

    /// A batch of decoded events.
    pub fn decoded(events: BumpVec<'a, Event<'a>>) -> Batch<'a> {
        Batch { packed: None, count: 0, marks: &[], messages: None, events: OnceCell::from(events) }
    }

    /// A batch of one event.
    pub fn single(scope: &Scope<'a>, time: EventTime, record: Record<'a>) -> Batch<'a> {
        Batch::decoded(bumpalo::vec![in scope.bump(); Event { time, record }])
    }

    /// Says where each run of [`PART_EVENTS`] entries begins, so that nobody has to walk over them to find out.
    pub fn marked(self, marks: &'a [usize]) -> Batch<'a> {
        Batch { marks, ..self }
    }

    /// The packed entries in runs of [`PART_EVENTS`], the last one of fewer, and how many each has; `None` where they are not packed.
    pub fn parts(&self) -> Option<Vec<(&'a [u8], usize)>> {
        let entries = self.packed?;
        if self.marks.len() != self.count.div_ceil(PART_EVENTS) {
            return Some(walked_parts(entries));
        }
        let ends = self.marks.iter().copied().skip(1).chain([entries.len()]);
        let counts = (0..self.count).step_by(PART_EVENTS).map(|before| PART_EVENTS.min(self.count - before));
        Some(self.marks.iter().zip(ends).zip(counts).map(|((&start, end), count)| (&entries[start..end], count)).collect())
    }

    /// Says that each event was sent in a message of its own and the batch was made for speed only.
    pub fn coalesced(mut self) -> Batch<'a> {
        self.messages = Some(self.len());
        self
    }

    /// Whether each event was sent in a message of its own.
    pub fn is_coalesced(&self) -> bool {
        self.messages.is_some()
    }

    /// How many emits this batch stands for, whatever filters have taken out of it since: what counts emits looks at this.
    pub fn emits(&self) -> usize {
        self.messages.unwrap_or(1)
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.get().map_or(self.count, |events| events.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The msgpack entries, while nothing has been changed.
    pub fn as_packed(&self) -> Option<&'a [u8]> {
        self.packed
    }

    /// How many bytes the events have as msgpack entries. They are encoded for that where they are not packed.
    pub fn encoded_len(&self, scope: &Scope<'a>) -> usize {
        if let Some(entries) = self.packed {
            return entries.len();
        }
        let mut encoded = Vec::new();
        for event in self.events(scope) {
            write_entry(event.time, &event.record, &mut encoded);
        }
        encoded.len()
    }

    /// The events, decoded on the first call.
    pub fn events(&self, scope: &Scope<'a>) -> &[Event<'a>] {
        self.events.get_or_init(|| decode(scope, self.packed.unwrap_or_default(), self.count))
    }

    /// The events, to be changed; the packed form is gone after this.
    pub fn events_mut(&mut self, scope: &Scope<'a>) -> &mut BumpVec<'a, Event<'a>> {
        self.events(scope);
        self.packed = None;
        self.events.get_mut().unwrap_or_else(|| unreachable!("events() has just filled the cell"))
    }

    /// The events, decoded where they were not.
    pub fn into_events(self, scope: &Scope<'a>) -> BumpVec<'a, Event<'a>> {
        self.events(scope);
        self.events.into_inner().unwrap_or_else(|| unreachable!("events() has just filled the cell"))
    }

    /// Puts other events in the place of these.
    pub fn replace(&mut self, events: BumpVec<'a, Event<'a>>) {
        self.packed = None;
        self.events = OnceCell::from(events);
    }

    /// Puts packed events in the place of these, as for [`Batch::packed`].
    pub fn replace_packed(&mut self, entries: &'a [u8], count: usize) {
        *self = Batch { messages: self.messages, ..Batch::packed(entries, count) };
    }

    /// A batch with the same events that may be changed on its own; values stay shared.
    pub fn duplicate(&self, scope: &Scope<'a>) -> Batch<'a> {
        let mut copy = match self.packed {
            Some(entries) => Batch::packed(entries, self.count).marked(self.marks),
            None => {
                let mut events = BumpVec::with_capacity_in(self.len(), scope.bump());
                events.extend(self.events(scope).iter().cloned());
                Batch::decoded(events)
            }
        };
        copy.messages = self.messages;
        copy
    }
}

/// Runs of entries with how many they are, where nobody has noted where they begin.
fn walked_parts(entries: &[u8]) -> Vec<(&[u8], usize)> {
    let mut parts = Vec::new();
    let mut reader = Reader::new(entries);
    while !reader.is_at_end() {
        let start = reader.position();
        let mut count = 0;
        // The caller of `Batch::packed` has checked the entries.
        while count < PART_EVENTS && !reader.is_at_end() && reader.skip().is_ok() {
            count += 1;
        }
        if count == 0 {
            break;
        }
        parts.push((&entries[start..reader.position()], count));
    }
    parts
}

fn decode<'a>(scope: &Scope<'a>, entries: &'a [u8], count: usize) -> BumpVec<'a, Event<'a>> {
    let mut events = BumpVec::with_capacity_in(count, scope.bump());
    let mut reader = Reader::new(entries);
    Layouts::of_thread(|layouts| {
        while let Ok(time) = reader.entry_time()
            && let Ok(record) = read_canonical_record(scope.bump(), &mut reader, layouts)
        {
            events.push(Event { time, record });
        }
    });
    // The caller of `Batch::packed` has checked the entries: there is nothing that cannot be read.
    debug_assert!(reader.is_at_end());
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Value;

    #[test]
    fn parts_are_the_same_whether_they_are_noted_or_not() {
        let bump = Bump::new();
        for count in [0, 1, 63, 64, 65, 128, 1000] {
            let (mut entries, mut marks) = (Vec::new(), Vec::new());
            for number in 0..count {
                if number % PART_EVENTS == 0 {
                    marks.push(entries.len());
                }
                let fields = [(Value::text("n"), Value::Int(number as i64 * 77))];
                write_entry(EventTime::from_secs(1), &Record::from_fields(&bump, &fields), &mut entries);
            }
            let walked = Batch::packed(&entries, count).parts().unwrap();
            let noted = Batch::packed(&entries, count).marked(&marks).parts().unwrap();
            assert_eq!(walked, noted);
            assert_eq!(walked.iter().map(|part| part.1).sum::<usize>(), count);
            assert_eq!(walked.iter().flat_map(|part| part.0).copied().collect::<Vec<_>>(), entries);
            // Marks of something else are not believed.
            marks.push(0);
            assert_eq!(Batch::packed(&entries, count).marked(&marks).parts().unwrap(), walked);
        }
    }
}
