//! One connection to a server: TLS, the handshake as the client, messages and acks.

use super::settings::Options;
use crate::buffer::{Chunk, Compress, pack, random};
use crate::event::msgpack::{Skipper, Step, decode_value, write_array_head, write_map_head, write_str, write_uint};
use crate::forward::Login;
use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bumpalo::Bump;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

/// How long a connection may take where the configuration does not say.
const CONNECT_WAIT: Duration = Duration::from_secs(30);
/// Answers of servers are short.
const MAX_ANSWER_BYTES: usize = 16 << 10;
/// So much is written within `send_timeout` at least.
const WRITE_BYTES: usize = 256 << 10;
/// How long the end of a connection may take.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// How long an answer to a datagram may take.
const DATAGRAM_WAIT: Duration = Duration::from_secs(1);
/// The longest that entries of a message can be: their length has four bytes.
const MAX_ENTRIES_BYTES: usize = u32::MAX as usize;

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A connection.
pub struct Link {
    stream: Box<dyn Wire>,
    /// What has been read and not looked at.
    read: Vec<u8>,
    since: Instant,
}

/// The message that carries a chunk: the packed entries as they are, or compressed.
pub fn message(chunk: &Chunk, options: &Options) -> Result<Vec<u8>> {
    let packed = pack(options.compress, &chunk.bytes).context("cannot compress a chunk")?;
    let entries = packed.as_deref().unwrap_or(&chunk.bytes);
    if entries.len() > MAX_ENTRIES_BYTES {
        bail!("a chunk of {} bytes is too large for a message", entries.len());
    }
    let compressed = match (&packed, options.compress) {
        (None, _) | (_, Compress::Text) => "text",
        (Some(_), Compress::Gzip) => "gzip",
        (Some(_), Compress::Zstd) => "zstd",
    };
    let tag = chunk.keys.tag.as_ref().map_or("", |tag| tag.as_str());
    let mut message = Vec::with_capacity(entries.len() + tag.len() + 128);
    write_array_head(3, &mut message);
    write_str(tag.as_bytes(), &mut message);
    // Always in the form with four bytes of length, as Fluentd writes it.
    message.push(0xdb);
    message.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    message.extend_from_slice(entries);
    write_map_head(if options.require_ack { 3 } else { 2 }, &mut message);
    write_str(b"size", &mut message);
    write_uint(chunk.records as u64, &mut message);
    write_str(b"compressed", &mut message);
    write_str(compressed.as_bytes(), &mut message);
    if options.require_ack {
        write_str(b"chunk", &mut message);
        write_str(chunk_name(&chunk.id).as_bytes(), &mut message);
    }
    Ok(message)
}

/// A chunk's id as Ruby's `Base64.encode64` writes it, with a newline.
fn chunk_name(id: &[u8; 16]) -> String {
    format!("{}\n", STANDARD.encode(id))
}

/// Connects, by TLS where that is asked for.
pub async fn connect(mut addresses: Vec<SocketAddr>, certificate_name: &str, options: &Options) -> Result<Link> {
    if options.dns_round_robin && addresses.len() > 1 {
        let first = (random() % addresses.len() as u64) as usize;
        addresses.rotate_left(first);
    }
    let stream = open(&addresses, options).await?;
    let _ = stream.set_nodelay(true);
    if options.send_keepalive_packet {
        let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new());
    }
    let stream: Box<dyn Wire> = match &options.tls {
        None => Box::new(stream),
        Some(tls) => {
            let bare = certificate_name.trim_start_matches('[').trim_end_matches(']').to_owned();
            let name =
                ServerName::try_from(bare).with_context(|| format!("{certificate_name:?} is no name that a certificate can have"))?;
            let shaken = tokio_rustls::TlsConnector::from(tls.config()?).connect(name, stream);
            Box::new(within(options.send_timeout, "the TLS handshake", shaken).await.context("the TLS handshake failed")?)
        }
    };
    Ok(Link { stream, read: Vec::new(), since: Instant::now() })
}

async fn open(addresses: &[SocketAddr], options: &Options) -> Result<TcpStream> {
    let limit = options.connect_timeout.unwrap_or(CONNECT_WAIT);
    let mut last = anyhow!("there is no address");
    for address in addresses {
        match within(limit, "the connection", TcpStream::connect(address)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error.context(address.to_string()),
        }
    }
    Err(last)
}

/// Waits for a step of the connection; silence is an error of the connection too.
async fn within<T>(limit: Duration, what: &str, step: impl Future<Output = io::Result<T>>) -> Result<T> {
    match timeout(limit, step).await {
        Ok(result) => result.map_err(anyhow::Error::new),
        Err(_) => Err(anyhow::Error::new(io::Error::new(ErrorKind::TimedOut, format!("{what} took longer than {limit:?}")))),
    }
}

impl Link {
    /// How long ago it was made.
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whether the server has neither closed it nor said anything that nobody asked for.
    pub fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = tokio::io::ReadBuf::new(&mut byte);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer).is_pending()
    }

    /// Writes a message.
    pub async fn send(&mut self, message: &[u8], limit: Duration) -> Result<()> {
        for part in message.chunks(WRITE_BYTES) {
            within(limit, "sending", self.stream.write_all(part)).await?;
        }
        within(limit, "sending", self.stream.flush()).await
    }

    /// Ends it; what has been written is sent.
    pub async fn close(mut self) {
        let _ = timeout(CLOSE_WAIT, self.stream.shutdown()).await;
    }

    /// Waits for the ack of a chunk.
    pub async fn ack(&mut self, id: &[u8; 16], limit: Duration) -> Result<()> {
        let answer = self.answer(limit).await.context("no ack")?;
        let bump = Bump::new();
        let answer = decode_value(&bump, &answer).map_err(|why| anyhow!("the ack is not msgpack: {why}"))?;
        match answer.get(b"ack").and_then(|ack| ack.as_bytes()) {
            Some(ack) if ack == chunk_name(id).as_bytes() => Ok(()),
            Some(_) => bail!("ack in response and chunk id in sent data are different"),
            None => bail!("expected an ack, got something else"),
        }
    }

    /// Waits for one msgpack value.
    async fn answer(&mut self, limit: Duration) -> Result<Vec<u8>> {
        let mut skipper = Skipper::new(MAX_ANSWER_BYTES);
        let deadline = Instant::now() + limit;
        loop {
            match skipper.step(&self.read) {
                Ok(Step::Done(end)) => return Ok(self.read.drain(..end).collect()),
                Ok(Step::NeedMore(_)) => {}
                Err(why) => bail!("the server's answer is not msgpack: {why}"),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if within(left, "the answer", self.stream.read_buf(&mut self.read)).await? == 0 {
                return Err(anyhow::Error::new(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")));
            }
        }
    }

    /// Says who we are, and finds out whether the server knows what we know.
    pub async fn log_in(&mut self, login: &Login, limit: Duration) -> Result<()> {
        let helo = self.answer(limit).await.context("no HELO")?;
        let (ping, greeting) = login.ping(&helo)?;
        self.send(&ping, limit).await?;
        let pong = self.answer(limit).await.context("no PONG")?;
        login.check(&pong, &greeting)
    }
}

/// Sends a heartbeat as a datagram and waits for its echo.
pub async fn exchange_datagram(addresses: &[SocketAddr]) -> Result<()> {
    let address = *addresses.first().context("there is no address")?;
    let own: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(address).await?;
    socket.send(&[0]).await?;
    within(DATAGRAM_WAIT, "the answer", socket.recv(&mut [0; 16])).await.map(drop)
}
