//! A section's parameters as whoever watches the process is shown them: as they were written, and with the values that they have.

use super::dump::MASK;
use super::literal::{Seconds, Size};
use super::{Declared, Element, FromLiteral, Json, Kind, ParamValue};
use serde_json::Value;

/// The parameters of a section as configured, in order; secrets are masked. What is nil or left to the default is empty.
pub fn shown_params(element: &Element) -> Vec<(String, String)> {
    let params = element.params.iter().filter(|param| !element.is_quiet(&param.key));
    params.map(|param| (param.key.clone(), shown(element, &param.key, &param.value))).collect()
}

fn shown(element: &Element, key: &str, value: &ParamValue) -> String {
    let secret = element.declarations().iter().any(|section| section.declared(key).is_some_and(|param| param.secret));
    match value {
        _ if secret => MASK.to_owned(),
        ParamValue::Text(text) => without_password(text),
        ParamValue::Nil | ParamValue::Default => String::new(),
    }
}

/// What a URL says between `user:` and `@` is as secret as a parameter of its own.
fn without_password(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        let (before, url) = rest.split_at(start);
        shown.push_str(before);
        let authority = url.find(|c: char| c == '/' || c == ',' || c.is_whitespace()).unwrap_or(url.len());
        let password = url[..authority].rfind('@').and_then(|end| url[..end].find(':').map(|colon| (colon + 1, end)));
        rest = match password {
            Some((from, to)) => {
                shown.push_str(&url[..from]);
                shown.push_str(MASK);
                &url[to..]
            }
            None => url,
        };
    }
    shown.push_str(rest);
    shown
}

/// All declared parameters of a section that has been read, with their values; secrets are masked.
pub fn variables(element: &Element) -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = Vec::new();
    for declared in element.declarations().iter().flat_map(|section| section.params) {
        if all.iter().any(|(name, _)| name == declared.name) {
            continue;
        }
        let own_default = element.default_of(declared.name);
        let default = own_default.as_deref().or(declared.default);
        let given = element.param(declared.name).or_else(|| declared.alias.and_then(|alias| element.param(alias)));
        let text = match given.map(|param| &param.value) {
            Some(ParamValue::Text(text)) => Some(text.as_str()),
            Some(ParamValue::Nil) => None,
            Some(ParamValue::Default) | None => default,
        };
        let value = match text {
            None => Value::Null,
            Some(_) if declared.secret => Value::from(MASK),
            Some(text) => value(declared, text),
        };
        all.push((declared.name.to_owned(), value));
    }
    all
}

fn value(declared: &Declared, text: &str) -> Value {
    let json = || Json::parse(text).and_then(|json| serde_json::from_str(&json.dump()).ok());
    let converted = match declared.kind {
        Kind::Integer => i64::from_literal(text, false).ok().map(Value::from),
        Kind::Float => f64::from_literal(text, false).ok().map(Value::from),
        Kind::Size => Size::from_literal(text, false).ok().map(|size| Value::from(size.0)),
        Kind::Time => Seconds::from_literal(text, false).ok().map(|Seconds(seconds)| whole_or_not(seconds)),
        Kind::Bool => bool::from_literal(text, false).ok().map(Value::from),
        Kind::Array => json().or_else(|| Some(text.split(',').map(|item| Value::from(item.trim())).collect())),
        Kind::Hash => json(),
        Kind::String | Kind::Enum(_) | Kind::Regexp | Kind::Accessor => None,
    };
    converted.unwrap_or_else(|| Value::from(without_password(text)))
}

fn whole_or_not(seconds: f64) -> Value {
    if seconds.fract() == 0.0 && seconds.abs() < 1e15 { Value::from(seconds as i64) } else { Value::from(seconds) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Diagnostics, Span};

    crate::section! {
        /// For tests.
        pub struct Params {
            /// One.
            pub port: u16 = "24220",
            /// Two.
            pub wait: Seconds = "1m",
            /// Three.
            pub pause: Option<Seconds>,
            /// Four.
            pub size: Size = "8k",
            /// Five.
            pub password: Option<String> [secret, alias "pass"],
            /// Six.
            pub hosts: Vec<String> = "a, b",
            /// Seven.
            pub quiet: bool = "false",
            /// Eight.
            pub url: Option<String>,
        }
    }

    #[test]
    fn values_have_their_types_and_secrets_none() {
        let mut element = Element::new("source", "", Span::default());
        for (key, text) in [("port", "5"), ("pause", "0.5"), ("pass", "open sesame"), ("quiet", "yes"), ("url", "http://me:pw@h:1/x")] {
            element.set(key, text, Span::default());
        }
        let Params { port, wait, pause, size, password, hosts, quiet, url } = Params::read(&element, &Diagnostics::new()).unwrap();
        assert_eq!((port, wait, pause, size, quiet), (5, Seconds(60.0), Some(Seconds(0.5)), Size(8192), true));
        assert_eq!((password.as_deref(), hosts.len(), url.is_some()), (Some("open sesame"), 2, true));
        let shown: serde_json::Map<String, Value> = variables(&element).into_iter().collect();
        let wanted = serde_json::json!({
            "port": 5, "wait": 60, "pause": 0.5, "size": 8192, "password": "xxxxxx", "hosts": ["a", "b"], "quiet": true, "url": "http://me:xxxxxx@h:1/x"
        });
        assert_eq!(Value::Object(shown), wanted);
        let config = shown_params(&element);
        assert_eq!(config[0], ("port".to_owned(), "5".to_owned()));
        assert_eq!(config[2], ("pass".to_owned(), "xxxxxx".to_owned()));
        assert_eq!(config[4].1, "http://me:xxxxxx@h:1/x");
    }

    #[test]
    fn passwords_in_urls_are_masked_and_other_text_is_not() {
        assert_eq!(without_password("https://u:p@q@h,http://x:y@z/@"), "https://u:xxxxxx@h,http://x:xxxxxx@z/@");
        for plain in ["http://h:9200/a@b", "no url: a@b", "://", "https://u@h", ""] {
            assert_eq!(without_password(plain), plain);
        }
    }
}
