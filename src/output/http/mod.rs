//! `http`: sends each chunk as the body of one request; the answer decides whether it is delivered, tried again or given up.
//!
//! It is Fluentd's own output of this name. What the events look like is the formatter's business.

mod settings;
mod url;

pub use settings::{Auth, Params};

use super::{BufferedOutput, Output, WriteError};
use crate::buffer::{Chunk, Defaults, Settings as BufferSettings};
use crate::config::{Element, Refused};
use crate::event::{Event, Scope, Tag};
use crate::formatter::{FormatError, Formatter, build_formatter};
use crate::net::http::{Answer, Client, Endpoint, Failure, Limits, Request};
use crate::plugin::{BoxFuture, Context};
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::http::{HeaderMap, HeaderValue, StatusCode, header};
use settings::{Compress, Settings};
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// Servers whose connections are kept, where placeholders name them; beyond that all connections are made anew.
const MAX_CLIENTS: usize = 64;
/// Characters of an answer that messages show.
const SHOWN_CHARS: usize = 1000;
const DEFAULTS: Defaults = Defaults { chunk_keys: &[], params: &[], path_from: None };

struct Http {
    settings: Settings,
    formatter: Box<dyn Formatter>,
    clients: Mutex<HashMap<(bool, String, u16), Arc<Client>>>,
}

/// Makes the output.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    let formatter = build_formatter(element, "json", context);
    let buffer = BufferSettings::read(element, &DEFAULTS, context.diagnostics)?;
    let settings = Settings::read(element, &buffer, context)?;
    Ok(Output::Buffered(Box::new(Http { settings, formatter: formatter?, clients: Mutex::default() })))
}

impl BufferedOutput for Http {
    fn is_packed(&self) -> bool {
        false
    }

    fn format<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        self.formatter.format(scope, tag, event, out)?;
        if self.settings.json_array {
            out.push(b',');
        }
        Ok(())
    }

    fn buffer_defaults(&self) -> Defaults {
        DEFAULTS
    }

    fn shows_chunks(&self) -> bool {
        true
    }

    fn write<'a>(&'a self, chunk: &'a Chunk) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(self.deliver(chunk))
    }
}

impl Http {
    async fn deliver(&self, chunk: &Chunk) -> Result<(), WriteError> {
        let endpoint = self.settings.endpoint.expand(chunk);
        // Fluentd: tries a URL that is none again and again.
        let url = Url::parse(&endpoint).map_err(|why| WriteError::Unrecoverable(anyhow::anyhow!("endpoint: {why}")))?;
        let headers = self.headers(chunk, &url).map_err(WriteError::Unrecoverable)?;
        let body = self.body(chunk).map_err(WriteError::Unrecoverable)?;
        let request = Request { method: self.settings.method.clone(), path: url.target.clone(), headers, body };
        match self.client(&url).send(request).await {
            Ok(answer) => self.judge(&answer, &endpoint, chunk),
            Err(Failure::Connect(error) | Failure::Broken(error)) => Err(WriteError::Retry(error)),
            Err(failure @ Failure::TooLarge) => Err(WriteError::Retry(anyhow::anyhow!(failure))),
        }
    }

    fn headers(&self, chunk: &Chunk, url: &Url) -> anyhow::Result<HeaderMap> {
        let mut headers = self.settings.headers.clone();
        if !headers.contains_key(header::HOST) {
            headers.insert(header::HOST, HeaderValue::from_str(&url.host_header())?);
        }
        for (name, template) in &self.settings.chunk_headers {
            let value = template.expand(chunk);
            let value = HeaderValue::from_str(&value).map_err(|_| anyhow::anyhow!("{value:?} cannot be the value of the header {name}"))?;
            headers.insert(name.clone(), value);
        }
        Ok(headers)
    }

    fn body(&self, chunk: &Chunk) -> anyhow::Result<Bytes> {
        let Settings { json_array, compress, .. } = self.settings;
        if !json_array && compress == Compress::Text {
            return Ok(Bytes::copy_from_slice(&chunk.bytes));
        }
        let events = chunk.bytes.strip_suffix(b",").filter(|_| json_array).unwrap_or(&chunk.bytes);
        let parts: [&[u8]; 3] = if json_array { [b"[", events, b"]"] } else { [b"", events, b""] };
        if compress == Compress::Text {
            return Ok(Bytes::from(parts.concat()));
        }
        let mut encoder = GzEncoder::new(Vec::with_capacity(events.len() / 8 + 64), flate2::Compression::default());
        for part in parts {
            encoder.write_all(part)?;
        }
        Ok(Bytes::from(encoder.finish()?))
    }

    fn client(&self, url: &Url) -> Arc<Client> {
        let settings = &self.settings;
        let wait = if url.tls { settings.limits.connect + settings.tls_wait } else { settings.limits.connect };
        let limits = Limits { connect: wait, ..settings.limits };
        let tls = url.tls.then(|| Arc::clone(&settings.tls));
        let endpoint = Endpoint { host: url.host.clone(), port: url.port, tls, proxy: settings.proxy.clone() };
        if !settings.reuse_connections {
            return Arc::new(Client::without_reuse(endpoint, limits));
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (url.tls, url.host.clone(), url.port);
        if clients.len() >= MAX_CLIENTS && !clients.contains_key(&key) {
            clients.clear();
        }
        Arc::clone(clients.entry(key).or_insert_with(|| Arc::new(Client::new(endpoint, limits))))
    }

    fn judge(&self, answer: &Answer, endpoint: &str, chunk: &Chunk) -> Result<(), WriteError> {
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        let reason = StatusCode::from_u16(answer.status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
        let body = String::from_utf8_lossy(&answer.body).trim_start().chars().take(SHOWN_CHARS).collect::<String>();
        let message = format!("{} {reason} {body}", answer.status);
        if self.settings.retryable.contains(&i64::from(answer.status)) {
            return Err(WriteError::Retry(anyhow::anyhow!(message)));
        }
        if self.settings.errors_are_unrecoverable {
            return Err(WriteError::Unrecoverable(anyhow::anyhow!(message)));
        }
        crate::error!("got error response from '{} {endpoint}' : {message}", self.settings.method);
        chunk.dropped.add(chunk.records as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
