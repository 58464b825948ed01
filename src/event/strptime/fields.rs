//! What a text says of a time, and the time that Ruby makes of it together with what it does not say.

use super::{NoTime, Read};
use crate::event::civil::{DAY, date, day_of_year, days, from_iso_week, iso_week, weekday};
use crate::event::zone::numeric;
use crate::event::{EventTime, Zone};

/// The parts that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'t> {
    /// Seconds since 1970, rounded down, and nanoseconds: overrules the rest.
    pub epoch: Option<(i64, u32)>,
    /// Year.
    pub year: Option<i64>,
    /// Century of the year.
    pub century: Option<i64>,
    /// Month from 1.
    pub month: Option<i64>,
    /// Day of the month.
    pub day: Option<i64>,
    /// Day of the year from 1.
    pub day_of_year: Option<i64>,
    /// Hour.
    pub hour: Option<i64>,
    /// 0 for the morning, 12 for the afternoon.
    pub half: Option<i64>,
    /// Minute.
    pub minute: Option<i64>,
    /// Second.
    pub second: Option<i64>,
    /// Fraction of a second in nanoseconds.
    pub nanoseconds: Option<u32>,
    /// Name or offset of the zone.
    pub zone: Option<&'t str>,
    /// Year of the ISO week.
    pub week_year: Option<i64>,
    /// ISO week.
    pub week: Option<i64>,
    /// Day of the ISO week, Monday 1 to Sunday 7.
    pub week_day: Option<i64>,
    /// Day of the week, Sunday 0.
    pub weekday: Option<i64>,
    /// Week of the year that starts on Sundays.
    pub sunday_week: Option<i64>,
    /// Week of the year that starts on Mondays.
    pub monday_week: Option<i64>,
    /// Whether text was left over.
    pub left_over: bool,
}

/// Zones that Ruby's `Time` knows by name, in hours.
const ZONES: [(&str, i64); 12] = [
    ("UTC", 0),
    ("Z", 0),
    ("UT", 0),
    ("GMT", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

/// The offset of a zone as Ruby's `Time` reads it; `None` for names that it does not know, which count as the local zone.
pub(in crate::event) fn zone_offset(zone: &str, year: i64) -> Option<i64> {
    if let Some(offset) = numeric(zone).or_else(|| numeric_with_seconds(zone)) {
        return Some(i64::from(offset));
    }
    let upper = zone.to_ascii_uppercase();
    if let Some((_, hours)) = ZONES.iter().find(|(name, _)| *name == upper) {
        return Some(hours * 3600);
    }
    if let [letter] = upper.as_bytes() {
        // Military letters; J is no zone.
        return match letter {
            b'A'..=b'I' => Some(i64::from(letter - b'A' + 1) * 3600),
            b'K'..=b'M' => Some(i64::from(letter - b'A') * 3600),
            b'N'..=b'Y' => Some(-i64::from(letter - b'N' + 1) * 3600),
            _ => None,
        };
    }
    let local = |month| days(year, month, 1) * DAY;
    [local(1), local(7)]
        .into_iter()
        .find(|sec| Zone::Local.abbreviation(*sec).to_ascii_uppercase() == upper)
        .map(|sec| i64::from(Zone::Local.offset_at(sec)))
}

/// `+HH:MM:SS` or `+HHMMSS`.
fn numeric_with_seconds(zone: &str) -> Option<i32> {
    let (minutes, seconds) = match zone.as_bytes() {
        [_, _, _, b':', _, _, b':', _, _] => zone.split_at_checked(6).map(|(minutes, seconds)| (minutes, &seconds[1..]))?,
        [_, _, _, _, _, _, _] => zone.split_at_checked(5)?,
        _ => return None,
    };
    let offset = numeric(minutes)?;
    let seconds = seconds.parse::<u8>().ok().map(i32::from)?;
    Some(if zone.starts_with('-') { offset - seconds } else { offset + seconds })
}

impl Fields<'_> {
    /// The time; what is missing of the date is today's (as `now` has it), of the time of day 0. `text` is for messages.
    pub fn assemble(mut self, text: &str, now: EventTime) -> Result<Read, NoTime> {
        self.settle();
        if let Some((sec, nsec)) = self.epoch {
            return self.by_epoch(sec, nsec, now);
        }
        let by_week = self.week_day.is_some() || self.week.is_some();
        let by_month = self.month.is_some() && self.day.is_some();
        if (self.week_year.is_some() && self.year.is_none()) || (by_week && !by_month) {
            return self.by_iso_week(now);
        }
        if (self.sunday_week.is_some() || self.monday_week.is_some()) && self.day_of_year.is_none() && !by_month {
            self.day_of_year = Some(self.day_of_week_number(now)?);
        }
        self.by_date(text, now)
    }

    /// Joins century and year, hour and half of the day.
    fn settle(&mut self) {
        if let Some(century) = self.century {
            self.year = self.year.map(|year| century * 100 + year);
            self.week_year = self.week_year.map(|year| century * 100 + year);
        }
        if let (Some(half), Some(hour)) = (self.half, self.hour) {
            self.hour = Some(hour % 12 + half);
        }
    }

    fn by_epoch(&self, sec: i64, nsec: u32, now: EventTime) -> Result<Read, NoTime> {
        // Ruby takes the fraction away from times before 1970.
        let fraction = i64::from(self.nanoseconds.unwrap_or(0));
        let total = i64::from(nsec) + if sec < 0 { -fraction } else { fraction };
        let time = EventTime { sec: sec + total.div_euclid(1_000_000_000), nsec: total.rem_euclid(1_000_000_000) as u32 };
        let year = date(now.sec.div_euclid(DAY)).0;
        let offset = self.zone.and_then(|zone| zone_offset(zone, year)).unwrap_or_else(|| i64::from(Zone::Local.offset_at(time.sec)));
        Ok(Read { time, offset, zoned: self.zone.is_some() })
    }

    fn by_iso_week(&self, now: EventTime) -> Result<Read, NoTime> {
        let invalid = || NoTime("invalid date".to_owned());
        if self.left_over {
            return Err(invalid());
        }
        if self.week.is_none() && (self.sunday_week.is_some() || self.monday_week.is_some()) {
            let year = self.year.unwrap_or_else(|| date(now.sec.div_euclid(DAY)).0);
            return Ok(local((days(year, 1, 1) + self.day_of_week_number(now)? - 1) * DAY, 0));
        }
        let (this_year, this_week) = iso_week((now.sec + i64::from(Zone::Local.offset_at(now.sec))).div_euclid(DAY));
        let year = self.week_year.or(self.year).unwrap_or(this_year);
        let week = self.week.unwrap_or(if self.week_year.is_some() { 1 } else { i64::from(this_week) });
        let day = self.week_day.or(self.weekday.map(|day| if day == 0 { 7 } else { day })).unwrap_or(1);
        let days = from_iso_week(year, week, day);
        if iso_week(days) != (year, week as u32) {
            return Err(invalid());
        }
        Ok(local(days * DAY, 0))
    }

    fn day_of_week_number(&self, now: EventTime) -> Result<i64, NoTime> {
        let year = self.year.unwrap_or_else(|| date(now.sec.div_euclid(DAY)).0);
        let first = days(year, 1, 1);
        let of_week = self.weekday.or(self.week_day.map(|day| day % 7));
        let day = match (self.sunday_week, self.monday_week) {
            (Some(week), _) => first - i64::from(weekday(first)) + (week - i64::from(weekday(first) == 0)) * 7 + of_week.unwrap_or(0),
            (None, Some(week)) => {
                let monday = first - i64::from((weekday(first) + 6) % 7);
                monday + (week - i64::from(weekday(first) == 1)) * 7 + of_week.map_or(0, |day| (day + 6) % 7)
            }
            (None, None) => first,
        };
        if date(day).0 != year || self.left_over {
            return Err(NoTime("invalid date".to_owned()));
        }
        Ok(day - first + 1)
    }

    fn by_date(&self, text: &str, now: EventTime) -> Result<Read, NoTime> {
        let parts = [self.year, self.day_of_year, self.month, self.day, self.hour, self.minute, self.second];
        if parts.iter().all(Option::is_none) && self.nanoseconds.is_none() {
            return Err(NoTime(format!("no time information in {text:?}")));
        }
        let local_now = now.sec + i64::from(Zone::Local.offset_at(now.sec));
        let zone_year = self.year.unwrap_or_else(|| date(local_now.div_euclid(DAY)).0);
        let offset = self.zone.and_then(|zone| zone_offset(zone, zone_year));
        let now_there = now.sec + offset.unwrap_or_else(|| i64::from(Zone::Local.offset_at(now.sec)));
        let (this_year, this_month, this_day) = date(now_there.div_euclid(DAY));
        let year = self.year.unwrap_or(this_year);
        let (month, day) = match self.day_of_year {
            Some(day) => month_and_day(year, day)?,
            None => complete(self.month, self.day, self.year.is_some(), (this_month, this_day)),
        };
        let hour =
            self.or_present(self.hour, self.known_above_hour(), now_there.rem_euclid(DAY) / 3600, self.minute.or(self.second).is_some());
        let hour_known = self.known_above_hour() || self.hour.is_some();
        let minute = self.or_present(self.minute, hour_known, now_there.rem_euclid(3600) / 60, self.second.is_some());
        let second = self.second.unwrap_or(0);
        let in_day = second_of_day(hour, minute, second)?;
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(NoTime::out_of_range());
        }
        let wall = days(year, month as u32, day) * DAY + in_day;
        let nsec = self.nanoseconds.unwrap_or(0);
        match offset {
            Some(offset) if offset.abs() >= DAY => Err(NoTime("utc_offset out of range".to_owned())),
            Some(offset) => Ok(Read { time: EventTime { sec: wall - offset, nsec }, offset, zoned: true }),
            None => Ok(local(wall, nsec)),
        }
    }

    fn known_above_hour(&self) -> bool {
        self.year.or(self.month).or(self.day).or(self.day_of_year).is_some()
    }

    /// A part of the time of day: as given; where nothing greater is given, but something smaller, the present one; else 0.
    fn or_present(&self, given: Option<i64>, greater_given: bool, present: i64, smaller_given: bool) -> i64 {
        match given {
            Some(given) => given,
            None if !greater_given && (smaller_given || self.nanoseconds.is_some()) => present,
            None => 0,
        }
    }
}

/// Completes a date from today's: what is greater than the greatest known part is today's, what is smaller is the first.
fn complete(month: Option<i64>, day: Option<i64>, year_known: bool, today: (u32, u32)) -> (i64, i64) {
    match (month, day) {
        (Some(month), day) => (month, day.unwrap_or(1)),
        (None, day) if year_known => (1, day.unwrap_or(1)),
        (None, Some(day)) => (i64::from(today.0), day),
        (None, None) => (i64::from(today.0), i64::from(today.1)),
    }
}

fn month_and_day(year: i64, day: i64) -> Result<(i64, i64), NoTime> {
    let (found_year, month, of_month) = date(days(year, 1, 1) + day - 1);
    if found_year != year || i64::from(day_of_year(year, month, of_month)) != day {
        return Err(NoTime(format!("yday {day} out of range")));
    }
    Ok((i64::from(month), i64::from(of_month)))
}

/// Seconds of the day; 24:00:00 is midnight, and a second 60 the next minute.
pub(in crate::event) fn second_of_day(hour: i64, minute: i64, second: i64) -> Result<i64, NoTime> {
    if hour == 24 && (minute > 0 || second > 0) {
        return Err(NoTime(if minute > 0 { "min out of range" } else { "sec out of range" }.to_owned()));
    }
    if !(0..=24).contains(&hour) || !(0..=59).contains(&minute) || !(0..=60).contains(&second) {
        return Err(NoTime::out_of_range());
    }
    Ok(hour * 3600 + minute * 60 + second)
}

/// A time on the local clock.
pub(in crate::event) fn local(wall: i64, nsec: u32) -> Read {
    let sec = Zone::Local.from_wall(wall);
    Read { time: EventTime { sec, nsec }, offset: i64::from(Zone::Local.offset_at(sec)), zoned: false }
}
