//! Tests of the msgpack room: bytes in, bytes and values out.

use super::*;
use crate::event::{EventTime, Record, Value};
use bumpalo::Bump;

fn entry(time: EventTime, fields: &[(&str, &str)]) -> Vec<u8> {
    let bump = Bump::new();
    let mut record = Record::with_capacity(&bump, fields.len());
    for (key, value) in fields {
        record.push(Value::text(key), Value::text(value));
    }
    let mut out = Vec::new();
    write_entry(time, &record, &mut out);
    out
}

fn docker() -> Vec<u8> {
    let fields = [("container_id", "6f1c"), ("container_name", "/web"), ("source", "stdout"), ("log", "GET / 200")];
    entry(EventTime { sec: 1_700_000_000, nsec: 5 }, &fields)
}

/// One value of every kind, in every width.
fn all_kinds() -> Vec<Vec<u8>> {
    let mut kinds: Vec<Vec<u8>> = (0u8..=0x7f).chain(0xe0..=0xff).chain([0xc0, 0xc2, 0xc3, 0x80, 0x90, 0xa0]).map(|b| vec![b]).collect();
    for (marker, width) in [(0xca, 4), (0xcb, 8), (0xcc, 1), (0xcd, 2), (0xce, 4), (0xcf, 8), (0xd0, 1), (0xd1, 2), (0xd2, 4), (0xd3, 8)] {
        kinds.push([vec![marker], vec![0x81; width]].concat());
    }
    for (marker, width) in [(0xd4, 1), (0xd5, 2), (0xd6, 4), (0xd7, 8), (0xd8, 16)] {
        kinds.push([vec![marker, 5], vec![7; width]].concat());
    }
    kinds.extend([b"\xc4\x02ab".to_vec(), b"\xc5\x00\x02ab".to_vec(), b"\xc6\x00\x00\x00\x02ab".to_vec()]);
    kinds.extend([b"\xc7\x02\x09ab".to_vec(), b"\xc8\x00\x02\x09ab".to_vec(), b"\xc9\x00\x00\x00\x02\x09ab".to_vec()]);
    kinds.extend([b"\xd9\x02ab".to_vec(), b"\xda\x00\x02ab".to_vec(), b"\xdb\x00\x00\x00\x02ab".to_vec(), b"\xa3abc".to_vec()]);
    kinds.extend([b"\x92\x01\x02".to_vec(), b"\xdc\x00\x02\x01\xa1x".to_vec(), b"\xdd\x00\x00\x00\x01\xc0".to_vec()]);
    kinds.extend([b"\x81\xa1a\x92\x01\x80".to_vec(), b"\xde\x00\x01\xa1a\x01".to_vec(), b"\xdf\x00\x00\x00\x01\xa1a\x01".to_vec()]);
    kinds
}

#[test]
fn every_kind_is_skipped_whole_and_bit_by_bit() {
    for value in all_kinds() {
        assert_eq!(skip(&value, 0), Ok(value.len()), "{value:02x?}");
        assert!(decode_value(&Bump::new(), &value).is_ok(), "{value:02x?}");
        for cut in 0..value.len() {
            assert_eq!(skip(&value[..cut], 0), Err(Invalid::Truncated), "{value:02x?} cut at {cut}");
            assert_eq!(decode_value(&Bump::new(), &value[..cut]), Err(Invalid::Truncated));
        }
        let mut skipper = Skipper::new(1000);
        for there in 0..value.len() {
            match skipper.step(&value[..there]) {
                Ok(Step::NeedMore(more)) => assert!(more >= 1 && there + more <= value.len(), "{value:02x?} at {there}: {more}"),
                other => panic!("{value:02x?} at {there}: {other:?}"),
            }
        }
        let followed = [value.clone(), vec![0xc1]].concat();
        assert_eq!(skipper.step(&followed), Ok(Step::Done(value.len())), "{value:02x?}");
    }
}

#[test]
fn values_survive_decoding_and_encoding_as_another_implementation_sees_them() {
    for value in all_kinds() {
        let bump = Bump::new();
        let decoded = decode_value(&bump, &value).expect("valid");
        let mut again = Vec::new();
        write_value(&decoded, &mut again);
        assert_eq!(format!("{:?}", decode_value(&bump, bump.alloc_slice_copy(&again))), format!("{:?}", Ok::<_, Invalid>(decoded)));
        assert!(again.len() <= value.len() || value[0] == 0xca, "{value:02x?} grew to {again:02x?}");
    }
    let numbers = [0i64, 1, 127, 128, 255, 256, 65535, 65536, 1 << 32, i64::MAX, -1, -32, -33, -128, -129, -32768, -32769, i64::MIN];
    for number in numbers {
        let mut out = Vec::new();
        write_int(number, &mut out);
        assert_eq!(rmp_serde::from_slice::<i64>(&out).expect("valid"), number);
        assert_eq!(out, rmp_serde::to_vec(&number).expect("encodes"));
    }
    for length in [0usize, 31, 32, 255, 256, 65535, 65536] {
        let text = "x".repeat(length);
        let mut out = Vec::new();
        write_str(text.as_bytes(), &mut out);
        assert_eq!(out, rmp_serde::to_vec(&text).expect("encodes"));
    }
}

#[test]
fn the_skipper_bounds_size_and_depth_before_the_bytes_arrive() {
    assert_eq!(Skipper::new(1000).step(b"\xdb\xff\xff\xff\xff"), Err(Invalid::TooLarge));
    assert_eq!(Skipper::new(1000).step(b"\xdd\xff\xff\xff\xff"), Err(Invalid::TooLarge));
    assert_eq!(Skipper::new(1000).step(b"\xdf\xff\xff\xff\xff"), Err(Invalid::TooLarge));
    assert_eq!(Skipper::new(10_000).step(&[0x91; 9000]), Err(Invalid::TooDeep));
    assert_eq!(skip(&[0x91; 9000], 0), Err(Invalid::TooDeep));
    assert_eq!(decode_value(&Bump::new(), &[0x91; 9000]), Err(Invalid::TooDeep));
    assert_eq!(Skipper::new(10).step(&[0xc1]), Err(Invalid::Marker));
    assert_eq!(Skipper::new(4).step(b"\xa4abcd"), Err(Invalid::TooLarge));
    assert_eq!(Skipper::new(1000).step(b"\x93\xa1"), Ok(Step::NeedMore(2)));
    assert_eq!(Skipper::new(1000).step(b"\xda\x02\x00"), Ok(Step::NeedMore(512)));
}

#[test]
fn canonical_entries_are_told_from_others() {
    let good = [docker(), b"\x92\x01\x80".to_vec(), b"\x92\xce\x65\x00\x00\x00\x81\xa1a\x81\xa1b\x01".to_vec()].concat();
    assert_eq!(check_entries(&good), Ok(Checked { count: 3, canonical: true, zero_time: false }));
    assert_eq!(check_entries(b"\x92\x00\x80"), Ok(Checked { count: 1, canonical: true, zero_time: true }));
    let odd: [&[u8]; 10] = [
        b"\x92\xc0\x80",
        b"\x92\xcb\x00\x00\x00\x00\x00\x00\x00\x00\x80",
        b"\x92\x92\x01\x80\x80",
        b"\x93\x01\x80\x80",
        b"\x92\x01\xc0",
        b"\xa1x",
        b"\x92\x01\x82\xa1a\x01\xa1a\x02",
        b"\x92\x01\x81\xa1z\x82\xa1a\x01\xa1a\x02",
        b"\x92\x01\x81\x01\x02",
        b"\x92\xd7\x00\x00\x00\x00\x01\xff\xff\xff\xff\x80",
    ];
    for bytes in odd {
        assert_eq!(check_entries(bytes).map(|c| (c.count, c.canonical)), Ok((1, false)), "{bytes:02x?}");
        let after = [bytes, &docker()].concat();
        assert_eq!(check_entries(&after).map(|c| (c.count, c.canonical)), Ok((2, false)), "{bytes:02x?}");
    }
    for bytes in [&b"\x92\x01"[..], b"\x92\x01\x81\xa1a", b"\x92\xd7\x00\x00", b"\xc1", b"\x92\x01\x81\xa5a"] {
        assert!(check_entries(bytes).is_err(), "{bytes:02x?}");
    }
}

#[test]
fn repeated_keys_are_found_in_maps_of_any_size() {
    for count in [2usize, 8, 16, 17, 100, 128, 129, 1000, 20_000] {
        for repeat in [None, Some(0), Some(count - 2)] {
            let mut bytes = b"\x92\x01".to_vec();
            write_map_head(count, &mut bytes);
            for at in 0..count {
                let name = if at == count - 1 { repeat.unwrap_or(at) } else { at };
                write_str(format!("key-with-a-common-part-{name}-and-a-common-end").as_bytes(), &mut bytes);
                write_uint(at as u64, &mut bytes);
            }
            assert_eq!(check_entries(&bytes).map(|c| c.canonical), Ok(repeat.is_none()), "{count} {repeat:?}");
            let bump = Bump::new();
            let record = decode_record(&bump, &bytes[2..]).expect("valid");
            assert_eq!(record.len(), count - usize::from(repeat.is_some()));
            if let Some(name) = repeat {
                assert_eq!(record.fields()[name].1, Value::Int(count as i64 - 1));
            }
        }
    }
}

#[test]
fn entries_are_brought_into_the_canonical_form() {
    let now = EventTime { sec: 99, nsec: 1 };
    let bytes = [
        &b"\x92\xc0\x81\xa1n\x01"[..],
        b"\x92\x00\x81\xa1n\x02",
        b"\x92\x92\x05\x81\xa1m\x01\x81\xa1n\x03",
        b"\x92\xcb\x40\x0c\x00\x00\x00\x00\x00\x00\x81\xa1n\x04",
        b"\x92\x01\xa1n",
        b"\x07",
        b"\x92\x01\x83\xa1a\x01\xa1b\x02\xa1a\x03",
        b"\x93\x08\x81\xa1n\x05\xc0",
        b"\x92\xa1t\x80",
    ]
    .concat();
    let mut out = Vec::new();
    let count = normalize_entries(&bytes, &Bump::new(), &mut out, |entry| entry.time.meant(now));
    assert_eq!(count, Ok(6));
    assert_eq!(check_entries(&out), Ok(Checked { count: 6, canonical: true, zero_time: false }));
    let times: Vec<_> = Entries::new(&out).map(|entry| entry.expect("valid").time.exact().expect("a time")).collect();
    let half = EventTime { sec: 3, nsec: 500_000_000 };
    assert_eq!(times, [now, now, EventTime::from_secs(5), half, EventTime::from_secs(1), EventTime::from_secs(8)]);
    let bump = Bump::new();
    let record = Entries::new(&out).nth(4).expect("five").expect("valid").record.to_vec();
    assert_eq!(
        decode_record(&bump, &record).expect("a map").fields(),
        [(Value::text("a"), Value::Int(3)), (Value::text("b"), Value::Int(2))]
    );
}

#[test]
fn times_that_no_event_time_can_hold_are_written_as_seconds() {
    for sec in [-1, 1 << 32, 253_402_300_799] {
        let bytes = entry(EventTime { sec, nsec: 7 }, &[]);
        let entry = Entries::new(&bytes).next().expect("one").expect("valid");
        assert_eq!(entry.time, TimeForm::Seconds(sec));
    }
}

#[test]
fn no_bytes_make_the_walkers_panic_or_disagree() {
    let mut state = 0x1234_5678_9abc_def1u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let seeds = [all_kinds().concat(), docker().repeat(3)];
    for round in 0..20_000 {
        let mut bytes = seeds[round % 2].clone();
        let start = random() as usize % bytes.len();
        bytes.drain(..start);
        for _ in 0..random() % 4 {
            let at = random() as usize % bytes.len();
            bytes[at] = random() as u8;
        }
        let bump = Bump::new();
        let bytes: &[u8] = bump.alloc_slice_copy(&bytes);
        let mut reader = Reader::new(bytes);
        let decoded = read_value(&bump, &mut reader);
        let skipped = skip(bytes, 0);
        assert_eq!(decoded.map(|_| reader.position()), skipped);
        match (Skipper::new(1 << 40).step(bytes), skipped) {
            (Ok(Step::Done(end)), Ok(same)) => assert_eq!(end, same),
            (Ok(Step::NeedMore(_)), Err(Invalid::Truncated)) => {}
            (Err(one), Err(other)) => assert_eq!(one, other),
            (one, other) => assert_eq!(one, Err(Invalid::TooLarge), "{other:?}"),
        }
        let _ = check_entries(bytes);
        let _ = normalize_entries(bytes, &bump, &mut Vec::new(), |entry| entry.time.meant(EventTime::from_secs(1)));
    }
}
