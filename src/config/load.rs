//! Reading a whole configuration: the main file, what is given on the command line, and the folder of additional files.

use super::lower::{Lowerer, Syntax, read_text};
use super::overlay::Overlay;
use super::ruby::Environment;
use super::{Diagnostics, Element, Refused, Severity, Span, yaml};
use std::path::{Path, PathBuf};

/// Where additional files are looked for when nothing says otherwise.
const INCLUDE_DIR: &str = "/etc/fluent/conf.d";

/// Folders below that one are followed this deep.
const MAX_DEPTH: usize = 16;

/// In which language a file is written (`--config-file-type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileType {
    /// By its extension: `.yaml` and `.yml`, otherwise the usual one.
    #[default]
    Guess,
    /// The usual one.
    Usual,
    /// YAML.
    Yaml,
}

impl FileType {
    /// The value of the command-line option.
    pub fn from_option(text: &str) -> Result<FileType, String> {
        match text {
            "guess" => Ok(FileType::Guess),
            "v1" => Ok(FileType::Usual),
            "yaml" | "yml" => Ok(FileType::Yaml),
            other => Err(format!("unsupported config file type {other:?}, expected yaml, yml or guess")),
        }
    }
}

/// What to read, and how.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The main file.
    pub path: PathBuf,
    /// A text that stands for the main file; it is not read then.
    pub text: Option<String>,
    /// `-i`: appended to the main file; `\n` in it is a line end. What `-` stands for has been read by the caller.
    pub inline: Option<String>,
    /// `--use-v0-config`.
    pub v0: bool,
    /// `--config-file-type`.
    pub file_type: FileType,
    /// `--conf-encoding`, such as `utf-8`.
    pub encoding: String,
    /// What embedded Ruby sees.
    pub environment: Environment,
    /// Texts that stand for files, included ones too.
    pub overlay: Overlay,
}

impl LoadOptions {
    /// For a file, with everything else as it is by default.
    pub fn new(path: impl Into<PathBuf>) -> LoadOptions {
        LoadOptions {
            path: path.into(),
            text: None,
            inline: None,
            v0: false,
            file_type: FileType::Guess,
            encoding: "utf-8".to_owned(),
            environment: Environment::of_process(),
            overlay: Overlay::default(),
        }
    }

    /// For a text that `name` stands for in messages.
    pub fn for_text(name: &str, text: &str) -> LoadOptions {
        LoadOptions { text: Some(text.to_owned()), ..LoadOptions::new(name) }
    }
}

/// Reads a configuration into its `ROOT` element. All faults of all its files go to `diagnostics` before it is refused.
pub fn load(options: &LoadOptions, diagnostics: &Diagnostics) -> Result<Element, Refused> {
    let root = load_despite_faults(options, diagnostics)?;
    if diagnostics.has_errors() { Err(Refused) } else { Ok(root) }
}

/// The configuration as each worker from 0 on evaluates it, with its number in `worker_id`. Faults that only some workers have go to
/// `diagnostics`, whose spans hold for all of them.
pub fn load_for_workers(options: &LoadOptions, workers: i64, diagnostics: &Diagnostics) -> Vec<Element> {
    let for_worker = |id: i64| {
        let mut options = options.clone();
        options.environment.worker_id = id.to_string();
        options.environment.variables.retain(|(name, _)| name != "SERVERENGINE_WORKER_ID");
        options.environment.variables.push(("SERVERENGINE_WORKER_ID".to_owned(), id.to_string()));
        // The same texts in the same order: places mean the same.
        let own = Diagnostics::new();
        let root = load_despite_faults(&options, &own);
        for fault in own.findings().into_iter().filter(|finding| finding.severity == Severity::Error) {
            diagnostics.error(fault.code, fault.span, fault.message);
        }
        root.unwrap_or_default()
    };
    (0..workers).map(for_worker).collect()
}

/// As [`load`], but gives what could be read, so that the sections without damage ([`Element::is_damaged`]) can be checked as well.
/// Refused where there is nothing to go on with.
pub fn load_despite_faults(options: &LoadOptions, diagnostics: &Diagnostics) -> Result<Element, Refused> {
    let mut root = Element::new("ROOT", "", Span::default());
    let syntax = if options.v0 { Syntax::V0 } else { Syntax::V1 };
    root.plain = options.v0;
    let mut lowerer = Lowerer::new(&options.environment, &options.overlay, diagnostics, syntax);
    let name = options.path.display().to_string();
    let dir = options.path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let text = match &options.text {
        Some(text) => text.clone(),
        None => read_text(&options.path, &options.encoding, &options.overlay)
            .map_err(|why| diagnostics.error("FLM0100", None, format!("cannot read the configuration {name}: {why}")))?,
    };
    let is_yaml = match options.file_type {
        FileType::Guess => has_yaml_extension(&options.path),
        FileType::Usual => false,
        FileType::Yaml => true,
    };
    if is_yaml {
        yaml::read(&name, &text, &dir, options, diagnostics, &mut root);
        if diagnostics.has_errors() {
            return Err(Refused);
        }
    } else if options.path.extension().is_some_and(|extension| extension == "rb") && !options.v0 {
        return Err(diagnostics.error(
            "FLM0124",
            None,
            format!("{name}: configurations written in Ruby are not supported; write it as fluent.conf or YAML"),
        ));
    } else {
        lowerer.main(&options.path, &name, &text, &dir, &mut root);
    }
    if let Some(inline) = &options.inline {
        lowerer.text("(inline)", &inline.replace("\\n", "\n"), &dir, &mut root);
    }
    include_dir(options, &mut lowerer, diagnostics, &mut root);
    Ok(root)
}

fn has_yaml_extension(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Appends the files of `config_include_dir`.
fn include_dir(options: &LoadOptions, lowerer: &mut Lowerer<'_>, diagnostics: &Diagnostics, root: &mut Element) {
    let given = root.section("system").and_then(|system| system.text("config_include_dir")).map(str::to_owned);
    let dir = given
        .or_else(|| options.environment.variable("FLUENT_CONF_INCLUDE_DIR").map(str::to_owned))
        .unwrap_or_else(|| INCLUDE_DIR.to_owned());
    if dir.is_empty() || options.text.is_some() {
        return;
    }
    let mut files = Vec::new();
    find_files(Path::new(&dir), 0, &mut files);
    files.sort();
    for file in files {
        diagnostics.note("FLM0125", None, format!("loading additional configuration file: {}", file.display()));
        if has_yaml_extension(&file) {
            match read_text(&file, "utf-8", &options.overlay) {
                Ok(text) => yaml::read(&file.display().to_string(), &text, Path::new(&dir), options, diagnostics, root),
                Err(why) => drop(diagnostics.error("FLM0110", None, format!("include error {} - {why}", file.display()))),
            }
        } else {
            lowerer.file(&file, root, None);
        }
    }
}

fn find_files(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            if depth < MAX_DEPTH {
                find_files(&path, depth + 1, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "conf") || has_yaml_extension(&path) {
            found.push(path);
        }
    }
}
