//! `relabel`: sends events on to a label.

use super::{Output, SyncOutput};
use crate::config::{Element, Refused};
use crate::event::{Batch, Scope, Tag};
use crate::plugin::{Context, EmitError, Emitter, Limit};
use std::sync::Arc;

crate::section! {
    /// Sends events on to a label, unchanged.
    pub struct Params {
        /// The label.
        pub label: String [name "@label"],
    }
}

struct Relabel {
    emitter: Emitter,
}

/// Makes the output.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let emitter = context.host.emitter(Some(&params.label), element.span)?;
    Ok(Output::Sync(Box::new(Relabel { emitter })))
}

impl SyncOutput for Relabel {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        self.emitter.emit(scope, tag, batch.duplicate(scope))
    }

    fn passes_on(&self) -> bool {
        true
    }

    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        if let Some(route) = self.emitter.route() {
            route.limits(tag, into);
        }
    }
}
