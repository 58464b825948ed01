//! Filters: what is done to events on their way. Each is one file and one row of [`FILTERS`].

pub mod concat;
pub mod elasticsearch_genid;
pub mod grep;
pub mod parser;
pub mod record_modifier;
pub mod record_transformer;
pub mod stdout;

use crate::event::{Batch, Scope, Tag};
use crate::metrics::Queue;
use crate::plugin::known::KnownPlugins;
use crate::plugin::{Compat, Emitter, Limit, Plugin};
use std::sync::Arc;
use tokio::time::Instant;

/// Changes, drops or adds events of a batch in place.
pub trait Filter: Send + Sync {
    /// Filters a batch; events that cannot be handled go to [`Scope::reject`].
    fn filter<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>);

    /// Whether it treats each event on its own, so that parts of a batch may be filtered at the same time by several threads.
    fn is_stateless(&self) -> bool {
        false
    }

    /// Lets go of events that have been held for too long; asked about once a second. `emitter` leads to the router that it stands in.
    fn tick(&self, _now: Instant, _emitter: &Emitter) {}

    /// Lets go of all events: the inputs have ended.
    fn drain(&self, _emitter: &Emitter) {}

    /// Adds the limits that have to have room before events are read that come to it.
    fn limits(&self, _into: &mut Vec<Arc<Limit>>) {}

    /// Where it puts events for somebody else to take away, if it does.
    fn queue(&self) -> Option<Arc<dyn Queue>> {
        None
    }

    /// How many events it holds from batch to batch; `None` where it never holds any.
    fn held(&self) -> Option<usize> {
        None
    }

    /// How many of the events that it held it has let go so far by another way than with a batch or by [`Scope::reject`] in one.
    fn released(&self) -> u64 {
        0
    }
}

/// The filters that are known and not run.
pub static KNOWN: KnownPlugins = KnownPlugins::new("filter", include_str!("known.txt"));

/// All filters.
pub static FILTERS: &[Plugin<Box<dyn Filter>>] = &[
    Plugin { name: "concat", section: &concat::Params::SECTION, compat: &[], build: concat::build },
    Plugin { name: "elasticsearch_genid", section: &elasticsearch_genid::Params::SECTION, compat: &[], build: elasticsearch_genid::build },
    Plugin { name: "grep", section: &grep::Params::SECTION, compat: &[], build: grep::build },
    Plugin { name: "opensearch_genid", section: &elasticsearch_genid::Params::SECTION, compat: &[], build: elasticsearch_genid::build },
    Plugin { name: "parser", section: &parser::Params::SECTION, compat: &[Compat::Parser], build: parser::build },
    Plugin { name: "record_modifier", section: &record_modifier::Params::SECTION, compat: &[], build: record_modifier::build },
    Plugin { name: "record_transformer", section: &record_transformer::Params::SECTION, compat: &[], build: record_transformer::build },
    Plugin { name: "stdout", section: &stdout::Params::SECTION, compat: &[Compat::Inject, Compat::Formatter], build: stdout::build },
];

#[cfg(test)]
mod tests;
