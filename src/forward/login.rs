//! The client's side of the handshake: what is said to a HELO, and what a PONG has to be. No I/O.

use super::digest;
use crate::event::Value;
use crate::event::msgpack::{decode_value, write_array_head, write_str};
use anyhow::{Context, Result, anyhow, bail};
use bumpalo::Bump;

/// What is said in the handshake.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// Our name.
    pub self_hostname: String,
    /// What both sides know.
    pub shared_key: String,
    /// The user.
    pub username: String,
    /// The user's password.
    pub password: String,
}

/// What a PONG has to answer to.
pub struct Greeting {
    salt: String,
    nonce: Vec<u8>,
}

impl Login {
    /// The PING that answers a HELO.
    pub fn ping(&self, helo: &[u8]) -> Result<(Vec<u8>, Greeting)> {
        let (nonce, auth) = read_helo(helo).context("received invalid helo message")?;
        let mut salt = [0; 16];
        let random = ring::rand::SystemRandom::new();
        ring::rand::SecureRandom::fill(&random, &mut salt).map_err(|_| anyhow!("the system gives no random bytes"))?;
        let salt: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut ping = Vec::new();
        write_array_head(6, &mut ping);
        let proof = digest(&[salt.as_bytes(), self.self_hostname.as_bytes(), &nonce, self.shared_key.as_bytes()]);
        for part in ["PING", &self.self_hostname, &salt, &proof] {
            write_str(part.as_bytes(), &mut ping);
        }
        let password = digest(&[&auth, self.username.as_bytes(), self.password.as_bytes()]);
        for part in if auth.is_empty() { ["", ""] } else { [self.username.as_str(), &password] } {
            write_str(part.as_bytes(), &mut ping);
        }
        Ok((ping, Greeting { salt, nonce }))
    }

    /// Whether a PONG lets us in, and shows that the server knows what we know; what is wrong otherwise, in Fluentd's words.
    pub fn check(&self, pong: &[u8], greeting: &Greeting) -> Result<()> {
        let bump = Bump::new();
        let Ok(Value::Array([name, result, reason, hostname, proof])) = decode_value(&bump, pong) else {
            bail!("invalid format for PONG message");
        };
        if name.as_bytes() != Some(b"PONG") {
            bail!("invalid format for PONG message");
        }
        let text = |value: &Value<'_>| String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned();
        if *result != Value::Bool(true) {
            bail!("authentication failed: {}", text(reason));
        }
        if text(hostname) == self.self_hostname {
            bail!("same hostname between input and output: invalid configuration");
        }
        let hostname = hostname.as_bytes().unwrap_or_default();
        if text(proof) != digest(&[greeting.salt.as_bytes(), hostname, &greeting.nonce, self.shared_key.as_bytes()]) {
            bail!("shared key mismatch");
        }
        Ok(())
    }
}

/// The nonce and the salt of a HELO.
fn read_helo(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let bump = Bump::new();
    let Ok(Value::Array([name, options])) = decode_value(&bump, bytes) else { return None };
    let option = |key: &[u8]| options.get(key).and_then(|value| value.as_bytes()).unwrap_or_default().to_vec();
    (name.as_bytes() == Some(b"HELO")).then(|| (option(b"nonce"), option(b"auth")))
}
