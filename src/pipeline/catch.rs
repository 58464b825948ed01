//! What stands in the place of outputs in a rehearsal: events are caught where they would leave, are rejected, or meet no `<match>`.

use crate::buffer::{Chunk, Defaults};
use crate::config::{Element, Span};
use crate::event::msgpack::{Reader, write_entry, write_str};
use crate::event::{Batch, Event, EventTime, Record, Scope, Tag};
use crate::formatter::FormatError;
use crate::metrics::FilterCounters;
use crate::output::{BufferedOutput, Output, SyncOutput, WriteError};
use crate::plugin::{BoxFuture, EmitError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Events that are kept; a pipeline that makes more of a case goes in circles.
const MAX_CAUGHT: usize = 1_000_000;

/// An output that events leave by.
#[derive(Clone, Debug)]
pub struct End {
    /// Its `@id`, where it has one.
    pub id: Option<String>,
    /// Its `@type`.
    pub kind: String,
    /// The label that it stands in, or `@ROOT`.
    pub router: String,
    /// How its section begins: `match app.**`, `match ** store 2`.
    pub title: String,
    /// Where its section stands.
    pub span: Span,
}

/// Where an event ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// At one of the ends, by its number.
    Left(usize),
    /// Rejected, with class and message.
    Rejected(String),
    /// Met by no `<match>`.
    Unmatched,
}

/// An event that was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    /// Where it ended.
    pub fate: Fate,
    /// Its tag by then.
    pub tag: String,
    /// Its time by then.
    pub time: EventTime,
    /// Its record as msgpack.
    pub record: Vec<u8>,
}

#[derive(Default)]
struct Inside {
    ends: Vec<End>,
    /// The sections that are being built, the outermost first: how each begins, and how many there are in it so far.
    around: Vec<(String, usize)>,
    caught: Vec<Caught>,
    filters: Vec<Arc<FilterCounters>>,
    missing: Vec<(String, Span)>,
}

/// Catches what the outputs of a pipeline would get.
#[derive(Default)]
pub struct Catcher(Mutex<Inside>);

impl Catcher {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the output of a section is being built.
    pub(super) fn enter(&self, section: &Element) {
        let mut inside = self.inside();
        let title = match inside.around.last_mut() {
            None => format!("{} {}", section.name, if section.arg.is_empty() { "**" } else { &section.arg }),
            Some((around, count)) => {
                *count += 1;
                format!("{around} {} {count}", section.name)
            }
        };
        inside.around.push((title, 0));
    }

    /// Says that it is built.
    pub(super) fn leave(&self) {
        self.inside().around.pop();
    }

    /// What takes the place of the output of the section that is being built: of each that passes nothing on.
    pub(super) fn stand_in(self: &Arc<Self>, section: &Element, router: &str, built: Option<Output>) -> Output {
        let defaults = match &built {
            Some(Output::Sync(output)) if output.passes_on() => return built.unwrap_or_else(|| unreachable!("it is there")),
            Some(Output::Sync(_)) => None,
            Some(Output::Buffered(output)) => Some((output.buffer_defaults(), output.shows_chunks())),
            None if section.has_section("buffer") => Some((Defaults::BY_TAG, false)),
            None => None,
        };
        let mut inside = self.inside();
        let text = |key: &str| section.param(key).and_then(|_| section.text(key)).map(str::to_owned);
        let end = End {
            id: text("@id").or_else(|| text("id")),
            kind: section.plugin_type().unwrap_or_default().to_owned(),
            router: router.to_owned(),
            title: inside.around.last().map(|(title, _)| title.clone()).unwrap_or_default(),
            span: section.span,
        };
        inside.ends.push(end);
        let stand_in = StandIn { catcher: Arc::clone(self), end: inside.ends.len() - 1 };
        match defaults {
            None => Output::Sync(Box::new(stand_in)),
            Some((defaults, shows_chunks)) => Output::Buffered(Box::new(BufferedStandIn { stand_in, defaults, shows_chunks })),
        }
    }

    /// Notes a filter, whose dropped events are counted.
    pub(super) fn add_filter(&self, counters: &Arc<FilterCounters>) {
        self.inside().filters.push(Arc::clone(counters));
    }

    /// Notes a filter that could not be built, though nothing is wrong with its section.
    pub(super) fn add_missing(&self, section: &Element) {
        self.inside().missing.push((section.plugin_type().unwrap_or_default().to_owned(), section.span));
    }

    fn add(&self, fate: Fate, tag: &str, time: EventTime, record: Vec<u8>) {
        let mut inside = self.inside();
        if inside.caught.len() < MAX_CAUGHT {
            inside.caught.push(Caught { fate, tag: tag.to_owned(), time, record });
        }
    }

    /// Catches events.
    pub(super) fn batch<'a>(&self, fate: &Fate, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) {
        batch.events(scope).iter().for_each(|event| self.add(fate.clone(), tag, event.time, packed(&event.record)));
    }

    /// Catches an event that was rejected.
    pub(super) fn rejected(&self, tag: &Tag, time: EventTime, record: &Record<'_>, class: &str, message: &str) {
        self.add(Fate::Rejected(format!("{class}: {message}")), tag, time, packed(record));
    }

    /// The ends, in the order of the file.
    pub fn ends(&self) -> Vec<End> {
        self.inside().ends.clone()
    }

    /// The filters that are not run here, and where they stand.
    pub fn missing(&self) -> Vec<(String, Span)> {
        self.inside().missing.clone()
    }

    /// What has been caught since this was last asked, in order.
    pub fn take(&self) -> Vec<Caught> {
        std::mem::take(&mut self.inside().caught)
    }

    /// How many events filters have taken out or joined to others so far.
    pub fn dropped(&self) -> u64 {
        self.inside().filters.iter().map(|counters| counters.dropped_records.get()).sum()
    }
}

fn packed(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    crate::event::msgpack::write_record(record, &mut bytes);
    bytes
}

/// In the place of an output without a buffer.
struct StandIn {
    catcher: Arc<Catcher>,
    end: usize,
}

impl SyncOutput for StandIn {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, batch: &Batch<'a>) -> Result<(), EmitError> {
        self.catcher.batch(&Fate::Left(self.end), scope, tag, batch);
        Ok(())
    }
}

/// In the place of an output behind a buffer. Its chunks hold the tag before each entry, because a chunk may be of many.
struct BufferedStandIn {
    stand_in: StandIn,
    defaults: Defaults,
    shows_chunks: bool,
}

impl BufferedOutput for BufferedStandIn {
    fn is_packed(&self) -> bool {
        false
    }

    fn format<'a>(&self, _scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        write_str(tag.as_bytes(), out);
        write_entry(event.time, &event.record, out);
        Ok(())
    }

    fn buffer_defaults(&self) -> Defaults {
        self.defaults
    }

    fn shows_chunks(&self) -> bool {
        self.shows_chunks
    }

    fn write<'a>(&'a self, chunk: &'a Chunk) -> BoxFuture<'a, Result<(), WriteError>> {
        let mut reader = Reader::new(&chunk.bytes);
        while let Ok(tag) = reader.str()
            && let Ok(time) = reader.entry_time()
        {
            let start = reader.position();
            if reader.skip().is_err() {
                break;
            }
            let record = chunk.bytes[start..reader.position()].to_vec();
            self.stand_in.catcher.add(Fate::Left(self.stand_in.end), &String::from_utf8_lossy(tag), time, record);
        }
        // What was written above is read here: there is nothing that cannot be.
        debug_assert!(reader.is_at_end());
        Box::pin(async { Ok(()) })
    }
}
