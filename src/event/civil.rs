//! The calendar: days since 1970 from dates and back, in the proleptic Gregorian calendar.

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// Days since 1970-01-01 of a date. Months 1 to 12; a day beyond the month's end counts into the next.
#[inline]
pub fn days(year: i64, month: u32, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
pub fn date(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Day of the week, Sunday 0.
pub fn weekday(days: i64) -> u32 {
    (days + 4).rem_euclid(7) as u32
}

/// Day of the year from 1.
pub fn day_of_year(year: i64, month: u32, day: u32) -> u32 {
    (days(year, month, i64::from(day)) - days(year, 1, 1) + 1) as u32
}

/// Year and week of ISO 8601.
pub fn iso_week(days_since_1970: i64) -> (i64, u32) {
    // The Thursday of a week decides about its year.
    let thursday = days_since_1970 - i64::from((weekday(days_since_1970) + 6) % 7) + 3;
    let (year, _, _) = date(thursday);
    (year, ((thursday - days(year, 1, 1)) / 7 + 1) as u32)
}

/// Days since 1970 of a day of an ISO 8601 week: Monday 1 to Sunday 7.
pub fn from_iso_week(year: i64, week: i64, day: i64) -> i64 {
    let fourth = days(year, 1, 4);
    fourth - i64::from((weekday(fourth) + 6) % 7) + (week - 1) * 7 + day - 1
}
