//! Entries on their way into a batch: as they are where that will do, otherwise written anew without those that are no events.

use crate::event::msgpack::{Entry, Invalid, TimeForm, check_entries_noting, normalize_entries, skip};
use crate::event::{EventTime, Scope};
use bumpalo::collections::Vec as BumpVec;

/// Where a run of entries came from, and so what nil and zero times in it mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A message's own time, or those of an array: nil and zero are the time of arrival.
    Listed,
    /// Packed entries: nil is no time, and zero is 1970.
    Packed,
}

/// Entries that a batch can hold.
#[derive(Debug, Default)]
pub struct Admitted<'a> {
    /// `[time, record]` entries in canonical form.
    pub bytes: &'a [u8],
    /// How many.
    pub count: usize,
    /// How many others were left out because they are no events.
    pub skipped: usize,
    /// The first of those.
    pub first_skipped: &'a [u8],
    /// Bytes at the end that are no whole entry.
    pub tail: usize,
}

/// Checks a run of entries. Fails where it holds something that is no msgpack; an incomplete last entry is left out, as Fluentd does.
/// `marks` are for [`Batch::marked`](crate::event::Batch::marked) then.
pub fn admit<'a>(scope: &Scope<'a>, run: &'a [u8], origin: Origin, marks: &mut Vec<usize>) -> Result<Admitted<'a>, Invalid> {
    match check_entries_noting(run, marks) {
        Ok(checked) if checked.canonical && (origin == Origin::Packed || !checked.zero_time) => {
            Ok(Admitted { bytes: run, count: checked.count, ..Admitted::default() })
        }
        Ok(_) => {
            marks.clear();
            rewrite(scope, run, origin)
        }
        Err(Invalid::Truncated) => {
            let whole = whole_part(run)?;
            let admitted = admit(scope, &run[..whole], origin, marks)?;
            Ok(Admitted { tail: run.len() - whole, ..admitted })
        }
        Err(invalid) => Err(invalid),
    }
}

fn rewrite<'a>(scope: &Scope<'a>, run: &'a [u8], origin: Origin) -> Result<Admitted<'a>, Invalid> {
    let mut out = Vec::with_capacity(run.len());
    let mut skipped: Option<(usize, &[u8])> = None;
    let now = EventTime::now();
    let count = normalize_entries(run, scope.bump(), &mut out, |entry| {
        let time = meant(entry, origin, now).filter(|_| entry.is_event());
        if time.is_none() {
            let place = entry.whole.as_ptr() as usize - run.as_ptr() as usize;
            let (count, _) = *skipped.get_or_insert((0, &run[place..place + entry.whole.len()]));
            skipped = skipped.map(|(_, first)| (count + 1, first));
        }
        time
    })?;
    let (skipped, first_skipped) = skipped.unwrap_or_default();
    let mut bytes = BumpVec::with_capacity_in(out.len(), scope.bump());
    bytes.extend_from_slice_copy(&out);
    Ok(Admitted { bytes: bytes.into_bump_slice(), count, skipped, first_skipped, tail: 0 })
}

/// The time of an entry as its sender meant it; `None` where it is none.
fn meant(entry: &Entry<'_>, origin: Origin, now: EventTime) -> Option<EventTime> {
    let time = match entry.time {
        TimeForm::Nil if origin == Origin::Listed => now,
        // Fluentd: a float is an invalid time to its own check, and the event is dropped; here it is seconds.
        TimeForm::Float(seconds) if (-9e18..=9e18).contains(&seconds) => EventTime::from_f64(seconds),
        form => form.exact()?,
    };
    let time = EventTime { sec: time.sec + i64::from(time.nsec / 1_000_000_000), nsec: time.nsec % 1_000_000_000 };
    Some(if time.sec == 0 && origin == Origin::Listed { now } else { time })
}

/// How many bytes of a cut-off run are whole values.
fn whole_part(run: &[u8]) -> Result<usize, Invalid> {
    let mut at = 0;
    while at < run.len() {
        match skip(run, at) {
            Ok(end) => at = end,
            Err(Invalid::Truncated) => break,
            Err(invalid) => return Err(invalid),
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Scratch;

    /// Entries, their number, the number of others, the bytes of the first other, the length of the tail.
    type Found = Result<(Vec<u8>, usize, usize, Vec<u8>, usize), Invalid>;

    fn admitted(run: &[u8], origin: Origin) -> Found {
        let scratch = Scratch::take();
        admit(&scratch.scope(), run, origin, &mut Vec::new())
            .map(|found| (found.bytes.to_vec(), found.count, found.skipped, found.first_skipped.to_vec(), found.tail))
    }

    #[test]
    fn canonical_entries_stay() {
        let run = b"\x92\x01\x80\x92\xd7\0\0\0\0\x01\0\0\0\x02\x81\xa1a\x91\x01";
        assert_eq!(admitted(run, Origin::Listed), Ok((run.to_vec(), 2, 0, Vec::new(), 0)));
        assert_eq!(admitted(b"", Origin::Packed), Ok((Vec::new(), 0, 0, Vec::new(), 0)));
    }

    #[test]
    fn others_are_rewritten_or_left_out() {
        let run = b"\x92\x01\x80\x93\x02\x80\x07\x92\xa1x\x80\x05\x92\x03\xa1r\x91\x01\x92\x92\x04\x80\x81\xa1a\x02\xdc\0\x02\x06\x80";
        let (bytes, count, skipped, first, tail) = admitted(run, Origin::Packed).unwrap();
        assert_eq!((count, skipped, first.as_slice(), tail), (4, 4, b"\x92\xa1x\x80".as_slice(), 0));
        let again = admitted(&bytes, Origin::Packed).unwrap();
        assert_eq!((again.1, again.2), (4, 0));
        assert!(bytes.starts_with(b"\x92\x01\x80") && bytes.ends_with(b"\x06\x80"), "{bytes:x?}");
    }

    #[test]
    fn zero_and_nil_are_now_in_a_list_only() {
        for (origin, length) in [(Origin::Listed, 12), (Origin::Packed, 3)] {
            assert_eq!(admitted(b"\x92\x00\x80", origin).unwrap().0.len(), length);
        }
        assert_eq!(admitted(b"\x92\xc0\x80", Origin::Listed).unwrap().1, 1);
        assert_eq!(admitted(b"\x92\xc0\x80", Origin::Packed).unwrap().1, 0);
        assert_eq!(admitted(b"\x92\xd7\0\0\0\0\0\0\0\0\x07\x80", Origin::Packed).unwrap().0.len(), 12);
    }

    #[test]
    fn odd_times_become_event_times() {
        let float = [b"\x92\xcb".as_slice(), &1_600_000_000.5f64.to_be_bytes(), b"\x80"].concat();
        assert_eq!(admitted(&float, Origin::Packed).unwrap().0, b"\x92\xd7\0\x5f\x5e\x10\0\x1d\xcd\x65\0\x80");
        assert_eq!(admitted(b"\x92\xc7\x08\0\0\0\0\x09\0\0\0\x05\x80", Origin::Packed).unwrap().1, 1);
        assert_eq!(admitted(b"\x92\xd7\0\0\0\0\x09\x77\x35\x94\x01\x80", Origin::Packed).unwrap().0, b"\x92\xd7\0\0\0\0\x0b\0\0\0\x01\x80");
        for none in [b"\x92\xcb\x7f\xf8\0\0\0\0\0\0\x80".as_slice(), b"\x92\xd7\x01\0\0\0\0\0\0\0\0\x80", b"\x92\xcf\xff\0\0\0\0\0\0\0\x80"]
        {
            assert_eq!(admitted(none, Origin::Packed).unwrap().2, 1, "{none:x?}");
        }
    }

    #[test]
    fn an_incomplete_tail_is_left_out() {
        let whole = b"\x92\xce\0\0\0\x01\x81\xa1a\xa1b";
        for tail in 1..whole.len() {
            for first in [b"\x92\x01\x80".as_slice(), b"\x93\x01\x80\x01"] {
                let found = admitted(&[first, &whole[..tail]].concat(), Origin::Packed).unwrap();
                assert_eq!((found.1, found.2, found.4), (1, 0, tail));
            }
        }
    }

    #[test]
    fn what_is_no_msgpack_fails_the_run() {
        assert_eq!(admitted(b"\x92\x01\x80\x92\x01\x81\xa1a\xc1", Origin::Packed), Err(Invalid::Marker));
        assert_eq!(admitted(b"\x92\x01\x80\xc1", Origin::Packed), Err(Invalid::Marker));
        let deep = [b"\x92\x01\x81\xa1a".as_slice(), &[0x91; 10_000]].concat();
        assert_eq!(admitted(&deep, Origin::Packed), Err(Invalid::TooDeep));
    }
}
