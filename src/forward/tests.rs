//! Whole connections: bytes in, batches and acks out, for every mode, cut anywhere, and for garbage.

use super::inflate::tests::gzip;
use super::{Decoder, Fault, Next, Rules};
use crate::event::Scratch;
use crate::event::json::{Style, write_record};
use crate::event::msgpack::{write_bin, write_str};
use std::sync::Arc;

/// What a connection gave: events as `tag sec.nsec {record}`, the sizes of its batches, and what it was answered.
#[derive(Debug, Default, PartialEq)]
struct Given {
    events: Vec<String>,
    batches: Vec<usize>,
    acks: Vec<u8>,
    fault: Option<String>,
}

/// Feeds the pieces one after another, as a connection does.
fn feed<'p>(rules: Rules, pieces: impl IntoIterator<Item = &'p [u8]>) -> Given {
    let mut decoder = Decoder::new(Arc::new(rules), "test".to_owned());
    let (mut input, mut given) = (Vec::new(), Given::default());
    for piece in pieces {
        input.extend_from_slice(piece);
        if let Err(fault) = step(&mut decoder, &input, &mut given) {
            given.fault = Some(fault.class().to_owned());
            return given;
        }
        input.drain(..decoder.take_consumed());
        decoder.rest();
    }
    given
}

fn step(decoder: &mut Decoder, input: &[u8], given: &mut Given) -> Result<(), Fault> {
    let result = loop {
        match decoder.next(input) {
            Ok(Next::More) => break Ok(()),
            Ok(Next::Emit(tag)) => {
                let result = collect(decoder, input, &tag, given);
                decoder.emitted(result.is_ok());
                if result.is_err() {
                    break result;
                }
            }
            Err(fault) => break Err(fault),
        }
    };
    given.acks.extend_from_slice(decoder.acks());
    decoder.acks_written();
    result
}

fn collect(decoder: &mut Decoder, input: &[u8], tag: &str, given: &mut Given) -> Result<(), Fault> {
    let scratch = Scratch::take();
    let scope = scratch.scope();
    let batch = decoder.batch(input, &scope)?;
    given.batches.push(batch.len());
    for event in batch.events(&scope) {
        let mut text = format!("{tag} {}.{} ", event.time.sec, event.time.nsec).into_bytes();
        write_record(&event.record, Style::Oj, &mut text);
        given.events.push(String::from_utf8(text).unwrap());
    }
    Ok(())
}

fn at_once(bytes: &[u8]) -> Given {
    feed(Rules::default(), [bytes])
}

/// `[tag, (bin or str) entries, options]`
fn packed(tag: &str, entries: &[u8], as_bin: bool, options: &[u8]) -> Vec<u8> {
    let mut message = vec![0x93];
    write_str(tag.as_bytes(), &mut message);
    if as_bin {
        write_bin(entries, &mut message)
    } else {
        write_str(entries, &mut message)
    }
    message.extend_from_slice(options);
    message
}

/// Two entries, one with an EventTime.
const ENTRIES: &[u8] = b"\x92\xce\x5f\x5e\x10\0\x81\xa1a\xa1x\x92\xd7\0\x5f\x5e\x10\x01\0\0\0\x07\x81\xa1a\xa1y";
const EVENTS: [&str; 2] = [r#"p.q 1600000000.0 {"a":"x"}"#, r#"p.q 1600000001.7 {"a":"y"}"#];

fn every_mode() -> Vec<(&'static str, Vec<u8>)> {
    let list = [b"\x93\xa3p.q\x92".as_slice(), ENTRIES, b"\x80"].concat();
    let docker = [b"\x94\xa3p.q".as_slice(), &ENTRIES[1..11], b"\x80", b"\x94\xa3p.q", &ENTRIES[12..], b"\x80"].concat();
    let bare = [b"\x93\xa3p.q".as_slice(), &ENTRIES[1..11], b"\x93\xa3p.q", &ENTRIES[12..]].concat();
    let text = b"\x81\xaacompressed\xa4text";
    let two_members = [gzip(&ENTRIES[..11]), gzip(&ENTRIES[11..])].concat();
    let zstd = zstd::encode_all(ENTRIES, 3).unwrap();
    let fluent_bit = b"\x93\xa3p.q\x92\x92\x92\xd7\0\x5f\x5e\x10\0\0\0\0\0\x80\x81\xa1a\xa1x\x92\x92\xd7\0\x5f\x5e\x10\x01\0\0\0\x07\x81\xa1m\x01\x81\xa1a\xa1y\x82\xa4size\x02\xadfluent_signal\x00";
    let wide = b"\xdc\0\x03\xdb\0\0\0\x03p.q\xdd\0\0\0\x02\xdc\0\x02\xd3\0\0\0\0\x5f\x5e\x10\0\xdf\0\0\0\x01\xda\0\x01a\xd9\x01x\x92\xc7\x08\0\x5f\x5e\x10\x01\0\0\0\x07\xde\0\x01\xa1a\xa1y\xc0";
    vec![
        ("message with options", docker),
        ("message without options", bare),
        ("forward", list),
        ("forward of fluent bit", fluent_bit.to_vec()),
        ("forward in wide forms", wide.to_vec()),
        ("packed as bin", packed("p.q", ENTRIES, true, text)),
        ("packed as str", packed("p.q", ENTRIES, false, b"\x80")),
        ("gzip", packed("p.q", &two_members, true, b"\x82\xaacompressed\xa4gzip\xa4size\x02")),
        ("zstd", packed("p.q", &zstd, true, b"\x81\xaacompressed\xa4zstd")),
        ("json messages", br#"["p.q",1600000000,{"a":"x"},{}] ["p.q",1600000001.000000007,{"a":"y"}]"#.to_vec()),
        ("json list", br#"["p.q",[[1600000000,{"a":"x"}],[1600000001.000000007,{"a":"y"}]],{"size":2}]"#.to_vec()),
    ]
}

/// JSON has no EventTime, and a double no room for nanoseconds.
fn expected(name: &str) -> Vec<String> {
    EVENTS.iter().map(|event| if name.starts_with("json") { event.replace("1.7", "1.0") } else { (*event).to_owned() }).collect()
}

#[test]
fn every_mode_gives_the_same_events() {
    for (name, bytes) in every_mode() {
        let given = at_once(&bytes);
        assert_eq!((given.events, given.fault), (expected(name), None), "{name}");
    }
}

#[test]
fn cut_anywhere_it_is_the_same() {
    for (name, bytes) in every_mode() {
        let stream = [bytes.as_slice(), &bytes].concat();
        let events = [expected(name), expected(name)].concat();
        for cut in 0..stream.len() {
            let given = feed(Rules::default(), [&stream[..cut], &stream[cut..]]);
            assert_eq!((given.events, given.fault), (events.clone(), None), "{name} cut at {cut}");
        }
        let given = feed(Rules::default(), stream.chunks(1));
        assert_eq!((given.events, given.fault), (events, None), "{name} byte by byte");
    }
}

#[test]
fn single_events_are_collected_as_far_as_order_allows() {
    let event = |tag: &str, time: u8| [&[0x94, 0xa1, tag.as_bytes()[0], time][..], b"\x81\xa1k\x01\x80"].concat();
    let stream = [event("a", 1), event("a", 2), event("b", 3), event("b", 4), event("a", 5)].concat();
    assert_eq!(at_once(&stream).batches, [2, 2, 1]);
    let between =
        [event("a", 1), packed("a", ENTRIES, true, b"\x80"), b"\xc0".to_vec(), event("a", 2), b"\xc0".to_vec(), event("a", 3)].concat();
    let given = at_once(&between);
    assert_eq!(given.batches, [1, 2, 2]);
    assert_eq!(given.events[0], r#"a 1.0 {"k":1}"#);
    assert_eq!(given.events[4], r#"a 3.0 {"k":1}"#);
}

#[test]
fn acks_repeat_the_chunk_after_the_events() {
    let option = b"\x81\xa5chunk\xa5Zm8=\n";
    let one = |option: &[u8]| [b"\x94\xa1t\x01\x81\xa1k\x01".as_slice(), option].concat();
    let stream =
        [one(option), one(b"\x80"), one(b"\x81\xa5chunk\xc4\x02\xff\x00"), one(b"\x81\xa5chunk\xc0"), packed("t", ENTRIES, true, option)]
            .concat();
    let given = at_once(&stream);
    assert_eq!((given.events.len(), given.batches.len()), (6, 2));
    assert_eq!(given.acks, b"\x81\xa3ack\xa5Zm8=\n\x81\xa3ack\xc4\x02\xff\x00\x81\xa3ack\xa5Zm8=\n");
    let json = at_once(br#"["t",1,{"a":1},{"chunk":"Zm8=\n"}]["t",[],{"chunk":7}]"#);
    assert_eq!(String::from_utf8(json.acks).unwrap(), r#"{"ack":"Zm8=\n"}{"ack":7}"#);
}

#[test]
fn refused_batches_are_not_acked() {
    let message =
        |chunk: &str| [b"\x94\xa1".as_slice(), &chunk.as_bytes()[..1], b"\x01\x81\xa1k\x01\x81\xa5chunk\xa1", chunk.as_bytes()].concat();
    let input = [message("a"), message("b"), message("c")].concat();
    let mut decoder = Decoder::new(Arc::new(Rules::default()), "test".to_owned());
    for refused in [false, true] {
        assert!(matches!(decoder.next(&input).unwrap(), Next::Emit(_)));
        decoder.emitted(!refused);
    }
    assert_eq!(decoder.acks(), b"\x81\xa3ack\xa1a");
}

#[test]
fn invalid_events_are_skipped_and_acked_or_cost_the_connection() {
    let option = b"\x81\xa5chunk\xa1c";
    let bad = [
        [b"\x94\xa1t\xc2\x81\xa1k\x01".as_slice(), option].concat(),
        [b"\x94\xa1t\x01\xa1r".as_slice(), option].concat(),
        [b"\x94\x05\x01\x81\xa1k\x01".as_slice(), option].concat(),
        [b"\x93\xa1t\x92\x05\x92\xa1x\x80".as_slice(), option].concat(),
        packed("t", b"\x80\x92\xc0\x80", true, option),
    ];
    for message in &bad {
        let stream = [message.as_slice(), b"\x93\xa1t\x01\x81\xa1k\x02"].concat();
        let given = at_once(&stream);
        assert_eq!((given.events.len(), given.acks.as_slice(), given.fault), (1, b"\x81\xa3ack\xa1c".as_slice(), None), "{message:x?}");
        let strict = Rules { skip_invalid_event: false, ..Rules::default() };
        let given = feed(strict, [message.as_slice()]);
        assert_eq!((given.events.len(), given.acks.len(), given.fault.is_some()), (0, 0, true), "{message:x?}");
    }
}

#[test]
fn longer_messages_than_allowed_are_passed_over() {
    let big = packed("t", &ENTRIES.repeat(100), true, b"\x81\xa5chunk\xa1c");
    let small = packed("t", ENTRIES, true, b"\x81\xa5chunk\xa1s");
    let event = [b"\x94\xa1t\x01\x81\xa1k\xda\x02\x00".as_slice(), &[b'x'; 512], b"\x80"].concat();
    let json = format!("[\"t\",1,{{\"k\":\"{}\"}}]", "x".repeat(512)).into_bytes();
    let rules = Rules { chunk_size_limit: 200, ..Rules::default() };
    let stream = [small.as_slice(), &big, &small, &event, &event, &small].concat();
    for size in [1, 2, 3, 7, 100, stream.len()] {
        let given = feed(rules.clone(), stream.chunks(size));
        assert_eq!((given.events.len(), given.fault), (6, None), "in pieces of {size}");
        assert_eq!(given.acks, b"\x81\xa3ack\xa1s".repeat(3), "in pieces of {size}");
    }
    let stream = [json.as_slice(), b"[\"t\",1,{}]", &json, b"[\"t\",1,{}]"].concat();
    for size in [1, 9, 100, stream.len()] {
        assert_eq!(feed(rules.clone(), stream.chunks(size)).events.len(), 2, "in pieces of {size}");
    }
}

#[test]
fn memory_follows_what_came_and_not_what_was_declared() {
    for declared in
        [b"\x93\xa1t\xc6\xff\xff\xff\xff".as_slice(), b"\xdd\xff\xff\xff\xff", b"\x93\xa1t\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff"]
    {
        let mut decoder = Decoder::new(Arc::new(Rules { chunk_size_limit: 1 << 16, ..Rules::default() }), "test".to_owned());
        let mut input = declared.to_vec();
        for _ in 0..1000 {
            input.extend_from_slice(&[0x01; 1000]);
            assert!(matches!(decoder.next(&input), Ok(Next::More)));
            input.drain(..decoder.take_consumed());
            assert!(input.len() <= (1 << 16) + 1000);
        }
    }
}

#[test]
fn garbage_is_an_end_and_never_a_panic() {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for (_, bytes) in every_mode() {
        for _ in 0..200 {
            let mut broken = [bytes.as_slice(), &bytes].concat();
            for _ in 0..=random() % 4 {
                let at = random() as usize % broken.len();
                broken[at] = random() as u8;
            }
            let cut = random() as usize % broken.len();
            let whole = at_once(&broken);
            assert_eq!(feed(Rules::default(), [&broken[..cut], &broken[cut..]]).events, whole.events, "{broken:x?} cut at {cut}");
        }
    }
    for length in 0..300 {
        let noise: Vec<u8> = (0..length).map(|_| random() as u8).collect();
        at_once(&noise);
        feed(Rules::default(), noise.chunks(3));
    }
}

#[test]
fn hostile_peers_are_cut_off() {
    let fault = |bytes: &[u8]| at_once(bytes).fault.unwrap_or_default();
    assert_eq!(fault(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "ArgumentError");
    assert_eq!(fault(b"\xc1"), "MessagePack::MalformedFormatError");
    assert_eq!(fault(&[0x91; 10_000]), "MessagePack::StackError");
    assert_eq!(fault(&packed("t", &[b"\x92\x01\x81\xa1a".as_slice(), &[0x91; 10_000]].concat(), true, b"\x80")), "MessagePack::StackError");
    assert_eq!(fault(&[b"[".repeat(10_000), b"]".repeat(10_000)].concat()), "Yajl::ParseError");
    assert_eq!(fault(b"{]"), "Yajl::ParseError");
    assert_eq!(fault(&packed("t", b"\x1f\x8bno gzip", true, b"\x81\xaacompressed\xa4gzip")), "Zlib::GzipFile::Error");
    assert_eq!(fault(&packed("t", ENTRIES, true, b"\x81\xaacompressed\xa6snappy")), "ArgumentError");
    let rules = Rules { decompression_size_limit: 1 << 20, ..Rules::default() };
    let bomb = packed("t", &gzip(&vec![0; 4 << 20]), true, b"\x81\xaacompressed\xa4gzip");
    assert_eq!(feed(rules, [bomb.as_slice()]).fault.unwrap(), "Fluent::Plugin::Extractor::SizeLimitError");
    let first = at_once(b"\x93\xa1t\x01\x81\xa1k\x01\xc1");
    assert_eq!((first.events.len(), first.fault.is_some()), (1, true));
}

#[test]
fn what_is_odd_but_harmless_is_passed_over() {
    let payload = packed("t", b"\x81\xa1m\x01", true, b"\x82\xadfluent_signal\x01\xa5chunk\xa1c");
    let stream = [b"\xc0\xc0".as_slice(), b"\x80", &payload, b"\xa3abc", b"\x90", b"\x91\xa1t", b"\x93\xa1t\x01\x81\xa1k\x01"].concat();
    let given = at_once(&stream);
    assert_eq!((given.events.len(), given.fault), (1, None));
    assert_eq!(given.acks, b"\x81\xa3ack\xa1c");
}

#[test]
fn zero_is_now_in_messages_and_1970_in_packed_entries() {
    let given = at_once(
        &[
            b"\x93\xa1t\x00\x80".as_slice(),
            b"\x93\xa1t\xc0\x80",
            b"\x92\xa1t\x91\x92\x00\x80",
            &packed("t", b"\x92\x00\x80", true, b"\x80"),
        ]
        .concat(),
    );
    let is_now: Vec<bool> = given.events.iter().map(|event| !event.starts_with("t 0.")).collect();
    assert_eq!(is_now, [true, true, true, false]);
}
