//! Fields of a map with repeated keys: the last value counts, at the place of the first, as in a Ruby Hash.

use super::Value;
use bumpalo::collections::Vec as BumpVec;
use std::collections::HashMap;

/// Maps up to this many fields are searched one by one.
const FEW_FIELDS: usize = 16;

/// Removes repeated keys.
pub(super) fn keep_last<'a>(fields: &mut BumpVec<'a, (Value<'a>, Value<'a>)>) {
    let mut places: HashMap<&'a [u8], usize> = HashMap::new();
    let many = fields.len() > FEW_FIELDS;
    let mut kept = 0;
    for at in 0..fields.len() {
        let (key, value) = fields[at];
        let earlier = match key {
            Value::Str(text) if many => places.get(text).copied(),
            _ => fields[..kept].iter().position(|(earlier, _)| *earlier == key),
        };
        match earlier {
            Some(place) => fields[place].1 = value,
            None => {
                if let (true, Value::Str(text)) = (many, key) {
                    places.insert(text, kept);
                }
                fields[kept] = (key, value);
                kept += 1;
            }
        }
    }
    fields.truncate(kept);
}
