//! What the buffers need to know of packed entries `[time, record]`: where each ends, and how one is written.

use crate::event::msgpack::{Entries, write_array_head, write_entry, write_int, write_record};
use crate::event::{Event, EventTime};

/// Where each of `count` entries ends. Bytes behind a fault count to the last entry: nothing is left out here.
pub fn ends(bytes: &[u8], count: usize) -> Vec<usize> {
    let mut ends = Vec::with_capacity(count);
    let mut end = 0;
    for entry in Entries::new(bytes).map_while(Result::ok) {
        end += entry.whole.len();
        ends.push(end);
    }
    match ends.last_mut() {
        Some(last) => *last = bytes.len(),
        None => ends.push(bytes.len()),
    }
    ends
}

/// How many entries there are.
pub fn count(bytes: &[u8]) -> usize {
    Entries::new(bytes).map_while(Result::ok).count()
}

/// Appends one event, with its time in whole seconds where that is asked for.
pub fn write(event: &Event<'_>, time_as_integer: bool, out: &mut Vec<u8>) {
    if time_as_integer {
        write_array_head(2, out);
        write_int(event.time.sec, out);
        write_record(&event.record, out);
    } else {
        write_entry(event.time, &event.record, out);
    }
}

/// Appends a packed entry whose record stays as it is.
pub fn write_raw(time: EventTime, record: &[u8], time_as_integer: bool, whole: &[u8], out: &mut Vec<u8>) {
    if time_as_integer {
        write_array_head(2, out);
        write_int(time.sec, out);
        out.extend_from_slice(record);
    } else {
        out.extend_from_slice(whole);
    }
}
