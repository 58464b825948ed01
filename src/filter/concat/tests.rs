//! Configuration and batches in; events, held ones and faults out.

use crate::event::json::{Document, Engine, Style, read, write_record};
use crate::event::{Batch, Event, EventTime, Record, Scope, Scratch, Tag};
use crate::filter::Filter;
use crate::filter::tests::build;
use crate::plugin::{EmitError, Emitter, Limit, Route};
use bumpalo::collections::Vec as BumpVec;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::time::Instant;

fn line(time: EventTime, record: &Record<'_>) -> String {
    let mut text = Vec::new();
    write_record(record, Style::Oj, &mut text);
    format!("{} {}", time.sec, String::from_utf8_lossy(&text))
}

/// Takes what the filter rejects outside of a batch.
#[derive(Default)]
struct Errors(Mutex<Vec<String>>);

impl Errors {
    fn take<'a>(&self, scope: &Scope<'a>) {
        let mut lines = self.0.lock().unwrap();
        for rejected in scope.take_rejected() {
            lines.push(format!("{} {} ! {}: {}", rejected.tag, line(rejected.time, &rejected.record), rejected.class, rejected.message));
        }
    }
}

impl Route for Errors {
    fn emit<'a>(&self, _: &Scope<'a>, _: &Tag, _: Batch<'a>) -> Result<(), EmitError> {
        panic!("nothing is emitted here")
    }
    fn reject(&self, scope: &Scope<'_>) {
        self.take(scope);
    }
    fn limits(&self, _: Option<&Tag>, _: &mut Vec<Arc<Limit>>) {}
}

struct Rig {
    filter: Box<dyn Filter>,
    errors: Arc<Errors>,
    emitter: Emitter,
}

impl Rig {
    fn new(lines: &str) -> Rig {
        let errors: Arc<Errors> = Arc::default();
        let route: Arc<dyn Route> = Arc::clone(&errors) as Arc<dyn Route>;
        let emitter = Emitter::default();
        emitter.lead_to(Arc::downgrade(&route) as Weak<dyn Route>);
        Rig { filter: build("concat", lines).expect("valid"), errors, emitter }
    }

    /// What comes out of one batch under a tag; the events are a second apart, from `start` on.
    fn batch(&self, tag: &str, start: i64, records: &[&str]) -> Vec<String> {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut events = BumpVec::new_in(scope.bump());
        for (time, record) in (start..).zip(records) {
            match read(scope.bump(), scope.bytes(record.as_bytes()), Engine::Oj) {
                Ok(Document::Record(record)) => events.push(Event { time: EventTime::from_secs(time), record }),
                other => panic!("{other:?}"),
            }
        }
        let mut batch = Batch::decoded(events);
        self.filter.filter(&scope, &Tag::new(tag), &mut batch);
        self.errors.take(&scope);
        batch.events(&scope).iter().map(|event| line(event.time, &event.record)).collect()
    }

    /// As [`Rig::batch`], each record in a batch of its own: nothing may depend on what comes together.
    fn singly(&self, records: &[&str]) -> Vec<String> {
        (100..).zip(records).flat_map(|(time, record)| self.batch("t", time, &[record])).collect()
    }

    fn errors(&self) -> Vec<String> {
        std::mem::take(&mut self.errors.0.lock().unwrap())
    }

    fn tick(&self, after: u64) -> Vec<String> {
        self.filter.tick(Instant::now() + Duration::from_secs(after), &self.emitter);
        self.errors()
    }

    fn drain(&self) -> Vec<String> {
        self.filter.drain(&self.emitter);
        self.errors()
    }
}

/// What comes out for texts in the field `m`, sent singly and sent together.
fn texts(lines: &str, texts: &[&str]) -> Vec<String> {
    let records: Vec<String> = texts.iter().map(|text| format!("{{\"m\":{text:?}}}")).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let singly = Rig::new(lines).singly(&records);
    assert_eq!(Rig::new(lines).batch("t", 100, &records), singly, "{lines}");
    singly
}

#[test]
fn first_and_last_lines_bound_an_event() {
    let start = "key m\nmultiline_start_regexp /^E /";
    assert_eq!(
        texts(start, &["noise", "E 1", " a", "E 2", "E 3"]),
        [r#"100 {"m":"noise"}"#, r#"103 {"m":"E 1\n a"}"#, r#"104 {"m":"E 2"}"#]
    );
    assert_eq!(
        texts("key m\nseparator \"\"\nmultiline_end_regexp /;$/", &["a", "b;", "c;", "d"]),
        [r#"101 {"m":"ab;"}"#, r#"102 {"m":"c;"}"#]
    );
    let both = "key m\nmultiline_start_regexp /^</\nmultiline_end_regexp />$/";
    assert_eq!(
        texts(both, &["<a>", "<b", "c", "d>", "e>", "<f", "<g>"]),
        [r#"100 {"m":"<a>"}"#, r#"103 {"m":"<b\nc\nd>"}"#, r#"104 {"m":"e>"}"#, r#"106 {"m":"<f"}"#, r#"106 {"m":"<g>"}"#]
    );
}

#[test]
fn lines_that_do_not_continue_end_an_event_and_go_on_alone() {
    let lines = "key m\nmultiline_start_regexp /^S/\ncontinuous_line_regexp /^ /";
    assert_eq!(texts(lines, &["S", " a", "x", " b"]), [r#"102 {"m":"S\n a"}"#, r#"102 {"m":"x"}"#, r#"103 {"m":" b"}"#]);
    let first = format!("{lines}\nuse_first_timestamp true");
    assert_eq!(texts(&first, &["S", " a", "x", " b"]), [r#"100 {"m":"S\n a"}"#, r#"100 {"m":"x"}"#, r#"103 {"m":" b"}"#]);
}

#[test]
fn the_ends_of_an_expression_are_cut_whatever_they_are() {
    // `/s/i` is the expression `s/`.
    assert_eq!(texts("key m\nmultiline_end_regexp /s/i", &["S", "s/"]), [r#"101 {"m":"S\ns/"}"#]);
}

#[test]
fn what_is_let_go_between_batches_is_counted() {
    let rig = Rig::new("key m\nn_lines 3\nflush_interval 5");
    rig.singly(&[r#"{"m":"a"}"#, r#"{"m":"b"}"#]);
    assert_eq!((rig.filter.held(), rig.filter.released()), (Some(2), 0));
    assert_eq!(rig.tick(6).len(), 1);
    assert_eq!((rig.filter.held(), rig.filter.released()), (Some(0), 1));
    rig.singly(&[r#"{"m":"a"}"#]);
    assert_eq!(rig.drain().len(), 1);
    assert_eq!((rig.filter.held(), rig.filter.released()), (Some(0), 2));
}

#[test]
fn a_number_of_lines_makes_an_event_for_each_stream() {
    let rig = Rig::new("key m\nn_lines 2\nstream_identity_key s");
    let records = [r#"{"m":1,"s":"a","x":1}"#, r#"{"m":"2","s":"b"}"#, r#"{"m":[3,[null,4]],"s":"a","y":2}"#, r#"{"no":1}"#];
    assert_eq!(rig.batch("t", 100, &records), [r#"102 {"m":"1\n3\n\n4","s":"a","y":2,"x":1}"#, r#"103 {"no":1}"#]);
    assert_eq!(rig.batch("other", 100, &[r#"{"m":"2","s":"b"}"#]), [""; 0]);
    assert_eq!(rig.filter.held(), Some(2));
    assert_eq!(rig.batch("fluent.info", 100, &[r#"{"m":"mine"}"#]), [r#"100 {"m":"mine"}"#]);
    assert_eq!(rig.batch("fluent.other", 100, &[r#"{"m":"a"}"#, r#"{"m":"b"}"#]), [r#"101 {"m":"a\nb"}"#]);
}

#[test]
fn a_field_says_which_pieces_belong_together() {
    let lines = "key m\nseparator \"\"\npartial_key p\npartial_value yes";
    let records = [r#"{"m":"a","p":"yes","n":1}"#, r#"{"m":"b","p":"yes"}"#, r#"{"m":"x"}"#, r#"{"p":"no","m":"c"}"#];
    assert_eq!(Rig::new(lines).singly(&records), [r#"102 {"m":"x"}"#, r#"103 {"m":"abc","n":1}"#]);
    let kept = Rig::new(&format!("{lines}\nkeep_partial_key true"));
    assert_eq!(kept.singly(&records)[1], r#"103 {"p":"no","m":"abc","n":1}"#);
}

/// A Docker line of 40 KB as the daemon's driver sends it: pieces of 16 KiB, the fields of the container behind them.
#[test]
fn pieces_of_a_docker_line_become_the_line() {
    let rig = Rig::new("key log\nseparator \"\"\nuse_partial_metadata true");
    let long: String = (0..40_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let parts: Vec<&str> = [0..16_384, 16_384..32_768, 32_768..40_000].into_iter().map(|range| &long[range]).collect();
    let piece = |number: usize, part: &str| {
        let last = number == parts.len();
        format!(
            r#"{{"container_id":"c1","container_name":"/web","source":"stdout","log":"{part}","partial_message":"true","partial_id":"5f","partial_ordinal":"{number}","partial_last":"{last}"}}"#
        )
    };
    let pieces: Vec<String> = (1..).zip(&parts).map(|(number, part)| piece(number, part)).collect();
    let other = r#"{"log":"whole"}"#;
    assert_eq!(rig.singly(&[&pieces[0], other, &pieces[1]]), [r#"101 {"log":"whole"}"#]);
    assert_eq!(rig.filter.held(), Some(2));
    let expected = format!(r#"100 {{"container_id":"c1","container_name":"/web","source":"stdout","log":"{long}"}}"#);
    assert_eq!(rig.singly(&[&pieces[2]]), [expected]);
    assert_eq!(rig.filter.held(), Some(0));
}

#[test]
fn pieces_that_come_in_another_order_are_sorted_by_number() {
    let piece = |id: &str, ordinal: u32, last: bool, text: &str| {
        format!(r#"{{"m":"{text}","partial_message":"true","partial_id":"{id}","partial_ordinal":"{ordinal}","partial_last":"{last}"}}"#)
    };
    let rig = Rig::new("key m\nseparator \"-\"\nuse_partial_metadata true\nkeep_partial_metadata true");
    let records = [piece("i", 2, false, "b"), piece("j", 1, false, "x"), piece("i", 1, false, "a"), piece("i", 10, true, "c")];
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let expected = r#"103 {"m":"a-b-c","partial_message":"true","partial_id":"i","partial_ordinal":"2","partial_last":"false"}"#;
    assert_eq!(rig.singly(&records), [expected]);
    let journald = Rig::new("key M\nuse_partial_metadata true\npartial_metadata_format docker-journald-lowercase");
    let records = [
        r#"{"M":"a","container_partial_message":"true","container_partial_id":"9","container_partial_ordinal":"1","container_partial_last":"false"}"#,
        r#"{"M":"b","container_partial_id":"9","container_partial_ordinal":"2","container_partial_last":"true"}"#,
    ];
    assert_eq!(journald.singly(&records), [r#"101 {"M":"a\nb"}"#]);
}

#[test]
fn the_log_tag_of_cri_ends_an_event() {
    let rig = Rig::new("key m\nseparator \"\"\nuse_partial_cri_logtag true\npartial_cri_logtag_key l");
    let records = [r#"{"stream":"stdout","l":"P","m":"a"}"#, r#"{"l":"F:x","m":"b","stream":"stdout"}"#, r#"{"m":"c"}"#];
    assert_eq!(rig.singly(&records), [r#"101 {"m":"ab"}"#]);
    assert_eq!(rig.errors(), [r#"t 102 {"m":"c"} ! NoMethodError: undefined method `split' for nil:NilClass"#]);
}

#[test]
fn what_is_too_large_is_cut_dropped_begun_anew_or_let_be() {
    let outcome = |method: &str| {
        let lines = format!("key m\nseparator \"\"\npartial_key p\npartial_value t\nbuffer_limit_size 12\nbuffer_overflow_method {method}");
        let rig = Rig::new(&lines);
        let piece = |text: &str, more: &str| format!(r#"{{"m":"{text}","p":"{more}"}}"#);
        let records = [piece("aaaa", "t"), piece("bbbb", "t"), piece("c", "f"), piece("d", "f")];
        let mut seen = rig.singly(&records.iter().map(String::as_str).collect::<Vec<_>>());
        seen.extend(rig.errors());
        seen
    };
    assert_eq!(outcome("ignore"), [r#"102 {"m":"aaaabbbbc"}"#, r#"103 {"m":"d"}"#]);
    assert_eq!(outcome("truncate"), [r#"101 {"m":"aaaa"}"#, r#"102 {"m":"c"}"#, r#"103 {"m":"d"}"#]);
    assert_eq!(outcome("drop"), [r#"102 {"m":"c"}"#, r#"103 {"m":"d"}"#]);
    assert_eq!(outcome("new"), [r#"101 {"m":"aaaa"}"#, r#"102 {"m":"bbbbc"}"#, r#"103 {"m":"d"}"#]);
    let large = Rig::new("key m\npartial_key p\npartial_value t\nbuffer_limit_size 1\nbuffer_overflow_method truncate");
    assert!(large.singly(&[r#"{"m":"a","p":"t"}"#]).is_empty());
    assert_eq!(large.errors(), [r#"t 100 {"m":"a","p":"t"} ! NoMethodError: undefined method `merge' for nil:NilClass"#]);
}

#[test]
fn what_waits_too_long_is_let_go() {
    let rig = Rig::new("key m\nn_lines 3\nflush_interval 5s\nuse_first_timestamp true");
    assert!(rig.batch("a:b", 100, &[r#"{"m":"1","k":"v"}"#, r#"{"m":"2"}"#]).is_empty());
    assert!(rig.tick(4).is_empty());
    let error = "Fluent::Plugin::ConcatFilter::TimeoutError: Timeout flush: a:b:default";
    assert_eq!(rig.tick(6), [format!(r#"a:b 100 {{"m":"1\n2","k":"v"}} ! {error}"#)]);
    assert_eq!(rig.filter.held(), Some(0));
    let present = Rig::new("key m\nn_lines 3");
    assert!(present.batch("t", 100, &[r#"{"m":"1"}"#]).is_empty());
    assert!(!present.tick(61)[0].starts_with("t 100 "), "the time is the present");
    let never = Rig::new("key m\nn_lines 3\nflush_interval 0");
    assert!(never.batch("t", 100, &[r#"{"m":"1"}"#]).is_empty());
    assert!(never.tick(1_000_000).is_empty());
    let remaining = "Fluent::Plugin::ConcatFilter::TimeoutError: Flush remaining buffer: t:default";
    assert_eq!(never.drain(), [format!(r#"t 100 {{"m":"1"}} ! {remaining}"#)]);
}

#[test]
fn an_event_for_a_label_that_does_not_exist_is_not_lost() {
    let rig = Rig::new("key m\nn_lines 3\ntimeout_label @NOWHERE");
    assert!(rig.singly(&[r#"{"m":"1"}"#]).is_empty());
    assert_eq!(rig.tick(61).len(), 1);
}

#[test]
fn texts_that_expressions_cannot_search_are_rejected() {
    let rig = Rig::new("key m\nmultiline_start_regexp /^S/");
    assert!(rig.batch("t", 100, &[r#"{"m":5}"#]).is_empty());
    assert_eq!(rig.errors(), [r#"t 100 {"m":5} ! TypeError: no implicit conversion of Integer into String"#]);
    assert_eq!(rig.batch("t", 100, &[r#"{"m":null}"#]), [r#"100 {"m":null}"#]);
}

#[test]
fn memory_is_bounded_and_nothing_is_lost_over_it() {
    let rig = Rig::new("key m\nmultiline_end_regexp /^never$/\nstream_identity_key s\nseparator \"\"");
    let text = "x".repeat(1 << 20);
    for number in 0..70 {
        assert!(rig.batch("t", number, &[&format!(r#"{{"m":"{text}","s":{number}}}"#)]).is_empty());
    }
    let errors = rig.errors();
    assert!(errors[0].starts_with("t 0 ") && errors[0].ends_with("Flush beyond the limit of memory: t:0"), "the oldest first");
    assert_eq!(errors.len() + rig.filter.held().unwrap(), 70);
    assert!((10..30).contains(&errors.len()), "{}", errors.len());
    let endless = Rig::new("key m\nmultiline_end_regexp /^never$/");
    for number in 0..70 {
        assert!(endless.batch("t", number, &[&format!(r#"{{"m":"{text}"}}"#)]).is_empty());
    }
    assert_eq!(endless.errors().len(), 1, "one line without an end");
}

#[test]
fn faults_are_refused_in_the_plugins_words() {
    let refused = |lines: &str| build("concat", &format!("key m\n{lines}")).err().unwrap_or_default();
    assert!(refused("").contains("Either n_lines, multiline_start_regexp, multiline_end_regexp, partial_key, use_partial_metadata or use_partial_cri_logtag is required"));
    let regexp = "multiline_end_regexp /a/";
    for (one, other, words) in [
        ("n_lines 1", regexp, "n_lines and multiline_start_regexp/multiline_end_regexp are exclusive"),
        ("n_lines 1", "partial_key p", "partial_key and n_lines are exclusive"),
        ("partial_key p", regexp, "partial_key and multiline_start_regexp/multiline_end_regexp are exclusive"),
        ("use_partial_metadata true", "n_lines 1", "use_partial_metadata and n_lines are exclusive"),
        ("use_partial_cri_logtag true", regexp, "use_partial_cri_logtag and multiline_start_regexp/multiline_end_regexp are exclusive"),
        ("use_partial_cri_logtag true", "partial_key p", "use_partial_cri_logtag and partial_key are exclusive"),
    ] {
        assert!(refused(&format!("{one}\n{other}")).contains(words), "{words}");
    }
    assert!(refused("partial_key p").contains("partial_value is required when partial_key is specified"));
    assert!(refused("multiline_start_regexp /(/").contains("multiline_start_regexp"));
    assert_eq!(refused("use_partial_metadata true\nuse_partial_cri_logtag true"), "");
}
