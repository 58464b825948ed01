//! Sending to a forward input: one connection, one message at a time, each settled by its ack.

use super::{Addressed, Target};
use crate::forward::{Answer, read_answer, write_packed};
use anyhow::{Context, bail};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Where a forward input listens, unless it is said.
const USUAL_PORT: u16 = 24224;
/// How long a connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long bytes may take to be taken.
const SEND_WAIT: Duration = Duration::from_secs(60);
/// How long an ack may take: Fluentd's `ack_response_timeout`.
const ACK_WAIT: Duration = Duration::from_secs(190);

/// A connection to a forward input.
#[derive(Debug)]
pub struct Forward {
    stream: TcpStream,
    address: String,
}

impl Forward {
    /// Connects to what `forward://HOST[:PORT]` names: the first of its addresses that answers.
    pub fn connect(url: &str) -> anyhow::Result<Forward> {
        let (host, port) = host_and_port(url)?;
        let addresses = (host.as_str(), port).to_socket_addrs().with_context(|| format!("cannot find {host}"))?;
        let mut last = None;
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT_WAIT) {
                Ok(stream) => {
                    stream.set_write_timeout(Some(SEND_WAIT))?;
                    stream.set_read_timeout(Some(ACK_WAIT))?;
                    stream.set_nodelay(true)?;
                    return Ok(Forward { stream, address: format!("{host}:{port}") });
                }
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error).with_context(|| format!("cannot connect to {host}:{port}")),
            None => bail!("{host} has no address"),
        }
    }

    fn answer(&mut self) -> anyhow::Result<Answer> {
        let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            if let Some(answer) = read_answer(&received) {
                return Ok(answer);
            }
            match self.stream.read(&mut buffer).context("no ack came")? {
                0 => bail!("{} closed the connection without an ack", self.address),
                count => received.extend_from_slice(&buffer[..count]),
            }
        }
    }
}

impl Target for Forward {
    fn send(&mut self, part: &Addressed<'_>) -> anyhow::Result<()> {
        if part.is_formatted {
            bail!("a formatter wrote it, so that it can only go to an output of the same type: use -c");
        }
        let mut message = Vec::with_capacity(part.bytes.len() + 256);
        write_packed(part.tag, part.bytes, part.records, part.name, &mut message);
        self.stream.write_all(&message).with_context(|| format!("cannot send to {}", self.address))?;
        match self.answer()? {
            Answer::Ack(name) if name == part.name.as_bytes() => Ok(()),
            Answer::Ack(other) => bail!("{} acknowledged {:?}, expected {:?}", self.address, String::from_utf8_lossy(&other), part.name),
            Answer::Hello => bail!("{} wants a shared key (<security>), which is not supported here", self.address),
            Answer::Other => bail!("{} answered something other than an ack", self.address),
        }
    }

    fn can_take(&self, is_formatted: bool) -> bool {
        !is_formatted
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> anyhow::Result<String> {
        Ok(format!("all of it is acknowledged by {}", self.address))
    }
}

fn host_and_port(url: &str) -> anyhow::Result<(String, u16)> {
    let rest = url.strip_prefix("forward://").with_context(|| format!("--to {url}: expected forward://HOST[:PORT]"))?.trim_end_matches('/');
    let (host, port) = match rest.rsplit_once(':') {
        // An IPv6 address stands in brackets.
        Some((host, port)) if !port.contains(']') => {
            (host, port.parse().ok().with_context(|| format!("--to {url}: {port:?} is no port, expected 1 to 65535"))?)
        }
        _ => (rest, USUAL_PORT),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.contains('/') {
        bail!("--to {url}: expected forward://HOST[:PORT]");
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn addresses() {
        let parsed = |url: &str| host_and_port(url).map_err(|error| error.to_string());
        assert_eq!(parsed("forward://h:1"), Ok(("h".to_owned(), 1)));
        assert_eq!(parsed("forward://h/"), Ok(("h".to_owned(), 24224)));
        assert_eq!(parsed("forward://[::1]:5"), Ok(("::1".to_owned(), 5)));
        assert_eq!(parsed("forward://[::1]"), Ok(("::1".to_owned(), 24224)));
        for wrong in ["h:1", "http://h:1", "forward://", "forward://h:x", "forward://h/x"] {
            assert!(parsed(wrong).unwrap_err().contains("--to"), "{wrong}");
        }
    }

    /// What the client says of a peer that answers with these bytes.
    fn exchange(answer: &'static [u8]) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("forward://{}", listener.local_addr().unwrap());
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 27]).unwrap();
            answer.iter().for_each(|byte| stream.write_all(&[*byte]).unwrap());
        });
        let part = Addressed {
            tag: "a.b",
            bytes: b"\x92\x01\x80",
            records: 1,
            name: "c:1",
            output: None,
            plugin: None,
            keys: None,
            is_formatted: false,
        };
        let sent = Forward::connect(&url).unwrap().send(&part).map_err(|error| format!("{error:#}"));
        peer.join().unwrap();
        sent
    }

    #[test]
    fn a_message_is_settled_by_its_ack_alone() {
        assert_eq!(exchange(b"\x81\xa3ack\xa3c:1"), Ok(()));
        assert!(exchange(b"\x81\xa3ack\xa3c:2").unwrap_err().contains("acknowledged \"c:2\""));
        assert!(exchange(b"").unwrap_err().contains("without an ack"));
        assert!(exchange(b"\x92\xa4HELO\x80").unwrap_err().contains("<security>"));
        assert!(exchange(b"\xc1").unwrap_err().contains("other than an ack"));
    }
}
