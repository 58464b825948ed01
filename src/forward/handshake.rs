//! The handshake of the forward protocol, the server's side: HELO, PING, PONG. Who may send is a question of what both sides know, never
//! said itself but in digests with salt.

use crate::event::msgpack::{Head, Invalid, Reader, Skipper, Step, write_array_head, write_bin, write_bool, write_map_head, write_str};
use crate::net::Network;
use ring::digest::{Context, SHA512};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// A PING has names and digests, nothing long.
const MAX_PING_BYTES: usize = 16 << 10;
const SALT_BYTES: usize = 16;

/// Who may send.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Our name.
    pub self_hostname: String,
    /// What both sides know.
    pub shared_key: String,
    /// Whether a user's name and password are asked for.
    pub user_auth: bool,
    /// Whether peers may send that no entry of `clients` is for.
    pub allow_anonymous_source: bool,
    /// Names and passwords.
    pub users: Vec<(String, String)>,
    /// Peers by their address; the first that fits counts.
    pub clients: Vec<Client>,
}

/// Peers that may send.
#[derive(Clone, Debug)]
pub struct Client {
    /// Where they are.
    pub network: Network,
    /// What they and we know, in place of what is common to all.
    pub shared_key: Option<String>,
    /// The users that may send from there; all where it is empty.
    pub users: Vec<String>,
}

/// Why a peer may not send; as Fluentd tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What came is no PING.
    Ping,
    /// Nobody knows the peer.
    Anonymous(IpAddr),
    /// It does not know what we know.
    SharedKey {
        /// What it calls itself.
        hostname: String,
    },
    /// The user's name or password is wrong.
    Password {
        /// What it calls itself.
        hostname: String,
        /// The user.
        username: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Ping => f.write_str("invalid ping message"),
            Refusal::Anonymous(address) => write!(f, "anonymous source host '{address}' denied"),
            Refusal::SharedKey { .. } => f.write_str("shared_key mismatch"),
            Refusal::Password { .. } => f.write_str("username/password mismatch"),
        }
    }
}

/// What became of a PING.
#[derive(Debug)]
pub struct Verdict {
    /// The bytes of the input that it took.
    pub consumed: usize,
    /// The answer.
    pub pong: Vec<u8>,
    /// Why the peer may not send, if it may not.
    pub refusal: Option<Refusal>,
}

/// One handshake.
#[derive(Debug)]
pub struct Handshake {
    nonce: [u8; SALT_BYTES],
    salt: [u8; SALT_BYTES],
    skipper: Skipper,
}

/// The parts of a PING, borrowed from it.
struct Ping<'p> {
    hostname: &'p [u8],
    salt: &'p [u8],
    digest: &'p [u8],
    username: &'p [u8],
    password_digest: &'p [u8],
}

impl Handshake {
    /// With fresh salts; fails where the system has no randomness to give.
    pub fn begin() -> std::io::Result<Handshake> {
        let (random, mut nonce, mut salt) = (SystemRandom::new(), [0; SALT_BYTES], [0; SALT_BYTES]);
        let filled = random.fill(&mut nonce).and_then(|()| random.fill(&mut salt));
        filled.map_err(|_| std::io::Error::other("the system gives no random bytes"))?;
        Ok(Handshake { nonce, salt, skipper: Skipper::new(MAX_PING_BYTES) })
    }

    /// What we say first; `keepalive` is whether more than one message may come.
    pub fn helo(&self, keepalive: bool) -> Vec<u8> {
        let mut out = Vec::new();
        write_array_head(2, &mut out);
        write_str(b"HELO", &mut out);
        write_map_head(3, &mut out);
        write_str(b"nonce", &mut out);
        write_bin(&self.nonce, &mut out);
        write_str(b"auth", &mut out);
        write_bin(&self.salt, &mut out);
        write_str(b"keepalive", &mut out);
        write_bool(keepalive, &mut out);
        out
    }

    /// Looks at what has come; `None` where more is needed.
    pub fn answer(&mut self, input: &[u8], peer: Option<IpAddr>, guard: &Guard) -> Option<Verdict> {
        let (consumed, ping) = match self.skipper.step(input) {
            Ok(Step::NeedMore(_)) => return None,
            Ok(Step::Done(end)) => (end, Ping::read(&input[..end]).ok()),
            Err(_) => (input.len(), None),
        };
        let result = ping.ok_or(Refusal::Ping).and_then(|ping| Ok((self.check(&ping, peer, guard)?, ping)));
        Some(match result {
            Ok((key, ping)) => Verdict { consumed, pong: self.pong(&ping, key, guard), refusal: None },
            Err(refusal) => Verdict { consumed, pong: refused(&refusal), refusal: Some(refusal) },
        })
    }

    /// The key that the peer knows, or why it may not send.
    fn check<'g>(&self, ping: &Ping<'_>, peer: Option<IpAddr>, guard: &'g Guard) -> Result<&'g str, Refusal> {
        let client = peer.and_then(|peer| guard.clients.iter().find(|client| client.network.contains(peer)));
        if client.is_none() && !guard.allow_anonymous_source {
            return Err(Refusal::Anonymous(peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into())));
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let key = client.and_then(|client| client.shared_key.as_deref()).unwrap_or(&guard.shared_key);
        if !is_equal(&digest(&[ping.salt, ping.hostname, &self.nonce, key.as_bytes()]), ping.digest) {
            return Err(Refusal::SharedKey { hostname: text(ping.hostname) });
        }
        let may = |user: &str| client.is_none_or(|client| client.users.is_empty() || client.users.iter().any(|name| name == user));
        let knows = |(name, password): &(String, String)| {
            let expected = digest(&[&self.salt, ping.username, password.as_bytes()]);
            // Both are always worked out, so that the time tells nothing.
            is_equal(&expected, ping.password_digest) & (name.as_bytes() == ping.username) & may(name)
        };
        if guard.user_auth && guard.users.iter().filter(|user| knows(user)).count() == 0 {
            return Err(Refusal::Password { hostname: text(ping.hostname), username: text(ping.username) });
        }
        Ok(key)
    }

    fn pong(&self, ping: &Ping<'_>, key: &str, guard: &Guard) -> Vec<u8> {
        let name = guard.self_hostname.as_bytes();
        pong(true, b"", name, digest(&[ping.salt, name, &self.nonce, key.as_bytes()]).as_bytes())
    }
}

impl<'p> Ping<'p> {
    fn read(bytes: &'p [u8]) -> Result<Ping<'p>, Invalid> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != 6 || text(&mut reader)? != b"PING" {
            return Err(Invalid::Type);
        }
        Ok(Ping {
            hostname: text(&mut reader)?,
            salt: text(&mut reader)?,
            digest: text(&mut reader)?,
            username: text(&mut reader)?,
            password_digest: text(&mut reader)?,
        })
    }
}

/// A str or bin: senders differ in which they use. nil counts as empty.
fn text<'p>(reader: &mut Reader<'p>) -> Result<&'p [u8], Invalid> {
    match reader.head()? {
        Head::Str(length) | Head::Bin(length) => reader.take(length),
        Head::Nil => Ok(b""),
        _ => Err(Invalid::Type),
    }
}

fn refused(refusal: &Refusal) -> Vec<u8> {
    pong(false, refusal.to_string().as_bytes(), b"", b"")
}

fn pong(ok: bool, reason: &[u8], hostname: &[u8], digest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_array_head(5, &mut out);
    write_str(b"PONG", &mut out);
    write_bool(ok, &mut out);
    for text in [reason, hostname, digest] {
        write_str(text, &mut out);
    }
    out
}

/// SHA-512 of the parts in hexadecimal digits.
pub fn digest(parts: &[&[u8]]) -> String {
    let mut context = Context::new(&SHA512);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether they are equal, found out in a time that depends on their lengths only.
fn is_equal(ours: &str, theirs: &[u8]) -> bool {
    let ours = ours.as_bytes();
    ours.len() == theirs.len() && std::hint::black_box(ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let client = |network: &str, key: Option<&str>, users: &[&str]| Client {
            network: Network::parse(network).unwrap(),
            shared_key: key.map(str::to_owned),
            users: users.iter().map(|&user| user.to_owned()).collect(),
        };
        Guard {
            self_hostname: "server".to_owned(),
            shared_key: "common".to_owned(),
            user_auth: true,
            allow_anonymous_source: false,
            users: [("ann", "a1"), ("bob", "b1")].map(|(name, password)| (name.to_owned(), password.to_owned())).to_vec(),
            clients: vec![client("10.0.0.1", Some("own"), &["bob"]), client("10.0.0.0/8", None, &[])],
        }
    }

    fn ping(handshake: &Handshake, key: &str, user: &str, password: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write_array_head(6, &mut out);
        let shared = digest(&[b"salt", b"me", &handshake.nonce, key.as_bytes()]);
        let password = digest(&[&handshake.salt, user.as_bytes(), password.as_bytes()]);
        for part in ["PING", "me", "salt", &shared, user, &password] {
            write_str(part.as_bytes(), &mut out);
        }
        out
    }

    fn refusal(peer: &str, key: &str, user: &str, password: &str) -> Option<String> {
        let mut handshake = Handshake::begin().unwrap();
        let ping = ping(&handshake, key, user, password);
        let verdict = handshake.answer(&ping, Some(peer.parse().unwrap()), &guard()).unwrap();
        assert_eq!(verdict.consumed, ping.len());
        verdict.refusal.map(|refusal| refusal.to_string())
    }

    #[test]
    fn who_knows_the_key_and_the_password_may_send() {
        assert_eq!(refusal("10.0.0.9", "common", "ann", "a1"), None);
        assert_eq!(refusal("10.0.0.1", "own", "bob", "b1"), None);
        assert_eq!(refusal("10.0.0.1", "common", "bob", "b1").unwrap(), "shared_key mismatch");
        assert_eq!(refusal("10.0.0.1", "own", "ann", "a1").unwrap(), "username/password mismatch");
        assert_eq!(refusal("10.0.0.9", "common", "ann", "b1").unwrap(), "username/password mismatch");
        assert_eq!(refusal("11.0.0.1", "common", "ann", "a1").unwrap(), "anonymous source host '11.0.0.1' denied");
    }

    #[test]
    fn the_answer_shows_that_we_know_the_key_too() {
        let mut handshake = Handshake::begin().unwrap();
        let ping = ping(&handshake, "common", "ann", "a1");
        for cut in 0..ping.len() {
            assert!(handshake.answer(&ping[..cut], None, &guard()).is_none());
        }
        let more = [ping.as_slice(), b"more"].concat();
        let verdict = handshake.answer(&more, Some("10.0.0.9".parse().unwrap()), &guard()).unwrap();
        assert_eq!(verdict.consumed, ping.len());
        let proof = digest(&[b"salt", b"server", &handshake.nonce, b"common"]);
        assert_eq!(verdict.pong, pong(true, b"", b"server", proof.as_bytes()));
        assert!(handshake.helo(true).starts_with(b"\x92\xa4HELO\x83\xa5nonce\xc4\x10"));
    }

    #[test]
    fn anything_else_is_no_ping() {
        for bytes in
            [&b"\x91\xa4PING"[..], b"\xc1", b"\xc0", b"\x96\x01\x02\x03\x04\x05\x06", b"GET / HTTP/1.1\r\n", b"\xdb\x7f\xff\xff\xff"]
        {
            let verdict = Handshake::begin().unwrap().answer(bytes, None, &guard());
            let Some(verdict) = verdict else { continue };
            assert_eq!(verdict.refusal, Some(Refusal::Ping), "{bytes:?}");
            assert_eq!(verdict.pong, b"\x95\xa4PONG\xc2\xb4invalid ping message\xa0\xa0");
        }
    }
}
