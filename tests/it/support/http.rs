//! HTTP/1.1 in its plainest form: a client for one request, and the reading of requests for servers that stand in for real ones.

use super::PATIENCE;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A request as a server got it.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST`
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it was sent.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The body as text, unpacked when it is gzip.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.header("content-encoding") == Some("gzip") {
            flate2::read::MultiGzDecoder::new(&self.body[..]).read_to_string(&mut text).unwrap();
        } else {
            text = String::from_utf8(self.body.clone()).unwrap();
        }
        text
    }

    /// Reads the next request of a connection; `None` at its end.
    pub fn read(stream: &mut impl BufRead) -> Option<Request> {
        let (first, headers) = read_head(stream)?;
        let mut words = first.split(' ').map(str::to_string);
        let (method, path) = (words.next()?, words.next()?);
        let body = read_body(stream, &headers)?;
        Some(Request { method, path, headers, body })
    }
}

/// Sends one request to a port of this machine and reads the answer: status and body. `None` when there is no whole answer.
pub fn request(port: u16, method: &str, path: &str, content_type: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\ncontent-type: {content_type}\r\n");
    stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes()).ok()?;
    let mut stream = BufReader::new(stream);
    let (first, headers) = read_head(&mut stream)?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let body = if method == "HEAD" { Vec::new() } else { read_body(&mut stream, &headers)? };
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn read_line(stream: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (stream.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_string())
}

fn read_head(stream: &mut impl BufRead) -> Option<(String, Vec<(String, String)>)> {
    let first = read_line(stream)?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Some((first, headers));
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
}

fn read_body(stream: &mut impl BufRead, headers: &[(String, String)]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if find_header(headers, "transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        loop {
            let size = u64::from_str_radix(read_line(stream)?.split(';').next()?, 16).ok()?;
            stream.take(size).read_to_end(&mut body).ok()?;
            read_line(stream)?;
            if size == 0 {
                return Some(body);
            }
        }
    }
    let length: usize = find_header(headers, "content-length").unwrap_or("0").parse().ok()?;
    stream.take(length as u64).read_to_end(&mut body).ok()?;
    (body.len() == length).then_some(body)
}
