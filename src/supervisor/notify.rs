//! What systemd is told by `NOTIFY_SOCKET`: that we are ready, reload, stop, and are alive. Elsewhere all of this does nothing.

use crate::net::Loops;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

/// The way to systemd.
#[derive(Clone, Debug, Default)]
pub struct Notify {
    socket: Option<Arc<UnixDatagram>>,
    /// How often it wants to hear that we are alive.
    watchdog: Option<Duration>,
}

impl Notify {
    /// As the environment says.
    pub fn from_environment() -> Notify {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(path) = text("NOTIFY_SOCKET") else { return Notify::default() };
        let socket = match connect(&path) {
            Ok(socket) => Some(Arc::new(socket)),
            Err(error) => {
                crate::warning!("cannot tell systemd how we are: NOTIFY_SOCKET={path:?} error=\"{error}\"");
                None
            }
        };
        let is_ours = text("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let micros = text("WATCHDOG_USEC").filter(|_| is_ours).and_then(|micros| micros.parse().ok()).filter(|micros| *micros > 0);
        Notify { socket, watchdog: micros.map(Duration::from_micros) }
    }

    /// We serve, for the first time or again after a reload.
    pub fn ready(&self) {
        self.send("READY=1\nSTATUS=running");
    }

    /// We read the configuration anew; [`Notify::ready`] ends that.
    pub fn reloading(&self) {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: fills the struct it is given, with a clock that every Linux has.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reloading"));
    }

    /// We end.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=delivering what the buffers hold");
    }

    /// Says for ever that we are alive, as long as all loops get on; returns at once where nobody wants to hear it.
    pub async fn watch(self, loops: Arc<Loops>) {
        let Some(interval) = self.watchdog.filter(|_| self.socket.is_some()) else { return };
        // Twice an interval, as systemd asks for.
        let pause = interval / 2;
        loop {
            if tokio::time::timeout(pause, loops.get_on()).await.is_ok() {
                self.send("WATCHDOG=1");
            } else {
                crate::error!("a thread has not got on for {pause:?}: systemd is not told that all is well");
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn send(&self, text: &str) {
        if let Some(socket) = &self.socket {
            // Whoever started us may be gone; that is no fault of ours.
            let _ = socket.send(text.as_bytes());
        }
    }
}

fn connect(path: &str) -> std::io::Result<UnixDatagram> {
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}
