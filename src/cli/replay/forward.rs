//! A replay to a forward input: each message is settled by its ack.

use super::{Addressed, Target};
use crate::cli::access::Access;
use crate::cli::sender::{Message, Sender, USUAL_PORT};
use anyhow::{Context, bail};

/// A connection to a forward input.
#[derive(Debug)]
pub struct Forward(Sender);

impl Forward {
    /// Connects to what `forward://HOST[:PORT]` names: the first of its addresses that answers.
    pub fn connect(url: &str, access: &Access) -> anyhow::Result<Forward> {
        let (host, port) = host_and_port(url)?;
        Sender::connect(&host, port, access).map(Forward)
    }
}

impl Target for Forward {
    fn send(&mut self, part: &Addressed<'_>) -> anyhow::Result<()> {
        if part.is_formatted {
            bail!("a formatter wrote it, so that it can only go to an output of the same type: use -c");
        }
        self.0.send(&Message { tag: part.tag, bytes: part.bytes, records: part.records, name: part.name })
    }

    fn can_take(&self, is_formatted: bool) -> bool {
        !is_formatted
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> anyhow::Result<String> {
        Ok(format!("all of it is acknowledged by {}", self.0.address()))
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
}
