//! Methods of times, dates and event times.

use super::string::holds;
use super::{Answer, Given, compare, integer, not_comparable, number, text};
use crate::ruby::moment::{Flavour, Moment, Zone};
use crate::ruby::strftime::strftime;
use crate::ruby::value::{Outcome, Value, argument_error, raised};
use std::cell::Cell;
use std::rc::Rc;

const DAY: i128 = 86_400_000_000_000;

pub(super) fn call(own: &Rc<Cell<Moment>>, name: &str, given: &Given<'_>) -> Answer {
    let moment = own.get();
    if moment.flavour == Flavour::Event
        && let Some(value) = event(&moment, name, given)?
    {
        return Ok(Some(value));
    }
    if let Some(value) = fields(&moment, name) {
        return Ok(Some(value));
    }
    Ok(Some(match (name, given.arguments) {
        ("to_s" | "to_str" | "iso8601" | "xmlschema" | "rfc3339" | "inspect", []) if moment.flavour != Flavour::Time => {
            Value::text(moment.to_s())
        }
        ("iso8601" | "xmlschema" | "rfc3339", digits) => {
            Value::text(moment.iso8601(digits.first().map_or(Ok(0), integer)?.clamp(0, 30) as usize))
        }
        ("strftime", [format]) => Value::text(strftime(&moment, &text(format)?)),
        ("httpdate", []) => Value::text(strftime(&Moment { zone: Zone::Utc, ..moment }, "%a, %d %b %Y %H:%M:%S GMT")),
        ("rfc2822" | "rfc822", []) => Value::text(strftime(
            &moment,
            if moment.zone == Zone::Utc { "%a, %d %b %Y %H:%M:%S -0000" } else { "%a, %d %b %Y %H:%M:%S %z" },
        )),
        ("ctime" | "asctime", []) => Value::text(strftime(&moment, "%a %b %e %H:%M:%S %Y")),
        ("utc" | "gmtime", []) => {
            own.set(Moment { zone: Zone::Utc, ..moment });
            Value::Time(own.clone())
        }
        ("localtime", zone) => {
            own.set(Moment { zone: zone_of(zone)?, ..moment });
            Value::Time(own.clone())
        }
        ("getutc" | "getgm", []) => Value::time(Moment { zone: Zone::Utc, ..moment }),
        ("getlocal", zone) => Value::time(Moment { zone: zone_of(zone)?, ..moment }),
        ("to_time", []) => Value::time(Moment { flavour: Flavour::Time, ..moment }),
        ("to_date", []) => Value::time(date_of(&moment)?),
        ("to_datetime", []) => Value::time(Moment { flavour: Flavour::DateTime, ..moment }),
        ("round" | "floor" | "ceil", digits) => {
            let unit = 10_i128.pow(9 - digits.first().map_or(Ok(0), integer)?.clamp(0, 9) as u32);
            let down = moment.nanoseconds().div_euclid(unit) * unit;
            let rest = moment.nanoseconds() - down;
            let up = (name == "round" && rest * 2 >= unit) || (name == "ceil" && rest > 0);
            moved(&moment, down + if up { unit } else { 0 })?
        }
        ("+", [Value::Int(_) | Value::Float(_)]) => moved(&moment, moment.nanoseconds() + distance(&moment, &given.arguments[0])?)?,
        ("-", [Value::Int(_) | Value::Float(_)]) => moved(&moment, moment.nanoseconds() - distance(&moment, &given.arguments[0])?)?,
        ("-", [Value::Time(other)]) => {
            let apart = moment.nanoseconds() - other.get().nanoseconds();
            if moment.flavour == Flavour::Date { Value::Int(apart / DAY) } else { Value::Float(apart as f64 / 1e9) }
        }
        ("<" | ">" | "<=" | ">=", [other]) => Value::Bool(
            compare(&Value::time(moment), other)
                .map(|order| holds(name, order))
                .ok_or_else(|| not_comparable(&Value::time(moment), other))?,
        ),
        _ => return Ok(None),
    }))
}

/// An event's time: seconds wherever it is not asked for more.
fn event(moment: &Moment, name: &str, given: &Given<'_>) -> Answer {
    Ok(Some(match (name, given.arguments) {
        ("to_int" | "sec" | "to_i", []) => Value::Int(moment.sec.into()),
        ("to_s" | "to_json", _) => Value::text(moment.sec.to_string()),
        ("+" | "-" | "*" | "/" | "%" | "<" | ">" | "<=" | ">=", [Value::Int(_) | Value::Float(_)]) => {
            return super::number::float_or_integer(moment.sec.into(), name, given);
        }
        ("to_f" | "nsec" | "to_time" | "to_r" | "==" | "<=>" | "inspect", _) => return Ok(None),
        _ => return Err(raised("NoMethodError", format!("undefined method `{name}' for {}:Integer", moment.sec))),
    }))
}

fn fields(moment: &Moment, name: &str) -> Option<Value> {
    let civil = moment.civil();
    let weekday = i128::from(civil.date().weekday().to_sunday_zero_offset());
    const DAYS: [&str; 7] = ["sunday?", "monday?", "tuesday?", "wednesday?", "thursday?", "friday?", "saturday?"];
    if let Some(day) = DAYS.iter().position(|day| *day == name) {
        return Some(Value::Bool(day as i128 == weekday));
    }
    Some(match name {
        "to_i" | "tv_sec" => Value::Int(moment.sec.into()),
        "to_f" => Value::Float(moment.event_time().to_f64()),
        "to_r" => Value::Float(moment.event_time().to_f64()),
        "year" => Value::int(civil.year()),
        "month" | "mon" => Value::int(civil.month()),
        "day" | "mday" => Value::int(civil.day()),
        "hour" => Value::int(civil.hour()),
        "min" | "minute" => Value::int(civil.minute()),
        "sec" | "second" => Value::int(civil.second()),
        "usec" | "tv_usec" => Value::int(moment.nsec / 1000),
        "nsec" | "tv_nsec" => Value::int(moment.nsec),
        "subsec" => Value::Float(f64::from(moment.nsec) / 1e9),
        "wday" => Value::Int(weekday),
        "yday" => Value::int(civil.date().day_of_year()),
        "cweek" => Value::int(jiff::civil::ISOWeekDate::from(civil.date()).week()),
        "zone" => moment.zone_name().map_or(Value::Nil, Value::text),
        "utc_offset" | "gmt_offset" | "gmtoff" => Value::int(moment.offset_seconds()),
        "utc?" | "gmt?" => Value::Bool(moment.zone == Zone::Utc),
        "to_a" => Value::list(vec![
            Value::int(civil.second()),
            Value::int(civil.minute()),
            Value::int(civil.hour()),
            Value::int(civil.day()),
            Value::int(civil.month()),
            Value::int(civil.year()),
            Value::Int(weekday),
            Value::int(civil.date().day_of_year()),
            Value::Bool(false),
            moment.zone_name().map_or(Value::Nil, Value::text),
        ]),
        _ => return None,
    })
}

fn zone_of(arguments: &[Value]) -> Outcome<Zone> {
    match arguments {
        [] | [Value::Nil] => Ok(Zone::Local),
        [Value::Int(seconds)] => Ok(Zone::Fixed(i32::try_from(*seconds).unwrap_or(0))),
        [zone, ..] => {
            let zone = text(zone)?;
            Zone::parse(&zone).ok_or(()).or_else(|()| {
                argument_error(format!("\"+HH:MM\", \"-HH:MM\", \"UTC\" or \"A\"..\"I\",\"K\"..\"Z\" expected for utc_offset: {zone}"))
            })
        }
    }
}

/// The day of a time, as a date.
pub(in crate::ruby) fn date_of(moment: &Moment) -> Outcome<Moment> {
    let midnight = moment.civil().date().to_datetime(jiff::civil::Time::midnight());
    let day = Moment::of_civil(midnight, Zone::Utc).ok_or_else(|| raised("ArgumentError", "invalid date"))?;
    Ok(Moment { flavour: Flavour::Date, ..day })
}

/// How far a number moves a time: dates count in days, times in seconds.
fn distance(moment: &Moment, by: &Value) -> Outcome<i128> {
    let unit = if matches!(moment.flavour, Flavour::Date | Flavour::DateTime) { DAY } else { 1_000_000_000 };
    match by {
        Value::Int(whole) => whole.checked_mul(unit).ok_or_else(|| raised("RangeError", "a time out of range")),
        other => Ok((number(other)? * unit as f64) as i128),
    }
}

fn moved(moment: &Moment, nanoseconds: i128) -> Outcome<Value> {
    moment.at(nanoseconds).map(Value::time).ok_or_else(|| raised("RangeError", "a time out of range"))
}
