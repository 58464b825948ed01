//! What a pipeline shows of its plugins from outside: the entries of the overview, and the counting at outputs without a buffer.

use super::pattern::Patterns;
use super::router::Router;
use crate::config::{Element, shown_params, variables};
use crate::event::{Batch, Scope, Tag};
use crate::metrics::{OutputCounters, Overview, Plugin, Queue, RouterEntry, Takes, Watched};
use crate::output::SyncOutput;
use crate::plugin::{EmitError, Limit, Sink};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The entry of a plugin that has been constructed from its section.
pub fn plugin(section: &Element, id: &str, router: &str, worker: i64, queue: Option<Arc<dyn Queue>>, watched: Watched) -> Plugin {
    // A section that stands in a `<match>` has its patterns; a store has those of the output around it, and is not asked for.
    let patterns = (section.name == "match").then(|| Patterns::parse(&section.arg).ok()).flatten();
    Plugin {
        id: id.to_owned(),
        kind: section.plugin_type().unwrap_or_default().to_owned(),
        router: router.to_owned(),
        worker,
        config: shown_params(section),
        variables: variables(section),
        takes: patterns.map(|patterns| Box::new(move |tag: &str| patterns.matches(tag)) as Takes),
        queue,
        watched,
    }
}

/// What a pipeline will show once it runs.
#[derive(Default)]
pub struct Shown {
    plugins: Vec<Plugin>,
    routers: Vec<RouterEntry>,
}

impl Shown {
    /// Shows it, and no longer what was shown before.
    pub fn show(self, overview: &Overview) {
        overview.show(self.plugins, self.routers);
    }
}

/// Adds what a worker has to what is shown, in Fluentd's order: inputs, then router by router its outputs and its filters.
pub fn add(shown: &mut Shown, worker: i64, mut plugins: Vec<Plugin>, routers: &HashMap<String, Arc<Router>>, order: &[&str]) {
    let rank = |plugin: &Plugin| {
        let router = order.iter().position(|name| *name == plugin.router).unwrap_or(order.len());
        match plugin.watched {
            Watched::Input(..) => (0, 0),
            Watched::Filter(_) => (router + 1, 1),
            _ => (router + 1, 0),
        }
    };
    plugins.sort_by_key(rank);
    // Names made from places may meet where files are included.
    let mut ids = HashSet::new();
    for plugin in &mut plugins {
        let (first, mut number) = (plugin.id.clone(), 1);
        while !ids.insert(plugin.id.clone()) {
            number += 1;
            plugin.id = format!("{first}.{number}");
        }
    }
    let entry = |name: &&str| {
        let counters = Arc::clone(routers.get(*name)?.counters());
        Some(RouterEntry { name: (*name).to_owned(), worker, counters })
    };
    shown.routers.extend(order.iter().filter_map(entry));
    shown.plugins.append(&mut plugins);
}

/// An output without a buffer, as the router sees it.
pub struct Direct {
    output: Arc<dyn SyncOutput>,
    /// What it has done.
    pub counters: Arc<OutputCounters>,
    counts_sizes: bool,
}

impl Direct {
    /// Puts counters before an output.
    pub fn new(output: Arc<dyn SyncOutput>, counts_sizes: bool) -> Direct {
        Direct { output, counters: Arc::default(), counts_sizes }
    }
}

impl Sink for Direct {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        self.counters.emit_count.add(batch.emits() as u64);
        let result = self.output.emit(scope, tag, batch);
        let records = batch.len() as u64;
        match &result {
            Err(error) if !error.settled => self.counters.failed_records.add(records),
            _ => {
                self.counters.emit_records.add(records);
                if self.counts_sizes {
                    self.counters.emit_size.add(batch.encoded_len(scope) as u64);
                }
            }
        }
        result
    }

    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        self.output.limits(tag, into);
    }

    fn takes_packed(&self, tag: &Tag) -> bool {
        self.output.takes_packed(tag)
    }
}
