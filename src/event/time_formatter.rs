//! Times as outputs write them: by a format and a zone, or as numbers; the texts of the last second are kept.

use super::{EventTime, Strftime, Zone};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Formatters whose last text is kept, a thread; more than that only cost time.
const KEPT: usize = 64;

/// Writes times as text.
#[derive(Clone, Debug)]
pub struct TimeFormatter {
    /// Where the last text is kept.
    number: usize,
    format: Strftime,
    zone: Zone,
    shows_fractions: bool,
}

struct Last {
    number: usize,
    time: EventTime,
    text: Vec<u8>,
}

thread_local! {
    static LAST: RefCell<Vec<Last>> = const { RefCell::new(Vec::new()) };
}

impl TimeFormatter {
    /// A formatter; without a format times are written as ISO 8601 in whole seconds.
    pub fn new(format: Option<&str>, localtime: bool, timezone: Option<&str>) -> Result<TimeFormatter, String> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let zone = match timezone {
            Some(name) => Zone::parse(name)?,
            None if localtime => Zone::Local,
            None => Zone::Utc,
        };
        // Ruby writes ISO 8601 in UTC with a Z.
        let usual = if matches!(zone, Zone::Utc) { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
        let format = Strftime::new(format.unwrap_or(usual));
        Ok(TimeFormatter { number: NUMBER.fetch_add(1, Ordering::Relaxed), shows_fractions: format.shows_fractions(), format, zone })
    }

    /// Appends a time.
    pub fn write(&self, time: EventTime, out: &mut Vec<u8>) {
        let key = if self.shows_fractions { time } else { EventTime::from_secs(time.sec) };
        LAST.with_borrow_mut(|kept| {
            let last = match kept.iter_mut().find(|last| last.number == self.number) {
                Some(last) if last.time == key => return out.extend_from_slice(&last.text),
                Some(last) => last,
                None => {
                    if kept.len() >= KEPT {
                        kept.clear();
                    }
                    kept.push(Last { number: self.number, time: key, text: Vec::new() });
                    let at = kept.len() - 1;
                    &mut kept[at]
                }
            };
            last.time = key;
            last.text.clear();
            self.format.write(time, &self.zone, &mut last.text);
            out.extend_from_slice(&last.text);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(formatter: &TimeFormatter, time: EventTime) -> String {
        let mut out = Vec::new();
        formatter.write(time, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn iso_8601_without_a_format() {
        let time = EventTime { sec: 1_709_651_106, nsec: 5 };
        assert_eq!(text(&TimeFormatter::new(None, false, None).unwrap(), time), "2024-03-05T15:05:06Z");
        assert_eq!(text(&TimeFormatter::new(None, true, Some("+09:00")).unwrap(), time), "2024-03-06T00:05:06+09:00");
        assert!(TimeFormatter::new(None, true, Some("Nowhere/City")).unwrap_err().contains("Nowhere/City"));
    }

    #[test]
    fn what_is_kept_is_never_shown_for_another_time() {
        let whole = TimeFormatter::new(Some("%s"), false, None).unwrap();
        let fine = TimeFormatter::new(Some("%s.%3N"), false, None).unwrap();
        for sec in [5, 6, 6, 5] {
            for nsec in [0, 1_000_000, 1_000_000] {
                let time = EventTime { sec, nsec };
                assert_eq!(text(&whole, time), sec.to_string());
                assert_eq!(text(&fine, time), format!("{sec}.{:03}", nsec / 1_000_000));
            }
        }
    }
}
