//! Signals, and what they ask for.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGUSR1: flush the buffers and reopen the log.
    Flush,
    /// SIGHUP, SIGUSR2.
    Reload,
}

/// The signals that are listened for.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    user1: Signal,
    user2: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Listens from now on.
    pub fn register() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Command {
        tokio::select! {
            biased;
            () = stop(&mut self.interrupt, &mut self.terminate) => Command::Stop,
            _ = self.user1.recv() => Command::Flush,
            _ = self.user2.recv() => Command::Reload,
            _ = self.hang_up.recv() => Command::Reload,
        }
    }

    /// Waits for one that says stop.
    pub async fn stop(&mut self) {
        stop(&mut self.interrupt, &mut self.terminate).await;
    }
}

async fn stop(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => crate::info!("received graceful stop (SIGINT)"),
        _ = terminate.recv() => crate::info!("received graceful stop (SIGTERM)"),
    }
}
