//! `copy`: hands events to each of its stores.

use super::{Output, SyncOutput};
use crate::config::{Element, Refused};
use crate::event::{Batch, Scope, Tag};
use crate::plugin::{Context, EmitError, Limit, Sink};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};

/// Tags for which it is remembered whether stores share an end; beyond that the memory is emptied.
const CACHED_TAGS: usize = 1024;

crate::choice! {
    /// How records are handed to the stores. Every store has a record of its own in each mode.
    pub enum CopyMode { NoCopy = "no_copy", Shallow = "shallow", Deep = "deep", Marshal = "marshal" }
}

crate::section! {
    /// Hands events to each of its stores.
    pub struct Params {
        /// Fluentd's way to say `copy_mode shallow`.
        pub deep_copy: bool = "false" [deprecated "use 'copy_mode' parameter instead", idle "every store gets a record of its own"],
        /// How records are handed to the stores. Every mode gives each store a record of its own: no store sees the changes of another.
        pub copy_mode: CopyMode = "no_copy" [idle "every store gets a record of its own"],
    }
    sections { "store": some }
}

struct Store {
    sink: Arc<dyn Sink>,
    ignore_error: bool,
    ignore_if_prev_success: bool,
}

struct Copy {
    stores: Vec<Store>,
    shared_ends: RwLock<HashMap<Tag, bool>>,
}

/// Makes the output.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    // Fluentd: in its modes no_copy and shallow one store's edits leak into the next; here never, so no mode has to be acted on.
    Params::read(element, context.diagnostics)?;
    let mut stores = Vec::new();
    let mut refused = None;
    for (number, section) in element.sections("store").into_iter().enumerate() {
        let ignore_if_prev_success = section.arg.contains("ignore_if_prev_success");
        if number == 0 && ignore_if_prev_success {
            let message = "ignore_if_prev_success must specify 2nd or later <store> directives";
            refused = Some(context.refuse("FLM0551", section.span, message));
        }
        match context.host.build_output(section) {
            Ok(sink) => stores.push(Store { sink, ignore_error: section.arg.contains("ignore_error"), ignore_if_prev_success }),
            Err(why) => refused = Some(why),
        }
    }
    if stores.iter().all(|store| store.ignore_error) && !stores.iter().any(|store| store.ignore_if_prev_success) && !stores.is_empty() {
        let message = "ignore_errors are specified in all <store>, but ignore_if_prev_success is not specified. Is this intended?";
        context.diagnostics.warn("FLM0552", Some(element.span), message);
    }
    refused.map_or(Ok(Output::Sync(Box::new(Copy { stores, shared_ends: RwLock::default() }))), Err)
}

impl Copy {
    fn emit_to_all<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        let mut previous_succeeded = false;
        for store in &self.stores {
            if store.ignore_if_prev_success && previous_succeeded {
                previous_succeeded = false;
                continue;
            }
            let rejected_before = scope.rejected_len();
            let result = store.sink.emit(scope, tag, batch);
            previous_succeeded = result.is_ok();
            match result {
                Err(error) if store.ignore_error => {
                    scope.forget_rejected(rejected_before);
                    crate::error!("ignore emit error: error_class={} error={:?} tag={tag:?}", error.class, error.message);
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Whether two stores end in the same place, so that the order of events shows there.
    fn has_shared_end(&self, tag: &Tag) -> bool {
        if let Ok(known) = self.shared_ends.read()
            && let Some(&shared) = known.get(tag)
        {
            return shared;
        }
        let mut ends: Vec<Arc<Limit>> = Vec::new();
        let shared = self.stores.iter().any(|store| {
            let mut of_store = Vec::new();
            store.sink.limits(Some(tag), &mut of_store);
            let meets = of_store.iter().any(|limit| ends.iter().any(|end| Arc::ptr_eq(end, limit)));
            ends.append(&mut of_store);
            meets
        });
        if let Ok(mut known) = self.shared_ends.write() {
            if known.len() >= CACHED_TAGS {
                known.clear();
            }
            known.insert(tag.clone(), shared);
        }
        shared
    }
}

impl SyncOutput for Copy {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        if !batch.is_coalesced() || batch.len() < 2 || !self.has_shared_end(tag) {
            return self.emit_to_all(scope, tag, batch);
        }
        for event in batch.events(scope) {
            self.emit_to_all(scope, tag, &Batch::single(scope, event.time, event.record.clone()))?;
        }
        Ok(())
    }

    fn passes_on(&self) -> bool {
        true
    }

    fn takes_packed(&self, tag: &Tag) -> bool {
        self.stores.iter().any(|store| store.sink.takes_packed(tag))
    }

    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        self.stores.iter().for_each(|store| store.sink.limits(tag, into));
    }
}
