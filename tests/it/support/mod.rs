//! What the integration tests share: starting the daemon, speaking to it, and standing in for the servers it speaks to.
//!
//! Every wait is for a condition and has a bound; nothing here sleeps for luck.

pub mod bulk_server;
pub mod checking;
pub mod crashes;
pub mod daemon;
pub mod forward;
pub mod http;
pub mod load;
pub mod lsp_client;
pub mod metrics;
pub mod msgpack;
pub mod service;
pub mod streams;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use bulk_server::{Answer, BulkServer, Item};
pub use daemon::{Daemon, Event};
pub use forward::Sender;
pub use msgpack::Value;
pub use service::{Engine, SearchNode};

/// The bound of an ordinary wait. Generous, because a loaded machine with few cores must not turn a pass into a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A forward input on the port that the harness picked (`FORWARD_PORT`).
pub const FORWARD_SOURCE: &str = "<source>\n  @type forward\n  bind 127.0.0.1\n  port \"#{ENV['FORWARD_PORT']}\"\n</source>\n";

/// Everything to standard output, but for the daemon's own log, whose events would come in between.
pub const STDOUT_MATCH: &str = "<match fluent.**>\n  @type null\n</match>\n<match **>\n  @type stdout\n</match>\n";

/// Asks `condition` until it gives a value; panics with `what` when `limit` is over.
pub fn wait_until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A port of 127.0.0.1 that nobody listens on, each one given out once.
///
/// Below the range that the kernel takes for outgoing connections, so that none of those can grab it in between.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    for _ in 0..COUNT {
        let step = u32::from(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + (std::process::id().wrapping_mul(97) + step) % COUNT;
        if let Ok(port) = u16::try_from(port)
            && TcpListener::bind(("127.0.0.1", port)).is_ok()
        {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}

/// Whether some process listens on this TCP port, learnt without connecting to it.
pub fn is_listening(port: u16) -> bool {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        std::fs::read_to_string(table).unwrap_or_default().lines().any(|line| {
            let mut columns = line.split_whitespace().skip(1);
            columns.next().is_some_and(|local| local.ends_with(&suffix)) && columns.nth(1) == Some(LISTEN)
        })
    })
}

/// A folder of its own for a test, removed at the end.
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes it; the path is kept short because unix socket paths end at 107 bytes.
    pub fn new() -> TempDir {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("flumen-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A leftover in the system's temporary folder is not worth a failed test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
