//! `flumen buffer cat`: the events, a line each, as the `stdout` output prints them.

use super::{Asked, kept, quoted};
use crate::cli::kept::{Part, Source};
use crate::event::json::{Style, transcode_map};
use crate::event::msgpack::{Entries, Entry, Reader};
use crate::event::{EventTime, Strftime, Zone};
use crate::pipeline::letters::What;
use std::io::{self, Write};
use std::process::ExitCode;

/// Prints.
pub fn run(asked: &Asked, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let printer = Printer { json: asked.json, clock: Strftime::new("%Y-%m-%d %H:%M:%S.%N %z") };
    for source in kept::collect(&asked.path)? {
        if let Source::Letters(path) = &source {
            for line in kept::letters(path, 0)? {
                match line?.letter {
                    Ok(letter) => {
                        let reason = letter.reason;
                        if let What::Event(bytes) = letter.what {
                            printer.print(&Part { tag: letter.tag, bytes, records: 1, is_formatted: false }, Some(&reason), out)?;
                        }
                    }
                    Err(why) => eprintln!("flumen buffer: {}: a line is damaged: {why}", path.display()),
                }
            }
            continue;
        }
        let body = source.read()?;
        body.damage.iter().for_each(|what| eprintln!("flumen buffer: {}: {what}", source.place()));
        body.parts.iter().try_for_each(|part| printer.print(part, None, out))?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Printer {
    json: bool,
    clock: Strftime,
}

impl Printer {
    fn print(&self, part: &Part, reason: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        if part.is_formatted {
            return if self.json {
                writeln!(out, "{{\"formatted\":{}}}", quoted(&String::from_utf8_lossy(&part.bytes)))
            } else {
                out.write_all(&part.bytes)
            };
        }
        Entries::new(&part.bytes).map_while(Result::ok).try_for_each(|entry| self.event(part.tag.as_deref(), &entry, reason, out))
    }

    fn event(&self, tag: Option<&str>, entry: &Entry<'_>, reason: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        let time = entry.time.exact().unwrap_or(EventTime::from_secs(0));
        let mut record = Vec::with_capacity(entry.record.len() * 2);
        // What cannot be written is shown as nothing, not left out: the count of lines is the count of events.
        if transcode_map(&mut Reader::new(entry.record), Style::Oj, &mut record).is_err() {
            record = b"{}".to_vec();
        }
        if self.json {
            let tag = tag.map_or_else(|| "null".to_owned(), quoted);
            let reason = reason.map_or_else(String::new, |reason| format!(",\"reason\":{}", quoted(reason)));
            write!(out, "{{\"tag\":{tag},\"time\":{}.{:09}{reason},\"record\":", time.sec, time.nsec)?;
            out.write_all(&record)?;
            return out.write_all(b"}\n");
        }
        write!(out, "{} {}: ", self.clock.text(time, &Zone::Local), tag.unwrap_or("?"))?;
        out.write_all(&record)?;
        out.write_all(b"\n")
    }
}
