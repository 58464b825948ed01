//! `elasticsearch_genid` and `opensearch_genid`: a field with a name for the event, made of its content or by chance, for outputs to use
//! as the id of a document: what is sent twice is stored once.

mod md5;

use super::Filter;
use crate::buffer::random;
use crate::config::{Element, Refused};
use crate::event::{Batch, Event, Scope, Tag, Value, ruby};
use crate::plugin::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest};

crate::choice! {
    /// How the content becomes a name.
    pub enum HashType { Md5 = "md5", Sha1 = "sha1", Sha256 = "sha256", Sha512 = "sha512" }
}

crate::section! {
    /// Adds a name for each event, which outputs can use as the id of a document.
    pub struct Params {
        /// The field that gets the name.
        pub hash_id_key: String = "_hash",
        /// Whether the tag is part of what the name is made of.
        pub include_tag_in_seed: bool = "false",
        /// Whether the second of the time is.
        pub include_time_in_seed: bool = "false",
        /// Whether the name is made of the event; otherwise it is made by chance.
        pub use_record_as_seed: bool = "false",
        /// Whether it is made of all fields of the record.
        pub use_entire_record: bool = "false",
        /// The fields that it is made of otherwise.
        pub record_keys: Vec<String> = "[]",
        /// What stands between the parts.
        pub separator: String = "_",
        /// How they become a name.
        pub hash_type: HashType = "sha1",
    }
}

struct GenId(Params);

/// Makes the filter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Filter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    if params.use_record_as_seed && !params.use_entire_record && params.record_keys.is_empty() {
        let span = element.param("use_record_as_seed").map_or(element.span, |param| param.value_span);
        return Err(context.refuse("FLM0480", span, "When using record as hash seed, users must specify `record_keys`."));
    }
    Ok(Box::new(GenId(params)))
}

impl Filter for GenId {
    fn filter<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>) {
        let key = scope.text(&self.0.hash_id_key).as_bytes();
        let mut seed = Vec::new();
        for event in batch.events_mut(scope) {
            let name = if self.0.use_record_as_seed {
                seed.clear();
                self.write_seed(tag, event, &mut seed);
                STANDARD.encode(self.hash(&seed))
            } else {
                STANDARD.encode(random_uuid())
            };
            event.record.set(key, Value::Str(scope.text(&name).as_bytes()));
        }
    }
}

impl GenId {
    fn write_seed(&self, tag: &Tag, event: &Event<'_>, seed: &mut Vec<u8>) {
        let params = &self.0;
        let separator = params.separator.as_bytes();
        if params.include_tag_in_seed {
            seed.extend_from_slice(tag.as_bytes());
            seed.extend_from_slice(separator);
        }
        if params.include_time_in_seed {
            seed.extend_from_slice(itoa::Buffer::new().format(event.time.sec).as_bytes());
            seed.extend_from_slice(separator);
        }
        if params.use_entire_record {
            let mut fields: Vec<_> = event.record.fields().iter().collect();
            fields.sort_by_key(|(key, _)| key.as_bytes().unwrap_or_default());
            for (key, value) in fields {
                seed.push(b'|');
                ruby::to_s(key, seed);
                seed.push(b'|');
                ruby::to_s(value, seed);
            }
            return;
        }
        for (at, key) in params.record_keys.iter().enumerate() {
            if at > 0 {
                seed.extend_from_slice(separator);
            }
            join(&event.record.get(key.as_bytes()).unwrap_or(Value::Nil), separator, seed);
        }
    }

    fn hash(&self, seed: &[u8]) -> Vec<u8> {
        match self.0.hash_type {
            HashType::Md5 => md5::digest(seed).to_vec(),
            HashType::Sha1 => digest(&SHA1_FOR_LEGACY_USE_ONLY, seed).as_ref().to_vec(),
            HashType::Sha256 => digest(&SHA256, seed).as_ref().to_vec(),
            HashType::Sha512 => digest(&SHA512, seed).as_ref().to_vec(),
        }
    }
}

/// As Ruby's `join`, which goes into arrays within arrays.
fn join(value: &Value<'_>, separator: &[u8], seed: &mut Vec<u8>) {
    let Value::Array(elements) = value else { return ruby::to_s(value, seed) };
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            seed.extend_from_slice(separator);
        }
        join(element, separator, seed);
    }
}

/// A version 4 UUID in its usual form.
fn random_uuid() -> String {
    let (high, low) = (random(), random());
    let (high, low) = (high & !0xf000 | 0x4000, low & !(0b11 << 62) | 0b10 << 62);
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests;
