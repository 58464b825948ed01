//! A Ruby Hash: pairs in order of insertion.

use super::value::Value;

/// Pairs by key. Searched one by one: records and the hashes made of them are small, and the work of a run is bounded anyway.
#[derive(Clone, Debug, Default)]
pub struct Hash {
    pairs: Vec<(Value, Value)>,
    /// What a missing key gives.
    pub default: Value,
}

impl Hash {
    /// Pairs whose keys are known to differ.
    pub fn of_distinct(pairs: Vec<(Value, Value)>) -> Hash {
        Hash { pairs, default: Value::Nil }
    }

    /// No pairs; missing keys give `default`.
    pub fn with_default(default: Value) -> Hash {
        Hash { pairs: Vec::new(), default }
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &(Value, Value)> {
        self.pairs.iter()
    }

    /// The value of a key.
    pub fn get(&self, key: &Value) -> Option<&Value> {
        self.position(key).map(|at| &self.pairs[at].1)
    }

    /// The value of a text key.
    pub fn get_text(&self, key: &[u8]) -> Option<&Value> {
        self.pairs.iter().find(|(known, _)| matches!(known, Value::Str(text) if text.borrow().as_slice() == key)).map(|(_, value)| value)
    }

    /// Sets a key; a known one keeps its place.
    pub fn set(&mut self, key: Value, value: Value) {
        match self.position(&key) {
            Some(at) => self.pairs[at].1 = value,
            None => {
                // Ruby keeps a copy of a string that is used as a key.
                let key = if let Value::Str(text) = &key { Value::text(text.borrow().clone()) } else { key };
                self.pairs.push((key, value));
            }
        }
    }

    /// Removes a key and gives its value.
    pub fn remove(&mut self, key: &Value) -> Option<Value> {
        self.position(key).map(|at| self.pairs.remove(at).1)
    }

    /// All pairs, taken out.
    pub fn take(&mut self) -> Vec<(Value, Value)> {
        std::mem::take(&mut self.pairs)
    }

    fn position(&self, key: &Value) -> Option<usize> {
        self.pairs.iter().position(|(known, _)| known.same_key(key))
    }
}
