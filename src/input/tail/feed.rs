//! The lines of a rehearsal, as though they had been appended to a file.

use super::events::{Events, Held, Step};
use super::lines::Rest;
use super::{Settings, TagOf};
use crate::event::{Batch, Scratch};
use crate::input::{Feed, Raw};
use crate::plugin::Emitter;
use std::collections::BTreeMap;

/// Takes lines of files by the parameters of an input.
pub struct Lines {
    settings: Settings,
    events: Events,
    /// What waits for more lines, by path.
    held: BTreeMap<String, Held>,
}

impl Lines {
    /// For an input.
    pub fn new(settings: Settings, events: Events) -> Lines {
        Lines { settings, events, held: BTreeMap::new() }
    }

    /// Makes events of lines of a file, or of what waits of it, and emits them.
    fn emit(&mut self, path: &str, emitter: &Emitter, work: impl FnOnce(&mut Step<'_, '_>, &mut Held)) {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut step = Step::new(&self.events, &scope, path, self.settings.encoding);
        work(&mut step, self.held.entry(path.to_owned()).or_default());
        (0..step.invalid).for_each(|_| emitter.note_invalid());
        if !step.found.is_empty() {
            // What went wrong the router has said, and where it went.
            let _ = emitter.emit(&scope, &self.settings.tag.of(path), Batch::decoded(step.found));
        }
    }

    fn flush(&mut self, emitter: &Emitter, is_due: impl Fn(&Held) -> bool) {
        let due: Vec<String> = self.held.iter().filter(|(_, held)| held.len() > 0 && is_due(held)).map(|(path, _)| path.clone()).collect();
        for path in due {
            self.emit(&path, emitter, |step, held| step.flush(held));
        }
    }
}

impl Feed for Lines {
    fn take(&mut self, raw: &Raw<'_>, emitter: &Emitter) -> Result<(), String> {
        let path = match raw.path {
            Some(path) => path.to_owned(),
            None => match (self.settings.paths.only(), &self.settings.tag, &self.events.path_key) {
                (Some(path), _, _) => path,
                (None, TagOf::All(_), None) => String::new(),
                _ => return Err("which file? The tag or a field has its path, and the source follows several: say 'path'".to_owned()),
            },
        };
        let mut text = raw.text.to_vec();
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        let lines = Rest::default().lines(&text, self.settings.max_line_size);
        self.emit(&path, emitter, |step, held| step.lines(&lines, held));
        Ok(())
    }

    fn tick(&mut self, emitter: &Emitter) {
        if let Some(interval) = self.settings.flush_interval {
            self.flush(emitter, |held| held.since().is_some_and(|since| since.elapsed() >= interval));
        }
    }

    fn end(&mut self, emitter: &Emitter) {
        self.flush(emitter, |_| true);
    }
}
