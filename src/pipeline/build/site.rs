//! A plugin's place in the graph: what its constructor can ask for, and how it is built, watched and wired there. The graph itself is the file above.

use super::super::delivery::Delivery;
use super::super::holders::Holder;
use super::super::known;
use super::super::pattern::Patterns;
use super::super::router::{Step, Target};
use super::super::watched::{self, Direct};
use super::{Common, Graph, ROOT, Wanted};
use crate::buffer::OutputParams;
use crate::config::{Element, Refused, Span};
use crate::event::{Batch, Scope, Tag};
use crate::filter::{self, FILTERS};
use crate::log::PluginLog;
use crate::metrics::{self, Overview, Watched};
use crate::output::{self, OUTPUTS, Output, SyncOutput};
use crate::plugin::{Context, EmitError, Emitter, Host, Limit, Plugin, Sink};
use std::sync::Arc;

/// A constructor's view of the graph: it stands in one router.
pub(super) struct Site<'s, 'g> {
    pub(super) graph: &'s Graph<'g>,
    pub(super) router: &'s str,
}

impl Site<'_, '_> {
    pub(super) fn rule(&self, section: &Element) -> Result<(Patterns, Target), Refused> {
        section.used.set(true);
        let diagnostics = self.graph.diagnostics;
        let patterns = Patterns::parse(&section.arg).map_err(|why| diagnostics.error("FLM0408", Some(section.span), why));
        let target = if section.name == "filter" {
            self.graph.common(section).and_then(|common| {
                let found = known::find(FILTERS, &filter::KNOWN, "filter", section, &self.context(&common));
                let row = found.inspect_err(|_| self.graph.catcher.iter().for_each(|catcher| catcher.add_missing(section)))?;
                if let Some(label) = section.text("@label") {
                    self.emitter(Some(label), section.span)?;
                }
                let filter = self.construct(row, section, &common)?;
                let counters = Arc::default();
                self.graph.catcher.iter().for_each(|catcher| catcher.add_filter(&counters));
                self.watch(section, &common, None, filter.queue(), Watched::Filter(Arc::clone(&counters)));
                let step = Arc::new(Step { filter, log: common.log, counters, counts_sizes: self.graph.counts_sizes() });
                if step.filter.held().is_some() {
                    self.graph.holders.borrow_mut().push(Holder { step: Arc::clone(&step), emitter: self.own_router() });
                }
                Ok(Target::Filter(step))
            })
        } else {
            self.output(section).map(|(sink, log)| Target::Output(sink, log))
        };
        Ok((patterns?, target?))
    }

    fn output(&self, section: &Element) -> Result<(Arc<dyn Sink>, PluginLog), Refused> {
        let common = self.graph.common(section)?;
        let place = self.graph.plugins.borrow().len();
        self.graph.catcher.iter().for_each(|catcher| catcher.enter(section));
        let built = self.built(section, &common);
        self.graph.catcher.iter().for_each(|catcher| catcher.leave());
        let built = built?;
        let has_inner = self.graph.plugins.borrow().len() > place;
        let sink: Arc<dyn Sink> = match built {
            Output::Sync(output) => {
                self.check_unbuffered(section, has_inner)?;
                let output: Arc<dyn SyncOutput> = Arc::from(output);
                self.graph.sync_outputs.borrow_mut().push(Arc::clone(&output));
                let queue = output.queue();
                let direct = Direct::new(output, self.graph.counts_sizes());
                let counters = Arc::clone(&direct.counters);
                let watched = if has_inner { Watched::Multiple(counters) } else { Watched::Direct(counters) };
                self.watch(section, &common, Some(place), queue, watched);
                Arc::new(direct)
            }
            Output::Buffered(output) => {
                let queue = output.queue();
                let delivery = Delivery::new(output, section, &self.context(&common))?;
                self.graph.check_buffer_path(&delivery, section)?;
                self.graph.letters.iter().for_each(|letters| delivery.keep_dead_letters(letters));
                let delivery = self.graph.place(delivery, section);
                let watched = Watched::Buffered(Arc::clone(delivery.counters()), Arc::clone(&delivery) as Arc<dyn metrics::Buffered>);
                self.watch(section, &common, Some(place), queue, watched);
                delivery
            }
        };
        Ok((sink, common.log))
    }

    /// The output of a section, or what stands in for it.
    fn built(&self, section: &Element, common: &Common) -> Result<Output, Refused> {
        let context = self.context(common);
        let built = known::find(OUTPUTS, &output::KNOWN, "output", section, &context).and_then(|row| (row.build)(section, &context));
        match self.graph.catcher {
            None => built,
            // One that is known and not run can be stood in for all the same.
            Some(catcher) if built.is_ok() || !self.graph.diagnostics.has_errors() => {
                Ok(catcher.stand_in(section, self.router, built.ok()))
            }
            Some(_) => built,
        }
    }

    /// Adds a plugin to the overview: an output before those within it.
    fn watch(&self, section: &Element, common: &Common, place: Option<usize>, queue: Option<Arc<dyn metrics::Queue>>, watched: Watched) {
        let mut plugins = self.graph.plugins.borrow_mut();
        let place = place.unwrap_or(plugins.len());
        plugins.insert(place, watched::plugin(section, &common.id, self.router, self.graph.worker, queue, watched));
    }

    /// What an output without a buffer must not have; what every output has it may. Those with outputs in them pass everything over.
    fn check_unbuffered(&self, section: &Element, has_inner: bool) -> Result<(), Refused> {
        let diagnostics = self.graph.diagnostics;
        OutputParams::read(section, diagnostics)?;
        if has_inner {
            if let Some(label) = section.text("@label") {
                self.emitter(Some(label), section.span)?;
            }
            return Ok(());
        }
        if let Some(buffer) = section.section("buffer") {
            let kind = section.plugin_type().unwrap_or_default();
            let message = format!("<buffer> section is configured, but plugin '{kind}' doesn't support buffering");
            return Err(diagnostics.error("FLM0526", Some(buffer.span), message));
        }
        if let Some(secondary) = section.section("secondary") {
            let message = "Invalid <secondary> section for non-buffered plugin";
            return Err(diagnostics.error("FLM0527", Some(secondary.span), message));
        }
        Ok(())
    }

    pub(super) fn context<'c>(&'c self, common: &'c Common) -> Context<'c> {
        Context { diagnostics: self.graph.diagnostics, system: self.graph.system, id: &common.id, log: &common.log, host: self }
    }

    pub(super) fn construct<T>(&self, row: &Plugin<T>, section: &Element, common: &Common) -> Result<T, Refused> {
        (row.build)(section, &self.context(common))
    }
}

impl Host for Site<'_, '_> {
    fn build_output(&self, element: &Element) -> Result<Arc<dyn Sink>, Refused> {
        let (sink, log) = self.output(element)?;
        Ok(Arc::new(Named { sink, log }))
    }

    fn emitter(&self, label: Option<&str>, span: Span) -> Result<Emitter, Refused> {
        let name = label.unwrap_or(ROOT);
        self.graph.wanted.borrow_mut().push(Wanted { name: name.to_owned(), span, must_exist: true });
        Ok(self.graph.way_to(name))
    }

    fn emitter_if_any(&self, label: &str, span: Span) -> Emitter {
        self.graph.wanted.borrow_mut().push(Wanted { name: label.to_owned(), span, must_exist: false });
        self.graph.way_to(label)
    }

    fn claim(&self, what: &str, id: &str) -> Option<String> {
        self.graph.claims.borrow_mut().insert(what.to_owned(), id.to_owned())
    }

    fn errors(&self) -> Emitter {
        self.graph.way_to(ROOT)
    }

    fn own_router(&self) -> Emitter {
        self.graph.way_to(self.router)
    }

    fn memory_limit(&self) -> Arc<Limit> {
        Arc::clone(&self.graph.memory)
    }

    fn overview(&self) -> Arc<Overview> {
        Arc::clone(&self.graph.overview)
    }

    fn worker(&self) -> i64 {
        self.graph.worker
    }
}

/// A store of another output, which logs under its own name.
struct Named {
    sink: Arc<dyn Sink>,
    log: PluginLog,
}

impl Sink for Named {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        self.log.enter(|| self.sink.emit(scope, tag, batch))
    }

    fn limits(&self, tag: Option<&Tag>, into: &mut Vec<Arc<Limit>>) {
        self.sink.limits(tag, into);
    }

    fn takes_packed(&self, tag: &Tag) -> bool {
        self.sink.takes_packed(tag)
    }
}
