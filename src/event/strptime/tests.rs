//! Tests of reading times: format, text, and what comes of it.

use super::*;
use crate::event::Zone;

/// 2026-11-21 06:22:09 UTC.
const NOW: EventTime = EventTime::from_secs(1_795_242_129);

fn shown(read: Result<Read, NoTime>) -> String {
    match read {
        Ok(Read { time, offset, .. }) => format!("{}.{} {offset}", time.sec, time.nsec),
        Err(NoTime(why)) => format!("! {why}"),
    }
}

#[test]
fn the_fast_reader_takes_what_its_library_takes() {
    let rows = [
        ("%H:%M", "11:21", "1795260060.0"),
        ("%M", "21", "1795242060.0"),
        ("%S", "21", "1795242141.0"),
        ("%d", "6", "1793923200.0"),
        ("%m %H", "5 7", "1777618800.0"),
        ("%b %d %H:%M:%S", "Feb 30 01:02:03", "1772413323.0"),
        ("%H %z", "10 +0900", "1795222800.0"),
        ("%Y %z", "2019 Zulu", "1546300800.0"),
        ("%z %Y", "Z 2019", "! string doesn't match"),
        ("%Y-%m-%d", "2019-02-31", "1551571200.0"),
        ("%Y %z", "2019 +2400", "! string doesn't match"),
        ("%Y %z", "2019 -2359", "1546387140.0"),
        ("%Y %z", "2019 0530", "1546281000.0"),
        ("%Y %z", "2019 +9", "1546268400.0"),
        ("%Y  %m", "2019\u{b}\t8", "1564617600.0"),
        ("%y", "69", "-31536000.0"),
        ("%y", "68", "3092601600.0"),
        ("%d", " 5", "! string doesn't match"),
        ("%Y %b", "2019 Sept", "1567296000.0"),
        ("%Y %B", "2019 juny", "1559347200.0"),
        ("%Y.%N", "2019.000001", "1546300800.1000"),
        ("%Y-%m-%d %H:%M:%S", "2019-08-07 06:05:60 and more", "1565157960.0"),
        ("%H", "24", "! string doesn't match"),
        ("%Y", "x", "! string doesn't match"),
        ("%Y é", "2019 é", "1546300800.0"),
    ];
    for (format, text, expected) in rows {
        let fast = Fast::compile(format).expect(format);
        let found = match fast.read(text.as_bytes(), &Zone::Utc, || NOW) {
            Ok(time) => format!("{}.{}", time.sec, time.nsec),
            Err(NoTime(why)) => format!("! {why}"),
        };
        assert_eq!(found, expected, "{format} of {text:?}");
    }
    for format in ["%L", "%T", "%3N", "%s", "%Z", "%", "%-d", "%%"] {
        assert!(Fast::compile(format).is_none(), "{format}");
    }
}

#[test]
fn the_full_reader_takes_what_ruby_takes() {
    let invalid = |text: &str, format: &str| format!("! invalid date or strptime format - `{text}' `{format}'");
    let rows = [
        ("%Y-%j", "2019-219 more", "1565136000.0 0"),
        ("%Y-%j", "2019-366", "! yday 366 out of range"),
        ("%F %R", "2019-08-07 24:01", "! min out of range"),
        ("%F %T", "2019-02-31 24:00:00", "1551657600.0 0"),
        ("%F %I:%M %p", "2019-08-07 12:30 p.m.", "1565181000.0 0"),
        ("%F %I:%M %p", "2019-08-07 12:30 AM", "1565137800.0 0"),
        ("%G-W%V-%u", "2020-W53-5", "1609459200.0 0"),
        ("%G-W%V", "2019-W32", "1564963200.0 0"),
        ("%Y %U %w", "2019 31 3", "1565136000.0 0"),
        ("%Y %W %u", "2019 31 3", "1565136000.0 0"),
        ("%u", "3", "1794960000.0 0"),
        ("%V", "32", "1785715200.0 0"),
        ("%a", "Wed", "! no time information in \"Wed\""),
        ("%s.%L %z", "1565157904.5 +0900", "1565157904.500000000 32400"),
        ("%s.%L", "-1.5", "-2.500000000 0"),
        ("%s %Z", "1565157904 EST", "1565157904.0 -18000"),
        ("%Q", "-1500", "-2.500000000 0"),
        ("%F %R %Z", "2019-08-07 10:00 PST", "1565200800.0 -28800"),
        ("%F %R %Z", "2019-08-07 10:00 Asia/Tokyo", "1565172000.0 0"),
        ("%F %R %z", "2019-08-07 10:00 UTC+9", "1565172000.0 0"),
        ("%F %R %z", "2019-08-07 10:00 A", "1565168400.0 3600"),
        ("%F %R %z", "2019-08-07 10:00 +09:30:15", "1565137785.0 34215"),
        ("%F %R %:z", "2019-08-07 10:00 +0930", "1565137800.0 34200"),
        ("%F %R %z", "2019-08-07 10:00 +25:00", "! utc_offset out of range"),
        ("%F %R%z", "2019-08-07 10:00Z", "1565172000.0 0"),
        ("%Y%m%d%L", "201908071", "1565136000.100000000 0"),
        ("%F %T.%N", "2019-08-07 10:20:30.1234567891", "1565173230.123456789 0"),
        ("%C%y-%m-%d%%", "2019-08-07%", "1565136000.0 0"),
        ("%c", "wednesday aug  7 06:05:04 2019", "1565157904.0 0"),
        ("%+", "Wed Aug  7 06:05:04 UTC 2019", "1565157904.0 0"),
        ("%F %q", "2019-08-07 %q", "1565136000.0 0"),
        ("%EY-%Om-%Od", "2019-08-07", "1565136000.0 0"),
        ("%F %k", "2019-08-07  1", "1565139600.0 0"),
        ("%F %T %p", "2019-08-07 16:05:04 PM", "1565193904.0 0"),
        ("%F%nx", "2019-08-07x", "1565136000.0 0"),
        ("%r", "06:05:04 PM", "1795284304.0 0"),
        ("%j", "366", "! yday 366 out of range"),
    ];
    for (format, text, expected) in rows {
        assert_eq!(shown(Full::compile(format).read(text, NOW)), expected, "{format} of {text:?}");
    }
    let refused = [
        ("%F", "2019-13-01"),
        ("%F", "2019-08-32"),
        ("%F", "2019-08-00"),
        ("%F %R %z", "2019-08-07 10:00 "),
        ("%F %R %Z", "2019-08-07 10:00 PST8"),
        ("%Y%m%d%L", "20190807"),
        ("%3N", "123"),
        ("%-d", "7"),
        ("%F %I:%M %p", "2019-08-07 13:30 PM"),
        ("%F %l", "2019-08-07  13"),
        ("%Q", "x"),
        ("%%", "x"),
    ];
    for (format, text) in refused {
        assert_eq!(shown(Full::compile(format).read(text, NOW)), invalid(text, format));
    }
}

#[test]
fn times_are_guessed_as_ruby_guesses_them() {
    let day = "2019-08-07 00:00:00";
    let rows = [
        ("20190807", day),
        ("08/07/2019", "2019-07-08 00:00:00"),
        ("7/8/19", "2007-08-19 00:00:00"),
        ("Aug 7", "2026-08-07 00:00:00"),
        ("7th of August 2019", "2019-08-01 00:00:00"),
        ("August 2019", "2019-08-01 00:00:00"),
        ("10:20:30", "2026-11-21 10:20:30"),
        ("6:05pm", "2026-11-21 18:05:00"),
        ("10h20m30s", "2026-11-21 10:20:30"),
        ("2019-08-07 06:05:04.25 +0100", "2019-08-07 05:05:04.250000000"),
        ("2019-08-07 06:05:04,123", "2019-08-07 06:05:04.123000000"),
        ("Wed Aug  7 06:05:04 UTC 2019", "2019-08-07 06:05:04"),
        ("07/Aug/2019:06:05:04 +0200", "! argument out of range"),
        ("20190807T060504.5+0900", "2019-08-06 21:05:04.500000000"),
        ("190807", day),
        ("0807", "2026-08-07 00:00:00"),
        ("2019219", day),
        ("2019-219", day),
        ("2019.08.07", day),
        ("Aug-7-2019", day),
        ("H31.04.30T10:00:00", "2019-04-30 10:00:00"),
        ("Mon, 7 Aug 2019 06:05:04 GMT", "2019-08-07 06:05:04"),
        ("[2019-08-07 06:05:04]", "2019-08-07 06:05:04"),
        ("10.5.2019", "2019-05-10 00:00:00"),
        ("3rd Feb 2001", "2001-02-03 00:00:00"),
        ("31/12/2019 10:00", "2019-12-31 10:00:00"),
        ("2019-08-07 10:00 EST", "2019-08-07 15:00:00"),
        ("2019-08-07 06:05:04 +0900 (JST)", "2019-08-06 21:05:04"),
        ("2019", "! argument out of range"),
        ("1565157904", "! argument out of range"),
        ("Sat", "! no time information in \"Sat\""),
        ("x", "! no time information in \"x\""),
        ("", "! no time information in \"\""),
    ];
    for (text, expected) in rows {
        let found = match guess(text, NOW) {
            Ok(read) => {
                let (year, month, day) = crate::event::civil::date(read.time.sec.div_euclid(86_400));
                let second = read.time.sec.rem_euclid(86_400);
                let fraction = if read.time.nsec > 0 { format!(".{:09}", read.time.nsec) } else { String::new() };
                format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02}{fraction}", second / 3600, second / 60 % 60, second % 60)
            }
            Err(NoTime(why)) => format!("! {why}"),
        };
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn iso_8601_is_taken_in_one_form_only() {
    let rows = [
        ("2019-08-07T06:05:04Z", "1565157904.0 0"),
        ("2019-08-07T06:05:04.987654321+09:00", "1565125504.987654321 32400"),
        ("2019-08-07T06:05:04-0330", "1565170504.0 -12600"),
        ("2019-08-07T06:05:04", "1565157904.0 0"),
        ("2019-08-07", "! invalid xmlschema format: \"2019-08-07\""),
        ("2019-08-07T24:00:00Z", "1565222400.0 0"),
        ("2019-08-07T06:05:61Z", "! argument out of range"),
        ("2019-08-07 06:05:04Z", "! invalid xmlschema format: \"2019-08-07 06:05:04Z\""),
        ("20190807T060504Z", "! invalid xmlschema format: \"20190807T060504Z\""),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(iso8601(text)), expected);
    }
}
