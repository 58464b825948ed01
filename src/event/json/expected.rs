//! Objects whose keys are those of the ones before: a service writes its lines in one form. What stands between two values is compared as a
//! whole then, where it is expected, and keys that are known to differ need not be compared again.

use super::read::{Engine, Fields, Stop, TextReader};
use super::string;
use crate::event::Value;
use crate::event::patience::Patience;
use bumpalo::collections::Vec as BumpVec;
use std::cell::RefCell;

/// Objects of more fields are read in the usual way,
const MOST_FIELDS: usize = 32;
/// and so are those with a longer key; with what stands before and behind it.
const LONGEST: usize = 32;
/// Forms that are known at a time, told apart by how an object begins.
const FORMS: usize = 4;
/// Room for fields: those of an object, and those that others add.
const ROOM: usize = 16;

thread_local! {
    static OF_THREAD: RefCell<[Form; FORMS]> = const { RefCell::new([const { Form::new() }; FORMS]) };
}

/// What stands before a value: `, "key": ` with whatever space there is.
#[derive(Clone, Copy, Debug)]
struct Lead {
    bytes: [u8; LONGEST],
    /// The same in words, and which of their bits count.
    words: [u128; 2],
    masks: [u128; 2],
    length: usize,
    /// Where the key begins and ends.
    key: (usize, usize),
}

impl Lead {
    fn of(lead: &[u8], key: (usize, usize)) -> Lead {
        let (mut bytes, mut masks) = ([0; LONGEST], [0; LONGEST]);
        bytes[..lead.len()].copy_from_slice(lead);
        masks[..lead.len()].fill(0xff);
        Lead { bytes, words: words(&bytes), masks: words(&masks), length: lead.len(), key }
    }

    #[inline(always)]
    fn begins(&self, text: &[u8]) -> bool {
        let Some(head) = text.first_chunk::<LONGEST>() else { return text.starts_with(&self.bytes[..self.length]) };
        let head = words(head);
        let differs = |at: usize| (head[at] ^ self.words[at]) & self.masks[at] != 0;
        !differs(0) && (self.length <= LONGEST / 2 || !differs(1))
    }
}

#[inline(always)]
fn words(bytes: &[u8; LONGEST]) -> [u128; 2] {
    let (halves, _) = bytes.as_chunks::<{ LONGEST / 2 }>();
    [u128::from_le_bytes(halves[0]), u128::from_le_bytes(halves[1])]
}

/// The form of an object.
#[derive(Debug)]
struct Form {
    /// What stands before its values; nothing where nothing is known.
    leads: Vec<Lead>,
    /// Whose JSON it was.
    engine: Engine,
    patience: Patience,
}

/// The fields of the object that the cursor is in, behind its opening bracket.
pub(super) fn record<'a>(reader: &mut TextReader<'a>) -> Result<Fields<'a>, Stop<'a>> {
    let fields = BumpVec::with_capacity_in(ROOM, reader.bump);
    if reader.engine == Engine::Yajl {
        return reader.more_fields(fields, 1);
    }
    OF_THREAD.with_borrow_mut(|forms| forms[slot(reader)].record(reader, fields))
}

/// By the second byte of the first key: the first ones are much alike.
fn slot(reader: &TextReader<'_>) -> usize {
    reader.text.get(reader.at + 2).map_or(0, |byte| usize::from(*byte)) % FORMS
}

impl Form {
    const fn new() -> Form {
        Form { leads: Vec::new(), engine: Engine::Oj, patience: Patience::new() }
    }

    #[inline]
    fn record<'a>(&mut self, reader: &mut TextReader<'a>, mut fields: Fields<'a>) -> Result<Fields<'a>, Stop<'a>> {
        let start = reader.at;
        if self.expected(reader, &mut fields)? {
            self.patience.met();
            return Ok(fields);
        }
        let fields = reader.more_fields(fields, 1)?;
        if self.patience.is_over() {
            self.learn(&TextReader { at: start, ..*reader }, fields.len());
        }
        Ok(fields)
    }

    /// Reads fields as long as they are those that are expected, up to behind the last one's value; `true` where the object ends with them.
    #[inline]
    fn expected<'a>(&self, reader: &mut TextReader<'a>, fields: &mut Fields<'a>) -> Result<bool, Stop<'a>> {
        if self.engine != reader.engine || self.leads.is_empty() {
            return Ok(false);
        }
        for lead in &self.leads {
            let Some(rest) = reader.text.get(reader.at..).filter(|rest| lead.begins(rest)) else { return Ok(false) };
            let key = &rest[lead.key.0..lead.key.1];
            reader.at += lead.length;
            match string::plain(reader) {
                Some(text) => fields.push((Value::Str(key), Value::Str(text))),
                None => {
                    reader.pass_space()?;
                    let value = reader.value(1)?;
                    fields.push((Value::Str(key), value));
                }
            }
        }
        let ends = reader.peek() == Some(b'}');
        reader.at += usize::from(ends);
        Ok(ends)
    }

    /// Takes down the form of an object of so many fields, whose keys differ, which begins at the cursor.
    #[cold]
    fn learn(&mut self, at: &TextReader<'_>, count: usize) {
        self.leads.clear();
        self.engine = at.engine;
        let mut reader = TextReader { ..*at };
        if count > MOST_FIELDS || (0..count).any(|number| self.learn_one(&mut reader, number > 0).is_none()) || !ends(&mut reader) {
            self.leads.clear();
        }
    }

    fn learn_one(&mut self, reader: &mut TextReader<'_>, has_comma: bool) -> Option<()> {
        let start = reader.at;
        if has_comma {
            reader.pass_space().ok()?;
            reader.separator(b',').ok()?;
        }
        reader.pass_space().ok()?;
        let key_start = reader.at + 1 - start;
        let key = string::plain(reader)?;
        reader.pass_space().ok()?;
        reader.separator(b':').ok()?;
        reader.pass_space().ok()?;
        let lead = reader.text.get(start..reader.at).filter(|lead| lead.len() <= LONGEST)?;
        self.leads.push(Lead::of(lead, (key_start, key_start + key.len())));
        reader.value(1).ok().map(drop)
    }
}

/// Whether the object ends here, so that no field was left out as repeated.
fn ends(reader: &mut TextReader<'_>) -> bool {
    reader.pass_space().is_ok() && reader.peek() == Some(b'}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::json::{Document, read};
    use crate::event::ruby;
    use bumpalo::Bump;

    const ENGINES: [Engine; 3] = [Engine::Oj, Engine::Yajl, Engine::Json];

    fn shown(text: &str, engine: Engine) -> Option<String> {
        let (bump, mut out) = (Bump::new(), Vec::new());
        match read(&bump, text.as_bytes(), engine) {
            Ok(Document::Record(record)) => ruby::inspect_fields(record.fields(), &mut out),
            Ok(Document::Value(value)) => ruby::inspect(&value, &mut out),
            Err(_) => return None,
        }
        Some(String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn an_object_behind_others_is_read_as_if_it_came_alone() {
        let texts = [
            r#"{"addr": "10.0.0.1", "event": "find", "code": 200, "params": {"page": 3}, "path": "/posts"}"#,
            r#"{"addr": "10.0.0.2", "event": "a\"b", "code": -1.5e3, "params": null, "path": ""}"#,
            r#"{"addr": "10.0.0.2", "event": "create", "code": 7, "params": [1, {"addr": 2}], "path": "/posts", "more": "x"}"#,
            r#"{"addr": "10.0.0.2", "event": "create", "code": 7, "addr": "again", "path": "/posts"}"#,
            r#"{"addr": "10.0.0.2", "event": "create", "code": 7, "params": {}, "path": "/posts", "event": "again"}"#,
            r#"{"addr":"10.0.0.2","event":"create","code":7,"params":{},"path":"/posts"}"#,
            r#"{"addr": "10.0.0.2", "event": "create", "code": 7}"#,
            r#"{"addr": "10.0.0.2"  , "event":  "create", "code": /* c */ 7, "params": true, "path": false }"#,
            r#"{"addr": "10.0.0.2", "event": "create", "code": 7, "params": true, "path": "/posts"} x"#,
            r#"{"addr": "10.0.0.2", "event": , "code": 7, "params": true, "path": "/posts"}"#,
            r#"{"addr": "10.0.0.2", "event": "create", "code": 7, "params": true, "path": "/pos"#,
            r#"{"addr": "10.0.0.2", "event": "create", "code": 7, "params": true, "path": "/posts","#,
            r#"{"addr": "10.0.0.2", "event": "create", "code": "#,
            "{\"addr\": \"10.0.0.2\",\u{c} \"event\": \"create\", \"code\": 7, \"params\": NaN, \"path\": \"/posts\"}",
            r#"{"a": 1, "a key that is longer than what is looked at": 2, "b": 3}"#,
            r#"{"a\u0041": 1, "b": 2}"#,
            r#"{ }"#,
            r#"{"a":{"a":{"a":1}}}"#,
            r#"{"a":1}"#,
        ];
        for engine in ENGINES {
            let alone = texts.map(|text| std::thread::spawn(move || shown(text, engine)).join().unwrap());
            for before in texts {
                for (text, alone) in texts.iter().zip(&alone) {
                    (0..8).for_each(|_| drop(shown(before, engine)));
                    assert_eq!(&shown(text, engine), alone, "{text} behind {before} by {engine:?}");
                }
            }
        }
    }

    #[test]
    fn an_object_of_the_form_before_is_read_as_expected() {
        let bump = Bump::new();
        let mut form = Form::new();
        let mut whole = |text: &'static str| {
            let mut reader = TextReader { bump: &bump, text: text.as_bytes(), at: 1, engine: Engine::Oj };
            let read = form.expected(&mut reader, &mut BumpVec::new_in(&bump)).unwrap();
            let mut again = TextReader { at: 1, ..reader };
            form.record(&mut again, BumpVec::new_in(&bump)).unwrap();
            read
        };
        let same = [r#"{"a": 1, "b": "text"}"#, r#"{"a": {"c": null}, "b": [1]}"#];
        let known: Vec<bool> = (0..8).map(|at| whole(same[at % 2])).collect();
        assert_eq!(known, [false, true, true, true, true, true, true, true]);
        assert_eq!([r#"{"a": 1, "b": 2, "c": 3}"#, r#"{"a": 1}"#, r#"{"a": 1,"b": 2}"#, r#"{"b": 1, "a": 2}"#].map(&mut whole), [false; 4]);
        assert!(whole(r#"{"b": 1, "a": 2}"#), "what came last after several others");
    }
}
