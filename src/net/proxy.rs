//! An HTTP proxy between us and a server: where it is, who we are to it, and tunnels through it for TLS.

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest head of an answer to CONNECT.
const MAX_HEAD_BYTES: usize = 8 << 10;

/// A proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User and password.
    pub login: Option<(String, String)>,
}

impl Proxy {
    /// The value of `Proxy-Authorization`, where there is a login.
    pub fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.login.as_ref()?;
        // Base64 is always a valid header.
        let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Asks the proxy, over a connection to it, to pass on bytes to this server.
    pub async fn tunnel(&self, mut stream: TcpStream, host: &str, port: u16) -> Result<TcpStream> {
        let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
        if let Some(login) = self.authorization() {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(login.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).await?;
        // Byte by byte, as what follows the head is the server's.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= MAX_HEAD_BYTES {
                bail!("the proxy's answer to CONNECT has no end");
            }
            head.push(stream.read_u8().await.context("the proxy closed the connection")?);
        }
        let line = String::from_utf8_lossy(&head);
        let line = line.lines().next().unwrap_or_default();
        match line.split(' ').nth(1) {
            Some(status) if line.starts_with("HTTP/1.") && status.len() == 3 && status.starts_with('2') => Ok(stream),
            _ => bail!("the proxy does not connect to {host}:{port}: {line:?}"),
        }
    }
}
