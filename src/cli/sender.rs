//! Sending to a forward input: one connection, one message at a time, each settled by its ack.

use super::access::Access;
use crate::event::msgpack::{Invalid, skip};
use crate::forward::{Answer, read_answer, write_packed};
use anyhow::{Context, bail};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Where a forward input listens, unless it is said.
pub const USUAL_PORT: u16 = 24224;
/// How long a connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long bytes may take to be taken.
const SEND_WAIT: Duration = Duration::from_secs(60);
/// How long the answers of a handshake may take.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// The messages of a handshake are short.
const MAX_HANDSHAKE_BYTES: usize = 16 << 10;
/// How long an ack may take: Fluentd's `ack_response_timeout`.
const ACK_WAIT: Duration = Duration::from_secs(190);

/// Events on their way.
#[derive(Clone, Copy, Debug)]
pub struct Message<'m> {
    /// Their tag.
    pub tag: &'m str,
    /// `[time, map]` entries.
    pub bytes: &'m [u8],
    /// How many.
    pub records: usize,
    /// The same each time these events are sent, so that who gets them twice can know.
    pub name: &'m str,
}

/// What carries the bytes.
trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// A connection to a forward input.
pub struct Sender {
    stream: Box<dyn Stream>,
    address: String,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({})", self.address)
    }
}

impl Sender {
    /// Connects to the first address of a host that answers, and shows who we are where that is asked for.
    pub fn connect(host: &str, port: u16, access: &Access) -> anyhow::Result<Sender> {
        let addresses = (host, port).to_socket_addrs().with_context(|| format!("cannot find {host}"))?;
        let mut last = None;
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT_WAIT) {
                Ok(stream) => return Sender::over(stream, host, port, access),
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error).with_context(|| format!("cannot connect to {host}:{port}")),
            None => bail!("{host} has no address"),
        }
    }

    fn over(stream: TcpStream, host: &str, port: u16, access: &Access) -> anyhow::Result<Sender> {
        stream.set_write_timeout(Some(SEND_WAIT))?;
        stream.set_read_timeout(Some(HANDSHAKE_WAIT))?;
        stream.set_nodelay(true)?;
        let socket = stream.try_clone()?;
        let stream: Box<dyn Stream> = if access.is_tls() { Box::new(access.encrypt(host, stream)?) } else { Box::new(stream) };
        let mut sender = Sender { stream, address: format!("{host}:{port}") };
        if access.login().is_some() || access.is_tls() {
            sender.log_in(access).with_context(|| format!("{} does not let us in", sender.address))?;
        }
        socket.set_read_timeout(Some(ACK_WAIT))?;
        Ok(sender)
    }

    fn log_in(&mut self, access: &Access) -> anyhow::Result<()> {
        // The handshake of TLS comes with the first bytes that are written.
        self.stream.flush()?;
        let Some(login) = access.login() else { return Ok(()) };
        let helo = self.value().context("no HELO came: it wants no shared key, or TLS")?;
        let (ping, greeting) = login.ping(&helo)?;
        self.stream.write_all(&ping)?;
        self.stream.flush()?;
        let pong = self.value().context("no PONG came")?;
        login.check(&pong, &greeting)
    }

    /// Reads one value of msgpack; nothing follows it before we answer.
    fn value(&mut self) -> io::Result<Vec<u8>> {
        let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match skip(&received, 0) {
                Ok(_) => return Ok(received),
                Err(Invalid::Truncated) if received.len() < MAX_HANDSHAKE_BYTES => {}
                Err(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not msgpack")),
            }
            match self.stream.read(&mut buffer)? {
                0 => return Err(closed()),
                count => received.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Connects to a socket in the file system.
    pub fn connect_unix(path: &Path) -> anyhow::Result<Sender> {
        let address = path.display().to_string();
        let stream = UnixStream::connect(path).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_write_timeout(Some(SEND_WAIT))?;
        stream.set_read_timeout(Some(ACK_WAIT))?;
        Ok(Sender { stream: Box::new(stream), address })
    }

    /// Whom it sends to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends events and waits for their ack.
    pub fn send(&mut self, message: &Message<'_>) -> anyhow::Result<()> {
        let mut bytes = Vec::with_capacity(message.bytes.len() + 256);
        write_packed(message.tag, message.bytes, message.records, message.name, &mut bytes);
        self.stream.write_all(&bytes).and_then(|()| self.stream.flush()).with_context(|| format!("cannot send to {}", self.address))?;
        match self.answer().with_context(|| format!("no ack came from {}", self.address))? {
            Answer::Ack(name) if name == message.name.as_bytes() => Ok(()),
            Answer::Ack(other) => {
                bail!("{} acknowledged {:?}, expected {:?}", self.address, String::from_utf8_lossy(&other), message.name)
            }
            Answer::Hello => bail!("{} wants a shared key (<security>): give it with --shared-key, or in FLUMEN_SHARED_KEY", self.address),
            Answer::Other => bail!("{} answered something other than an ack", self.address),
        }
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            if let Some(answer) = read_answer(&received) {
                return Ok(answer);
            }
            match self.stream.read(&mut buffer)? {
                0 => return Err(closed()),
                count => received.extend_from_slice(&buffer[..count]),
            }
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed")
}

/// Whether a failure is one of the connection, so that another attempt may succeed; a certificate that is refused is invalid data.
pub fn is_passing(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    kinds.into_iter().next().is_some_and(|kind| kind != io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What the client says of a peer that answers with these bytes.
    fn exchange(answer: &'static [u8]) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 27]).unwrap();
            answer.iter().for_each(|byte| stream.write_all(&[*byte]).unwrap());
        });
        let message = Message { tag: "a.b", bytes: b"\x92\x01\x80", records: 1, name: "c:1" };
        let mut sender = Sender::connect("127.0.0.1", port, &Access::default()).unwrap();
        let sent = sender.send(&message).map_err(|error| format!("{}{error:#}", if is_passing(&error) { "passing: " } else { "" }));
        peer.join().unwrap();
        sent
    }

    #[test]
    fn a_message_is_settled_by_its_ack_alone() {
        assert_eq!(exchange(b"\x81\xa3ack\xa3c:1"), Ok(()));
        assert!(exchange(b"\x81\xa3ack\xa3c:2").unwrap_err().contains("acknowledged \"c:2\""));
        assert!(exchange(b"").unwrap_err().contains("passing: no ack came from 127.0.0.1"));
        assert!(exchange(b"\x92\xa4HELO\x80").unwrap_err().contains("<security>"));
        assert!(exchange(b"\xc1").unwrap_err().contains("other than an ack"));
    }
}
