//! `flumen cat`: sends what stands on standard input to a forward input, as `fluent-cat` does, each message acknowledged.
//!
//! What has come is sent before more is waited for, so that it can stand behind `tail -f`.

mod asked;
mod read;

use super::EXIT_CONFIG;
use super::sender::{Message, Sender, is_passing};
use crate::event::msgpack::{write_array_head, write_int, write_record, write_time};
use crate::event::{EventTime, Record};
use anyhow::{Context, bail};
pub use asked::USAGE;
use asked::{Asked, Format};
use read::{Next, Source};
use std::io::{self, BufReader};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// The most bytes of one message, but for an event that is longer by itself.
const MESSAGE_BYTES: usize = 1 << 20;
/// The pause before a connection is tried again.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Does what the arguments behind `flumen cat` say. 0: all is acknowledged; 1: wrong arguments or events, or something was not acknowledged.
pub fn main(arguments: &[String]) -> ExitCode {
    let asked = match Asked::parse(arguments) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            print!("{}", USAGE);
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("flumen cat: {why}\n{}", USAGE);
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    match run(&asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flumen cat: {error:#}");
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

fn run(asked: &Asked) -> anyhow::Result<()> {
    let mut source = Source::new(BufReader::with_capacity(256 << 10, io::stdin().lock()));
    let mut outgoing = Outgoing::new(asked);
    loop {
        let next = match &asked.format {
            Format::Json => source.json(|record| outgoing.add(record)),
            Format::None { key } => source.line(key, |record| outgoing.add(record)),
            Format::Msgpack => source.msgpack(|record| outgoing.add(record)),
        };
        match next {
            Ok(Next::Event) => {
                if outgoing.entries.len() >= MESSAGE_BYTES || !source.has_more() {
                    outgoing.send(source.number())?;
                }
            }
            Ok(Next::Nothing) => {}
            Ok(Next::End) => return outgoing.send(source.number()),
            // What stands before it is good, and goes on.
            Err(why) => {
                outgoing.send(source.number())?;
                return Err(why);
            }
        }
    }
}

/// Events that gather, and the way that they go.
struct Outgoing<'o> {
    asked: &'o Asked,
    sender: Option<Sender>,
    entries: Vec<u8>,
    records: usize,
    /// What tells the messages of this run from those of all others.
    run: String,
    sent: u64,
    events: u64,
}

impl Outgoing<'_> {
    fn new(asked: &Asked) -> Outgoing<'_> {
        let now = EventTime::now();
        let run = format!("flumen-cat:{:x}.{:x}:{:x}", now.sec, now.nsec, std::process::id());
        Outgoing { asked, sender: None, entries: Vec::new(), records: 0, run, sent: 0, events: 0 }
    }

    fn add(&mut self, record: &Record<'_>) {
        let time = self.asked.event_time.unwrap_or_else(EventTime::now);
        write_array_head(2, &mut self.entries);
        match self.asked.time_as_integer {
            true => write_int(time.sec, &mut self.entries),
            false => write_time(time, &mut self.entries),
        }
        write_record(record, &mut self.entries);
        self.records += 1;
    }

    /// Sends what has gathered, again while the connection fails and the limit is not reached; `at` is the number of the last line.
    fn send(&mut self, at: u64) -> anyhow::Result<()> {
        if self.records == 0 {
            return Ok(());
        }
        let name = format!("{}:{}", self.run, self.sent);
        let mut failures = 0;
        while let Err(error) = self.attempt(&name) {
            self.sender = None;
            failures += 1;
            if !is_passing(&error) || failures > self.asked.retry_limit {
                let (records, before) = (self.records, self.events);
                let tried = if failures > 1 { format!(" after {failures} attempts") } else { String::new() };
                let told = format!("{records} events up to {} {at} are not acknowledged{tried}, {before} before them are", self.unit());
                return Err(error).context(told);
            }
            eprintln!("flumen cat: {error:#}; trying again");
            thread::sleep(RETRY_WAIT);
        }
        self.sent += 1;
        self.events += self.records as u64;
        self.records = 0;
        self.entries.clear();
        Ok(())
    }

    fn attempt(&mut self, name: &str) -> anyhow::Result<()> {
        let message = Message { tag: &self.asked.tag, bytes: &self.entries, records: self.records, name };
        let sender = match &mut self.sender {
            Some(sender) => sender,
            none => none.insert(match &self.asked.socket {
                Some(path) => Sender::connect_unix(path)?,
                None => Sender::connect(&self.asked.host, self.asked.port, &self.asked.access)?,
            }),
        };
        sender.send(&message)
    }

    fn unit(&self) -> &'static str {
        if matches!(self.asked.format, Format::Msgpack) { "value" } else { "line" }
    }
}

/// The end of every reader: a value that is longer than this is refused.
fn refuse_long<T>(unit: &str, number: u64) -> anyhow::Result<T> {
    bail!("{unit} {number} is longer than {} MiB, expected at most that", read::MAX_BYTES >> 20)
}
