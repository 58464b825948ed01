//! `forward`: sends chunks on by the forward protocol, to one of several servers.
//!
//! What is said over a connection is in [`link`], which servers are believed to be there in [`node`], whose turn it is in [`balance`].

mod addresses;
mod balance;
mod link;
mod node;
mod settings;

use super::{BufferedOutput, Output, WriteError};
use crate::buffer::{Chunk, Defaults};
use crate::plugin::BoxFuture;
use balance::Balance;
use node::Node;
use settings::Options;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use settings::{Params, build};

/// What the buffer holds where nothing is said: the tag is part of each message.
const DEFAULTS: Defaults = Defaults::BY_TAG;

/// The output.
struct Forward {
    inner: Arc<Inner>,
    has_begun: AtomicBool,
}

/// What heartbeats need too.
struct Inner {
    options: Options,
    nodes: Vec<Arc<Node>>,
    balance: Balance,
}

impl Forward {
    fn output(options: Options, nodes: Vec<Arc<Node>>) -> Output {
        let balance = Balance::new(&nodes);
        Output::Buffered(Box::new(Forward { inner: Arc::new(Inner { options, nodes, balance }), has_begun: AtomicBool::new(false) }))
    }

    /// Heartbeats begin with the first delivery, and end with the output.
    // Fluentd: they begin with the process, and an address that is not found ends it.
    fn begin(&self) {
        if self.inner.options.heartbeat != settings::Heartbeat::None && !self.has_begun.swap(true, Ordering::Relaxed) {
            for number in 0..self.inner.nodes.len() {
                tokio::spawn(node::beat(Arc::downgrade(&self.inner), number));
            }
        }
    }
}

impl Inner {
    /// Gives a chunk to the server whose turn it is, or to the next one that takes it.
    async fn send(&self, chunk: &Chunk) -> Result<(), WriteError> {
        let message = match link::message(chunk, &self.options) {
            Ok(message) => message,
            Err(why) => return Err(WriteError::Unrecoverable(why)),
        };
        let mut last = None;
        let mut tried = vec![false; self.nodes.len()];
        for _ in 0..self.balance.len() {
            let Some(number) = self.balance.next() else { break };
            let node = &self.nodes[number];
            if std::mem::replace(&mut tried[number], true) || !node.is_available(&self.options) {
                continue;
            }
            match node.send(&message, chunk, &self.options).await {
                Ok(()) => {
                    node.note_life(false, &self.options);
                    return Ok(());
                }
                Err(why) => {
                    if self.nodes.len() > 1 {
                        crate::debug!("cannot send a chunk to {}: error={:?}", node.name, format!("{why:#}"));
                    }
                    last = Some(why.context(format!("server '{}'", node.name)));
                }
            }
            self.balance.refresh(&self.nodes, &self.options);
        }
        let none = || anyhow::Error::new(std::io::Error::new(std::io::ErrorKind::NotConnected, "no nodes are available"));
        Err(WriteError::Retry(last.unwrap_or_else(none)))
    }
}

impl BufferedOutput for Forward {
    fn buffer_defaults(&self) -> Defaults {
        DEFAULTS
    }

    fn shows_chunks(&self) -> bool {
        false
    }

    fn write<'a>(&'a self, chunk: &'a Chunk) -> BoxFuture<'a, Result<(), WriteError>> {
        self.begin();
        Box::pin(self.inner.send(chunk))
    }
}

#[cfg(test)]
mod tests;
