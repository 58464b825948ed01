//! `flumen buffer ls`: what there is, a line for each chunk and each segment of dead letters.

use super::{Asked, kept, keys_text, quoted};
use crate::cli::kept::Source;
use std::io::Write;
use std::process::ExitCode;

/// Lists.
pub fn run(asked: &Asked, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let sources = kept::collect(&asked.path)?;
    if !asked.json {
        writeln!(out, "{:<34}{:<13}{:<10}{:>9}{:>12}  {:<21}KEYS", "ID", "KIND", "STATE", "EVENTS", "BYTES", "WRITTEN")?;
    }
    let (mut events, mut bytes) = (0, 0);
    for source in &sources {
        let counted = count(source)?;
        events += counted.unwrap_or(0);
        bytes += source.bytes();
        if asked.json { print_json(source, counted, out)? } else { print_line(source, counted, out)? }
    }
    if !asked.json {
        writeln!(out, "{} chunks and segments, {events} events counted, {bytes} bytes", sources.len())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What nobody has counted is counted now, where that is cheap: letters line by line, chunks of up to a few megabytes.
fn count(source: &Source) -> anyhow::Result<Option<u64>> {
    const CHEAP_BYTES: u64 = 16 << 20;
    match source {
        Source::Letters(path) => {
            let mut events = 0;
            for line in kept::letters(path, 0)? {
                events += u64::from(line?.letter.as_ref().is_ok_and(kept::is_event));
            }
            Ok(Some(events))
        }
        _ if source.records().is_none() && source.bytes() <= CHEAP_BYTES => {
            let body = source.read()?;
            let is_text = body.parts.iter().any(|part| part.is_formatted);
            Ok((!is_text).then(|| body.parts.iter().map(|part| part.records as u64).sum()))
        }
        _ => Ok(source.records()),
    }
}

fn print_line(source: &Source, counted: Option<u64>, out: &mut dyn Write) -> std::io::Result<()> {
    let events = counted.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let written = when(source.modified());
    let mut about = keys_text(source);
    if let Some(reason) = source.reason() {
        about.push_str(&format!("{}reason={reason}", if about.is_empty() { "" } else { " " }));
    }
    let (id, kind, state, bytes) = (source.id(), source.kind(), source.state(), source.bytes());
    let line = format!("{id:<34}{kind:<13}{state:<10}{events:>9}{bytes:>12}  {written:<21}{about}");
    writeln!(out, "{}", line.trim_end())
}

fn print_json(source: &Source, counted: Option<u64>, out: &mut dyn Write) -> std::io::Result<()> {
    let keys = source.keys();
    let text = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), quoted);
    let variables: Vec<String> =
        keys.variables.iter().map(|(name, value)| format!("{}:{}", quoted(name), text(value.as_deref()))).collect();
    let (output, plugin) = source.output();
    writeln!(
        out,
        "{{\"id\":{},\"place\":{},\"kind\":{},\"state\":{},\"events\":{},\"bytes\":{},\"written\":{},\"tag\":{},\"timekey\":{},\"variables\":{{{}}},\"output\":{},\"plugin\":{},\"reason\":{}}}",
        quoted(&source.id()),
        quoted(&source.place()),
        quoted(source.kind()),
        quoted(source.state()),
        counted.map_or_else(|| "null".to_owned(), |count| count.to_string()),
        source.bytes(),
        source.modified(),
        text(keys.tag.as_deref()),
        keys.timekey.map_or_else(|| "null".to_owned(), |start| start.to_string()),
        variables.join(","),
        text(output.as_deref()),
        text(plugin.as_deref()),
        text(source.reason()),
    )
}

fn when(sec: i64) -> String {
    jiff::Timestamp::from_second(sec).map_or_else(|_| sec.to_string(), |stamp| stamp.to_string())
}
