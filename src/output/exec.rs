//! The `exec` output: writes each chunk to a file and runs a command with the file's path behind it; the chunk is delivered when the
//! command ends well.

use super::{BufferedOutput, Output, WriteError};
use crate::buffer::{Chunk, Defaults};
use crate::config::{Element, Refused, Seconds};
use crate::event::{Event, Scope, Tag};
use crate::formatter::{FormatError, Formatter, Inject, build_formatter, inject};
use crate::plugin::{BoxFuture, Context};
use crate::process::{self, ending};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;

/// How long a command that was ended by force has to be gone.
const KILL_WAIT: Duration = Duration::from_secs(5);
const DEFAULTS: Defaults = Defaults { chunk_keys: &[], params: &[], path_from: None };

crate::section! {
    /// Runs a command for each chunk, with the path of a file that holds the events.
    pub struct Params {
        /// The command; the path is put behind it. One with quotes, pipes and the like is given to `/bin/sh`.
        pub command: String,
        /// How long the command may take; then it is ended, and the chunk comes again.
        pub command_timeout: Seconds = "270",
    }
    sections { "buffer": one, "format": one, "inject": one(inject::Params), "secondary": one }
}

struct Exec {
    command: String,
    limit: Duration,
    formatter: Box<dyn Formatter>,
    inject: Option<Inject>,
    /// Whether each event is a line of its own, as all forms but msgpack are.
    is_lines: bool,
}

/// Makes the output.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    let params = Params::read(element, context.diagnostics);
    let formatter = build_formatter(element, "tsv", context);
    if let Some(section) = element.section("inject") {
        section.set_default("time_type", "string");
        section.set_default("localtime", "false");
    }
    let inject = Inject::read(element, context);
    let is_lines = element.section("format").and_then(|section| section.plugin_type()) != Some("msgpack");
    let (params, formatter, inject) = (params?, formatter?, inject?);
    let limit = params.command_timeout.duration();
    Ok(Output::Buffered(Box::new(Exec { command: params.command, limit, formatter, inject, is_lines })))
}

impl BufferedOutput for Exec {
    fn is_packed(&self) -> bool {
        false
    }

    fn format<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        match &self.inject {
            Some(inject) => self.formatter.format(scope, tag, &inject.apply(scope, tag, event), out)?,
            None => self.formatter.format(scope, tag, event, out)?,
        }
        if self.is_lines && out.last() != Some(&b'\n') {
            out.push(b'\n');
        }
        Ok(())
    }

    fn buffer_defaults(&self) -> Defaults {
        DEFAULTS
    }

    fn shows_chunks(&self) -> bool {
        true
    }

    fn write<'a>(&'a self, chunk: &'a Chunk) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(async { self.run(chunk).await.map_err(WriteError::Retry) })
    }
}

impl Exec {
    async fn run(&self, chunk: &Chunk) -> anyhow::Result<()> {
        let file = Handed::new(chunk)?;
        let command = format!("{} {}", self.command, file.0.display());
        let mut running = process::start(&command, process::Output::Ignored).map_err(|error| {
            // It is the command's trouble, not that of a server that cannot be reached.
            anyhow::anyhow!("{command:?} cannot be started: {error}")
        })?;
        let leash = running.leash();
        let mut ended = tokio::task::spawn_blocking(move || running.wait());
        let status = match timeout(self.limit, &mut ended).await {
            Ok(status) => status??,
            Err(_) => {
                leash.kill();
                let _ = timeout(KILL_WAIT, ended).await;
                anyhow::bail!("child process timed out: {command:?} took longer than {:?}", self.limit);
            }
        };
        anyhow::ensure!(status.success(), "command exits with error code: {command:?} {}", ending(status));
        Ok(())
    }
}

/// A file that holds a chunk as long as a command reads it.
struct Handed(PathBuf);

impl Handed {
    fn new(chunk: &Chunk) -> anyhow::Result<Handed> {
        let path = std::env::temp_dir().join(format!("flumen-out-exec-{}-{}", std::process::id(), chunk.hex()));
        // One that was left behind is of an earlier try.
        let _ = fs::remove_file(&path);
        write(&path, &chunk.bytes).map_err(|error| anyhow::anyhow!("cannot write {}: {error}", path.display()))?;
        Ok(Handed(path))
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

impl Drop for Handed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::ChunkKeys;
    use crate::formatter::FORMATTERS;

    fn write_by(command: &str, limit: Duration) -> Result<(), String> {
        let row = FORMATTERS.iter().find(|row| row.name == "json").unwrap();
        let diagnostics = crate::config::Diagnostics::new();
        let element = Element::new("format", "", crate::config::Span::default());
        let system = crate::config::System::read(&Element::new("system", "", crate::config::Span::default()), &diagnostics).unwrap();
        let log = crate::log::PluginLog::default();
        let context = Context { diagnostics: &diagnostics, system: &system, id: "t", log: &log, host: &NoHost };
        let formatter = (row.build)(&element, &context).unwrap();
        let exec = Exec { command: command.to_owned(), limit, formatter, inject: None, is_lines: true };
        let chunk = Chunk { bytes: b"a\nb\n".to_vec(), records: 2, ..Chunk::new(ChunkKeys::default()) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(exec.run(&chunk)).map_err(|error| format!("{error:#}"));
        let path = std::env::temp_dir().join(format!("flumen-out-exec-{}-{}", std::process::id(), chunk.hex()));
        assert!(!path.exists(), "the file is gone");
        result
    }

    struct NoHost;

    impl crate::plugin::Host for NoHost {
        fn build_output(&self, _: &Element) -> Result<std::sync::Arc<dyn crate::plugin::Sink>, Refused> {
            Err(Refused)
        }
        fn emitter(&self, _: Option<&str>, _: crate::config::Span) -> Result<crate::plugin::Emitter, Refused> {
            Err(Refused)
        }
        fn errors(&self) -> crate::plugin::Emitter {
            Default::default()
        }
        fn own_router(&self) -> crate::plugin::Emitter {
            Default::default()
        }
    }

    #[test]
    fn the_command_decides() {
        let long = Duration::from_secs(60);
        assert_eq!(write_by("grep -q b", long), Ok(()));
        assert!(write_by("grep -q c", long).unwrap_err().ends_with("exited with code 1"));
        assert!(write_by("/nowhere/to/be/found", long).unwrap_err().contains("cannot be started"));
        let late = write_by("sleep 600; cat", Duration::from_millis(50)).unwrap_err();
        assert!(late.starts_with("child process timed out"), "{late}");
    }
}
