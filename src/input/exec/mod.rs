//! The `exec` input: runs a command, once or again and again, and makes events of what it prints.
//!
//! A thread reads what the command prints; how that is split into texts is said in [`texts`].

mod texts;

use super::Input;
use crate::config::{Element, Refused, Seconds, Size};
use crate::event::{Batch, Event, EventTime, Scope, Scratch, Tag};
use crate::log::PluginLog;
use crate::net::Loops;
use crate::parser::{self, Extract, ParseError, Parsed, Parser, extract};
use crate::plugin::{BoxFuture, Context, Emitter, Stop};
use crate::process::{self, Leash, Output, ending};
use bumpalo::collections::Vec as BumpVec;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use texts::{Form, Texts};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

/// What is read at a time.
const READ_BYTES: usize = 64 << 10;
/// Reads that wait to be handled: with more the command has to wait.
const READS_WAITING: usize = 4;
/// How long a command has to end once it is told to.
const END_WAIT: Duration = Duration::from_secs(2);
/// How much of a text that cannot be used is shown in the log, in bytes.
const SHOWN_BYTES: usize = 1024;

crate::choice! {
    /// What of a command is read.
    pub enum ConnectMode { Read = "read", ReadWithStderr = "read_with_stderr" }
}

crate::section! {
    /// Runs a command and makes events of what it prints.
    pub struct Params {
        /// The command; one with quotes, pipes and the like is given to `/bin/sh`.
        pub command: String,
        /// Whether what it prints on standard error is read too.
        pub connect_mode: ConnectMode = "read",
        /// The tag of the events that name none themselves (`tag_key` of `<extract>`).
        pub tag: Option<String>,
        /// How often the command is run; without it, once.
        pub run_interval: Option<Seconds>,
        /// How much is read at once.
        pub read_block_size: Size = "10240" [idle "what is there is read as it comes"],
        /// The encoding of what it prints; UTF-8 only.
        pub encoding: Option<String>,
    }
    sections { "parse": one, "extract": one(extract::Params) }
}

struct Exec {
    command: String,
    output: Output,
    interval: Option<Duration>,
    maker: Arc<Maker>,
    log: PluginLog,
}

/// What makes events of texts.
struct Maker {
    form: Form,
    parser: Box<dyn Parser>,
    extract: Extract,
    tag: Option<Tag>,
}

/// Makes the input.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Input>, Refused> {
    let params = Params::read(element, context.diagnostics);
    let parser = build_parser(element, context);
    let extract = Extract::read(element, context);
    let (params, (parser, form), extract) = (params?, parser?, extract?);
    let span = |name: &str| element.param(name).map_or(element.span, |param| param.value_span);
    if params.tag.is_none() && !extract.has_tag() {
        return Err(context.refuse("FLM0631", element.span, "'tag' or 'tag_key' option is required on exec input"));
    }
    let is_utf8 = |name: &str| ["utf-8", "utf8", "us-ascii", "ascii", "ascii-8bit", "binary"].contains(&name.to_ascii_lowercase().as_str());
    if let Some(encoding) = params.encoding.as_deref().filter(|name| !is_utf8(name)) {
        let message = format!("encoding {encoding} is not supported, expected utf-8; the command may convert its output (iconv)");
        return Err(context.refuse("FLM0632", span("encoding"), message));
    }
    let interval = params.run_interval.map(Seconds::duration);
    if interval.is_some_and(|interval| interval.is_zero()) {
        return Err(context.refuse("FLM0633", span("run_interval"), "run_interval must be greater than 0"));
    }
    let output = if params.connect_mode == ConnectMode::Read { Output::Read } else { Output::ReadWithErrors };
    let maker = Arc::new(Maker { form, parser, extract, tag: params.tag.as_deref().map(Tag::new) });
    Ok(Box::new(Exec { command: params.command, output, interval, maker, log: context.log.clone() }))
}

/// The parser, tab-separated values by default, whose events have no time but that of their text.
fn build_parser(element: &Element, context: &Context<'_>) -> Result<(Box<dyn Parser>, Form), Refused> {
    let mut none = Element::new("parse", "", element.span);
    none.set("@type", "tsv", element.span);
    let given = element.section("parse");
    let section = given.unwrap_or(&none);
    let has_format = section.param("time_format").is_some();
    section.set_default("time_type", if has_format { "string" } else { "float" });
    section.set_default("estimate_current_event", "false");
    // No field is the time unless the section names one, whatever the parser's own default is.
    section.set_default("time_key", "");
    let name = section.plugin_type().unwrap_or("tsv");
    let form = Form::of(name);
    let parser = match section.plugin_type() {
        Some(_) => parser::build(section, context),
        None => parser::build_with(section, &[("@type".to_owned(), "tsv".to_owned())], context),
    };
    Ok((parser?, form))
}

impl Input for Exec {
    fn run(self: Box<Self>, emitter: Emitter, _loops: Arc<Loops>, mut stop: Stop) -> BoxFuture<'static, anyhow::Result<()>> {
        let log = self.log.clone();
        Box::pin(log.run(async move {
            let Some(interval) = self.interval else {
                self.run_once(&emitter, &mut stop).await;
                stop.wait().await;
                return Ok(());
            };
            let mut ticks = interval_at(tokio::time::Instant::now() + interval, interval);
            // A command that takes longer than the interval is not run twice at a time.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    () = stop.wait() => return Ok(()),
                    _ = ticks.tick() => {}
                }
                let began = tokio::time::Instant::now();
                self.run_once(&emitter, &mut stop).await;
                if began.elapsed() > interval && !stop.is_stopped() {
                    crate::warning!("previous child process is still running. skipped. command={:?} interval={interval:?}", self.command);
                }
            }
        }))
    }
}

impl Exec {
    /// Runs the command to its end, or to ours.
    async fn run_once(&self, emitter: &Emitter, stop: &mut Stop) {
        crate::debug!("Executing command command={:?}", self.command);
        let mut running = match process::start(&self.command, self.output) {
            Ok(running) => running,
            Err(error) => return crate::error!("the command cannot be started: command={:?} error=\"{error}\"", self.command),
        };
        let leash = running.leash();
        let (sender, mut reads) = mpsc::channel(READS_WAITING);
        let Some(mut output) = running.take_output() else { return };
        let reader = tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0; READ_BYTES];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if sender.blocking_send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
            drop(output);
            running.wait()
        });
        let mut texts = Texts::new(self.maker.form);
        let was_stopped = loop {
            let read = tokio::select! {
                () = stop.wait() => break true,
                read = reads.recv() => read,
            };
            let Some(read) = read else { break false };
            texts.add(&read);
            if !self.emit(&mut texts, false, emitter, stop).await {
                break true;
            }
        };
        if was_stopped {
            drop(reads);
            end(leash, reader).await;
        } else {
            self.emit(&mut texts, true, emitter, stop).await;
            match reader.await {
                Ok(Ok(status)) if !status.success() => crate::warning!("the command {}: command={:?}", ending(status), self.command),
                _ => {}
            }
        }
    }

    /// Emits what the texts that are whole come to, once there is room; `false` where the end comes first.
    async fn emit(&self, texts: &mut Texts, is_end: bool, emitter: &Emitter, stop: &mut Stop) -> bool {
        if let Some(tag) = &self.maker.tag {
            let room = tokio::select! {
                permit = emitter.reserve(tag) => Some(permit),
                () = stop.wait() => None,
            };
            if room.is_none() && !is_end {
                return false;
            }
        }
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut runs: Vec<(Tag, BumpVec<'_, Event<'_>>)> = Vec::new();
        let (mut invalid, mut parsed) = (0, Parsed::default());
        let dropped = texts.take(is_end, |text| invalid += self.maker.make(&scope, scope.bytes(text), &mut parsed, &mut runs));
        emitter.note_all_invalid(invalid + dropped);
        for (tag, events) in runs {
            let records = events.len();
            // Each is an emit of its own in Fluentd.
            if let Err(error) = emitter.emit(&scope, &tag, Batch::decoded(events).coalesced())
                && !error.settled
            {
                crate::error!("exec failed to emit: records={records} tag={tag:?} error_class={} error={:?}", error.class, error.message);
            }
        }
        true
    }
}

/// Ends a command that is still running.
async fn end(leash: Leash, reader: tokio::task::JoinHandle<std::io::Result<std::process::ExitStatus>>) {
    leash.terminate();
    let mut reader = reader;
    if timeout(END_WAIT, &mut reader).await.is_err() {
        leash.kill();
        let _ = timeout(END_WAIT, reader).await;
    }
}

impl Maker {
    /// Adds the events of a text; how many of them were none.
    fn make<'a>(&self, scope: &Scope<'a>, text: &'a [u8], parsed: &mut Parsed<'a>, runs: &mut Vec<(Tag, BumpVec<'a, Event<'a>>)>) -> u64 {
        let shown = |what: &str| crate::warning!("{what}: message={:?}", String::from_utf8_lossy(&text[..text.len().min(SHOWN_BYTES)]));
        parsed.clear();
        let result = self.parser.parse(scope, text, parsed);
        let mut invalid = parsed.unmatched.drain(..).count() as u64;
        match result {
            Ok(()) => {}
            Err(ParseError::NoMatch) => invalid += 1,
            Err(ParseError::Failed { message, .. }) => {
                invalid += 1;
                shown(&message);
            }
        }
        if invalid > 0 {
            shown("pattern not matched");
        }
        for (time, mut record) in parsed.events.drain(..) {
            let own = self.extract.tag(scope, &mut record).map(|tag| Tag::new(&tag));
            let time = match time.map_or_else(|| self.extract.time(scope, &mut record), |time| Ok(Some(time))) {
                Ok(time) => time.unwrap_or_else(EventTime::now),
                Err(why) => {
                    invalid += 1;
                    shown(&why.to_string());
                    continue;
                }
            };
            let Some(tag) = own.or_else(|| self.tag.clone()) else {
                invalid += 1;
                shown("the event names no tag");
                continue;
            };
            match runs.last_mut().filter(|(last, _)| *last == tag) {
                Some((_, events)) => events.push(Event { time, record }),
                None => runs.push((tag, bumpalo::vec![in scope.bump(); Event { time, record }])),
            }
        }
        invalid
    }
}

#[cfg(test)]
mod tests;
