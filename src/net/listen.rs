//! Sockets that wait for peers: bound before anything slow is started, one acceptor each, connections handed to the least loaded loop.

use super::{Loops, Stream, resolve_now};
use anyhow::{Context, Result, bail};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Connections that wait to be accepted where the configuration does not say; as many as many kernels allow.
const DEFAULT_BACKLOG: u32 = 1024;
/// Connections of one listener. An idle one takes about 2 KB here and as much in the kernel; beyond this they wait in the backlog.
const MAX_CONNECTIONS: u32 = 16_384;
/// How long accepting pauses when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How often that is said: with few descriptors each connection that ends lets one in, and the next one fails again.
const ACCEPT_LINE_PAUSE: Duration = Duration::from_secs(30);
/// At the end, for connections that wait to be accepted.
const LAST_ACCEPTS_WAIT: Duration = Duration::from_millis(20);
/// After this long without a word a peer is asked whether it is still there; a dead one would hold its place for ever.
const PROBE_AFTER: Duration = Duration::from_secs(7200);

/// What sockets are set up with.
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketOptions {
    /// Connections that wait to be accepted.
    pub backlog: Option<u32>,
    /// `SO_LINGER` of connections in seconds; zero ends them with a reset, which leaves no `TIME_WAIT` behind.
    pub linger: Option<u32>,
    /// Whether the kernel's own settings say when idle peers are probed; otherwise that is after two hours.
    pub keepalive: bool,
    /// `SO_RCVBUF` in bytes.
    pub receive_buffer: Option<usize>,
}

enum Bound {
    Tcp(std::net::TcpListener),
    Unix(unix::UnixListener),
}

/// A bound socket that takes connections.
pub struct Listener {
    bound: Bound,
    name: String,
    options: SocketOptions,
}

impl Listener {
    /// Listens on a TCP port. IPv6 addresses take IPv6 only, as Ruby's listeners do, so that `0.0.0.0` and `::` go together.
    pub fn tcp(bind: &str, port: u16, options: SocketOptions) -> Result<Listener> {
        let name = format!("{bind}:{port} (tcp)");
        let socket = bound_to(bind, port, Type::STREAM, options).with_context(|| format!("cannot listen on {name}"))?;
        let backlog = options.backlog.unwrap_or(DEFAULT_BACKLOG).min(i32::MAX as u32) as i32;
        socket.listen(backlog).with_context(|| format!("cannot listen on {name}"))?;
        Ok(Listener { bound: Bound::Tcp(socket.into()), name, options })
    }

    /// Listens on a unix socket; makes its folder, and replaces a socket that was left there.
    pub fn unix(path: &Path, options: SocketOptions) -> Result<Listener> {
        let name = format!("{} (unix)", path.display());
        let listener = unix_socket(path, options).with_context(|| format!("cannot listen on {name}"))?;
        Ok(Listener { bound: Bound::Unix(listener), name, options })
    }

    /// The port it got, for TCP.
    pub fn port(&self) -> Option<u16> {
        match &self.bound {
            Bound::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Bound::Unix(_) => None,
        }
    }

    /// Accepts until `stopped`, each connection a task on one of the loops; then waits up to `grace` until all are done.
    pub async fn serve<F: Future<Output = ()> + Send + 'static>(
        self,
        loops: Arc<Loops>,
        stopped: impl Future<Output = ()>,
        grace: Duration,
        handle: impl Fn(Stream, Peer) -> F + Clone + Send + 'static,
    ) -> Result<()> {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
        let accepting = self.bound.register().with_context(|| format!("cannot listen on {}", self.name))?;
        accept_until(stopped, accept_for_ever(&accepting, &self.name, self.options, &loops, &places, &handle)).await;
        drop(accepting);
        let _ = tokio::time::timeout(grace, places.acquire_many(MAX_CONNECTIONS)).await;
        Ok(())
    }
}

/// Peers whose connections the kernel has taken before the end believe that they are served, and so they are.
async fn accept_until(stopped: impl Future<Output = ()>, accept: impl Future<Output = ()>) {
    let mut accept = std::pin::pin!(accept);
    tokio::select! {
        () = stopped => {}
        () = &mut accept => {}
    }
    let _ = tokio::time::timeout(LAST_ACCEPTS_WAIT, accept).await;
}

async fn accept_for_ever<F: Future<Output = ()> + Send + 'static>(
    accepting: &Accepting,
    name: &str,
    options: SocketOptions,
    loops: &Loops,
    places: &Arc<Semaphore>,
    handle: &(impl Fn(Stream, Peer) -> F + Clone + Send + 'static),
) {
    let mut said: Option<Instant> = None;
    loop {
        let place = place(places, name).await;
        match accepting.accept().await {
            Ok((raw, peer)) => {
                raw.set_options(options);
                let handle = handle.clone();
                loops.serve(async move {
                    let _place = place;
                    // Registered here, with the loop that serves it.
                    match raw.into_stream() {
                        Ok(stream) => handle(stream, peer).await,
                        Err(error) => crate::warning!("cannot serve a connection: {error}"),
                    }
                });
            }
            Err(error) if is_of_one_peer(&error) => {}
            Err(error) => {
                if said.is_none_or(|at| at.elapsed() >= ACCEPT_LINE_PAUSE) {
                    crate::warning!("cannot accept connections on {name}, which wait until it can: {error}");
                    said = Some(Instant::now());
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn place(places: &Arc<Semaphore>, name: &str) -> OwnedSemaphorePermit {
    if places.available_permits() == 0 {
        crate::warning!("{MAX_CONNECTIONS} connections are open on {name}: more have to wait");
    }
    match Arc::clone(places).acquire_owned().await {
        Ok(place) => place,
        Err(_) => unreachable!("the semaphore is never closed"),
    }
}

/// Faults of a peer that was gone before it was accepted.
fn is_of_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

impl Bound {
    fn register(self) -> io::Result<Accepting> {
        match self {
            Bound::Tcp(listener) => tokio::net::TcpListener::from_std(listener).map(Accepting::Tcp),
            Bound::Unix(listener) => tokio::net::UnixListener::from_std(listener).map(Accepting::Unix),
        }
    }
}

/// A bound socket that the acceptor's runtime knows.
enum Accepting {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Accepting {
    async fn accept(&self) -> io::Result<(Raw, Peer)> {
        match self {
            Accepting::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Raw::Tcp(stream.into_std()?), Peer(Some(address))))
            }
            Accepting::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Raw::Unix(stream.into_std()?), Peer(None)))
            }
        }
    }
}

/// An accepted connection that no loop knows yet.
enum Raw {
    Tcp(std::net::TcpStream),
    Unix(unix::UnixStream),
}

impl Raw {
    /// Sets what can be set; a connection without an option is better than none.
    fn set_options(&self, options: SocketOptions) {
        let Raw::Tcp(stream) = self else { return };
        let socket = SockRef::from(stream);
        let _ = socket.set_tcp_nodelay(true);
        if let Some(seconds) = options.linger {
            let _ = socket.set_linger(Some(Duration::from_secs(u64::from(seconds))));
        }
        let _ = match options.keepalive {
            true => socket.set_keepalive(true),
            false => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER)),
        };
    }

    fn into_stream(self) -> io::Result<Stream> {
        match self {
            Raw::Tcp(stream) => TcpStream::from_std(stream).map(Stream::Tcp),
            Raw::Unix(stream) => UnixStream::from_std(stream).map(Stream::Unix),
        }
    }
}

/// Who is at the other end; nobody has a name on a unix socket.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub Option<SocketAddr>);

impl Peer {
    /// The address as logs and records show it.
    pub fn address(&self) -> String {
        self.0.map_or_else(|| "unix".to_owned(), |address| address.ip().to_string())
    }

    /// The port; 0 for none.
    pub fn port(&self) -> u16 {
        self.0.map_or(0, |address| address.port())
    }
}

/// Binds a UDP port.
pub fn bind_udp(bind: &str, port: u16, options: SocketOptions) -> Result<UdpSocket> {
    let socket = bound_to(bind, port, Type::DGRAM, options).with_context(|| format!("cannot listen on {bind}:{port} (udp)"))?;
    Ok(socket.into())
}

fn bound_to(bind: &str, port: u16, kind: Type, options: SocketOptions) -> Result<Socket> {
    let address = SocketAddr::new(resolve_now(bind)?, port);
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// The address to bind: itself, or the first that the name has.
fn unix_socket(path: &Path, options: SocketOptions) -> Result<unix::UnixListener> {
    use std::os::unix::fs::FileTypeExt;
    if let Ok(found) = std::fs::symlink_metadata(path) {
        // Fluentd: removes whatever is there; a file that is no socket is hardly meant.
        if !found.file_type().is_socket() {
            bail!("there is a file that is no socket");
        }
        crate::warning!("Found existing '{}'. Remove this file for in_unix plugin", path.display());
        std::fs::remove_file(path)?;
    }
    if let Some(folder) = path.parent().filter(|folder| *folder != PathBuf::new()) {
        std::fs::create_dir_all(folder)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    socket.listen(options.backlog.unwrap_or(DEFAULT_BACKLOG).min(i32::MAX as u32) as i32)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_bound_is_named_with_its_cause() {
        let first = Listener::tcp("127.0.0.1", 0, SocketOptions::default()).unwrap();
        let port = first.port().unwrap();
        let error = Listener::tcp("127.0.0.1", port, SocketOptions::default()).err().unwrap();
        let text = format!("{error:#}");
        assert!(text.contains(&format!("127.0.0.1:{port} (tcp)")) && text.contains("in use"), "{text}");
        let error = bind_udp("no such host", 0, SocketOptions::default()).err().unwrap();
        assert!(format!("{error:#}").contains("no such host"));
    }

    #[test]
    fn names_and_both_families_are_bound() {
        assert!(Listener::tcp("localhost", 0, SocketOptions { backlog: Some(5), ..SocketOptions::default() }).is_ok());
        let Ok(six) = Listener::tcp("::", 0, SocketOptions::default()) else { return };
        assert!(Listener::tcp("0.0.0.0", six.port().unwrap(), SocketOptions::default()).is_ok());
    }

    #[test]
    fn connections_are_served_until_the_end() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let loops = Arc::new(Loops::start(2).unwrap());
        runtime.block_on(async {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let options = SocketOptions { linger: Some(1), keepalive: true, receive_buffer: Some(1 << 16), ..SocketOptions::default() };
            let listener = Listener::tcp("127.0.0.1", 0, options).unwrap();
            let port = listener.port().unwrap();
            let (end, ended) = tokio::sync::oneshot::channel::<()>();
            let echo = |mut stream: Stream, peer: Peer| async move {
                assert_eq!(peer.address(), "127.0.0.1");
                let byte = stream.read_u8().await.unwrap_or_default();
                let _ = stream.write_u8(byte).await;
            };
            let ended = async move {
                let _ = ended.await;
            };
            let server = tokio::spawn(listener.serve(loops, ended, Duration::from_secs(20), echo));
            let mut early = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let mut other = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            other.write_u8(2).await.unwrap();
            assert_eq!(other.read_u8().await.unwrap(), 2);
            end.send(()).unwrap();
            early.write_u8(1).await.unwrap();
            assert_eq!(early.read_u8().await.unwrap(), 1);
            server.await.unwrap().unwrap();
            assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
        });
    }
}
