//! A sender of the forward protocol: the four modes as bytes, and a connection that sends them and reads the acks.

use super::PATIENCE;
use super::msgpack::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A connection to a forward input. Reads and writes are bounded by the harness's patience.
pub struct Sender {
    stream: Box<dyn Stream>,
}

trait Stream: Read + Write + Send {}
impl Stream for TcpStream {}
impl Stream for UnixStream {}

impl Sender {
    /// Connects to a TCP port of this machine.
    pub fn connect(port: u16) -> Sender {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Sender { stream: Box::new(stream) }
    }

    /// Connects to a TCP port of this machine, if somebody listens; waits for acks no longer than `patience`.
    pub fn try_connect(port: u16, patience: Duration) -> Option<Sender> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(patience)).unwrap();
        stream.set_write_timeout(Some(patience)).unwrap();
        stream.set_nodelay(true).unwrap();
        Some(Sender { stream: Box::new(stream) })
    }

    /// Connects to a unix socket.
    pub fn connect_unix(path: &Path) -> Sender {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Sender { stream: Box::new(stream) }
    }

    /// Sends bytes as they are; panics when the other side has closed.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends bytes to a peer that may close at any moment; whether it took all of them.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends one event in Message mode at 2023-11-14 22:13:20 UTC; the record is JSON text.
    pub fn event(&mut self, tag: &str, record: &str) {
        self.send(&message(tag, Value::Int(1_700_000_000), Value::json(record), None));
    }

    /// Reads exactly `count` bytes.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads one msgpack answer `{"ack": chunk}`; the chunk's bytes.
    pub fn ack(&mut self) -> Vec<u8> {
        const HEAD: &[u8] = b"\x81\xa3ack";
        assert_eq!(self.read(HEAD.len()), HEAD, "an ack starts as a map of one key");
        let marker = self.read(1)[0];
        let length = match marker {
            0xa0..=0xbf => usize::from(marker & 0x1f),
            0xd9 | 0xc4 => usize::from(self.read(1)[0]),
            0xda | 0xc5 => usize::from(u16::from_be_bytes(self.read(2).try_into().unwrap())),
            _ => panic!("an ack's value is a string, not {marker:#x}"),
        };
        self.read(length)
    }

    /// Reads one msgpack answer as [`Sender::ack`] does, from a peer that may close at any moment; whether it is the one for `chunk`.
    pub fn try_ack(&mut self, chunk: &str) -> bool {
        let wanted = Value::Map(vec![(Value::str("ack"), Value::str(chunk))]).encode();
        let mut bytes = vec![0; wanted.len()];
        self.stream.read_exact(&mut bytes).is_ok() && bytes == wanted
    }

    /// Reads one JSON answer `{"ack": "chunk"}`; the chunk.
    pub fn json_ack(&mut self) -> String {
        let mut answers = serde_json::Deserializer::from_reader(&mut self.stream).into_iter::<serde_json::Value>();
        let answer = answers.next().expect("the connection ended").unwrap();
        answer["ack"].as_str().unwrap_or_else(|| panic!("no ack in {answer}")).to_string()
    }

    /// Reads to the end of the connection; panics when the other side keeps it open.
    pub fn read_to_close(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => bytes,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => bytes,
            Err(error) => panic!("the connection was not closed: {error}"),
        }
    }
}

/// Message mode: `[tag, time, record, option]`, the option left out when there is none.
pub fn message(tag: &str, time: Value, record: Value, option: Option<Value>) -> Vec<u8> {
    array([Value::str(tag), time, record], option)
}

/// Forward mode: `[tag, [[time, record], ...], option]`.
pub fn forward(tag: &str, entries: &[(Value, Value)], option: Option<Value>) -> Vec<u8> {
    let entries = entries.iter().map(|(time, record)| Value::Array(vec![time.clone(), record.clone()])).collect();
    array([Value::str(tag), Value::Array(entries)], option)
}

/// PackedForward mode: the entries concatenated in a bin.
pub fn packed(tag: &str, entries: &[(Value, Value)], option: Option<Value>) -> Vec<u8> {
    array([Value::str(tag), Value::Bin(concatenated(entries))], option)
}

/// CompressedPackedForward mode with gzip; `option` is what else to say beside `compressed`.
pub fn packed_gzip(tag: &str, entries: &[(Value, Value)], option: &[(&str, Value)]) -> Vec<u8> {
    compressed(tag, "gzip", gzip(&concatenated(entries)), option)
}

/// The same for a body that is already made: one gzip member or several, entries or not.
pub fn packed_gzip_body(tag: &str, body: Vec<u8>) -> Vec<u8> {
    compressed(tag, "gzip", body, &[])
}

/// One gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// CompressedPackedForward mode with zstd; `option` is what else to say beside `compressed`.
pub fn packed_zstd(tag: &str, entries: &[(Value, Value)], option: &[(&str, Value)]) -> Vec<u8> {
    compressed(tag, "zstd", zstd::encode_all(&concatenated(entries)[..], 1).unwrap(), option)
}

/// The entries one after the other, as PackedForward carries them.
pub fn concatenated(entries: &[(Value, Value)]) -> Vec<u8> {
    entries.iter().flat_map(|(time, record)| Value::Array(vec![time.clone(), record.clone()]).encode()).collect()
}

/// An option map with a `chunk`, which asks for an ack.
pub fn chunk_option(chunk: &str) -> Option<Value> {
    Some(Value::Map(vec![(Value::str("chunk"), Value::str(chunk))]))
}

fn compressed(tag: &str, kind: &str, body: Vec<u8>, option: &[(&str, Value)]) -> Vec<u8> {
    let mut entries = vec![(Value::str("compressed"), Value::str(kind))];
    entries.extend(option.iter().map(|(key, value)| (Value::str(key), value.clone())));
    array([Value::str(tag), Value::Bin(body)], Some(Value::Map(entries)))
}

fn array<const N: usize>(items: [Value; N], option: Option<Value>) -> Vec<u8> {
    Value::Array(items.into_iter().chain(option).collect()).encode()
}
