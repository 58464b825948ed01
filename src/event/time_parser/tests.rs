//! Tests of reading times by parameters.

use super::*;

fn options(time_type: TimeType, format: Option<&str>) -> TimeOptions {
    TimeOptions { time_type, format: format.map(str::to_owned), ..TimeOptions::default() }
}

fn parse(options: &TimeOptions, value: Value<'_>) -> String {
    match TimeParser::new(options).expect("options").parse(&value) {
        Ok(time) => format!("{}.{:09}", time.sec, time.nsec),
        Err(why) => why,
    }
}

#[test]
fn numbers_are_read_digit_by_digit() {
    let float = options(TimeType::Float, None);
    let unix = options(TimeType::Unixtime, None);
    let rows = [
        (Value::text("1500000000"), "1500000000.000000000", "1500000000.000000000"),
        (Value::text("1500000000.5"), "1500000000.500000000", "1500000000.000000000"),
        (Value::text("1.5e9"), "1.000000005", "1.000000000"),
        (Value::text("-7.25"), "-7.250000000", "-7.000000000"),
        (Value::text("2019-01-15"), "2019.000000000", "2019.000000000"),
        (Value::text("x"), "0.000000000", "0.000000000"),
        (Value::Int(12), "12.000000000", "12.000000000"),
        (Value::Float(5.25), "5.250000000", "5.000000000"),
        (Value::Bool(true), "value must be a string or a number: true(TrueClass)", "value must be a string or a number: true(TrueClass)"),
    ];
    for (value, as_float, as_unix) in rows {
        assert_eq!((parse(&float, value).as_str(), parse(&unix, value).as_str()), (as_float, as_unix));
    }
}

#[test]
fn zones_count_where_the_format_has_none() {
    let in_zone = |zone: &str, text: &'static str| {
        let mut options = options(TimeType::String, Some("%Y-%m-%d %H:%M:%S"));
        options.timezone = Some(zone.to_owned());
        parse(&options, Value::text(text))
    };
    assert_eq!(in_zone("+09:00", "2019-08-07 06:05:04"), "1565125504.000000000");
    assert_eq!(in_zone("-0330", "2019-08-07 06:05:04"), "1565170504.000000000");
    assert_eq!(in_zone("Asia/Tokyo", "2019-08-07 06:05:04"), "1565125504.000000000");
    assert_eq!(in_zone("America/New_York", "2019-01-15 12:00:00"), "1547571600.000000000");
    assert_eq!(in_zone("America/New_York", "2019-07-15 12:00:00"), "1563206400.000000000");
    let mut with_zone = options(TimeType::String, Some("%Y-%m-%d %H:%M:%S %z"));
    with_zone.timezone = Some("Asia/Tokyo".to_owned());
    assert_eq!(parse(&with_zone, Value::text("2019-08-07 06:05:04 +0100")), "1565154304.000000000");
    for wrong in ["JST", "UTC", "+9", "Asia/Nowhere", "Etc", "asia/tokyo", "/Tokyo"] {
        let mut options = options(TimeType::String, Some("%Y"));
        options.timezone = Some(wrong.to_owned());
        assert_eq!(TimeParser::new(&options).err(), Some(format!("Unsupported timezone '{wrong}'")));
    }
    let mut no_format = options(TimeType::String, None);
    no_format.utc = true;
    assert_eq!(TimeParser::new(&no_format).err().as_deref(), Some("specifying timezone requires time format"));
}

#[test]
fn fallbacks_are_tried_in_order() {
    let mut mixed = options(TimeType::Mixed, Some("%iso8601"));
    mixed.fallbacks = vec!["unixtime".to_owned(), "%d/%m/%Y".to_owned()];
    assert_eq!(parse(&mixed, Value::text("2019-08-07T06:05:04Z")), "1565157904.000000000");
    assert_eq!(parse(&mixed, Value::text("1500000000.5")), "1500000000.500000000");
    assert_eq!(parse(&mixed, Value::Int(5)), "5.000000000");
    assert_eq!(parse(&mixed, Value::text("15/01/2019 x")), "1547510400.000000000");
    let refused = "invalid time format: value = x, even though fallbacks: Fluent::TimeParser,Fluent::NumericTimeParser,Fluent::TimeParser";
    assert_eq!(parse(&mixed, Value::text("x")), refused);
}

#[test]
fn faults_are_told_in_the_known_words() {
    let format = options(TimeType::String, Some("%Y"));
    assert_eq!(parse(&format, Value::Int(5)), "value must be string: 5");
    assert_eq!(
        parse(&format, Value::text("x")),
        "invalid time format: value = x, error_class = ArgumentError, error = string doesn't match"
    );
}
