//! Sending a segment of dead letters: in rounds of neighbouring lines, each round settled before it is remembered as sent.

use super::{Addressed, ROUND_BYTES, Replay};
use crate::cli::kept;
use crate::pipeline::letters::{What, is_newest};
use anyhow::Context;
use std::path::Path;

/// The most letters of a round.
const ROUND_LETTERS: usize = 10_000;

/// Events of one tag that one output gave up.
struct Group {
    output: Option<String>,
    tag: String,
    bytes: Vec<u8>,
    records: usize,
}

impl Replay<'_> {
    /// Sends what of a segment is not sent yet, up to its present end: what is rejected again may be added to it meanwhile.
    pub(super) fn letters(&mut self, path: &Path) -> anyhow::Result<()> {
        let place = path.display().to_string();
        let name = self.name_of(&place);
        let until = std::fs::metadata(path).with_context(|| format!("cannot read {place}"))?.len();
        let from = self.progress.sent(&name).min(until);
        // A round that was begun before may have come through in part: the same again has the same names only within the same bounds.
        let mut planned = self.progress.planned(&name);
        let skipped = self.totals.skipped + self.totals.damaged;
        let (mut groups, mut bytes, mut count, mut at): (Vec<Group>, usize, usize, u64) = (Vec::new(), 0, 0, from);
        for line in kept::letters(path, from)? {
            let line = line?;
            if line.end > until {
                break;
            }
            at = line.end;
            match line.letter.map(|letter| (letter.output, letter.tag, letter.what)) {
                Ok((output, tag, What::Event(entry))) => {
                    count += 1;
                    bytes += entry.len();
                    match tag.or_else(|| self.asked.tag.clone()) {
                        Some(tag) => add(&mut groups, output, tag, &entry),
                        None => self.leave_out(&place, "a letter has no tag: give one with --tag"),
                    }
                }
                // The chunk itself is a file beside the letters.
                Ok((_, _, What::Chunk(_))) => {}
                Err(why) => {
                    self.totals.damaged += 1;
                    eprintln!("flumen replay: {place}: the line that ends at byte {at} is damaged: {why}");
                }
            }
            let is_planned = planned.is_some_and(|planned| at >= planned);
            if is_planned || (planned.is_none() && (bytes >= ROUND_BYTES || count >= ROUND_LETTERS)) {
                planned = None;
                self.round(&name, at, &mut groups)?;
                (bytes, count) = (0, 0);
            }
        }
        if at > from {
            self.round(&name, at, &mut groups)?;
        }
        let is_whole = skipped == self.totals.skipped + self.totals.damaged;
        if self.asked.remove && is_whole && at == until && !is_newest(path) {
            std::fs::remove_file(path).with_context(|| format!("cannot remove {place}"))?;
        }
        Ok(())
    }

    fn round(&mut self, name: &str, end: u64, groups: &mut Vec<Group>) -> anyhow::Result<()> {
        self.progress.plan(name, end)?;
        for (number, group) in groups.iter().enumerate() {
            let message = format!("flumen-replay:{name}:{end}:{number}");
            let addressed = Addressed {
                tag: &group.tag,
                bytes: &group.bytes,
                records: group.records,
                name: &message,
                output: group.output.as_deref(),
                plugin: None,
                keys: None,
                is_formatted: false,
            };
            self.target.send(&addressed)?;
        }
        self.target.settle()?;
        self.progress.advance(name, end)?;
        let sent: usize = groups.drain(..).map(|group| group.records).sum();
        self.totals.letters += sent;
        self.totals.events += sent;
        Ok(())
    }
}

fn add(groups: &mut Vec<Group>, output: Option<String>, tag: String, entry: &[u8]) {
    let place = groups.iter().position(|group| group.tag == tag && group.output == output).unwrap_or_else(|| {
        groups.push(Group { output, tag, bytes: Vec::new(), records: 0 });
        groups.len() - 1
    });
    groups[place].bytes.extend_from_slice(entry);
    groups[place].records += 1;
}
