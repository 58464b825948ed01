//! Feeding the pipeline of a configuration, without its sources and with all buffers in memory: what is settled has left them.

use super::{Addressed, Target};
use crate::buffer::Chunk;
use crate::cli::{Options, load};
use crate::net::Loops;
use crate::pipeline::{Reentry, Running};
use anyhow::{Context, anyhow, bail};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often buffers are looked at.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// How often it is said that something is still waited for.
const WORD_PAUSE: Duration = Duration::from_secs(10);
/// How long outputs without buffers have to finish.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// A pipeline that runs.
pub struct Pipeline {
    runtime: tokio::runtime::Runtime,
    _loops: Arc<Loops>,
    running: Running,
    way: Reentry,
}

impl Pipeline {
    /// Reads the configuration and starts what it describes. Its faults have been logged when this fails.
    pub fn start(config: &Path, label: Option<&str>) -> anyhow::Result<Pipeline> {
        let options =
            Options { config: Some(config.to_owned()), suppress_dump: true, without_source: true, in_memory: true, ..Options::default() };
        let loaded = load::load(&options).map_err(|_| anyhow!("the configuration {} cannot be used", config.display()))?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let loops = Arc::new(Loops::start(threads).context("cannot start threads")?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
        let running = runtime.block_on(async { loaded.pipeline.start(&loops) })?;
        let way =
            running.reentry(label).with_context(|| format!("there is no label {} in {}", label.unwrap_or_default(), config.display()))?;
        Ok(Pipeline { runtime, _loops: loops, running, way })
    }
}

impl Target for Pipeline {
    fn send(&mut self, part: &Addressed<'_>) -> anyhow::Result<()> {
        if part.is_formatted {
            let keys = part.keys.cloned().unwrap_or_default();
            let chunk = Chunk { bytes: part.bytes.to_vec(), records: part.records.max(1), ..Chunk::new(keys) };
            return self.way.take_formatted(chunk, part.output, part.plugin).map_err(anyhow::Error::msg);
        }
        self.way.emit(part.tag, part.bytes, part.name, part.output).map_err(anyhow::Error::from)
    }

    fn can_take(&self, _is_formatted: bool) -> bool {
        true
    }

    /// Waits until the buffers are empty: delivered, rejected or kept as dead letters anew.
    fn settle(&mut self) -> anyhow::Result<()> {
        let before = self.way.outcome();
        let mut said = Instant::now();
        loop {
            self.way.flush();
            let waiting = self.way.waiting();
            if waiting == 0 {
                return Ok(());
            }
            if said.elapsed() >= WORD_PAUSE {
                said = Instant::now();
                let gone = self.way.outcome().delivered - before.delivered;
                eprintln!(
                    "flumen replay: {waiting} events wait, {gone} delivered; what is not delivered when this is stopped is sent anew next time"
                );
            }
            self.runtime.block_on(async { tokio::time::sleep(LOOK_PAUSE).await });
        }
    }

    fn finish(self: Box<Self>) -> anyhow::Result<String> {
        let outcome = self.way.outcome();
        let running = self.running;
        self.runtime.block_on(running.stop(STOP_WAIT));
        if outcome.given_up > 0 {
            bail!("{} events were given up again, and are where the configuration keeps such", outcome.given_up);
        }
        Ok(format!("{} delivered by buffered outputs, {} rejected again", outcome.delivered, outcome.rejected))
    }
}
