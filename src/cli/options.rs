//! The options, as one table: parsing and help are loops over it.

use crate::config::{FromLiteral, MAX_WORKERS, RotateAge, Seconds, System};
use crate::log::Level;
use std::path::PathBuf;

/// What the arguments ask for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-c`, or `FLUENT_CONF`.
    pub config: Option<PathBuf>,
    /// `-i`.
    pub inline: Option<String>,
    /// `-o`.
    pub log: Option<PathBuf>,
    /// `--daemon`.
    pub daemon: Option<PathBuf>,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--use-v0-config`.
    pub use_v0: bool,
    /// `--config-file-type`.
    pub file_type: Option<String>,
    /// `--strict-config-value`.
    pub strict: bool,
    /// `--suppress-config-dump`.
    pub suppress_dump: bool,
    /// `--without-source`.
    pub without_source: bool,
    /// `--workers`.
    pub workers: Option<i64>,
    /// `--emit-error-log-interval`, in seconds.
    pub emit_error_log_interval: Option<f64>,
    /// `--enable-size-metrics`.
    pub size_metrics: bool,
    /// `--log-rotate-age`.
    pub log_rotate_age: Option<RotateAge>,
    /// `--log-rotate-size`, in bytes.
    pub log_rotate_size: Option<u64>,
    /// `--umask`, octal.
    pub umask: Option<u32>,
    /// `-v` counts up, `-q` down.
    pub verbosity: i8,
    /// Whether all buffers are in memory whatever the configuration says: beside a daemon whose file buffers are its own.
    pub in_memory: bool,
    /// Options that are accepted and mean nothing here, with the reason; said once the log runs.
    pub remarks: Vec<String>,
    /// `--help`.
    pub help: bool,
    /// `--version`.
    pub version: bool,
}

impl Options {
    /// The log level that `-v` and `-q` ask for; `None` where neither was given.
    pub fn level(&self) -> Option<Level> {
        match self.verbosity {
            0 => None,
            1 => Some(Level::Debug),
            -1 => Some(Level::Warn),
            more if more > 0 => Some(Level::Trace),
            _ => Some(Level::Error),
        }
    }

    /// Puts what the command line says in the place of what `<system>` says.
    pub fn override_system(&self, system: &mut System) {
        if let Some(workers) = self.workers {
            system.workers = workers;
        }
        if self.emit_error_log_interval.is_some() {
            system.emit_error_log_interval = self.emit_error_log_interval.map(Seconds);
        }
        if self.size_metrics {
            system.enable_size_metrics = Some(true);
        }
    }

    /// Reads arguments.
    pub fn parse(arguments: &[String]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if !argument.starts_with('-') || argument == "-" {
                return Err(format!("unexpected argument {argument:?}"));
            }
            let (name, attached) = split(argument);
            let flag = FLAGS.iter().find(|flag| flag.names.contains(&name)).ok_or_else(|| format!("invalid option: {name}"))?;
            let value = match (flag.value, attached) {
                (None, Some(value)) => return Err(format!("{name} takes no value, got {value:?}")),
                (None, None) => "",
                (Some(_), Some(value)) => value,
                (Some(what), None) => arguments.next().ok_or_else(|| format!("missing argument: {name} {what}"))?,
            };
            flag.apply(name, value, &mut options)?;
        }
        if options.config.is_none() {
            options.config = std::env::var_os("FLUENT_CONF").filter(|path| !path.is_empty()).map(PathBuf::from);
        }
        Ok(options)
    }
}

/// `--name=value`, `-nvalue`, or a bare name.
fn split(argument: &str) -> (&str, Option<&str>) {
    if argument.starts_with("--") {
        return argument.split_once('=').map_or((argument, None), |(name, value)| (name, Some(value)));
    }
    let known = |name: &str| FLAGS.iter().any(|flag| flag.names.contains(&name));
    match argument.char_indices().nth(2) {
        Some((at, _)) if !known(argument) => (&argument[..at], Some(&argument[at..])),
        _ => (argument, None),
    }
}

enum Effect {
    Set(fn(&str, &mut Options) -> Result<(), String>),
    /// Accepted, because start scripts pass it, and without a meaning here; the reason is logged.
    Remark(&'static str),
    /// Refused: leaving it out would surprise.
    Refuse(&'static str),
}

struct Flag {
    names: &'static [&'static str],
    value: Option<&'static str>,
    doc: &'static str,
    effect: Effect,
}

impl Flag {
    fn apply(&self, name: &str, value: &str, options: &mut Options) -> Result<(), String> {
        match &self.effect {
            Effect::Set(set) => set(value, options).map_err(|why| format!("invalid argument: {name} {value}: {why}")),
            Effect::Remark(why) => {
                options.remarks.push(format!("option {name} is ignored: {why}"));
                Ok(())
            }
            Effect::Refuse(why) => Err(format!("{name} is not supported: {why}")),
        }
    }
}

const NO_RUBY: &str = "flumen loads no Ruby plugins";

macro_rules! set {
    (|$value:ident, $options:ident| $body:expr) => {
        Effect::Set(|$value, $options| {
            let () = $body;
            Ok(())
        })
    };
}

#[rustfmt::skip]
static FLAGS: &[Flag] = &[
    Flag { names: &["-c", "--config"], value: Some("PATH"), doc: "configuration file (default: $FLUENT_CONF; without both, a built-in configuration)", effect: set!(|v, o| o.config = Some(PathBuf::from(v))) },
    Flag { names: &["--dry-run"], value: None, doc: "read and build the configuration, then end", effect: set!(|_v, o| o.dry_run = true) },
    Flag { names: &["-i", "--inline-config"], value: Some("TEXT"), doc: "configuration text appended to the file; - reads standard input", effect: set!(|v, o| o.inline = Some(v.to_owned())) },
    Flag { names: &["-o", "--log"], value: Some("PATH"), doc: "write the log to a file, not to standard error", effect: set!(|v, o| o.log = Some(PathBuf::from(v))) },
    Flag { names: &["-d", "--daemon"], value: Some("PIDFILE"), doc: "run in the background and write the process number to PIDFILE", effect: set!(|v, o| o.daemon = Some(PathBuf::from(v))) },
    Flag { names: &["-v", "--verbose"], value: None, doc: "log level debug; twice (-vv): trace", effect: set!(|_v, o| o.verbosity += 1) },
    Flag { names: &["-vv"], value: None, doc: "log level trace", effect: set!(|_v, o| o.verbosity += 2) },
    Flag { names: &["-q", "--quiet"], value: None, doc: "log level warn; twice (-qq): error", effect: set!(|_v, o| o.verbosity -= 1) },
    Flag { names: &["-qq"], value: None, doc: "log level error", effect: set!(|_v, o| o.verbosity -= 2) },
    Flag { names: &["--use-v0-config"], value: None, doc: "read the configuration in the old line-based syntax", effect: set!(|_v, o| o.use_v0 = true) },
    Flag { names: &["--use-v1-config"], value: None, doc: "read the configuration in the v1 syntax (the default)", effect: set!(|_v, o| o.use_v0 = false) },
    Flag { names: &["--config-file-type"], value: Some("TYPE"), doc: "guess (by extension), yaml, yml or v1", effect: set!(|v, o| o.file_type = Some(v.to_owned())) },
    Flag { names: &["--strict-config-value"], value: None, doc: "refuse values that do not have the form of their type", effect: set!(|_v, o| o.strict = true) },
    Flag { names: &["--suppress-config-dump"], value: None, doc: "do not log the configuration at start", effect: set!(|_v, o| o.suppress_dump = true) },
    Flag { names: &["--without-source"], value: None, doc: "run without the <source> sections: to flush buffers", effect: set!(|_v, o| o.without_source = true) },
    Flag { names: &["--umask"], value: Some("OCTAL"), doc: "the mask of permissions of new files", effect: Effect::Set(|v, o| { o.umask = Some(u32::from_str_radix(v, 8).ok().filter(|mask| *mask <= 0o777).ok_or("expected an octal number up to 777")?); Ok(()) }) },
    Flag { names: &["--version"], value: None, doc: "print the version", effect: set!(|_v, o| o.version = true) },
    Flag { names: &["-h", "--help"], value: None, doc: "print this", effect: set!(|_v, o| o.help = true) },
    Flag { names: &["--no-supervisor"], value: None, doc: "accepted: there is one process only", effect: Effect::Set(|_, _| Ok(())) },
    Flag { names: &["-p", "--plugin"], value: Some("DIR"), doc: "not supported (Ruby plugins), ignored with a warning", effect: Effect::Remark(NO_RUBY) },
    Flag { names: &["-I"], value: Some("PATH"), doc: "not supported (Ruby plugins), ignored with a warning", effect: Effect::Remark(NO_RUBY) },
    Flag { names: &["-r"], value: Some("NAME"), doc: "not supported (Ruby plugins), ignored with a warning", effect: Effect::Remark(NO_RUBY) },
    Flag { names: &["-g", "--gemfile"], value: Some("PATH"), doc: "not supported (Ruby plugins), ignored with a warning", effect: Effect::Remark(NO_RUBY) },
    Flag { names: &["-G", "--gem-path"], value: Some("PATH"), doc: "not supported (Ruby plugins), ignored with a warning", effect: Effect::Remark(NO_RUBY) },
    Flag { names: &["--workers"], value: Some("N"), doc: "the number of logical workers, as workers in <system>", effect: Effect::Set(|v, o| { o.workers = Some(v.parse().ok().filter(|workers| (1..=MAX_WORKERS).contains(workers)).ok_or("expected a number from 1 to 1024")?); Ok(()) }) },
    Flag { names: &["--emit-error-log-interval"], value: Some("SECONDS"), doc: "how long a failed emit is not logged again", effect: Effect::Set(|v, o| { o.emit_error_log_interval = Some(v.parse().map_err(|_| "expected a number of seconds".to_owned())?); Ok(()) }) },
    Flag { names: &["--enable-size-metrics"], value: None, doc: "count bytes too", effect: set!(|_v, o| o.size_metrics = true) },
    Flag { names: &["--enable-input-metrics"], value: None, doc: "accepted: the events of inputs are always counted", effect: Effect::Set(|_, _| Ok(())) },
    Flag { names: &["--disable-input-metrics"], value: None, doc: "ignored with a warning", effect: Effect::Remark("the events of inputs are always counted") },
    Flag { names: &["--log-event-verbose"], value: None, doc: "accepted: events of the log have all fields that there are", effect: Effect::Set(|_, _| Ok(())) },
    Flag { names: &["--disable-shared-socket"], value: None, doc: "accepted: there is one process, which owns all sockets", effect: Effect::Set(|_, _| Ok(())) },
    Flag { names: &["--suppress-repeated-stacktrace"], value: None, doc: "accepted: no stack traces are logged", effect: Effect::Set(|_, _| Ok(())) },
    Flag { names: &["--conf-encoding"], value: Some("NAME"), doc: "only utf-8", effect: Effect::Set(|v, _o| if v.eq_ignore_ascii_case("utf-8") { Ok(()) } else { Err("configurations are read as utf-8".to_owned()) }) },
    Flag { names: &["--user"], value: Some("USER"), doc: "not supported: start flumen as that user", effect: Effect::Refuse("start flumen as that user, for instance by User= of systemd") },
    Flag { names: &["--group"], value: Some("GROUP"), doc: "not supported: start flumen in that group", effect: Effect::Refuse("start flumen in that group, for instance by Group= of systemd") },
    Flag { names: &["--log-rotate-age"], value: Some("AGE"), doc: "how many files of the log are kept, or daily, weekly, monthly", effect: Effect::Set(|v, o| { o.log_rotate_age = Some(RotateAge::from_literal(v, true)?); Ok(()) }) },
    Flag { names: &["--log-rotate-size"], value: Some("BYTES"), doc: "from which size on the log is rotated", effect: Effect::Set(|v, o| { o.log_rotate_size = Some(v.parse().map_err(|_| "expected a number of bytes".to_owned())?); Ok(()) }) },
    Flag { names: &["--with-source-only"], value: None, doc: "not supported", effect: Effect::Refuse("inputs are never run without outputs") },
    Flag { names: &["-s", "--setup"], value: Some("DIR"), doc: "not supported", effect: Effect::Refuse("start from one of the files in conf/") },
];

/// The table: names, the word for the value, what it does.
pub fn rows() -> impl Iterator<Item = (&'static [&'static str], Option<&'static str>, &'static str)> {
    FLAGS.iter().map(|flag| (flag.names, flag.value, flag.doc))
}

/// The table as text.
pub fn help() -> String {
    let mut text = String::new();
    for flag in FLAGS {
        let mut names = flag.names.join(", ");
        if let Some(value) = flag.value {
            names = format!("{names} {value}");
        }
        text.push_str(&format!("  {names:<34} {}\n", flag.doc));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let arguments: Vec<String> = arguments.iter().map(|a| a.to_string()).collect();
        Options::parse(&arguments)
    }

    #[test]
    fn forms_of_values() {
        for form in [&["-c", "a.conf"][..], &["-ca.conf"], &["--config", "a.conf"], &["--config=a.conf"]] {
            assert_eq!(parse(form).unwrap().config, Some(PathBuf::from("a.conf")), "{form:?}");
        }
        assert!(parse(&["-c"]).unwrap_err().contains("missing argument"));
        assert!(parse(&["--dry-run=1"]).unwrap_err().contains("takes no value"));
        assert!(parse(&["--no-such"]).unwrap_err().contains("invalid option: --no-such"));
        assert!(parse(&["a.conf"]).unwrap_err().contains("unexpected argument"));
    }

    #[test]
    fn levels() {
        let level = |arguments: &[&str]| parse(arguments).unwrap().level();
        assert_eq!(level(&[]), None);
        assert_eq!(level(&["-v"]), Some(Level::Debug));
        assert_eq!(level(&["-vv"]), Some(Level::Trace));
        assert_eq!(level(&["-v", "-v"]), Some(Level::Trace));
        assert_eq!(level(&["-q"]), Some(Level::Warn));
        assert_eq!(level(&["-qq"]), Some(Level::Error));
    }

    #[test]
    fn ruby_options_are_said_and_others_refused() {
        assert!(parse(&["-p", "/fluentd/plugins"]).unwrap().remarks[0].contains("-p is ignored"));
        assert_eq!(parse(&["--workers", "3"]).unwrap().workers, Some(3));
        assert!(parse(&["--workers", "0"]).unwrap_err().contains("expected a number from 1 to 1024"));
        assert_eq!(parse(&["--emit-error-log-interval=1.5"]).unwrap().emit_error_log_interval, Some(1.5));
        assert!(parse(&["--user", "x"]).unwrap_err().contains("--user is not supported"));
        assert_eq!(parse(&["--umask", "027"]).unwrap().umask, Some(0o27));
        assert!(parse(&["--umask", "9"]).is_err());
    }

    #[test]
    fn every_flag_is_documented_and_named_once() {
        let mut seen = Vec::new();
        for name in FLAGS.iter().flat_map(|flag| flag.names) {
            assert!(!seen.contains(&name), "{name} twice");
            seen.push(name);
        }
        assert!(FLAGS.iter().all(|flag| !flag.doc.is_empty()));
        assert_eq!(help().lines().count(), FLAGS.len());
    }
}
