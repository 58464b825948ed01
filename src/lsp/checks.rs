//! When what is open is checked, what was found, and what the client has been told of it.

use super::Options;
use super::documents::{Documents, real, uri_of};
use super::findings::{self, diagnostic};
use super::inbox::Inbox;
use super::project::Project;
use super::session::Client;
use crate::check::{self, Found, Report, Settings};
use crate::config::LoadOptions;
use crate::ruby::Environment;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// A pause in the typing after which is checked.
const PAUSE: Duration = Duration::from_millis(150);
/// Who never pauses is checked after that long.
const PATIENCE: Duration = Duration::from_secs(1);
/// What an editor opens at its start comes within this.
const OPENING: Duration = Duration::from_millis(20);

/// The checker has the stack that the main thread has.
const STACK_BYTES: usize = 8 << 20;

/// What has to be checked.
enum Stale {
    /// Everything that is open.
    All,
    /// What these files belong to.
    Files(BTreeSet<PathBuf>),
}

/// What is known of one configuration.
struct Checked {
    report: Report,
    files: BTreeSet<PathBuf>,
}

/// Configurations to check, as they are at one moment; by their main files, texts without a file by their URIs.
struct Job {
    sources: Vec<(PathBuf, LoadOptions)>,
    /// All that there are at that moment.
    roots: BTreeSet<PathBuf>,
    /// The versions of the open texts.
    versions: BTreeMap<String, Value>,
}

/// What came of a job.
struct Done {
    checked: Vec<(PathBuf, Checked)>,
    roots: BTreeSet<PathBuf>,
    versions: BTreeMap<String, Value>,
}

/// The state of checking. The checker has a thread of its own: what takes it long keeps nobody from typing.
pub struct Checks {
    environment: Environment,
    jobs: Sender<Job>,
    done: Receiver<Done>,
    is_running: bool,
    /// By their main files; texts without a file by their URIs.
    checked: BTreeMap<PathBuf, Checked>,
    /// What the client has been told, by URI.
    told: BTreeMap<String, Vec<Value>>,
    stale: Option<(Stale, Instant)>,
    due: Option<Instant>,
}

impl Checks {
    /// Of nothing yet. The inbox is woken when a job is done.
    pub fn new(options: Options, inbox: Arc<Inbox>) -> std::io::Result<Checks> {
        let environment = options.environment.clone();
        let (jobs, waiting) = channel::<Job>();
        let (finished, done) = channel();
        let work = move || {
            for job in waiting {
                let check = |(root, source): (PathBuf, LoadOptions)| {
                    let checked = check(&root, &source, &options.settings);
                    (root, checked)
                };
                let checked = job.sources.into_iter().map(check).collect();
                if finished.send(Done { checked, roots: job.roots, versions: job.versions }).is_err() {
                    return;
                }
                inbox.wake();
            }
        };
        std::thread::Builder::new().name("check".to_owned()).stack_size(STACK_BYTES).spawn(work)?;
        let (checked, told) = (BTreeMap::new(), BTreeMap::new());
        Ok(Checks { environment, jobs, done, is_running: false, checked, told, stale: None, due: None })
    }

    /// When something is to be checked.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Never again.
    pub fn stop(&mut self) {
        (self.stale, self.due) = (None, None);
    }

    /// Whether what was found last is not all about what is there now.
    pub fn is_behind(&self) -> bool {
        self.stale.is_some() || self.is_running
    }

    /// Notes that anything may have changed.
    pub fn all_changed(&mut self) {
        let now = Instant::now();
        self.stale = Some((Stale::All, now));
        self.due = Some(now + OPENING);
    }

    /// Notes that an open text has changed: its file, or its URI where it has none.
    pub fn changed(&mut self, file: Option<PathBuf>) {
        let now = Instant::now();
        let (stale, since) = self.stale.get_or_insert_with(|| (Stale::Files(BTreeSet::new()), now));
        if let Stale::Files(files) = stale {
            files.extend(file);
        }
        self.due = Some((now + PAUSE).min(*since + PATIENCE));
    }

    /// Has what has changed checked. While a job is running the next one waits, and grows.
    pub fn begin(&mut self, project: &Project<'_>) {
        self.due = None;
        if self.is_running {
            return;
        }
        let Some((stale, _)) = self.stale.take() else { return };
        let documents = project.documents;
        let mut roots: BTreeSet<PathBuf> = BTreeSet::new();
        for document in documents.all() {
            match &document.path {
                Some(path) => roots.extend(project.roots(path)),
                None => _ = roots.insert(PathBuf::from(&document.uri)),
            }
        }
        let is_fresh = |root: &PathBuf| match (&stale, self.checked.get(root)) {
            (Stale::Files(files), Some(checked)) => checked.files.is_disjoint(files),
            _ => false,
        };
        let source = |root: &PathBuf| (root.clone(), self.source(root, documents));
        let sources = roots.iter().filter(|root| !is_fresh(root)).map(source).collect();
        let versions = documents.all().map(|document| (document.uri.clone(), document.version.clone())).collect();
        self.is_running = self.jobs.send(Job { sources, roots, versions }).is_ok();
    }

    fn source(&self, root: &Path, documents: &Documents) -> LoadOptions {
        let name = root.display().to_string();
        let mut source = match documents.get(&name) {
            Some(document) => LoadOptions::for_text(&name, &document.text),
            None => LoadOptions::new(root),
        };
        source.environment = self.environment.clone();
        source.overlay = documents.overlay();
        source
    }

    /// Takes what a job has found, where one is done within `limit`. Gives what the client has to be told: for every open text that was
    /// checked, and for other files where something is new.
    pub fn take(&mut self, limit: Duration, documents: &Documents, client: &Client) -> Vec<Value> {
        let Ok(done) = self.done.recv_timeout(limit) else { return Vec::new() };
        self.is_running = false;
        if self.stale.is_some() && self.due.is_none() {
            self.due = Some(Instant::now());
        }
        let touched: BTreeSet<PathBuf> = done.checked.iter().flat_map(|(_, checked)| checked.files.iter().cloned()).collect();
        self.checked.retain(|root, _| done.roots.contains(root));
        self.checked.extend(done.checked);
        self.news(&touched, &done.versions, documents, client)
    }

    /// Findings with the URIs of their texts.
    fn found(&self, documents: &Documents) -> Vec<(String, &Found)> {
        let mut all = Vec::new();
        for (root, checked) in &self.checked {
            for found in &checked.report.findings {
                let file = found.place.as_ref().map_or_else(|| root.display().to_string(), |place| place.file.clone());
                all.push((uri(documents, &file), found));
            }
        }
        all
    }

    fn news(
        &mut self,
        touched: &BTreeSet<PathBuf>,
        versions: &BTreeMap<String, Value>,
        documents: &Documents,
        client: &Client,
    ) -> Vec<Value> {
        let mut now: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (of, found) in self.found(documents) {
            let diagnostic = diagnostic(found, client, &|name| uri(documents, name));
            let all = now.entry(of).or_default();
            if !all.contains(&diagnostic) {
                all.push(diagnostic);
            }
        }
        let mut uris: BTreeSet<String> = now.keys().chain(self.told.keys()).cloned().collect();
        uris.retain(|uri| now.get(uri) != self.told.get(uri));
        let is_touched = |path: &Option<PathBuf>, uri: &str| touched.contains(path.as_deref().unwrap_or(Path::new(uri)));
        uris.extend(documents.all().filter(|document| is_touched(&document.path, &document.uri)).map(|document| document.uri.clone()));
        let params = |uri: String| {
            let mut params = json!({ "uri": uri, "diagnostics": now.get(&uri).cloned().unwrap_or_default() });
            // That of the text that was checked: it may have gone on since.
            if let Some(version) = versions.get(&uri) {
                params["version"] = version.clone();
            }
            params
        };
        let news = uris.into_iter().map(params).collect();
        self.told = now;
        news
    }

    /// The findings of a text whose ranges touch one.
    pub fn found_in(&self, documents: &Documents, of: &str, range: &Value, client: &Client) -> Vec<&Found> {
        let key = |position: &Value| (position["line"].as_u64().unwrap_or(0), position["character"].as_u64().unwrap_or(0));
        let touches = |found: &Found| {
            let own = found.place.as_ref().map(|place| findings::range(place, client));
            own.is_some_and(|own| key(&own["start"]) <= key(&range["end"]) && key(&range["start"]) <= key(&own["end"]))
        };
        self.found(documents).into_iter().filter(|(uri, found)| uri == of && touches(found)).map(|(_, found)| found).collect()
    }
}

fn check(root: &Path, source: &LoadOptions, settings: &Settings) -> Checked {
    // A fault of the checker is on standard error, which editors keep; the next text may well be one that it can read.
    let report = catch_unwind(AssertUnwindSafe(|| check::check(source, settings))).unwrap_or_default();
    let mut files: BTreeSet<PathBuf> = report.included.iter().map(|name| real(Path::new(name))).collect();
    files.insert(root.to_owned());
    Checked { report, files }
}

/// The URI of a file that the checker names.
pub fn uri(documents: &Documents, name: &str) -> String {
    if documents.get(name).is_some() {
        return name.to_owned();
    }
    let path = Path::new(name);
    documents.of_path(&real(path)).map_or_else(|| uri_of(path), |document| document.uri.clone())
}
