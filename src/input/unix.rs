//! The `unix` input: the forward protocol over a unix socket.
//!
//! Unlike Fluentd's, it answers acks, decompresses, and has the bounds of the forward input.

use super::forward::STOP_WAIT;
use super::forward::connection::{self, Options, Setup, SetupSeat, Shared, serve};
use super::{Input, Seat};
use crate::config::{Element, Refused};
use crate::forward::Rules;
use crate::log::PluginLog;
use crate::net::{Listener, Loops, SocketOptions};
use crate::plugin::{BoxFuture, Context, Emitter, Stop};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the socket is when neither the configuration nor `FLUENT_SOCKET` says.
const DEFAULT_PATH: &str = "/var/run/fluent/fluent.sock";

crate::section! {
    /// Takes events by the forward protocol, over a unix socket.
    pub struct Params {
        /// Where the socket is made; `$FLUENT_SOCKET` or `/var/run/fluent/fluent.sock` by default.
        pub path: Option<String>,
        /// How many connections may wait to be accepted; 1024 by default.
        pub backlog: Option<u32>,
        /// The tag in place of the one that was sent.
        pub tag: Option<String>,
    }
}

/// The input, bound or not.
pub struct Unix {
    path: PathBuf,
    sockets: SocketOptions,
    log: PluginLog,
    seat: Arc<SetupSeat>,
    bound: Option<Listener>,
}

impl Unix {
    /// From its section.
    pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Input>, Refused> {
        let params = Params::read(element, context.diagnostics)?;
        let path = match params.path {
            Some(path) => PathBuf::from(path),
            None => std::env::var_os("FLUENT_SOCKET").map_or_else(|| PathBuf::from(DEFAULT_PATH), PathBuf::from),
        };
        let sockets = SocketOptions { backlog: params.backlog, ..SocketOptions::default() };
        let setup = Setup::new(Rules { tag: params.tag, ..Rules::default() }, Options::default(), context.log);
        Ok(Box::new(Unix { path, sockets, log: context.log.clone(), seat: setup.seat(), bound: None }))
    }
}

impl Input for Unix {
    fn bind(&mut self) -> anyhow::Result<()> {
        self.bound = Some(self.log.enter(|| Listener::unix(&self.path, self.sockets))?);
        self.log.enter(|| crate::info!("listening fluent socket on {}", self.path.display()));
        Ok(())
    }

    fn sockets(&self) -> Option<String> {
        Some(format!("unix {} {:?}", self.path.display(), self.sockets))
    }

    fn seat(&self) -> Option<Seat> {
        Some(Arc::clone(&self.seat) as Seat)
    }

    fn take_seat(self: Box<Self>, seat: &Seat, emitter: Emitter) {
        connection::take_seat(seat, &self.seat, emitter);
    }

    fn run(mut self: Box<Self>, emitter: Emitter, loops: Arc<Loops>, stop: Stop) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(async move {
            if self.bound.is_none() {
                self.bind()?;
            }
            let Some(listener) = self.bound.take() else { return Ok(()) };
            let shared = Shared::begin(&self.seat, emitter, stop.clone());
            let mut stopped = stop;
            listener
                .serve(loops, async move { stopped.wait().await }, STOP_WAIT, move |stream, peer| serve(stream, peer, shared.clone()))
                .await
        })
    }
}
