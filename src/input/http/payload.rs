//! A request's body and parameters: decompressed, and taken apart by its type.

use super::answer::{Rules, header_key};
use super::records::Fault;
use crate::event::{Scope, Value};
use crate::net::http_server::{HeaderMap, HeaderName, Request, header};
use crate::net::query::Query;
use bumpalo::collections::Vec as BumpVec;
use std::borrow::Cow;
use std::io::Read;

/// Parts of a form that come in pieces; more are no form that anybody fills in.
const MAX_PARTS: usize = 1000;

/// What a request holds.
pub struct Payload {
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// Parameters of the query and of a form, in order.
    given: Vec<(Vec<u8>, Vec<u8>)>,
    /// Those of the query, as records get them.
    query: Vec<(Vec<u8>, Vec<u8>)>,
    headers: Vec<(String, Vec<Vec<u8>>)>,
    /// Which parameter the whole body is; `None` where a form says.
    pub whole: Option<&'static str>,
    /// Where the request comes from.
    pub address: String,
}

impl Payload {
    /// Reads a request.
    pub fn read(request: &Request, body: &[u8], rules: &Rules, address: &str) -> Result<Payload, Fault> {
        let body = decompress(body, request.headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes()), rules.decompressed_bytes)?;
        let mut given = Vec::new();
        for (key, value) in Query::parse(request.uri.query().unwrap_or_default()).into_parts() {
            // Of a parameter that comes twice the first counts.
            if !given.iter().any(|(known, _)| *known == key) {
                given.push((key, value));
            }
        }
        let query = if rules.add_query_params { given.clone() } else { Vec::new() };
        let kind = request.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        let mut whole = None;
        if rules.format.is_default() {
            match form(kind, &body) {
                Some(fields) => fields.into_iter().for_each(|(key, value)| set(&mut given, key, value)),
                None => whole = whole_body(kind),
            }
        }
        let headers = if rules.add_http_headers { headers(&request.headers) } else { Vec::new() };
        let forwarded = request.headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
        let address = forwarded.and_then(|list| list.split(',').next()).filter(|first| !first.is_empty()).unwrap_or(address);
        Ok(Payload { body: body.into_owned(), given, query, headers, whole, address: address.to_owned() })
    }

    /// The parameters, with the headers and the query under the names that records have for them.
    pub fn params<'a>(&'a self, scope: &Scope<'a>, rules: &Rules) -> Params<'a> {
        let mut params = Params(Vec::new());
        for (key, value) in &self.given {
            params.set(key, Value::Str(value));
        }
        if rules.add_query_params {
            for (key, value) in &self.query {
                let name =
                    [b"QUERY_".as_slice(), &key.iter().map(|byte| if *byte == b'-' { b'_' } else { *byte }).collect::<Vec<_>>()].concat();
                params.set(scope.bytes(&upper(&name)), Value::Str(value));
            }
        }
        for (key, values) in &self.headers {
            let value = match values.as_slice() {
                [one] => Value::Str(one),
                many => {
                    let mut list = BumpVec::with_capacity_in(many.len(), scope.bump());
                    list.extend(many.iter().map(|value| Value::Str(value)));
                    Value::Array(list.into_bump_slice())
                }
            };
            params.set(key.as_bytes(), value);
        }
        params
    }
}

/// Parameters by name, in order; one that is set again keeps its place.
pub struct Params<'a>(Vec<(&'a [u8], Value<'a>)>);

impl<'a> Params<'a> {
    fn set(&mut self, key: &'a [u8], value: Value<'a>) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.0.push((key, value)),
        }
    }

    /// The value of a name.
    pub fn get(&self, key: &[u8]) -> Option<Value<'a>> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }

    /// All of them.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], Value<'a>)> {
        self.0.iter().copied()
    }
}

fn set(into: &mut Vec<(Vec<u8>, Vec<u8>)>, key: Vec<u8>, value: Vec<u8>) {
    match into.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known = value,
        None => into.push((key, value)),
    }
}

fn upper(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).to_uppercase().into_bytes()
}

/// The headers under the names that records have for them; one that comes twice has a list.
fn headers(all: &HeaderMap) -> Vec<(String, Vec<Vec<u8>>)> {
    let values = |name: &HeaderName| all.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect();
    all.keys().map(|name| (header_key(name), values(name))).collect()
}

/// The body as it was before it was compressed. Other encodings than these are taken for none.
fn decompress<'b>(body: &'b [u8], encoding: Option<&[u8]>, limit: usize) -> Result<Cow<'b, [u8]>, Fault> {
    let mut plain = Vec::new();
    let limit_and_one = limit as u64 + 1;
    let read = match encoding {
        Some(b"gzip") => flate2::bufread::GzDecoder::new(body).take(limit_and_one).read_to_end(&mut plain),
        Some(b"deflate") => flate2::bufread::ZlibDecoder::new(body).take(limit_and_one).read_to_end(&mut plain),
        _ => return Ok(Cow::Borrowed(body)),
    };
    match read {
        Ok(length) if length > limit => Err(Fault::TooLarge),
        Ok(_) => Ok(Cow::Owned(plain)),
        Err(error) => Err(Fault::Encoding(error.to_string())),
    }
}

/// Which parameter a body of this type is.
fn whole_body(kind: &[u8]) -> Option<&'static str> {
    let kinds = [
        ("application/json", "json"),
        ("application/csp-report", "json"),
        ("application/msgpack", "msgpack"),
        ("application/x-ndjson", "ndjson"),
    ];
    kinds.iter().find(|(name, _)| kind.starts_with(name.as_bytes())).map(|(_, param)| *param)
}

/// The fields of a form; `None` where the body is none.
fn form(kind: &[u8], body: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    if kind.starts_with(b"application/x-www-form-urlencoded") {
        let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (key, value) in Query::parse_bytes(body).into_parts() {
            if !fields.iter().any(|(known, _)| *known == key) {
                fields.push((key, value));
            }
        }
        return Some(fields);
    }
    let boundary = kind.strip_prefix(b"multipart/form-data; boundary=")?;
    let boundary = boundary.strip_prefix(b"\"").and_then(|quoted| quoted.strip_suffix(b"\"")).unwrap_or(boundary);
    (!boundary.is_empty()).then(|| multipart(body, boundary))
}

/// The parts of a form that was sent part by part.
fn multipart(body: &[u8], boundary: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let delimiter = [b"--", boundary].concat();
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let ends: Vec<usize> = memchr::memmem::find_iter(body, &delimiter).take(MAX_PARTS + 1).collect();
    for pair in ends.windows(2) {
        let part = &body[pair[0] + delimiter.len()..pair[1]];
        let part = part.strip_prefix(b"\r\n").unwrap_or(part);
        let Some(at) = memchr::memmem::find(part, b"\r\n\r\n") else { continue };
        let (head, value) = (&part[..at], &part[at + 4..]);
        let value = value.strip_suffix(b"\r\n").unwrap_or(value);
        if let Some(name) = part_name(head)
            && !fields.iter().any(|(known, _)| *known == name)
        {
            fields.push((name, value.to_vec()));
        }
    }
    fields
}

/// `name` in a part's `Content-Disposition`.
fn part_name(head: &[u8]) -> Option<Vec<u8>> {
    let lines = head.split(|byte| *byte == b'\n');
    let line = lines.into_iter().find(|line| line.to_ascii_lowercase().starts_with(b"content-disposition:"))?;
    let words = line.split(|byte| *byte == b';').map(|word| word.trim_ascii());
    let name = words.into_iter().find_map(|word| word.strip_prefix(b"name="))?;
    Some(name.strip_prefix(b"\"").and_then(|quoted| quoted.strip_suffix(b"\"")).unwrap_or(name).to_vec())
}
