//! Placeholders against chunk keys, as configurations write both.

use super::{Placeholders, Template, validate};
use crate::buffer::{Chunk, ChunkKeys, Defaults, Keys, Settings};
use crate::config::{Diagnostics, LoadOptions, load};
use crate::event::Tag;

fn keys(arg: &str) -> Keys {
    let diagnostics = Diagnostics::new();
    let text = format!("<match **>\n@type x\n<buffer {arg}>\ntimekey 1h\ntimekey_use_utc true\n</buffer>\n</match>\n");
    let root = load(&LoadOptions::for_text("test", &text), &diagnostics).unwrap();
    Settings::read(&root.children[0], &Defaults::default(), &diagnostics).unwrap_or_else(|_| panic!("{:?}", diagnostics.findings())).keys
}

fn chunk(tag: Option<&str>, timekey: Option<i64>, variables: &[(&str, Option<&str>)]) -> Chunk {
    let variables = variables.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect();
    Chunk::new(ChunkKeys { tag: tag.map(Tag::new), timekey, variables })
}

#[test]
fn every_placeholder_is_filled_from_the_chunk() {
    let template = Template::new("${tag}-${tag[0]}-${tag[-1]}-${kind}-${$.a.b}-%Y.%m.%d.%H", &keys("tag,time,kind,$.a.b"));
    let chunk = chunk(Some("app.web.1"), Some(1_700_000_000), &[("kind", Some("k")), ("$.a.b", Some("7"))]);
    assert_eq!(template.expand(&chunk), "app.web.1-app-1-k-7-2023.11.14.22");
    assert_eq!(Template::new("x-${chunk_id}", &keys("tag")).expand(&chunk), format!("x-{}", chunk.hex()));
    assert_eq!(Template::new("x-${chunk_id}", &keys("[]")).expand(&chunk), format!("x-{}", chunk.hex()));
}

#[test]
fn what_no_key_stands_behind_is_left_or_empty() {
    let by_tag = keys("tag");
    let chunk_of = |tag| chunk(Some(tag), None, &[]);
    assert_eq!(Template::new("a${tag[5]}b", &by_tag).expand(&chunk_of("x.y")), "ab");
    assert_eq!(Template::new("${nothing} %Y", &by_tag).expand(&chunk_of("x")), "${nothing} %Y");
    assert_eq!(Template::new("${tag} ${kind}", &keys("[]")).expand(&chunk(None, None, &[])), "${tag} ${kind}");
    let by_kind = keys("kind");
    assert_eq!(Template::new("${kind}|${other}|${tag}", &by_kind).expand(&chunk(None, None, &[("kind", None)])), "||${tag}");
}

#[test]
fn texts_without_placeholders_are_constant() {
    assert_eq!(Template::new("logs-%Y", &keys("tag")).constant(), Some("logs-%Y"));
    assert_eq!(Template::new("logs-%Y", &keys("time")).constant(), None);
    assert_eq!(Template::new("logs-${tag}", &keys("tag")).constant(), None);
    assert_eq!(Template::new("", &keys("tag")).constant(), Some(""));
    assert_eq!(Template::new("a${b", &keys("tag")).expand(&chunk(Some("t"), None, &[])), "a${b");
}

#[test]
fn the_smallest_unit_of_time_is_found() {
    let unit = |text| Placeholders::of(text).time().map(|(sec, ..)| sec);
    assert_eq!(unit("%Y%m%d%H%M%S"), Some(1));
    assert_eq!(unit("%Y-%m-%dT%H:%M"), Some(60));
    assert_eq!(unit("%H"), Some(3600));
    assert_eq!(unit("%Y.%m.%d"), Some(86_400));
    assert_eq!(unit("%Y.%m"), None);
    assert_eq!(unit("100%"), None);
    assert!(Placeholders::of("plain").are_none());
}

#[test]
fn a_text_and_the_chunk_keys_have_to_agree() {
    let check = |text, arg| validate("path", text, &keys(arg));
    assert_eq!(check("/log/${tag}/%Y%m%d%H", "tag,time"), Ok(()));
    assert_eq!(check("/log/x", "[]"), Ok(()));
    let cases = [
        ("/log/x", "time", "Parameter 'path: /log/x' doesn't have timestamp placeholders for timekey 3600"),
        ("/log/%d", "time", "Parameter 'path: /log/%d' doesn't have timestamp placeholder for day('%d') for timekey 3600"),
        ("/log/%Y%m%d%H", "[]", "Parameter 'path: /log/%Y%m%d%H' has timestamp placeholders, but chunk key 'time' is not configured"),
        ("/log/x", "tag", "Parameter 'path: /log/x' doesn't have tag placeholder"),
        ("/log/${tag[1]}", "[]", "Parameter 'path: /log/${tag[1]}' has tag placeholders, but chunk key 'tag' is not configured"),
        ("/log/${b}", "b,a,$.c.d", "Parameter 'path: /log/${b}' doesn't have enough placeholders for keys $.c.d,a"),
        ("/log/${z}${a}${y}", "a", "Parameter 'path: /log/${z}${a}${y}' has placeholders, but chunk keys doesn't have keys y,z"),
    ];
    for (text, arg, expected) in cases {
        assert_eq!(check(text, arg), Err(expected.to_owned()), "{text} {arg}");
    }
}
