//! `roundrobin`: hands each emit to the next of its stores, by weight.

use super::{Output, SyncOutput};
use crate::config::{Element, Refused};
use crate::event::{Batch, Scope, Tag};
use crate::plugin::{Context, EmitError, Limit, Sink};
use std::sync::{Arc, Mutex, PoisonError};

crate::section! {
    /// One of the outputs that take turns.
    pub struct Store {
        /// How often it is chosen compared with the others; 0 for never.
        pub weight: u32 = "1",
    }
}

crate::section! {
    /// Hands each emit to the next of its stores.
    pub struct Params {}
    sections { "store": some(Store) }
}

struct Turn {
    sink: Arc<dyn Sink>,
    weight: i64,
    /// Grows by its weight each turn; whoever has most is chosen and pays the sum of all weights.
    credit: i64,
}

struct RoundRobin {
    turns: Mutex<Vec<Turn>>,
}

/// Makes the output.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    Params::read(element, context.diagnostics)?;
    let mut turns = Vec::new();
    for store in element.sections("store") {
        let params = Store::read(store, context.diagnostics)?;
        turns.push(Turn { sink: context.host.build_output(store)?, weight: i64::from(params.weight), credit: 0 });
    }
    if turns.iter().all(|turn| turn.weight == 0) {
        return Err(context.refuse("FLM0550", element.span, "all stores of <match> have weight 0, expected one above 0 at least"));
    }
    Ok(Output::Sync(Box::new(RoundRobin { turns: Mutex::new(turns) })))
}

impl RoundRobin {
    fn next(&self) -> Arc<dyn Sink> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let total: i64 = turns.iter().map(|turn| turn.weight).sum();
        turns.iter_mut().for_each(|turn| turn.credit += turn.weight);
        let mut chosen = 0;
        for at in 1..turns.len() {
            if turns[at].credit > turns[chosen].credit {
                chosen = at;
            }
        }
        turns[chosen].credit -= total;
        Arc::clone(&turns[chosen].sink)
    }
}

impl SyncOutput for RoundRobin {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        if !batch.is_coalesced() {
            return self.next().emit(scope, tag, batch);
        }
        for event in batch.events(scope) {
            self.next().emit(scope, tag, &Batch::single(scope, event.time, event.record.clone()))?;
        }
        Ok(())
    }

    fn passes_on(&self) -> bool {
        true
    }

    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        let turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.iter().for_each(|turn| turn.sink.limits(tag, into));
    }
}
