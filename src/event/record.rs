//! A record: fields in order of insertion, as a Ruby Hash keeps them.

use super::Value;
use super::keys::same;
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

/// Ordered fields. Assigning an existing key keeps its place; a removed and re-added key goes last.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    fields: BumpVec<'a, (Value<'a>, Value<'a>)>,
}

impl<'a> Record<'a> {
    /// An empty record with room for `capacity` fields.
    pub fn with_capacity(bump: &'a Bump, capacity: usize) -> Record<'a> {
        Record { fields: BumpVec::with_capacity_in(capacity, bump) }
    }

    /// A record with these fields; a repeated key keeps the place of the first and the value of the last.
    pub fn from_fields(bump: &'a Bump, fields: &[(Value<'a>, Value<'a>)]) -> Record<'a> {
        let mut record = Record::with_capacity(bump, fields.len());
        for (key, value) in fields {
            record.set_value(*key, *value);
        }
        record
    }

    /// A record of a list of fields whose keys are known to differ.
    pub fn from_vec(fields: BumpVec<'a, (Value<'a>, Value<'a>)>) -> Record<'a> {
        Record { fields }
    }

    /// Makes room for so many more fields.
    pub fn reserve(&mut self, more: usize) {
        self.fields.reserve(more);
    }

    /// The fields in order.
    pub fn fields(&self) -> &[(Value<'a>, Value<'a>)] {
        &self.fields
    }

    /// The fields in order, their values to be changed in place.
    pub fn fields_mut(&mut self) -> &mut [(Value<'a>, Value<'a>)] {
        &mut self.fields
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of a text key.
    pub fn get(&self, key: &[u8]) -> Option<Value<'a>> {
        self.position(key).map(|at| self.fields[at].1)
    }

    /// The value of a text key, to be changed in place.
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Value<'a>> {
        self.position(key).map(|at| &mut self.fields[at].1)
    }

    /// Sets a text key.
    pub fn set(&mut self, key: &'a [u8], value: Value<'a>) {
        match self.position(key) {
            Some(at) => self.fields[at].1 = value,
            None => self.fields.push((Value::Str(key), value)),
        }
    }

    /// Sets a key of any kind.
    pub fn set_value(&mut self, key: Value<'a>, value: Value<'a>) {
        match self.fields.iter().position(|(k, _)| *k == key) {
            Some(at) => self.fields[at].1 = value,
            None => self.fields.push((key, value)),
        }
    }

    /// Sets all fields of another record.
    pub fn merge(&mut self, others: &Record<'a>) {
        let own = self.fields.len();
        let lengths = length_bits(self);
        if lengths & length_bits(others) == 0 {
            return self.fields.extend_from_slice_copy(&others.fields);
        }
        self.fields.reserve(others.len());
        for (key, value) in others.fields() {
            // The keys of the other record differ from each other already.
            let known =
                if lengths & length_bit(key) == 0 { None } else { self.fields[..own].iter().position(|(own, _)| same_key(own, key)) };
            match known {
                Some(at) => self.fields[at].1 = *value,
                None => self.fields.push((*key, *value)),
            }
        }
    }

    /// Appends a field whose key is known to be new.
    pub fn push(&mut self, key: Value<'a>, value: Value<'a>) {
        self.fields.push((key, value));
    }

    /// Removes a text key and gives its value.
    pub fn remove(&mut self, key: &[u8]) -> Option<Value<'a>> {
        self.position(key).map(|at| self.fields.remove(at).1)
    }

    /// Removes a key of any kind.
    pub fn remove_value(&mut self, key: Value<'a>) {
        self.fields.retain(|(found, _)| *found != key);
    }

    /// Forgets all fields.
    pub fn clear(&mut self) {
        self.fields.clear();
    }

    /// This record as a value (a copy of the field list into the arena; the values stay shared).
    pub fn to_value(&self, bump: &'a Bump) -> Value<'a> {
        Value::Map(bump.alloc_slice_copy(&self.fields))
    }

    /// The same with all it refers to in another arena.
    pub fn copied_into<'b>(&self, bump: &'b Bump) -> Record<'b> {
        let mut copy = Record::with_capacity(bump, self.len());
        copy.fields.extend(self.fields.iter().map(|(key, value)| (key.copied_into(bump), value.copied_into(bump))));
        copy
    }

    fn position(&self, key: &[u8]) -> Option<usize> {
        self.fields.iter().position(|(k, _)| matches!(k, Value::Str(bytes) if same(bytes, key)))
    }
}

/// A bit for the length of a key: those of different lengths differ. Keys that are no texts share one with some that are.
#[inline]
fn length_bit(key: &Value<'_>) -> u64 {
    match key {
        Value::Str(text) => 1 << (text.len() % 64),
        _ => 1 << 63,
    }
}

#[inline]
fn length_bits(record: &Record<'_>) -> u64 {
    record.fields.iter().fold(0, |bits, (key, _)| bits | length_bit(key))
}

#[inline]
fn same_key(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (one, other) {
        (Value::Str(one), Value::Str(other)) => same(one, other),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_is_setting_each_field() {
        let bump = Bump::new();
        let keys: [Value<'_>; 7] = [
            Value::Str(b"a"),
            Value::Str(b"b"),
            Value::Str(b"container_id"),
            Value::Str(b"container_no"),
            Value::Int(1),
            Value::Nil,
            Value::Str(b""),
        ];
        for (ours, theirs) in (0..1u32 << keys.len()).map(|bits| (bits, bits.wrapping_mul(0x9e37) >> 3)) {
            let record = |bits: u32, value| {
                let mut record = Record::with_capacity(&bump, 4);
                let chosen = keys.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
                chosen.for_each(|(_, key)| record.push(*key, Value::Int(value)));
                record
            };
            let (mut merged, mut set, others) = (record(ours, 1), record(ours, 1), record(theirs, 2));
            merged.merge(&others);
            others.fields().iter().for_each(|(key, value)| set.set_value(*key, *value));
            assert_eq!(merged.fields(), set.fields());
        }
    }
}
