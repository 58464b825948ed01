//! What a request is answered with: what browsers may do, faults by Fluentd's statuses and words, and the emit between.

use super::payload::{Params, Payload};
use super::records::{Fault, Format};
use crate::event::{Batch, Event, EventTime, Scope, Scratch, Tag, TimeOptions, TimeParser, TimeType, Value, ruby};
use crate::log::{self, Level};
use crate::net::http_server::{BodyFault, Bounds, HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use crate::plugin::{Emitter, Permit, Stop};
use bumpalo::collections::Vec as BumpVec;
use rustls::ServerConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The smallest image that browsers take: one transparent pixel.
const EMPTY_IMAGE: &[u8] = b"GIF89a\x01\0\x01\0\x80\xff\0\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// What the parameters say about requests.
pub struct Rules {
    /// Silence and size.
    pub bounds: Bounds,
    /// Bytes of a body once it is decompressed.
    pub decompressed_bytes: usize,
    /// What browsers may do; `None` where that is not checked.
    pub cors: Option<Cors>,
    /// Whether answers are an image.
    pub empty_image: bool,
    /// Whether answers are empty.
    pub no_content: bool,
    /// Whether failures are logged as errors.
    pub logs_errors: bool,
    /// Whether records get headers.
    pub add_http_headers: bool,
    /// Whether records get the sender's address.
    pub add_remote_addr: bool,
    /// Whether records get the query.
    pub add_query_params: bool,
    /// What is put before the tag.
    pub add_tag_prefix: Option<String>,
    /// How records are found in bodies.
    pub format: Format,
    /// TLS, where it is spoken.
    pub tls: Option<Arc<ServerConfig>>,
}

/// From which pages browsers may send.
pub struct Cors {
    /// `*`, or addresses with at most one `*` that counts.
    pub origins: Vec<String>,
    /// Whether they may send credentials.
    pub credentials: bool,
}

impl Cors {
    fn takes_all(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }

    fn takes(&self, origin: &[u8]) -> bool {
        self.origins.iter().filter(|known| !known.is_empty()).any(|known| match known.split_once('*') {
            Some((start, end)) => origin.starts_with(start.as_bytes()) && origin.ends_with(end.as_bytes()),
            None => origin == known.as_bytes(),
        })
    }

    /// The headers that tell a browser; `None` where it may not send.
    fn headers(&self, origin: Option<&HeaderValue>) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        if self.takes_all() {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            return Some(headers);
        }
        let origin = origin.filter(|origin| self.takes(origin.as_bytes()))?;
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        Some(headers)
    }
}

/// An answer without content, after which the connection ends.
pub fn closing() -> Response {
    Response::new(StatusCode::SERVICE_UNAVAILABLE, "").closing()
}

/// Handles a request; waits for room behind its route.
pub async fn answer(rules: &Rules, emitter: &Emitter, request: Request, address: &str, stop: Stop) -> Response {
    if let Some(response) = before_body(rules, &request) {
        return response;
    }
    let cors = match &rules.cors {
        Some(cors) => match cors.headers(request.headers.get(header::ORIGIN)) {
            Some(headers) => headers,
            None => return Response::new(StatusCode::FORBIDDEN, "").closing(),
        },
        None => HeaderMap::new(),
    };
    let body = request.body.as_ref().map_or(&[][..], |body| body.as_ref());
    let payload = match Payload::read(&request, body, rules, address) {
        Ok(payload) => payload,
        Err(Fault::TooLarge) => return too_large(),
        Err(fault) => {
            crate::warning!("fails to decode payload error={:?}", fault.message());
            emitter.note_invalid();
            return Response::new(StatusCode::BAD_REQUEST, "").closing();
        }
    };
    let tag = tag_of(request.uri.path(), rules.add_tag_prefix.as_deref());
    let permit = permit(emitter, &tag, stop).await;
    let mut response = emit(rules, emitter, permit, &tag, &payload);
    response.headers.extend(cors);
    if request.keep_alive { response.with(header::CONNECTION, HeaderValue::from_static("Keep-Alive")) } else { response.closing() }
}

/// Handles a request of a rehearsal, which waits for nothing.
pub fn rehearse(rules: &Rules, emitter: &Emitter, request: &Request, address: &str) -> Response {
    let body = request.body.as_ref().map_or(&[][..], |body| body.as_ref());
    match Payload::read(request, body, rules, address) {
        Ok(payload) => emit(rules, emitter, None, &tag_of(request.uri.path(), rules.add_tag_prefix.as_deref()), &payload),
        Err(fault) => Response::new(StatusCode::BAD_REQUEST, fault.message().to_owned()),
    }
}

/// What needs no look at the body.
fn before_body(rules: &Rules, request: &Request) -> Option<Response> {
    match request.body {
        Err(BodyFault::TooLarge) => return Some(too_large()),
        Err(BodyFault::NoMemory) => return Some(Response::new(StatusCode::SERVICE_UNAVAILABLE, "Too many requests at once").closing()),
        Ok(_) => {}
    }
    if request.headers.get(header::EXPECT).is_some_and(|expect| !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Some(Response::new(StatusCode::EXPECTATION_FAILED, "").closing());
    }
    match request.method.as_str() {
        // Some platforms ask so whether a service is alive.
        "GET" => Some(Response::new(StatusCode::OK, "").closing()),
        "OPTIONS" => Some(preflight(rules, &request.headers)),
        _ => None,
    }
}

fn too_large() -> Response {
    let mut response = Response::new(StatusCode::PAYLOAD_TOO_LARGE, "Too large").closing();
    response.reason = Some("Request Entity Too Large");
    response
}

/// A browser asks whether it may send.
fn preflight(rules: &Rules, headers: &HeaderMap) -> Response {
    let is_post = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD).is_some_and(|method| method.as_bytes() == b"POST");
    let allowed = rules.cors.as_ref().filter(|_| is_post).and_then(|cors| cors.headers(headers.get(header::ORIGIN)));
    let Some(allowed) = allowed else { return Response::new(StatusCode::FORBIDDEN, "").closing() };
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned().unwrap_or(HeaderValue::from_static(""));
    let mut response = Response::new(StatusCode::OK, "")
        .with(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"))
        .with(header::ACCESS_CONTROL_ALLOW_HEADERS, asked)
        .closing();
    response.headers.extend(allowed);
    response
}

/// `/a/b.c` is `a.b.c`. What stands behind two slashes is a host, as in any URL.
fn tag_of(path: &str, prefix: Option<&str>) -> Tag {
    let path = match path.strip_prefix("//") {
        Some(rest) => rest.find('/').map_or("", |at| &rest[at..]),
        None => path,
    };
    let mut parts: Vec<&str> = path.get(1..).unwrap_or_default().split('/').collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    let tag = parts.join(".");
    prefix.map_or_else(|| Tag::new(&tag), |prefix| Tag::new(&format!("{prefix}.{tag}")))
}

/// Leave to emit; `None` where the end came first, when what was received is emitted nevertheless.
async fn permit(emitter: &Emitter, tag: &Tag, mut stop: Stop) -> Option<Permit> {
    tokio::select! {
        biased;
        permit = emitter.reserve(tag) => Some(permit),
        () = stop.wait() => None,
    }
}

fn emit(rules: &Rules, emitter: &Emitter, permit: Option<Permit>, tag: &Tag, payload: &Payload) -> Response {
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let params = payload.params(&scope, rules);
    let batch = match batch(rules, &scope, payload, &params) {
        Ok((batch, invalid)) => {
            note_invalid(emitter, invalid, tag);
            batch
        }
        Err(fault) => {
            emitter.note_invalid();
            if rules.logs_errors {
                let fields = [("error_class", fault.class()), ("error", fault.message())];
                log::write_with(Level::Error, "failed to process request", &fields);
            }
            return Response::new(StatusCode::BAD_REQUEST, format!("400 Bad Request\n{}\n", fault.message()));
        }
    };
    if !batch.is_empty() {
        let result = match permit {
            Some(permit) => permit.emit(&scope, tag, batch),
            None => emitter.emit(&scope, tag, batch),
        };
        if let Err(error) = result.or_else(|error| if error.settled { Ok(()) } else { Err(error) }) {
            if rules.logs_errors {
                log::write_with(Level::Error, "failed to emit data", &[("error_class", error.class), ("error", &error.message)]);
            }
            return Response::new(StatusCode::INTERNAL_SERVER_ERROR, format!("500 Internal Server Error\n{}\n", error.message));
        }
    }
    success(rules)
}

fn success(rules: &Rules) -> Response {
    if rules.empty_image {
        let kind = HeaderValue::from_static("image/gif; charset=utf-8");
        Response::new(StatusCode::OK, EMPTY_IMAGE).with(header::CONTENT_TYPE, kind)
    } else if rules.no_content {
        Response::new(StatusCode::NO_CONTENT, "")
    } else {
        Response::new(StatusCode::OK, "")
    }
}

/// What is no record is answered with 200, as by Fluentd, but said: at the first, the second, the fourth such one, and so on.
fn note_invalid(emitter: &Emitter, records: usize, tag: &Tag) {
    static INVALID: AtomicU64 = AtomicU64::new(0);
    for _ in 0..records {
        emitter.note_invalid();
        let count = INVALID.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            crate::warning!("incoming event is invalid, and answered as though it were not, as in Fluentd: tag={tag:?} times={count}");
        }
    }
}

/// The events of a request, and how many things in it were none.
fn batch<'a>(rules: &Rules, scope: &Scope<'a>, payload: &'a Payload, params: &Params<'a>) -> Result<(Batch<'a>, usize), Fault> {
    let time = params.get(b"time").map(|text| time_of_query(text.as_bytes().unwrap_or_default())).transpose()?;
    let found = rules.format.records(scope, payload, params)?;
    let mut events = BumpVec::with_capacity_in(found.records.len(), scope.bump());
    for (own_time, mut record) in found.records {
        let (added, address) = added(rules, payload, params);
        added.for_each(|(key, value)| record.set(key, value));
        if let Some(address) = address {
            record.set(b"REMOTE_ADDR", Value::text(address));
        }
        let time = match (time, own_time) {
            (Some(time), _) | (None, Some(time)) => time,
            (None, None) => rules.format.take_time(&mut record)?,
        };
        events.push(Event { time, record });
    }
    Ok((Batch::decoded(events), found.invalid))
}

/// What records get of the request, beside the sender's address.
fn added<'p, 'a>(
    rules: &'p Rules,
    payload: &'a Payload,
    params: &'p Params<'a>,
) -> (impl Iterator<Item = (&'a [u8], Value<'a>)> + use<'p, 'a>, Option<&'a str>) {
    let of = |is_wanted: bool, prefix: &'static [u8]| params.fields().filter(move |(key, _)| is_wanted && key.starts_with(prefix));
    let fields = of(rules.add_http_headers, b"HTTP_").chain(of(rules.add_query_params, b"QUERY_"));
    (fields, rules.add_remote_addr.then_some(payload.address.as_str()))
}

/// The time that a request's query names for its records; the present where it is no number.
fn time_of_query(text: &[u8]) -> Result<EventTime, Fault> {
    let seconds = ruby::leading_float(text);
    if seconds == 0.0 {
        return Ok(EventTime::now());
    }
    let options = TimeOptions { time_type: TimeType::Float, ..TimeOptions::default() };
    let parser = TimeParser::new(&options).map_err(Fault::time)?;
    parser.parse(&Value::Float(seconds)).map_err(Fault::time)
}

/// A header's name as records have it: `HTTP_X_NAME`.
pub fn header_key(name: &HeaderName) -> String {
    format!("HTTP_{}", name.as_str().replace('-', "_").to_ascii_uppercase())
}
