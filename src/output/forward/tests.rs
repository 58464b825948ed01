//! Chunks in, bytes on a socket out: with acks, compression, the handshake, and servers that are not there.

use super::build;
use crate::buffer::{Chunk, ChunkKeys};
use crate::config::{Diagnostics, Element, LoadOptions, Refused, Span, System, load};
use crate::event::msgpack::{write_array_head, write_bool, write_map_head, write_str};
use crate::event::{Tag, Value};
use crate::forward::{Guard, Handshake};
use crate::log::PluginLog;
use crate::output::{BufferedOutput, Output, WriteError};
use crate::plugin::{Context, Emitter, Host, Sink};
use bumpalo::Bump;
use std::io::Read;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct NoHost;

impl Host for NoHost {
    fn build_output(&self, _element: &Element) -> Result<Arc<dyn Sink>, Refused> {
        Err(Refused)
    }
    fn emitter(&self, _label: Option<&str>, _span: Span) -> Result<Emitter, Refused> {
        Err(Refused)
    }
    fn errors(&self) -> Emitter {
        Emitter::default()
    }
    fn own_router(&self) -> Emitter {
        Emitter::default()
    }
}

fn output(lines: &str) -> Result<Box<dyn BufferedOutput>, String> {
    let diagnostics = Diagnostics::new();
    let text = format!("<match **>\n@type forward\n{lines}\n</match>\n");
    let root = load(&LoadOptions::for_text("test", &text), &diagnostics).expect("syntax");
    let system = System::read(&Element::new("system", "", Span::default()), &diagnostics).expect("defaults");
    let context = Context { diagnostics: &diagnostics, system: &system, id: "test", log: &PluginLog::default(), host: &NoHost };
    match build(root.sections("match")[0], &context) {
        Ok(Output::Buffered(output)) => Ok(output),
        Ok(Output::Sync(_)) => panic!("it has a buffer"),
        Err(_) => Err(diagnostics.findings().into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("; ")),
    }
}

fn chunk(tag: &str, bytes: &[u8], records: usize) -> Chunk {
    let mut chunk = Chunk::new(ChunkKeys { tag: Some(Tag::new(tag)), ..ChunkKeys::default() });
    (chunk.bytes, chunk.records, chunk.id) = (bytes.to_vec(), records, *b"0123456789abcdef");
    chunk
}

fn server(port: u16, more: &str) -> String {
    format!("<server>\nhost 127.0.0.1\nport {port}\n{more}\n</server>\n")
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(std::time::Duration::from_secs(60), test).await.expect("in time") })
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn all_of(listener: &TcpListener) -> Vec<u8> {
    let mut bytes = Vec::new();
    listener.accept().await.unwrap().0.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Reads so many bytes; what comes behind them stays.
async fn some(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

const NO_HEARTBEAT: &str = "heartbeat_type none\n";

#[test]
fn a_chunk_becomes_a_message_of_packed_entries() {
    run(async {
        let (listener, port) = listen().await;
        let output = output(&format!("{NO_HEARTBEAT}{}", server(port, ""))).unwrap();
        let chunk = chunk("a.b", b"\x92\x01\x80\x92\x02\x80", 2);
        let (written, bytes) = tokio::join!(output.write(&chunk), all_of(&listener));
        written.unwrap();
        assert_eq!(bytes, b"\x93\xa3a.b\xdb\x00\x00\x00\x06\x92\x01\x80\x92\x02\x80\x82\xa4size\x02\xaacompressed\xa4text");
    });
}

#[test]
fn entries_are_compressed_where_that_is_wanted() {
    run(async {
        let (listener, port) = listen().await;
        let output = output(&format!("{NO_HEARTBEAT}compress gzip\n{}", server(port, ""))).unwrap();
        let entries = b"\x92\x01\x81\xa1k\xa4word".repeat(200);
        let chunk = chunk("t", &entries, 200);
        let (written, bytes) = tokio::join!(output.write(&chunk), all_of(&listener));
        written.unwrap();
        assert!(bytes.ends_with(b"\x82\xa4size\xcc\xc8\xaacompressed\xa4gzip"));
        let length = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&bytes[8..8 + length]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, entries);
    });
}

#[test]
fn an_ack_is_waited_for_and_has_to_be_the_right_one() {
    run(async {
        let (listener, port) = listen().await;
        let lines = format!("{NO_HEARTBEAT}require_ack_response true\nack_response_timeout 1\nkeepalive true\n{}", server(port, ""));
        let output = output(&lines).unwrap();
        let chunk = chunk("t", b"\x92\x01\x80", 1);
        let name = b"\xa5chunk\xb9MDEyMzQ1Njc4OWFiY2RlZg==\n";
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in [&b"\x81\xa3ack\xb9MDEyMzQ1Njc4OWFiY2RlZg==\n"[..], b"\x81\xa3ack\xa5wrong"] {
                let message = some(&mut stream, 3 + 5 + 3 + 1 + 6 + 16 + name.len()).await;
                assert!(message.ends_with(name), "the id of the chunk, a newline behind it");
                stream.write_all(answer).await.unwrap();
            }
            // The third is on a connection of its own, and is never answered.
            let (_silent, _) = listener.accept().await.unwrap();
            std::future::pending::<()>().await;
        };
        let send = async {
            output.write(&chunk).await.unwrap();
            let Err(WriteError::Retry(wrong)) = output.write(&chunk).await else { panic!("a wrong ack is none") };
            assert!(format!("{wrong:#}").contains("ack in response and chunk id in sent data are different"));
            let Err(WriteError::Retry(late)) = output.write(&chunk).await else { panic!("no ack is none") };
            assert!(format!("{late:#}").contains("no ack"), "{late:#}");
        };
        tokio::select! {
            () = serve => {}
            () = send => {}
        }
    });
}

#[test]
fn the_next_server_is_tried_and_one_that_stands_by() {
    run(async {
        let (gone, dead) = listen().await;
        drop(gone);
        let (listener, port) = listen().await;
        let both = output(&format!("{NO_HEARTBEAT}{}{}", server(dead, "weight 100"), server(port, "weight 1"))).unwrap();
        let chunk = chunk("t", b"\x92\x01\x80", 1);
        for _ in 0..3 {
            let (written, bytes) = tokio::join!(both.write(&chunk), all_of(&listener));
            written.unwrap();
            assert!(bytes.starts_with(b"\x93\xa1t"));
        }
        let only = output(&format!("{NO_HEARTBEAT}{}", server(dead, ""))).unwrap();
        let Err(WriteError::Retry(why)) = only.write(&chunk).await else { panic!("nobody is there") };
        let cause = why.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
        assert_eq!(cause, Some(std::io::ErrorKind::ConnectionRefused), "{why:#}");
    });
}

#[test]
fn servers_that_do_not_answer_are_detached_and_taken_back() {
    run(async {
        let (listener, port) = listen().await;
        let beats = "heartbeat_interval 0.1\nhard_timeout 0.5\nrecover_wait 0.2\nphi_failure_detector false\n";
        let output = output(&format!("{beats}{}", server(port, ""))).unwrap();
        let chunk = chunk("t", b"\x92\x01\x80", 1);
        let (written, _) = tokio::join!(output.write(&chunk), all_of(&listener));
        written.unwrap();
        drop(listener);
        let is_detached = async |wanted: bool| loop {
            let result = output.write(&chunk).await;
            let detached = matches!(&result, Err(WriteError::Retry(why)) if why.to_string().contains("no nodes are available"));
            if detached == wanted && (wanted || result.is_ok()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        is_detached(true).await;
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let serve = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
            }
        };
        tokio::select! {
            () = serve => {}
            () = is_detached(false) => {}
        }
    });
}

/// Plays the server's side of the handshake by the input's own means, then reads a message.
async fn guarded(listener: &TcpListener, guard: &Guard) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut handshake = Handshake::begin().unwrap();
    stream.write_all(&handshake.helo(true)).await.unwrap();
    let mut input = Vec::new();
    let verdict = loop {
        stream.read_buf(&mut input).await.unwrap();
        if let Some(verdict) = handshake.answer(&input, None, guard) {
            break verdict;
        }
    };
    stream.write_all(&verdict.pong).await.unwrap();
    let mut rest = input.split_off(verdict.consumed);
    if verdict.refusal.is_none() {
        stream.read_to_end(&mut rest).await.unwrap();
    }
    rest
}

#[test]
fn the_handshake_is_done_where_there_is_security() {
    run(async {
        let (listener, port) = listen().await;
        let users = vec![("me".to_owned(), "secret".to_owned())];
        let guard = Guard {
            self_hostname: "server".to_owned(),
            shared_key: "common".to_owned(),
            user_auth: true,
            allow_anonymous_source: true,
            users,
            ..Guard::default()
        };
        let lines = |key: &str, password: &str| {
            let security = format!("<security>\nself_hostname client\nshared_key {key}\n</security>\n");
            format!("{NO_HEARTBEAT}{security}{}", server(port, &format!("username me\npassword {password}")))
        };
        let chunk = chunk("t", b"\x92\x01\x80", 1);
        let right = output(&lines("common", "secret")).unwrap();
        let (written, bytes) = tokio::join!(right.write(&chunk), guarded(&listener, &guard));
        written.unwrap();
        assert!(bytes.starts_with(b"\x93\xa1t\xdb"));
        for (key, password, words) in [("other", "secret", "shared_key mismatch"), ("common", "wrong", "username/password mismatch")] {
            let wrong = output(&lines(key, password)).unwrap();
            let (written, bytes) = tokio::join!(wrong.write(&chunk), guarded(&listener, &guard));
            let Err(WriteError::Retry(why)) = written else { panic!("{words}") };
            assert!(format!("{why:#}").contains(&format!("authentication failed: {words}")), "{why:#}");
            assert!(bytes.is_empty(), "nothing is sent to a server that does not know us");
        }
    });
}

#[test]
fn servers_that_do_not_know_the_key_get_nothing() {
    run(async {
        let (listener, port) = listen().await;
        let security = "<security>\nself_hostname client\nshared_key k\n</security>\n";
        let output = output(&format!("{NO_HEARTBEAT}{security}{}", server(port, ""))).unwrap();
        let chunk = chunk("t", b"\x92\x01\x80", 1);
        let impostor = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut helo = Vec::new();
            write_array_head(2, &mut helo);
            write_str(b"HELO", &mut helo);
            write_map_head(1, &mut helo);
            write_str(b"nonce", &mut helo);
            write_str(b"n", &mut helo);
            stream.write_all(&helo).await.unwrap();
            let mut ping = vec![0; 1024];
            let length = stream.read(&mut ping).await.unwrap();
            let bump = Bump::new();
            let Ok(Value::Array(parts)) = crate::event::msgpack::decode_value(&bump, &ping[..length]) else { panic!("a PING") };
            assert_eq!((parts.len(), parts[1].as_bytes()), (6, Some(&b"client"[..])));
            let mut pong = Vec::new();
            write_array_head(5, &mut pong);
            write_str(b"PONG", &mut pong);
            write_bool(true, &mut pong);
            ["", "impostor", "guess"].iter().for_each(|part| write_str(part.as_bytes(), &mut pong));
            stream.write_all(&pong).await.unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
            rest
        };
        let (written, rest) = tokio::join!(output.write(&chunk), impostor);
        assert!(matches!(written, Err(WriteError::Retry(why)) if format!("{why:#}").contains("shared key mismatch")));
        assert!(rest.is_empty());
    });
}

#[test]
fn faults_are_refused_in_fluentds_words() {
    let refused = |lines: &str| output(lines).err().unwrap_or_default();
    assert!(refused("").contains("forward output plugin requires at least one node is required. Add <server> or <service_discovery>"));
    let one = server(1, "");
    for (lines, words) in [
        ("<buffer time>\ntimekey 60\n</buffer>", "buffer chunk key must include 'tag' for forward output"),
        ("dns_round_robin true\nheartbeat_type udp", "heartbeat type must be 'transport' or 'none' to use dns_round_robin"),
        ("ack_response_timeout 0", "ack_response_timeout must be a positive integer"),
        ("host 127.0.0.1", "Use <server> section instead."),
        ("heartbeat_type smoke", "valid options are transport,tcp,udp,none but got smoke"),
        ("<security>\nself_hostname a\n</security>", "'shared_key' parameter is required"),
        ("<service_discovery>\n@type srv\n</service_discovery>", "<service_discovery> of type 'srv' is not supported yet"),
        ("transport tls\ntls_ciphers X", "'tls_ciphers' is not supported"),
    ] {
        let found = refused(&format!("{lines}\n{one}"));
        assert!(found.contains(words), "{words}: {found}");
    }
    assert!(refused("<server>\nport 1\n</server>").contains("'host' parameter is required"));
    assert!(output("<service_discovery>\n@type static\n<service>\nhost a\n</service>\n</service_discovery>").is_ok());
}
