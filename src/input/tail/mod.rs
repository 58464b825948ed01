//! The `tail` input: follows files as lines are appended, through rotation, and remembers how far it has read.
//!
//! It has a thread of its own, because reading files may block ([`watch`]). Which files those are is the business of [`paths`], where they
//! have been read up to of [`positions`], lines of [`lines`], lines that belong together of [`events`], and rates of [`group`].

mod events;
mod feed;
mod file;
mod group;
mod lines;
mod paths;
mod positions;
mod watch;

use super::{Feed, Input};
use crate::config::{Element, Refused, Seconds, Size};
use crate::event::{Tag, Zone};
use crate::log::PluginLog;
use crate::net::Loops;
use crate::parser;
use crate::plugin::{BoxFuture, Context, Emitter, Stop};
use events::Events;
use group::Groups;
use lines::Encoding;
use paths::Paths;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use watch::Watch;

/// Fluentd reads in steps of so many bytes; a lower limit cannot be kept.
const MIN_BYTES_PER_SECOND: u64 = 8192;

crate::choice! {
    /// Which characters make a path a pattern: `*`; `*`, `?` and `[]`; or these and `{}`.
    pub enum GlobPolicy { BackwardCompatible = "backward_compatible", Extended = "extended", Always = "always" }
}

crate::section! {
    /// Follows files.
    pub struct Params {
        /// The files, separated by commas: patterns, and times as `%Y%m%d`.
        pub path: String,
        /// What separates them.
        pub path_delimiter: String = ",",
        /// Which characters make a path a pattern.
        pub glob_policy: GlobPolicy = "backward_compatible",
        /// The tag; `*` stands for the path with dots for slashes.
        pub tag: String,
        /// The files that are not followed.
        pub exclude_path: Vec<String> = "[]",
        /// How long a file that was moved away is still read.
        pub rotate_wait: Seconds = "5",
        /// Where it is kept how far each file has been read, in Fluentd's form.
        pub pos_file: Option<String>,
        /// How often that file is written anew without what is of no use any more.
        pub pos_file_compaction_interval: Option<Seconds>,
        /// Whether files that are not known yet are read from their beginning at the start too; those that appear later always are.
        pub read_from_head: bool = "false",
        /// How often files are looked for.
        pub refresh_interval: Seconds = "60",
        /// How many lines are emitted together.
        pub read_lines_limit: i64 = "1000",
        /// How much of a file is read in a second.
        pub read_bytes_limit_per_second: Option<Size>,
        /// How long lines wait for the others of their event; for ever by default.
        pub multiline_flush_interval: Option<Seconds>,
        /// Whether lines that cannot be parsed become events too, the text in `unmatched_line`.
        pub emit_unmatched_lines: bool = "false",
        /// Whether files are looked at every second in any case.
        pub enable_watch_timer: bool = "true",
        /// Whether files are looked at several times a second.
        pub enable_stat_watcher: bool = "true",
        /// What texts are in the end: utf-8, us-ascii, ascii-8bit or iso-8859-1.
        pub encoding: Option<String>,
        /// What texts are in the file.
        pub from_encoding: Option<String>,
        /// The field that gets the path.
        pub path_key: Option<String>,
        /// Whether files are closed whenever they have been read to their end.
        pub open_on_every_update: bool = "false",
        /// Files that have not changed for longer are not followed, where the path is a pattern.
        pub limit_recently_modified: Option<Seconds>,
        /// Whether files are looked for only after `refresh_interval`, not at the start.
        pub skip_refresh_on_startup: bool = "false",
        /// Whether it is said only once that a file cannot be read.
        pub ignore_repeated_permission_error: bool = "false",
        /// The zone of times in paths.
        pub path_timezone: Option<String>,
        /// Whether files are known by their inodes, not by their names.
        pub follow_inodes: bool = "false",
        /// Longer lines are passed over.
        pub max_line_size: Option<Size>,
    }
    sections { "parse": one, "group": one(group::GroupParams) }
}

/// What the parameters come to.
struct Settings {
    paths: Paths,
    tag: TagOf,
    rotate_wait: Duration,
    pos_file: Option<PathBuf>,
    compaction_interval: Option<Duration>,
    read_from_head: bool,
    refresh_interval: Duration,
    lines_limit: usize,
    bytes_per_second: Option<u64>,
    flush_interval: Option<Duration>,
    look_interval: Duration,
    encoding: Encoding,
    open_on_every_update: bool,
    skip_refresh_on_startup: bool,
    follow_inodes: bool,
    max_line_size: Option<usize>,
    file_mode: u32,
    dir_mode: u32,
}

/// The tag of a file's events.
enum TagOf {
    All(Tag),
    Path { prefix: String, suffix: String },
}

impl TagOf {
    fn of(&self, path: &str) -> Tag {
        match self {
            TagOf::All(tag) => tag.clone(),
            TagOf::Path { prefix, suffix } => {
                let mut dotted = String::new();
                for part in path.split(['/', '.']).filter(|part| !part.is_empty()) {
                    if !dotted.is_empty() {
                        dotted.push('.');
                    }
                    dotted.push_str(part);
                }
                // A dot at the end of the path stays.
                if path.ends_with(['/', '.']) {
                    dotted.push('.');
                }
                Tag::new(&format!("{prefix}{dotted}{suffix}"))
            }
        }
    }
}

/// The input.
struct Tail {
    settings: Settings,
    events: Events,
    groups: Option<Groups>,
    log: PluginLog,
}

/// Makes the input.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Input>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let parser = build_parser(element, context);
    let groups = Groups::read(element, context);
    let (params, (parser, is_multiline), groups) = (params?, parser?, groups?);
    check(&params, element, context)?;
    let settings = settings(&params, element, context)?;
    let events = Events { parser, is_multiline, emit_unmatched: params.emit_unmatched_lines, path_key: params.path_key };
    Ok(Box::new(Tail { settings, events, groups, log: context.log.clone() }))
}

/// The parser, and whether it puts lines together.
fn build_parser(element: &Element, context: &Context<'_>) -> Result<(Box<dyn parser::Parser>, bool), Refused> {
    let Some(section) = element.section("parse") else {
        return Err(context.refuse("FLM0420", element.span, "<parse> section is required."));
    };
    let mut given: Vec<(String, String)> = Vec::new();
    for number in 1..=20 {
        let key = format!("format{number}");
        if let Some(format) = element.text(&key) {
            given.push((key, format.to_owned()));
        }
    }
    if let Some(unmatched) = element.text("emit_unmatched_lines") {
        given.push(("unmatched_lines".to_owned(), unmatched.to_owned()));
    }
    let is_multiline = section.plugin_type().is_some_and(|name| name.contains("multiline"));
    Ok((parser::build_with(section, &given, context)?, is_multiline))
}

/// What Fluentd refuses, in its words.
fn check(params: &Params, element: &Element, context: &Context<'_>) -> Result<(), Refused> {
    let refuse = |message: &str| Err(context.refuse("FLM0681", element.span, message));
    if !params.enable_watch_timer && !params.enable_stat_watcher {
        return refuse("either of enable_watch_timer or enable_stat_watcher must be true");
    }
    if params.glob_policy == GlobPolicy::Always && params.path_delimiter == "," {
        return refuse("cannot use glob_policy as always with the default path_delimitor: `,\"");
    }
    let braces =
        params.path.find('{').is_some_and(|at| params.path[at..].find(',').is_some_and(|comma| params.path[at + comma..].contains('}')));
    if params.glob_policy == GlobPolicy::Extended && braces && paths::is_extended_pattern(&params.path) {
        let path = &params.path;
        return refuse(&format!("cannot include curly braces with glob patterns in `{path}\". Use glob_policy always instead."));
    }
    if ["/", "*", "%"].contains(&params.path_delimiter.as_str()) {
        return refuse(&format!("/, *, % are reserved words: {}", params.path_delimiter));
    }
    if params.follow_inodes && params.pos_file.is_none() {
        return refuse("Can't follow inodes without pos_file configuration parameter");
    }
    if params.from_encoding.is_some() && params.encoding.is_none() {
        return refuse("tail: 'from_encoding' parameter must be specified with 'encoding' parameter.");
    }
    if params.read_bytes_limit_per_second.is_some_and(|limit| limit.0 > 0) && !params.enable_watch_timer {
        return refuse("Need to enable watch timer when using log throttling feature");
    }
    match &params.pos_file {
        Some(path) => {
            if let Some(other) = context.host.claim(&format!("pos_file {path}"), context.id) {
                let message = format!("Other 'in_tail' plugin already use same pos_file path: plugin_id = {other}, pos_file path = {path}");
                return refuse(&message);
            }
        }
        None => {
            let warn = |message: &str| context.diagnostics.warn("FLM0682", Some(element.span), message);
            warn("'pos_file PATH' parameter is not set to a 'tail' source.");
            warn("this parameter is highly recommended to save the position to resume tailing.");
        }
    }
    Ok(())
}

fn settings(params: &Params, element: &Element, context: &Context<'_>) -> Result<Settings, Refused> {
    let refuse = |message: String| context.refuse("FLM0681", element.span, message);
    let zone = params.path_timezone.as_deref().map_or(Ok(Zone::Local), Zone::parse).map_err(refuse)?;
    let paths = Paths::new(params, zone).ok_or_else(|| refuse("tail: 'path' parameter is required on tail input".to_owned()))?;
    let encoding = Encoding::new(params.from_encoding.as_deref(), params.encoding.as_deref()).map_err(refuse)?;
    let tag = match params.tag.split_once('*') {
        None => TagOf::All(Tag::new(&params.tag)),
        Some((prefix, rest)) => TagOf::Path { prefix: prefix.to_owned(), suffix: rest.split('*').next().unwrap_or_default().to_owned() },
    };
    let bytes_per_second = params.read_bytes_limit_per_second.map(|limit| limit.0).filter(|limit| *limit > 0);
    if bytes_per_second.is_some_and(|limit| limit < MIN_BYTES_PER_SECOND) {
        let message =
            format!("Should specify greater equal than {MIN_BYTES_PER_SECOND}. Use {MIN_BYTES_PER_SECOND} for read_bytes_limit_per_second");
        context.diagnostics.warn("FLM0683", Some(element.span), message);
    }
    Ok(Settings {
        paths,
        tag,
        rotate_wait: params.rotate_wait.duration(),
        pos_file: params.pos_file.as_ref().map(PathBuf::from),
        compaction_interval: params.pos_file_compaction_interval.map(Seconds::duration),
        read_from_head: params.read_from_head,
        refresh_interval: params.refresh_interval.duration().max(Duration::from_millis(100)),
        lines_limit: usize::try_from(params.read_lines_limit).unwrap_or(1).max(1),
        bytes_per_second: bytes_per_second.map(|limit| limit.max(MIN_BYTES_PER_SECOND)),
        flush_interval: params.multiline_flush_interval.map(Seconds::duration),
        // Fluentd is told of changes by the kernel, and looks every second besides; looking costs a microsecond a file and works everywhere.
        look_interval: if params.enable_stat_watcher { watch::QUICK_LOOK } else { watch::SLOW_LOOK },
        encoding,
        open_on_every_update: params.open_on_every_update,
        skip_refresh_on_startup: params.skip_refresh_on_startup,
        follow_inodes: params.follow_inodes,
        max_line_size: params.max_line_size.map(|size| size.0 as usize),
        file_mode: context.system.file_permission.map_or(0o644, |mode| mode.0),
        dir_mode: context.system.dir_permission.map_or(0o755, |mode| mode.0),
    })
}

impl Input for Tail {
    fn feed(self: Box<Self>) -> Option<Box<dyn Feed>> {
        Some(Box::new(feed::Lines::new(self.settings, self.events)))
    }

    fn run(self: Box<Self>, emitter: Emitter, _loops: Arc<Loops>, stop: Stop) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(async move {
            let runtime = tokio::runtime::Handle::current();
            let (done, ended) = tokio::sync::oneshot::channel();
            let Tail { settings, events, groups, log } = *self;
            std::thread::Builder::new().name("tail".to_owned()).spawn(move || {
                let result = log.enter(|| Watch::new(settings, events, groups, emitter, runtime, stop).and_then(Watch::run));
                let _ = done.send(result);
            })?;
            ended.await.unwrap_or_else(|_| Err(anyhow::anyhow!("the thread of a tail input ended")))
        })
    }
}
