//! Inputs: where events come from. Each is one file and one row of [`INPUTS`].

pub mod forward;
pub mod sample;
pub mod unix;

use crate::net::Loops;
use crate::plugin::{BoxFuture, Emitter, Plugin, Stop};
use std::sync::Arc;

/// A source of events. It sees no output, only the emitter it is given.
pub trait Input: Send {
    /// Binds its listeners; all inputs are bound before anything slow is started.
    fn bind(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Runs until `stop`; connections and the like are spawned on `loops`.
    fn run(self: Box<Self>, emitter: Emitter, loops: Arc<Loops>, stop: Stop) -> BoxFuture<'static, anyhow::Result<()>>;
}

/// All inputs.
pub static INPUTS: &[Plugin<Box<dyn Input>>] = &[
    Plugin { name: "dummy", section: &sample::Params::SECTION, compat: &[], build: sample::build },
    Plugin { name: "forward", section: &forward::Params::SECTION, compat: &[], build: forward::Forward::build },
    Plugin { name: "sample", section: &sample::Params::SECTION, compat: &[], build: sample::build },
    Plugin { name: "unix", section: &unix::Params::SECTION, compat: &[], build: unix::Unix::build },
];
