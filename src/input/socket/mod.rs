//! What the inputs have in common that read texts from sockets: `tcp`, `udp` and `syslog`.
//!
//! Bytes become texts ([`frames`]), an input makes events of them ([`Take`]), and those go on in batches: what one read brings, as far
//! as it has one tag. Before more is read there has to be room for the tags of the last batch.

mod clients;
mod connection;
mod datagrams;
mod feed;
mod frames;

pub use clients::{Clients, SecurityParams};
pub use connection::Shared;
pub use datagrams::receive;
pub use feed::Texts;
pub use frames::Framing;

use crate::config::{Element, Refused};
use crate::event::{Batch, Event, EventTime, Record, Scope, Tag, Value};
use crate::log::PluginLog;
use crate::net::tls::ServerSettings;
use crate::parser::{self, ParseError, Parsed, Parser};
use crate::plugin::{Context, Emitter};
use bumpalo::collections::Vec as BumpVec;
use rustls::ServerConfig;
use std::sync::Arc;
use tokio::sync::watch;

/// How much of a text that cannot be used is shown in the log, in bytes.
const SHOWN_BYTES: usize = 1024;

/// Makes events of texts.
pub trait Take: Send + Sync {
    /// Makes events of one text.
    fn take<'a>(&self, scope: &Scope<'a>, text: &'a [u8], origin: &Origin, emits: &mut Emits<'a>);

    /// Whether the names of peers are looked up.
    fn needs_names(&self) -> bool;

    /// Who may send.
    fn clients(&self) -> &Clients {
        &Clients::ALL
    }
}

/// How texts are handled at the moment; a reload puts another one in its place.
#[derive(Clone)]
pub struct Setup {
    /// What makes events of them.
    pub take: Arc<dyn Take>,
    /// Where the events go.
    pub emitter: Emitter,
    /// The name under which all this logs.
    pub log: PluginLog,
    /// What connections have to begin with, where they are encrypted.
    pub tls: Option<Arc<ServerConfig>>,
}

/// The place of a setup.
pub type SetupSeat = watch::Sender<Arc<Setup>>;

impl Setup {
    /// The place for a setup that has no way out yet.
    pub fn seat(take: Arc<dyn Take>, log: &PluginLog) -> Arc<SetupSeat> {
        Arc::new(watch::channel(Arc::new(Setup { take, emitter: Emitter::default(), log: log.clone(), tls: None })).0)
    }

    /// Emits what has been made of some texts, and says under which tags.
    fn emit<'a>(&self, scope: &Scope<'a>, emits: Emits<'a>) -> Vec<Tag> {
        let mut tags: Vec<Tag> = Vec::new();
        (0..emits.invalid).for_each(|_| self.emitter.note_invalid());
        for (tag, events) in emits.runs {
            let records = events.len();
            let batch = Batch::decoded(events);
            let batch = if emits.singly { batch.coalesced() } else { batch };
            if let Err(error) = self.emitter.emit(scope, &tag, batch) {
                // The sender cannot be told.
                if !error.settled {
                    crate::error!("events are lost: records={records} tag={tag:?} error_class={} error={:?}", error.class, error.message);
                }
            }
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags
    }
}

/// Reads the certificate of an input, before it is bound or takes a seat.
pub fn load_tls(seat: &SetupSeat, settings: Option<&ServerSettings>) -> anyhow::Result<()> {
    let tls = settings.map(ServerSettings::load).transpose()?;
    seat.send_modify(|setup| *setup = Arc::new(Setup { tls, ..Setup::clone(setup) }));
    Ok(())
}

/// Lets the connections of a running input go on by the setup of another one.
pub fn take_seat(running: &super::Seat, new: &SetupSeat, emitter: Emitter) {
    if let Some(seat) = running.downcast_ref::<SetupSeat>() {
        let setup = Setup { emitter, ..Setup::clone(&new.borrow()) };
        seat.send_replace(Arc::new(setup));
    }
}

/// Who sent a text.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The address.
    pub address: String,
    /// The name, or the address where there is none.
    pub host: String,
}

/// The fields that say who sent an event.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// For the address.
    pub address_key: Option<String>,
    /// For the name.
    pub hostname_key: Option<String>,
}

impl Marks {
    /// Writes the fields.
    pub fn set<'a>(&self, scope: &Scope<'a>, record: &mut Record<'a>, origin: &Origin) {
        for (key, value) in [(&self.address_key, &origin.address), (&self.hostname_key, &origin.host)] {
            if let Some(key) = key {
                record.set(scope.bytes(key.as_bytes()), Value::Str(scope.bytes(value.as_bytes())));
            }
        }
    }
}

/// Events made of the texts that one read has brought, in order, in runs of one tag.
pub struct Emits<'a> {
    runs: Vec<(Tag, BumpVec<'a, Event<'a>>)>,
    /// Whether Fluentd emits each by itself.
    pub singly: bool,
    invalid: usize,
    parsed: Parsed<'a>,
}

impl<'a> Emits<'a> {
    fn new() -> Emits<'a> {
        Emits { runs: Vec::new(), singly: true, invalid: 0, parsed: Parsed::default() }
    }

    /// Adds an event.
    pub fn push(&mut self, scope: &Scope<'a>, tag: &Tag, time: EventTime, record: Record<'a>) {
        match self.runs.last_mut().filter(|(last, _)| last == tag) {
            Some((_, events)) => events.push(Event { time, record }),
            None => self.runs.push((tag.clone(), bumpalo::vec![in scope.bump(); Event { time, record }])),
        }
    }

    /// Counts a text that is no event.
    pub fn note_invalid(&mut self) {
        self.invalid += 1;
    }

    /// Parses a text: the events in order, `None` in place of each that is none; an error where it could not be parsed at all.
    pub fn parse(
        &mut self,
        parser: &dyn Parser,
        scope: &Scope<'a>,
        text: &'a [u8],
    ) -> Result<Vec<Option<(EventTime, Record<'a>)>>, String> {
        self.parsed.clear();
        let result = parser.parse(scope, text, &mut self.parsed);
        let mut missed = std::mem::take(&mut self.parsed.unmatched).into_iter().peekable();
        let mut found = Vec::with_capacity(self.parsed.events.len());
        for (at, (time, record)) in self.parsed.events.drain(..).enumerate() {
            while missed.next_if(|place| *place == at).is_some() {
                found.push(None);
            }
            // An event without a time counts as none, as in Fluentd.
            found.push(time.map(|time| (time, record)));
        }
        found.extend(missed.map(|_| None));
        match result {
            Ok(()) => Ok(found),
            Err(ParseError::NoMatch) => {
                found.push(None);
                Ok(found)
            }
            Err(ParseError::Failed { message, .. }) => Err(message),
        }
    }
}

/// A text as the log shows it.
pub fn shown(text: &[u8]) -> String {
    let cut = text.len().min(SHOWN_BYTES);
    let more = if cut < text.len() { "..." } else { "" };
    format!("{:?}{more}", String::from_utf8_lossy(&text[..cut]))
}

/// A text without one newline at its end, as Ruby's `chomp`.
pub fn chomp(text: &[u8]) -> &[u8] {
    match text {
        [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n' | b'\r'] => rest,
        whole => whole,
    }
}

/// The parser of an input that cannot do without a `<parse>` section.
pub fn required_parser(element: &Element, context: &Context<'_>) -> Result<Box<dyn Parser>, Refused> {
    match element.section("parse") {
        Some(section) => parser::build(section, context),
        None => Err(context.refuse("FLM0420", element.span, "<parse> section is required.")),
    }
}
