//! Runs a case: a pipeline of its own on a clock of its own, what happens in order, and a look at what came of it.

use super::case::{Case, Expect, From, START, Step};
use super::compare::{Came, Line, compare, events, one_line};
use super::data::Data;
use super::places::Places;
use crate::config::{Diagnostics, Element, Severity, Span, System};
use crate::event::{Batch, Clock, Event, EventTime, Record, Scope, Scratch, Tag, Value};
use crate::input::Raw;
use crate::pipeline::{Caught, Rehearsal};
use crate::plugin::Emitter;
use bumpalo::collections::Vec as BumpVec;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::sleep;

/// How far the runtime's clock is moved to let its tasks have their turn: the least it can be.
const TURN: Duration = Duration::from_millis(1);
/// Sources are asked once so often what has waited too long.
const TICK: Duration = Duration::from_secs(1);

/// What a case came to.
#[derive(Debug)]
pub struct Outcome {
    /// What is not as expected.
    pub failures: Vec<Failure>,
    /// What came of each look, in the order of the file.
    pub looks: Vec<Look>,
    /// From when to when the case went.
    pub window: (EventTime, EventTime),
}

impl Default for Outcome {
    fn default() -> Outcome {
        Outcome { failures: Vec::new(), looks: Vec::new(), window: (START, START) }
    }
}

/// Something that is not as expected.
#[derive(Debug)]
pub struct Failure {
    /// The place in the case.
    pub span: Span,
    /// In a sentence.
    pub message: String,
    /// The difference.
    pub lines: Vec<Line>,
}

/// What came until a look, by place.
#[derive(Debug)]
pub struct Look {
    /// What each expectation of the case got, in its order.
    pub wanted: Vec<Vec<Came>>,
    /// What came to places that are not named.
    pub others: Vec<(String, Vec<Came>)>,
    /// How many events filters took out.
    pub dropped: u64,
}

/// Runs a case of a configuration that has been built without faults.
pub fn run(root: &Element, system: &System, places: &Places, case: &Case, start: Option<EventTime>) -> Result<Outcome, String> {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        let clock = Clock::turn_to(case.now.or(start).unwrap_or(START));
        let rehearsal = rehearse(root, system)?;
        let outcome = Outcome { window: (EventTime::now(), EventTime::now()), ..Outcome::default() };
        let book = Book { places, outcome, dropped: 0 };
        let mut run = Run { rehearsal, clock, book, unticked: Duration::ZERO };
        for step in &case.steps {
            run.step(step).await;
        }
        Ok(run.finish(case).await)
    })
}

/// Asks a configuration that has been built without faults for its places.
pub fn survey(root: &Element, system: &System, line_of: &dyn Fn(Span) -> (String, usize)) -> Result<Places, String> {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        let rehearsal = rehearse(root, system)?;
        let places = Places::of(&rehearsal, line_of);
        rehearsal.end(async || {}).await;
        Ok(places)
    })
}

fn rehearse(root: &Element, system: &System) -> Result<Rehearsal, String> {
    let diagnostics = Diagnostics::new();
    diagnostics.set_only_checks(true);
    let fault = |_| {
        let error = diagnostics.findings().into_iter().find(|finding| finding.severity == Severity::Error);
        error.map_or_else(|| "the configuration cannot be built".to_owned(), |error| error.message)
    };
    Rehearsal::start(root, system, &diagnostics).map_err(fault)
}

struct Run<'r> {
    rehearsal: Rehearsal,
    clock: Clock,
    book: Book<'r>,
    /// The time since sources were last asked.
    unticked: Duration,
}

/// What is known of a case so far.
struct Book<'r> {
    places: &'r Places,
    outcome: Outcome,
    /// How many events filters had taken out at the last look.
    dropped: u64,
}

impl Run<'_> {
    async fn step(&mut self, step: &Step) {
        match step {
            Step::Events { span, from, tag, events } => match self.way(from) {
                Ok(emitter) => emit(&emitter, tag, events),
                Err(message) => self.book.fail(*span, message),
            },
            Step::Raw { span, source, text, path, peer, headers } => {
                let raw = Raw { text, path: path.as_deref(), from: peer.as_deref(), headers };
                self.feed(&source.0, &raw).unwrap_or_else(|message| self.book.fail(*span, message));
            }
            Step::Advance(time) => self.advance(*time).await,
            Step::Expect(expect) => {
                let catcher = &self.rehearsal.catcher;
                self.book.look(expect, catcher.take(), catcher.dropped());
            }
        }
        settle(&self.clock).await;
    }

    fn feed(&mut self, name: &str, raw: &Raw<'_>) -> Result<(), String> {
        let source = &mut self.rehearsal.sources[self.book.places.source(name)?];
        match &mut source.feed {
            Some(feed) => feed.take(raw, &source.emitter),
            None => Err(format!("a source of type {} takes no texts here: give its events with 'tag' and 'record'", source.kind)),
        }
    }

    fn way(&self, from: &From) -> Result<Emitter, String> {
        let router = match from {
            From::Source(name, _) => return self.book.places.source(name).map(|at| self.rehearsal.sources[at].emitter.clone()),
            From::Label(label, _) => label,
            From::Sources => self.book.places.entrance(),
        };
        self.rehearsal.way_to(router).ok_or_else(|| format!("there is no label {router}"))
    }

    async fn advance(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let pause = left.min(TICK - self.unticked);
            sleep(pause).await;
            left -= pause;
            self.unticked += pause;
            if self.unticked >= TICK {
                self.unticked = Duration::ZERO;
                for source in &mut self.rehearsal.sources {
                    if let Some(feed) = &mut source.feed {
                        feed.tick(&source.emitter);
                    }
                }
            }
        }
    }

    /// Lets everything go that is held, and looks for the last time.
    async fn finish(self, case: &Case) -> Outcome {
        let Run { rehearsal, clock, mut book, .. } = self;
        let catcher = Arc::clone(&rehearsal.catcher);
        rehearsal.end(async || settle(&clock).await).await;
        book.outcome.window.1 = EventTime::now();
        let nothing = Expect { span: case.span, wanted: Vec::new(), ignores_others: false, dropped: None };
        book.look(case.expect.as_ref().unwrap_or(&nothing), catcher.take(), catcher.dropped());
        book.outcome
    }
}

impl Book<'_> {
    fn fail(&mut self, span: Span, message: String) {
        self.outcome.failures.push(Failure { span, message, lines: Vec::new() });
    }

    /// Compares what has come since the last look.
    fn look(&mut self, expect: &Expect, caught: Vec<Caught>, dropped: u64) {
        let new_dropped = dropped.saturating_sub(std::mem::replace(&mut self.dropped, dropped));
        let look = self.places.sort(expect, caught, new_dropped);
        for (wanted, came) in expect.wanted.iter().zip(&look.wanted) {
            if let Some((message, lines)) = compare(wanted, came) {
                self.outcome.failures.push(Failure { span: wanted.key_span, message, lines });
            }
        }
        for (place, came) in look.others.iter().filter(|_| !expect.ignores_others) {
            let message = format!("{place}: {} that the case does not expect", events(came.len()));
            let lines = came.iter().map(|came| Line::Came(one_line(came, false))).collect();
            self.outcome.failures.push(Failure { span: expect.span, message, lines });
        }
        if let Some((count, span)) = expect.dropped
            && count != new_dropped
        {
            self.fail(span, format!("dropped: expected {}, but filters took out {new_dropped}", events(count as usize)));
        }
        self.outcome.looks.push(look);
    }
}

/// Lets the runtime's tasks have their turn, in no time by the case's clock.
async fn settle(clock: &Clock) {
    sleep(TURN).await;
    clock.hide(TURN);
}

/// Sends events in, as one message.
fn emit(emitter: &Emitter, tag: &str, events: &[(Option<EventTime>, Data)]) {
    let scratch = Scratch::take();
    let scope: Scope<'_> = scratch.scope();
    let mut batch = BumpVec::new_in(scope.bump());
    for (time, record) in events {
        if let Value::Map(fields) = record.to_value(scope.bump()) {
            let record = Record::from_fields(scope.bump(), fields);
            batch.push(Event { time: time.unwrap_or_else(EventTime::now), record });
        }
    }
    // What could not be handled has been caught as rejected.
    let _ = emitter.emit(&scope, &Tag::new(tag), Batch::decoded(batch));
    emitter.send_rejected(&scope);
}
