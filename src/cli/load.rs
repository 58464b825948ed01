//! From the options to a built pipeline: the part that a dry run and a real one have in common.

use super::Options;
use crate::config::{
    self, Diagnostics, Element, FileType, LoadOptions, LogFormat, Refused, RotateAge, Seconds, Severity, System, SystemLog,
};
use crate::log::{self, Format, Level, Period, Rotation};
use crate::metrics::Process;
use crate::pipeline::{self, Pipeline, Predecessor};
use crate::supervisor::Endpoint;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// Runs where nothing else is given.
const EMBEDDED: &str = include_str!("../../conf/default.conf");
/// Where Fluentd's packages keep their configuration.
const USUAL_PATH: &str = "/etc/fluent/fluent.conf";
/// Embedded text on standard input (`-i -`) is read up to here.
const MAX_INLINE_BYTES: u64 = 64 << 20;

/// A configuration that has been read and built.
pub struct Loaded {
    /// The graph.
    pub pipeline: Pipeline,
    /// The `<system>` section.
    pub system: System,
    /// What it says about the log; in force already, unless this is a reload.
    pub log: LogSetup,
    /// Where it wants commands to be taken.
    pub rpc: Option<Endpoint>,
    /// The configuration as Fluentd shows it, secrets masked.
    pub dump: String,
}

/// How the log is to be written.
#[derive(Clone, Debug)]
pub struct LogSetup {
    level: Option<Level>,
    format: Format,
    time_format: String,
    /// For how long a line is not said again: right after itself, and at all.
    quiet: (Option<Duration>, Option<Duration>),
    rotation: Option<Rotation>,
    /// The file; standard error without one.
    pub path: Option<PathBuf>,
}

/// Reads and builds; every fault has been logged when this refuses.
pub fn load(options: &Options) -> Result<Loaded, Refused> {
    options.level().into_iter().for_each(log::set_level);
    if let Some(path) = &options.log {
        log::set_rotation(rotation(options, None));
        open_log(path)?;
    }
    options.remarks.iter().for_each(|remark| crate::warning!("{remark}"));
    read(options, None).map_err(|_| Refused)
}

/// Reads and builds what shall take the place of a running pipeline; changes nothing. Every fault has been logged when this refuses; the
/// first is given.
pub fn reload(options: &Options, before: &Predecessor) -> Result<Loaded, String> {
    read(options, Some(before))
}

fn read(options: &Options, before: Option<&Predecessor>) -> Result<Loaded, String> {
    let diagnostics = Diagnostics::new();
    let source = load_options(options).inspect_err(|why| crate::error!("{why}"))?;
    let file = source.path.display().to_string();
    let result = read_and_build(options, &source, &diagnostics, before);
    say(&file, &diagnostics);
    result.map_err(|_| {
        let findings = diagnostics.findings();
        let first = findings.into_iter().find(|finding| finding.severity == Severity::Error);
        first.map_or_else(|| format!("{file} cannot be used"), |finding| finding.message)
    })
}

fn read_and_build(
    options: &Options,
    source: &LoadOptions,
    diagnostics: &Diagnostics,
    before: Option<&Predecessor>,
) -> Result<Loaded, Refused> {
    diagnostics.set_strict(options.strict);
    // Sections that were read without a fault are built and checked even where others have some: all faults are said at once.
    let mut root = config::load_despite_faults(source, diagnostics)?;
    if options.in_memory {
        pipeline::keep_in_memory(&mut root);
    }
    let mut system = System::of(&root, diagnostics).or_else(|_| System::read(&Element::default(), diagnostics))?;
    options.override_system(&mut system);
    let log = LogSetup::of(options, &system, SystemLog::of(&root, diagnostics)?)?;
    if log.path.is_none() {
        SystemLog::note_idle(&root, diagnostics);
    }
    if before.is_none() {
        log.apply(options.log.is_none() || log.rotation.is_some())?;
    }
    if options.without_source || system.without_source == Some(true) {
        crate::info!("'--without-source' is applied. Ignore <source> sections");
        system.without_source = Some(true);
    }
    if !diagnostics.has_errors() {
        crate::info!("parsing config file is succeeded path={:?}", source.path.display().to_string());
    }
    let rpc = system.rpc_endpoint.as_deref().map(Endpoint::parse).transpose().map_err(|why| {
        let param = root.section("system").and_then(|section| section.param("rpc_endpoint"));
        diagnostics.error("FLM0135", param.map(|param| param.value_span), why)
    });
    let pipeline = if system.workers > 1 && diagnostics.asks_for_worker() {
        // What is shown, and warned about, is the evaluation outside of any worker, as Fluentd's supervisor does it.
        drop(pipeline::build(&mut root, &system, diagnostics, None)?);
        let mut roots = config::load_for_workers(source, system.workers, diagnostics);
        pipeline::build_workers(&mut roots, &system, diagnostics, before)?
    } else {
        pipeline::build(&mut root, &system, diagnostics, before)?
    };
    let dump = config::dump(&root);
    if !options.suppress_dump && system.suppress_config_dump != Some(true) {
        crate::info!("using configuration file: {}", dump.trim_end());
    }
    pipeline.overview().set_process(Process {
        config_path: source.path.display().to_string(),
        pid_file: options.daemon.as_ref().map(|path| path.display().to_string()),
        log_path: options.log.as_ref().map(|path| path.display().to_string()),
        root_dir: system.root_dir.clone(),
    });
    config::warn_unused(&root, diagnostics);
    Ok(Loaded { pipeline, system, log, rpc: rpc?, dump })
}

fn load_options(options: &Options) -> Result<LoadOptions, String> {
    let mut source = match &options.config {
        Some(path) => LoadOptions::new(path),
        None if Path::new(USUAL_PATH).exists() => LoadOptions::new(USUAL_PATH),
        None => {
            crate::info!(
                "no -c and no FLUENT_CONF: running the built-in configuration, forward on port 24224, JSON in \"log\" parsed, events to standard output"
            );
            LoadOptions::for_text("(built-in)", EMBEDDED)
        }
    };
    source.v0 = options.use_v0;
    if let Some(file_type) = &options.file_type {
        source.file_type = FileType::from_option(file_type)?;
    }
    source.inline = match options.inline.as_deref() {
        Some("-") => Some(standard_input()?),
        other => other.map(str::to_owned),
    };
    Ok(source)
}

fn open_log(path: &Path) -> Result<(), Refused> {
    match crate::supervisor::open_log(path) {
        Ok(file) => {
            log::set_file(path, file);
            Ok(())
        }
        Err(error) => {
            crate::error!("{error:#}");
            Err(Refused)
        }
    }
}

impl LogSetup {
    /// What `<system>` says about the log, unless the command line says otherwise.
    fn of(options: &Options, system: &System, own: SystemLog) -> Result<LogSetup, Refused> {
        let format = match own.format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
        };
        let level = options.level().or(Level::parse(system.log_level.word()));
        let quiet = [system.ignore_repeated_log_interval, system.ignore_same_log_interval].map(|interval| interval.map(Seconds::duration));
        Ok(LogSetup {
            rotation: rotation(options, Some(&own)),
            level,
            format,
            time_format: own.time_format,
            quiet: quiet.into(),
            path: options.log.clone().or(own.path.map(PathBuf::from)),
        })
    }

    /// Puts it in force; opens the file, if there is one and it is to be opened.
    pub fn apply(&self, opens: bool) -> Result<(), Refused> {
        log::set_level(self.level.unwrap_or(Level::Info));
        log::set_format(self.format);
        log::set_time_format(&self.time_format);
        log::set_intervals(self.quiet.0, self.quiet.1);
        log::set_rotation(self.rotation);
        match &self.path {
            Some(path) if opens => open_log(path),
            _ => Ok(()),
        }
    }
}

/// When the log file is rotated: what the command line says comes first.
fn rotation(options: &Options, own: Option<&SystemLog>) -> Option<Rotation> {
    let age = options.log_rotate_age.clone().or_else(|| own?.rotate_age.clone());
    let bytes = options.log_rotate_size.or_else(|| own?.rotate_size.map(|size| size.0));
    match age {
        Some(RotateAge::Period(word)) => Some(Rotation::Time(match word.as_str() {
            "daily" => Period::Daily,
            "weekly" => Period::Weekly,
            _ => Period::Monthly,
        })),
        Some(RotateAge::Files(files)) => Some(Rotation::by_size(Some(files), bytes)),
        None => bytes.map(|bytes| Rotation::by_size(None, Some(bytes))),
    }
}

/// All of standard input; it is read once, however often the configuration is loaded.
fn standard_input() -> Result<String, String> {
    static TEXT: OnceLock<Result<String, String>> = OnceLock::new();
    let read = || {
        let mut text = String::new();
        let read = std::io::stdin().lock().take(MAX_INLINE_BYTES).read_to_string(&mut text);
        read.map(|_| text).map_err(|error| format!("cannot read the inline configuration from standard input: {error}"))
    };
    TEXT.get_or_init(read).clone()
}

/// Logs the findings, each with its place.
fn say(file: &str, diagnostics: &Diagnostics) {
    for finding in diagnostics.findings() {
        let rendered = config::render_finding(&finding, diagnostics);
        let text = rendered.split_once("] ").map_or(rendered.as_str(), |(_, text)| text).trim_end();
        match finding.severity {
            Severity::Error => crate::error!("config error file={file:?} error_class=Fluent::ConfigError error: {text}"),
            Severity::Warning => crate::warning!("{text}"),
            Severity::Note => crate::info!("{text}"),
        }
    }
}
