//! The arguments of `flumen cat`: those of `fluent-cat`.

use crate::cli::access::{Access, options_help};
use crate::cli::sender::USUAL_PORT;
use crate::event::{EventTime, TimeOptions, TimeParser};
use std::path::PathBuf;

/// Where Fluentd's unix input listens.
const USUAL_SOCKET: &str = "/var/run/fluent/fluent.sock";

/// What `--help` prints.
pub const USAGE: &str = concat!(
    "usage: flumen cat TAG [options]   send standard input to a forward input, each message acknowledged
  -p, --port PORT        its port (24224)
  -h, --host HOST        its host (127.0.0.1)
  -u, --unix             a socket in the file system in its place
  -s, --socket PATH      that socket (/var/run/fluent/fluent.sock); implies --unix
  -f, --format FORMAT    json: an object a line (the default); msgpack: maps one after the other; none: any lines
      --json, --msgpack, --none
                         the same as -f
      --message-key KEY  with none: the field that holds the line (message)
      --time-as-integer  send whole seconds
      --event-time TIME  the time of all events; the present by default
      --retry-limit N    how often a message is sent again where the connection fails (5)
      --help             print this
",
    options_help!(),
    "Ends with 0 when all is acknowledged, else with 1.\n"
);

/// How standard input is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// An object a line.
    Json,
    /// Maps, one after the other.
    Msgpack,
    /// Lines, each in a field of this name.
    None { key: String },
}

/// What the arguments say.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub tag: String,
    pub host: String,
    pub port: u16,
    /// A socket in the file system, in place of host and port.
    pub socket: Option<PathBuf>,
    pub format: Format,
    pub time_as_integer: bool,
    pub event_time: Option<EventTime>,
    /// How many times more than once a message is sent.
    pub retry_limit: u32,
    /// Who we are to the server.
    pub access: Access,
}

impl Asked {
    /// Reads the arguments; `None` where only help is wanted.
    pub fn parse(arguments: &[String]) -> Result<Option<Asked>, String> {
        let mut asked = Asked {
            tag: String::new(),
            host: "127.0.0.1".to_owned(),
            port: USUAL_PORT,
            socket: None,
            format: Format::Json,
            time_as_integer: false,
            event_time: None,
            retry_limit: 5,
            access: Access::default(),
        };
        let (mut tag, mut is_unix, mut format, mut key) = (None, false, "json".to_owned(), "message".to_owned());
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let (name, attached) = split(argument);
            let mut value = || attached.or_else(|| rest.next().map(String::as_str)).ok_or_else(|| format!("missing argument: {name}"));
            if asked.access.take(name, || value().map(str::to_owned))? {
                if attached.is_some() && !takes_value(name) {
                    return Err(format!("invalid option: {argument}"));
                }
                continue;
            }
            match name {
                "--help" => return Ok(None),
                "-p" | "--port" => asked.port = number(name, value()?, "a port from 1 to 65535")?,
                "-h" | "--host" => asked.host = value()?.to_owned(),
                // Fluentd: -s without -u means nothing.
                "-s" | "--socket" => asked.socket = Some(PathBuf::from(value()?)),
                "-f" | "--format" => format = value()?.to_owned(),
                "--message-key" => key = value()?.to_owned(),
                "--retry-limit" => asked.retry_limit = number(name, value()?, "a number")?,
                "--event-time" => asked.event_time = Some(time(value()?)?),
                _ if attached.is_some() => return Err(format!("invalid option: {argument}")),
                "-u" | "--unix" => is_unix = true,
                "--json" | "--msgpack" | "--none" => format = name[2..].to_owned(),
                "--time-as-integer" => asked.time_as_integer = true,
                _ if name.starts_with('-') => return Err(format!("invalid option: {name}")),
                _ if tag.is_some() => return Err(format!("unexpected argument {argument:?}")),
                _ => tag = Some(argument.clone()),
            }
        }
        asked.tag = tag.ok_or("the tag is missing")?;
        asked.access = asked.access.complete(|name| std::env::var(name).ok())?;
        asked.format = match format.as_str() {
            "json" => Format::Json,
            "msgpack" => Format::Msgpack,
            "none" => Format::None { key },
            other => return Err(format!("unknown format '{other}', expected json, msgpack or none")),
        };
        if is_unix && asked.socket.is_none() {
            asked.socket = Some(PathBuf::from(USUAL_SOCKET));
        }
        if asked.socket.is_some() && asked.access.is_tls() {
            return Err("--tls is for a host, not for a socket in the file system".to_owned());
        }
        Ok(Some(asked))
    }
}

fn takes_value(name: &str) -> bool {
    !matches!(name, "--tls" | "--tls-insecure")
}

/// `--name=value`, `-nvalue`, or a bare name.
fn split(argument: &str) -> (&str, Option<&str>) {
    if argument.starts_with("--") {
        return argument.split_once('=').map_or((argument, None), |(name, value)| (name, Some(value)));
    }
    match argument.char_indices().nth(2) {
        Some((at, _)) if argument.starts_with('-') => (&argument[..at], Some(&argument[at..])),
        _ => (argument, None),
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str, expected: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} {text}: expected {expected}"))
}

fn time(text: &str) -> Result<EventTime, String> {
    let parser = TimeParser::new(&TimeOptions::default())?;
    parser
        .parse_text(text.as_bytes())
        .map_err(|why| format!("--event-time {text}: {why}, expected a time such as 2026-01-02 03:04:05 +0000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Asked, String> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Asked::parse(&arguments).map(|asked| asked.expect("no help"))
    }

    #[test]
    fn options_in_all_their_forms() {
        let asked = parse(&["a.b"]).unwrap();
        assert_eq!((asked.host.as_str(), asked.port, asked.socket, asked.format), ("127.0.0.1", 24224, None, Format::Json));
        let asked = parse(&["-p1", "--host=h", "a", "--none", "--message-key", "m", "--retry-limit=0", "--time-as-integer"]).unwrap();
        assert_eq!((asked.host.as_str(), asked.port, asked.retry_limit, asked.time_as_integer), ("h", 1, 0, true));
        assert_eq!(asked.format, Format::None { key: "m".to_owned() });
        assert_eq!(parse(&["a", "-u"]).unwrap().socket, Some(PathBuf::from(USUAL_SOCKET)));
        assert_eq!(parse(&["a", "-s", "/s"]).unwrap().socket, Some(PathBuf::from("/s")));
        let asked = parse(&["a", "--event-time", "2023-11-14 22:13:20 +0000"]).unwrap();
        assert_eq!(asked.event_time, Some(EventTime { sec: 1_700_000_000, nsec: 0 }));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_was_expected() {
        let refused = |arguments: &[&str]| parse(arguments).unwrap_err();
        assert_eq!(refused(&[]), "the tag is missing");
        assert!(refused(&["a", "b"]).contains("unexpected argument \"b\""));
        assert!(refused(&["a", "-p", "x"]).contains("expected a port"));
        assert!(refused(&["a", "-f", "xml"]).contains("expected json, msgpack or none"));
        assert!(refused(&["a", "--event-time", "soon"]).contains("--event-time soon"));
        assert!(refused(&["a", "--json=1"]).contains("invalid option"));
        assert!(refused(&["a", "--port"]).contains("missing argument: --port"));
    }
}
