//! `record_modifier`: sets fields one after the other from text with Ruby in it, removes or keeps fields, replaces within them.

use super::Filter;
use crate::config::{Element, Refused};
use crate::event::{Batch, Rejected, Scope, Tag};
use crate::modifier::{Asked, Failure, Modifier, Removed, Replace, accessors};
use crate::plugin::Context;
use bumpalo::collections::Vec as BumpVec;

crate::section! {
    /// Sets, removes, keeps and replaces fields.
    pub struct Params {
        /// Ruby that runs once, to prepare instance variables for the fields.
        pub prepare_value: Option<String>,
        /// The encoding of texts, or `from:to` to convert them.
        pub char_encoding: Option<String>,
        /// The fields that are removed; not with `whitelist_keys`.
        pub remove_keys: Option<Vec<String>>,
        /// The only fields that are kept, besides the new ones; not with `remove_keys`.
        pub whitelist_keys: Option<String>,
    }
    sections { "record": many, "replace": many(Replace) }
}

struct RecordModifier(Modifier);

/// Makes the filter.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Filter>, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let removed = params.remove_keys.as_deref().map(|keys| accessors(Some(keys), element, context)).transpose()?;
    let asked = Asked {
        prepare_value: params.prepare_value.as_deref(),
        char_encoding: params.char_encoding.as_deref(),
        removed: removed.map(Removed::Ways),
        whitelist_keys: params.whitelist_keys.as_deref(),
    };
    Ok(Box::new(RecordModifier(Modifier::new(asked, element, context)?)))
}

impl Filter for RecordModifier {
    fn is_stateless(&self) -> bool {
        self.0.is_stateless()
    }

    fn filter<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>) {
        let events = batch.events_mut(scope);
        let room = BumpVec::with_capacity_in(events.len(), scope.bump());
        let before = std::mem::replace(events, room);
        let mut work = self.0.start(tag);
        for mut event in before {
            match work.modify(scope, &mut event) {
                Ok(()) => events.push(event),
                Err(Failure { class, message }) => {
                    scope.reject(Rejected { tag: tag.clone(), time: event.time, record: event.record, class, message })
                }
            }
        }
    }
}
