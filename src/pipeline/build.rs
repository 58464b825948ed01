//! From elements to a pipeline. Constructing has no side effects: this is all that a dry run does.

mod site;

use super::catch::Catcher;
use super::delivery::Delivery;
use super::errors::ErrorRoute;
use super::holders::Holder;
use super::identity::{Kept, Origin, Placed, Predecessor, text_of};
use super::inputs::Idle;
use super::known;
use super::letters::{Keeper, Letters};
use super::own_log;
use super::rehearsal::Source;
use super::router::Router;
use super::watched::{self};
use super::workers::{self, Worker};
use super::{Pipeline, Wiring};
use crate::config::compat::{Tables, apply_tree};
use crate::config::{DeadLetter, Diagnostics, Element, Refused, Seconds, Span, System};
use crate::filter::{self, FILTERS};
use crate::formatter::{self, FORMATTERS};
use crate::input::{self, INPUTS};
use crate::log::{Level, PluginLog};
use crate::metrics::{self, Overview, Watched};
use crate::output::{self, OUTPUTS, SyncOutput};
use crate::parser::{self, PARSERS};
use crate::plugin::{Emitter, Host, Limit};
use site::Site;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

const ROOT: &str = "@ROOT";
const ERROR: &str = "@ERROR";
const OWN_LOG: &str = "@FLUENT_LOG";

/// The ids of all workers' plugins, each with the section that has it: that one may be built for several workers.
type Ids = RefCell<HashMap<String, Span>>;

/// What the graphs of all workers begin with.
#[derive(Clone, Copy)]
struct Ground<'g> {
    system: &'g System,
    diagnostics: &'g Diagnostics,
    ids: &'g Ids,
    /// What they take the place of.
    before: Option<&'g Predecessor>,
    /// What stands in for outputs, in a rehearsal.
    catcher: Option<&'g Arc<Catcher>>,
}

/// Builds the pipeline that a configuration describes; with a predecessor, one that can take its place. All faults go to `diagnostics`,
/// not only the first.
pub fn build(root: &mut Element, system: &System, diagnostics: &Diagnostics, before: Option<&Predecessor>) -> Result<Pipeline, Refused> {
    convert_old_parameters(root, diagnostics);
    let workers = workers::divide(root, system.workers, diagnostics)?;
    build_divided(root, &workers, system, diagnostics, before)
}

/// As [`build`], for a rehearsal: nothing leaves it, and its sources are given what comes.
pub(super) fn rehearse(
    root: &mut Element,
    system: &System,
    diagnostics: &Diagnostics,
    catcher: &Arc<Catcher>,
) -> Result<(Pipeline, Vec<Source>), Refused> {
    convert_old_parameters(root, diagnostics);
    let workers = workers::divide(root, system.workers, diagnostics)?;
    let mut pipeline = Pipeline::upon(None, None);
    let ids = RefCell::default();
    let ground = Ground { system, diagnostics, ids: &ids, before: None, catcher: Some(catcher) };
    let mut sources = Vec::new();
    for worker in &workers {
        build_worker(worker, ground, Keeper::new(None, None), &mut pipeline);
        let inputs = std::mem::take(&mut pipeline.inputs);
        let mut inputs: HashMap<Span, Idle> = inputs.into_iter().map(|idle| (idle.span, idle)).collect();
        for section in worker.sections.iter().filter(|section| section.name == "source") {
            let router = section.text("@label").unwrap_or(ROOT).to_owned();
            let idle = inputs.remove(&section.span);
            sources.push(Source {
                id: section.text("@id").or_else(|| section.text("id")).map(str::to_owned),
                kind: section.plugin_type().unwrap_or_default().to_owned(),
                span: section.span,
                emitter: Emitter::default(),
                router,
                feed: idle.and_then(|idle| idle.input.feed()),
            });
        }
    }
    if diagnostics.has_errors() { Err(Refused) } else { Ok((pipeline, sources)) }
}

/// As [`build`], from the configuration as each worker evaluates it.
pub fn build_workers(
    roots: &mut [Element],
    system: &System,
    diagnostics: &Diagnostics,
    before: Option<&Predecessor>,
) -> Result<Pipeline, Refused> {
    roots.iter_mut().for_each(|root| convert_old_parameters(root, diagnostics));
    let workers = workers::divide_each(roots, system.workers, diagnostics)?;
    match roots.first() {
        Some(root) => build_divided(root, &workers, system, diagnostics, before),
        None => Err(Refused),
    }
}

fn build_divided(
    root: &Element,
    workers: &[Worker<'_>],
    system: &System,
    diagnostics: &Diagnostics,
    before: Option<&Predecessor>,
) -> Result<Pipeline, Refused> {
    let dead_letter = DeadLetter::of(root, diagnostics).unwrap_or_default();
    let mut pipeline = Pipeline::upon(before, system.memory_limit.map(|size| size.0));
    let ids = RefCell::default();
    let ground = Ground { system, diagnostics, ids: &ids, before, catcher: None };
    for worker in workers {
        let keeper = Keeper::new(dead_letter.as_ref(), system.root_dir.as_deref());
        build_worker(worker, ground, keeper, &mut pipeline);
    }
    if diagnostics.has_errors() { Err(Refused) } else { Ok(pipeline) }
}

/// Builds what one logical worker runs.
fn build_worker(worker: &Worker<'_>, ground: Ground<'_>, keeper: Keeper, pipeline: &mut Pipeline) {
    let (sections, diagnostics, system) = (worker.sections.as_slice(), ground.diagnostics, ground.system);
    let graph = Graph::new(worker.id, ground, keeper.letters().cloned(), pipeline);
    sections.iter().for_each(|section| section.used.set(true));
    let mut labels = Vec::new();
    for label in sections.iter().filter(|section| section.name == "label") {
        if let Some(name) = graph.label_name(label, &labels) {
            labels.push((name, *label));
        }
    }
    let log_interval = system.emit_error_log_interval.map_or(Duration::ZERO, Seconds::duration);
    let errors = Arc::new(ErrorRoute::new(keeper, &pipeline.overview.errors, log_interval, ground.catcher.cloned()));
    let mut routers = HashMap::new();
    for (name, label) in &labels {
        if !label.has_section("match") && !label.is_damaged() {
            diagnostics.error("FLM0405", Some(label.span), format!("Missing <match> sections in <label {name}> section"));
        }
        let rules: Vec<&Element> = label.children.iter().collect();
        routers.insert(name.clone(), graph.router(name, &rules, &errors));
    }
    routers.insert(ROOT.to_owned(), graph.router(ROOT, sections, &errors));
    let sources = sections.iter().filter(|section| section.name == "source" && !section.is_damaged());
    if system.without_source == Some(true) && ground.catcher.is_none() {
        sources.for_each(|source| source.pass_over());
    } else {
        pipeline.inputs.extend(sources.filter_map(|source| graph.input(source).ok()));
    }
    if routers.contains_key(ERROR) {
        errors.lead_to(graph.way_to(ERROR));
    }
    graph.check_labels(&routers);
    let order: Vec<&str> = std::iter::once(ROOT).chain(labels.iter().map(|(name, _)| name.as_str())).collect();
    watched::add(&mut pipeline.shown, worker.id, graph.plugins.take(), &routers, &order);
    if pipeline.own_log.is_none() {
        pipeline.own_log = own_log_router(&routers, diagnostics);
    }
    pipeline.wiring.push(Wiring { worker: worker.id, ways: graph.ways.take(), routers });
    pipeline.outputs.append(&mut graph.outputs.take());
    pipeline.sync_outputs.append(&mut graph.sync_outputs.take());
    pipeline.holders.append(&mut graph.holders.take());
}

/// Moves the flat parameters of version 0.12 to their sections.
pub fn convert_old_parameters(root: &mut Element, diagnostics: &Diagnostics) {
    let tables = Tables {
        input: &|name| known::row(INPUTS, &input::KNOWN, name),
        filter: &|name| known::row(FILTERS, &filter::KNOWN, name),
        output: &|name| known::row(OUTPUTS, &output::KNOWN, name),
        parser: &|name| known::row(PARSERS, &parser::KNOWN, name).map(|(section, _)| section),
        formatter: &|name| known::row(FORMATTERS, &formatter::KNOWN, name).map(|(section, _)| section),
    };
    apply_tree(root, &tables, diagnostics);
}

/// The router for the daemon's own log, and from which level on: the label's, or the root's where it takes all of the log's tags.
fn own_log_router(routers: &HashMap<String, Arc<Router>>, diagnostics: &Diagnostics) -> Option<(Arc<Router>, Level)> {
    if let Some(router) = routers.get(OWN_LOG) {
        router.be_silent();
        return Some((Arc::clone(router), Level::Trace));
    }
    let root = routers.get(ROOT).filter(|root| own_log::TAGS.iter().all(|tag| root.takes(tag)))?;
    let message = "define <match fluent.**> to capture fluentd logs in top level is deprecated. Use <label @FLUENT_LOG> instead";
    diagnostics.warn("FLM0409", None, message);
    // Fluentd: lines of level info would become events here too, so that each start would add a few documents among the data.
    Some((Arc::clone(root), Level::Warn))
}

/// What is being built: the ways between its parts, and what has to be started and stopped.
struct Graph<'g> {
    worker: i64,
    system: &'g System,
    diagnostics: &'g Diagnostics,
    overview: Arc<Overview>,
    before: Option<&'g Predecessor>,
    catcher: Option<&'g Arc<Catcher>>,
    memory: Arc<Limit>,
    letters: Option<Arc<Letters>>,
    plugins: RefCell<Vec<metrics::Plugin>>,
    ways: RefCell<HashMap<String, Emitter>>,
    wanted: RefCell<Vec<Wanted>>,
    /// What plugins have for themselves, and which.
    claims: RefCell<HashMap<String, String>>,
    ids: &'g Ids,
    /// Which of the running inputs go on.
    inputs: RefCell<HashSet<usize>>,
    outputs: RefCell<Vec<Placed>>,
    sync_outputs: RefCell<Vec<Arc<dyn SyncOutput>>>,
    holders: RefCell<Vec<Holder>>,
}

/// A label that some plugin emits to.
struct Wanted {
    name: String,
    span: Span,
    must_exist: bool,
}

/// What every plugin's section can say.
struct Common {
    id: String,
    log: PluginLog,
}

impl<'g> Graph<'g> {
    fn new(worker: i64, ground: Ground<'g>, letters: Option<Arc<Letters>>, pipeline: &Pipeline) -> Graph<'g> {
        let Ground { system, diagnostics, ids, before, catcher } = ground;
        Graph {
            worker,
            system,
            diagnostics,
            overview: Arc::clone(&pipeline.overview),
            before,
            catcher,
            memory: Arc::clone(&pipeline.memory),
            letters,
            plugins: RefCell::default(),
            ways: RefCell::new(before.map(|before| before.ways(worker)).unwrap_or_default()),
            wanted: RefCell::default(),
            claims: RefCell::default(),
            ids,
            inputs: RefCell::default(),
            outputs: RefCell::default(),
            sync_outputs: RefCell::default(),
            holders: RefCell::default(),
        }
    }

    fn label_name(&self, label: &Element, known: &[(String, &Element)]) -> Option<String> {
        let message = match label.arg.as_str() {
            "" => "Missing symbol argument on <label> directive".to_owned(),
            ROOT => "@ROOT for <label> is not permitted, reserved for getting root router".to_owned(),
            name if known.iter().any(|(other, _)| other == name) => format!("Section <label {name}> appears twice"),
            name => return Some(name.to_owned()),
        };
        self.diagnostics.error("FLM0404", Some(label.span), message);
        None
    }

    fn way_to(&self, router: &str) -> Emitter {
        self.ways.borrow_mut().entry(router.to_owned()).or_default().clone()
    }

    /// Says which labels do not exist.
    fn check_labels(&self, routers: &HashMap<String, Arc<Router>>) {
        for wanted in self.wanted.borrow().iter().filter(|wanted| !routers.contains_key(&wanted.name)) {
            let message = format!("{} label not found", wanted.name);
            match wanted.must_exist {
                true => drop(self.diagnostics.error("FLM0406", Some(wanted.span), message)),
                // Fluentd: it says so only when an event is to go there.
                false => self.diagnostics.warn("FLM0406", Some(wanted.span), message),
            }
        }
    }

    fn router(&self, name: &str, sections: &[&Element], errors: &Arc<ErrorRoute>) -> Arc<Router> {
        let site = Site { graph: self, router: name };
        // What could not be read has been said, and its faults would only be followed by others.
        let is_rule = |section: &&&Element| (section.name == "filter" || section.name == "match") && !section.is_damaged();
        let rules = sections.iter().filter(is_rule).filter_map(|section| site.rule(section).ok()).collect();
        Arc::new(Router::new(rules, Arc::clone(errors)))
    }

    fn input(&self, source: &Element) -> Result<Idle, Refused> {
        let site = Site { graph: self, router: ROOT };
        let common = self.common(source)?;
        let row = known::find(INPUTS, &input::KNOWN, "input", source, &site.context(&common))?;
        let emitter = site.emitter(source.text("@label"), source.span);
        let input = site.construct(row, source, &common)?;
        let (text, sockets) = (self.text_of(source), input.sockets());
        let kept = self.before.and_then(|before| before.find_input(self.worker, &text, sockets.as_deref(), &mut self.inputs.borrow_mut()));
        // One that goes on counts on.
        let Kept { counters, activity, place } = kept.unwrap_or_default();
        let label = source.text("@label").unwrap_or(ROOT);
        let watched = Watched::Input(Arc::clone(&counters), Arc::clone(&activity));
        self.plugins.borrow_mut().push(watched::plugin(source, &common.id, label, self.worker, None, watched));
        let emitter = emitter?.counted(Arc::clone(&counters), self.counts_sizes());
        Ok(Idle { worker: self.worker, span: source.span, text, input, emitter, log: common.log, counters, activity, place })
    }

    fn text_of(&self, element: &Element) -> String {
        let letters = self.letters.as_ref().map(|letters| format!("{} {}", letters.folder().display(), letters.max_bytes()));
        text_of(element, &[self.system.root_dir.clone(), letters])
    }

    /// The delivery to use: this one, or at a reload the running one that it would be the same as.
    fn place(&self, delivery: Arc<Delivery>, section: &Element) -> Arc<Delivery> {
        let id = section.text("@id").or_else(|| section.text("id")).map(str::to_owned);
        let mut placed = Placed { worker: self.worker, id, text: self.text_of(section), delivery, origin: Origin::New };
        let mut outputs = self.outputs.borrow_mut();
        if let Some(before) = self.before {
            placed = before.place(placed, &outputs);
        }
        let delivery = Arc::clone(&placed.delivery);
        outputs.push(placed);
        delivery
    }

    fn counts_sizes(&self) -> bool {
        self.system.enable_size_metrics == Some(true)
    }

    fn common(&self, element: &Element) -> Result<Common, Refused> {
        let given = element.text("@id").or_else(|| element.text("id"));
        if let Some(id) = given
            && *self.ids.borrow_mut().entry(id.to_owned()).or_insert(element.span) != element.span
        {
            let span = element.param("@id").map_or(element.span, |param| param.value_span);
            let message = format!("Duplicated plugin id `{id}`. Check whole configuration and fix it.");
            return Err(self.diagnostics.error("FLM0403", Some(span), message));
        }
        let level = match element.text("@log_level").or_else(|| element.text("log_level")) {
            None => None,
            Some(word) => Some(Level::parse(word).ok_or_else(|| {
                let span = element.param("@log_level").map_or(element.span, |param| param.value_span);
                self.diagnostics.error("FLM0407", Some(span), format!("Unknown log level: level = {word}"))
            })?),
        };
        let (line, _) = self.diagnostics.line_column(element.span);
        let unnamed = || format!("{}.{}.line{line}", element.name, element.plugin_type().unwrap_or_default());
        Ok(Common { id: given.map_or_else(unnamed, str::to_owned), log: PluginLog::new(given, level) })
    }
}

impl Graph<'_> {
    /// Two buffers in one place would take each other's files.
    fn check_buffer_path(&self, delivery: &Delivery, section: &Element) -> Result<(), Refused> {
        let Some((path, kind)) = delivery.buffer_path() else { return Ok(()) };
        let outputs = self.outputs.borrow();
        let other = outputs.iter().filter_map(|other| other.delivery.buffer_path()).find(|(theirs, _)| *theirs == path);
        let Some((_, other)) = other else { return Ok(()) };
        let message = format!("Other '{other}' plugin already use same buffer path: type = {kind}, buffer path = {path}");
        let span = section.section("buffer").map_or(section.span, |buffer| buffer.span);
        Err(self.diagnostics.error("FLM0525", Some(span), message))
    }
}
