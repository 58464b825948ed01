//! Inputs: where events come from. Each is one file and one row of [`INPUTS`].

pub mod exec;
mod feed;
pub mod forward;
pub mod http;
pub mod monitor_agent;
pub mod sample;
mod socket;
pub mod syslog;
pub mod tail;
pub mod tcp;
pub mod transport;
pub mod udp;
pub mod unix;

pub use feed::{Feed, Raw};

use crate::net::Loops;
use crate::plugin::known::KnownPlugins;
use crate::plugin::{BoxFuture, Compat, Emitter, Plugin, Stop};
use std::any::Any;
use std::sync::Arc;

/// What the connections of an input have in common, for a successor to change; each kind of input knows its own.
pub type Seat = Arc<dyn Any + Send + Sync>;

/// A source of events. It sees no output, only the emitter it is given.
pub trait Input: Send {
    /// Reads what it needs from files, such as certificates, before it is bound or takes a seat.
    fn prepare(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Binds its listeners; all inputs are bound before anything slow is started.
    fn bind(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Its sockets, in words that are the same for two inputs where one can take them over from the other while that runs; `None` where no
    /// input can, which then goes on by itself as long as nothing about it changes.
    fn sockets(&self) -> Option<String> {
        None
    }

    /// Where a successor takes over; asked for before it runs.
    fn seat(&self) -> Option<Seat> {
        None
    }

    /// Goes on in the place of a running input with the same sockets: its connections emit to `emitter` by this one's parameters, from the
    /// next batch on.
    fn take_seat(self: Box<Self>, _seat: &Seat, _emitter: Emitter) {}

    /// What takes its texts in a rehearsal, without files and sockets; `None` where what comes is no text.
    fn feed(self: Box<Self>) -> Option<Box<dyn Feed>> {
        None
    }

    /// Runs until `stop`; connections and the like are spawned on `loops`.
    fn run(self: Box<Self>, emitter: Emitter, loops: Arc<Loops>, stop: Stop) -> BoxFuture<'static, anyhow::Result<()>>;
}

/// The inputs that are known and not run.
pub static KNOWN: KnownPlugins = KnownPlugins::new("input", include_str!("known.txt"));

/// All inputs.
pub static INPUTS: &[Plugin<Box<dyn Input>>] = &[
    Plugin { name: "dummy", section: &sample::Params::SECTION, compat: &[], build: sample::build },
    Plugin { name: "exec", section: &exec::Params::SECTION, compat: &[Compat::Parser, Compat::Extract], build: exec::build },
    Plugin { name: "forward", section: &forward::Params::SECTION, compat: &[], build: forward::Forward::build },
    Plugin { name: "http", section: &http::Params::SECTION, compat: &[Compat::Parser], build: http::build },
    Plugin { name: "monitor_agent", section: &monitor_agent::Params::SECTION, compat: &[], build: monitor_agent::build },
    Plugin { name: "sample", section: &sample::Params::SECTION, compat: &[], build: sample::build },
    Plugin { name: "syslog", section: &syslog::Params::SECTION, compat: &[Compat::Parser], build: syslog::build },
    Plugin { name: "tail", section: &tail::Params::SECTION, compat: &[Compat::Parser], build: tail::build },
    Plugin { name: "tcp", section: &tcp::Params::SECTION, compat: &[Compat::Parser], build: tcp::build },
    Plugin { name: "udp", section: &udp::Params::SECTION, compat: &[Compat::Parser], build: udp::build },
    Plugin { name: "unix", section: &unix::Params::SECTION, compat: &[], build: unix::Unix::build },
];
