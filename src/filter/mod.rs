//! Filters: what is done to events on their way. Each is one file and one row of [`FILTERS`].

pub mod parser;

use crate::event::{Batch, Scope, Tag};
use crate::plugin::{Compat, Plugin};

/// Changes, drops or adds events of a batch in place.
pub trait Filter: Send + Sync {
    /// Filters a batch; events that cannot be handled go to [`Scope::reject`].
    fn filter<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &mut Batch<'a>);
}

/// All filters.
pub static FILTERS: &[Plugin<Box<dyn Filter>>] =
    &[Plugin { name: "parser", section: &parser::Params::SECTION, compat: &[Compat::Parser], build: parser::build }];
