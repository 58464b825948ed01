//! From the options to a built pipeline: the part that a dry run and a real one have in common.

use super::Options;
use crate::config::{self, Diagnostics, Element, FileType, LoadOptions, LogFormat, Refused, Severity, System, SystemLog};
use crate::log::{self, Format, Level};
use crate::pipeline::{self, Pipeline};
use std::io::Read;
use std::path::Path;

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
}

/// Reads and builds; every fault has been logged when this refuses.
pub fn load(options: &Options) -> Result<Loaded, Refused> {
    options.level().into_iter().for_each(log::set_level);
    if let Some(path) = &options.log {
        open_log(path)?;
    }
    options.remarks.iter().for_each(|remark| crate::warning!("{remark}"));
    let diagnostics = Diagnostics::new();
    let source = load_options(options).map_err(|why| {
        crate::error!("{why}");
        Refused
    })?;
    let file = source.path.display().to_string();
    let result = read_and_build(options, &source, &diagnostics);
    say(&file, &diagnostics);
    result
}

fn read_and_build(options: &Options, source: &LoadOptions, diagnostics: &Diagnostics) -> Result<Loaded, Refused> {
    diagnostics.set_strict(options.strict);
    // Sections that were read without a fault are built and checked even where others have some: all faults are said at once.
    let mut root = config::load_despite_faults(source, diagnostics)?;
    let mut system = System::of(&root, diagnostics).or_else(|_| System::read(&Element::default(), diagnostics))?;
    set_up_log(options, &system, &SystemLog::of(&root, diagnostics)?)?;
    if options.without_source || system.without_source == Some(true) {
        crate::info!("'--without-source' is applied. Ignore <source> sections");
        system.without_source = Some(true);
    }
    if !diagnostics.has_errors() {
        crate::info!("parsing config file is succeeded path={:?}", source.path.display().to_string());
    }
    let pipeline = pipeline::build(&mut root, &system, diagnostics);
    if pipeline.is_ok() && !options.suppress_dump && system.suppress_config_dump != Some(true) {
        crate::info!("using configuration file: {}", config::dump(&root).trim_end());
    }
    let pipeline = pipeline?;
    config::warn_unused(&root, diagnostics);
    Ok(Loaded { pipeline, system })
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
    source.environment.trusted = !options.check;
    if let Some(file_type) = &options.file_type {
        source.file_type = FileType::from_option(file_type)?;
    }
    source.inline = match options.inline.as_deref() {
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin().lock().take(MAX_INLINE_BYTES).read_to_string(&mut text);
            read.map_err(|error| format!("cannot read the inline configuration from standard input: {error}"))?;
            Some(text)
        }
        other => other.map(str::to_owned),
    };
    Ok(source)
}

fn open_log(path: &Path) -> Result<(), Refused> {
    match crate::supervisor::open_log(path) {
        Ok(file) => {
            log::set_file(file);
            Ok(())
        }
        Err(error) => {
            crate::error!("{error:#}");
            Err(Refused)
        }
    }
}

/// What `<system>` says about the log, unless the command line says otherwise.
fn set_up_log(options: &Options, system: &System, own: &SystemLog) -> Result<(), Refused> {
    let level = Level::parse(system.log_level.word());
    if let (None, Some(level)) = (options.level(), level) {
        log::set_level(level);
    }
    log::set_format(match own.format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    });
    log::set_time_format(&own.time_format);
    if own.rotate_age.is_some() || own.rotate_size.is_some() {
        crate::error!(
            "rotate_age and rotate_size of <log> are not supported: rotate the log from outside, for instance by logrotate and SIGUSR1"
        );
        return Err(Refused);
    }
    match (&options.log, &own.path) {
        (None, Some(path)) => open_log(Path::new(path)),
        _ => Ok(()),
    }
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
