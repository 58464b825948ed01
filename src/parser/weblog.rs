//! `apache`, `apache_error`, `nginx`: the `regexp` parser with an expression of its own.

use super::regexp::{Fields, Regexp};
use super::{Base, Defaults, Parser};
use crate::config::{Element, Refused};
use crate::plugin::Context;
use crate::regex::{Flags, Regex};

crate::section! {
    /// A line of a web server's log.
    pub struct Params {
        /// Another expression in place of the built-in one.
        pub expression: Option<Regex>,
    }
}

/// When, of the access logs.
const ACCESS_TIME: &str = "%d/%b/%Y:%H:%M:%S %z";

/// Host, user, time, request, status, size, and perhaps referer and agent.
const APACHE: &str = concat!(
    r#"^(?<host>[^ ]*) [^ ]* (?<user>[^ ]*) \[(?<time>[^\]]*)\] "#,
    r#""(?<method>\S+)(?: +(?<path>[^ ]*) +\S*)?" "#,
    r#"(?<code>[^ ]*) (?<size>[^ ]*)(?: "(?<referer>[^"]*)" "(?<agent>[^"]*)")?$"#
);

/// Time, level, perhaps process and client, message.
const APACHE_ERROR: &str = concat!(
    r"^\[[^ ]* (?<time>[^\]]*)\] \[(?<level>[^\]]*)\]",
    r"(?: \[pid (?<pid>[^\]]*)\])?(?: \[client (?<client>[^\]]*)\])? (?<message>.*)$"
);

/// As Apache's, and perhaps for whom it was forwarded.
const NGINX: &str = concat!(
    r#"^(?<remote>[^ ]*) (?<host>[^ ]*) (?<user>[^ ]*) \[(?<time>[^\]]*)\] "#,
    r#""(?<method>\S+)(?: +(?<path>[^"]*?)(?: +\S*)?)?" "#,
    r#"(?<code>[^ ]*) (?<size>[^ ]*)(?: "(?<referer>[^"]*)" "(?<agent>[^"]*)""#,
    r#"(?:\s+"?(?<http_x_forwarded_for>[^"]*)"?)?)?$"#
);

/// Makes the parser `apache`.
pub fn build_apache(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    build(APACHE, Some(ACCESS_TIME), element, context)
}

/// Makes the parser `apache_error`.
pub fn build_apache_error(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    build(APACHE_ERROR, None, element, context)
}

/// Makes the parser `nginx`.
pub fn build_nginx(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    build(NGINX, Some(ACCESS_TIME), element, context)
}

fn build(
    expression: &str,
    time_format: Option<&'static str>,
    element: &Element,
    context: &Context<'_>,
) -> Result<Box<dyn Parser>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let base = Base::read(element, Defaults { time_key: Some("time"), time_format, ..Defaults::default() }, context)?;
    let refuse = |why: &str| context.refuse("FLM0424", element.span, why);
    let regex = match params?.expression {
        Some(regex) => regex,
        None => Regex::new(expression, Flags::default()).map_err(|error| refuse(&error.message))?,
    };
    let fields = Fields::new(regex)
        .ok_or_else(|| refuse("No named captures in 'expression' parameter. The regexp must have at least one named capture"))?;
    Ok(Box::new(Regexp::new(fields, base)))
}
