//! A pipeline without the world around it: texts and events are given to it by hand, outputs are stood in for, and time is the runtime's,
//! which may be paused.

use super::catch::Catcher;
use super::delivery::Delivery;
use super::holders::Holders;
use super::{Pipeline, Running, Wiring, build};
use crate::config::{Diagnostics, Element, Refused, Span, System};
use crate::input::Feed;
use crate::net::Loops;
use crate::plugin::{Emitter, Route};
use std::sync::Arc;
use std::time::Duration;

/// Filters that hand events to each other, and outputs that do, have so many turns to end.
const LAST_TURNS: usize = 8;
/// How long the end may take, on the runtime's clock.
const STOP_WAIT: Duration = Duration::from_secs(60);

/// A source of a rehearsal.
pub struct Source {
    /// Its `@id`, where it has one.
    pub id: Option<String>,
    /// Its `@type`.
    pub kind: String,
    /// Where its section stands.
    pub span: Span,
    /// Where its events go.
    pub emitter: Emitter,
    /// The label it emits to, or `@ROOT`.
    pub router: String,
    /// What takes its texts; `None` where it takes none.
    pub feed: Option<Box<dyn Feed>>,
}

/// A pipeline that is rehearsed.
pub struct Rehearsal {
    /// What has been caught.
    pub catcher: Arc<Catcher>,
    /// The sources in the order of the file.
    pub sources: Vec<Source>,
    running: Running,
}

impl Rehearsal {
    /// Builds a configuration that has been built without faults before, and starts it on the present runtime. Buffers are in memory.
    pub fn start(root: &Element, system: &System, diagnostics: &Diagnostics) -> Result<Rehearsal, Refused> {
        let mut root = root.clone();
        super::keep_in_memory(&mut root);
        leave_out_secondaries(&mut root);
        let catcher = Arc::new(Catcher::default());
        let (pipeline, sources) = build::rehearse(&mut root, system, diagnostics, &catcher)?;
        let mut rehearsal = Rehearsal { catcher, sources: Vec::new(), running: pipeline.start_without_inputs() };
        let placed = |source: Source| Source { emitter: rehearsal.way_to(&source.router).unwrap_or_default(), ..source };
        rehearsal.sources = sources.into_iter().map(placed).collect();
        Ok(rehearsal)
    }

    /// The way to the root router (`@ROOT`) or a label; `None` where there is no such label.
    pub fn way_to(&self, router: &str) -> Option<Emitter> {
        let router = self.running.wiring.iter().find_map(|wiring| wiring.routers.get(router))?;
        let (route, way) = (Arc::clone(router) as Arc<dyn Route>, Emitter::default());
        way.lead_to(Arc::downgrade(&route));
        Some(way)
    }

    /// The labels that there are, and `@ROOT`.
    pub fn routers(&self) -> Vec<String> {
        let mut names: Vec<String> = self.running.wiring.iter().flat_map(|wiring| wiring.routers.keys().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Lets everything go that filters and buffers hold, and ends. `settle` lets the runtime's tasks have their turn.
    pub async fn end(mut self, settle: impl AsyncFn()) {
        for source in &mut self.sources {
            if let Some(feed) = &mut source.feed {
                feed.end(&source.emitter);
            }
        }
        for _ in 0..LAST_TURNS {
            self.running.holders.end();
            self.running.flush();
            settle().await;
        }
        self.running.stop(STOP_WAIT).await;
    }
}

impl Pipeline {
    /// Starts deliveries and filters on the present runtime, and no input.
    fn start_without_inputs(self) -> Running {
        let loops = Arc::new(Loops::here());
        self.wiring.iter().for_each(Wiring::connect);
        self.outputs.iter().for_each(|placed| Delivery::start(&placed.delivery, &loops));
        Running {
            inputs: Vec::new(),
            wiring: self.wiring,
            outputs: self.outputs,
            sync_outputs: self.sync_outputs,
            holders: Holders::start(self.holders, &loops),
            own_log: None,
            overview: self.overview,
            memory: self.memory,
            leaving: Vec::new(),
        }
    }
}

/// Nothing fails in a rehearsal: what stands in for outputs needs no secondary.
fn leave_out_secondaries(element: &mut Element) {
    element.children.retain(|child| child.name != "secondary");
    element.children.iter_mut().for_each(leave_out_secondaries);
}
