//! When what is open is checked, what was found, and what the client has been told of it.

use super::Options;
use super::documents::{Documents, real, uri_of};
use super::findings::{self, diagnostic};
use super::project::Project;
use super::session::Client;
use crate::check::{self, Found, Report};
use crate::config::LoadOptions;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A pause in the typing after which is checked.
const PAUSE: Duration = Duration::from_millis(150);
/// Who never pauses is checked after that long.
const PATIENCE: Duration = Duration::from_secs(1);
/// What an editor opens at its start comes within this.
const OPENING: Duration = Duration::from_millis(20);

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

/// The state of checking.
pub struct Checks {
    options: Options,
    /// By their main files; texts without a file by their URIs.
    checked: BTreeMap<PathBuf, Checked>,
    /// What the client has been told, by URI.
    told: BTreeMap<String, Vec<Value>>,
    stale: Option<(Stale, Instant)>,
    due: Option<Instant>,
}

impl Checks {
    /// Of nothing yet.
    pub fn new(options: Options) -> Checks {
        Checks { options, checked: BTreeMap::new(), told: BTreeMap::new(), stale: None, due: None }
    }

    /// When something is to be checked.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Never again.
    pub fn stop(&mut self) {
        self.due = None;
    }

    /// Whether something has changed since the last time.
    pub fn is_stale(&self) -> bool {
        self.stale.is_some()
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

    /// Checks what has changed. Gives what the client has to be told: for every open text that was checked, and for other files where
    /// something is new.
    pub fn run(&mut self, project: &Project<'_>, client: &Client) -> Vec<Value> {
        self.due = None;
        let Some((stale, _)) = self.stale.take() else { return Vec::new() };
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
        let anew: Vec<PathBuf> = roots.iter().filter(|root| !is_fresh(root)).cloned().collect();
        let checked: Vec<(PathBuf, Checked)> = anew.into_iter().map(|root| (root.clone(), self.check(&root, documents))).collect();
        let touched: BTreeSet<PathBuf> = checked.iter().flat_map(|(_, checked)| checked.files.iter().cloned()).collect();
        self.checked.retain(|root, _| roots.contains(root));
        self.checked.extend(checked);
        self.news(&touched, documents, client)
    }

    fn check(&self, root: &Path, documents: &Documents) -> Checked {
        let name = root.display().to_string();
        let mut source = match documents.get(&name) {
            Some(document) => LoadOptions::for_text(&name, &document.text),
            None => LoadOptions::new(root),
        };
        source.environment = self.options.environment.clone();
        source.overlay = documents.overlay();
        let report = check::check(&source, &self.options.settings);
        let mut files: BTreeSet<PathBuf> = report.included.iter().map(|name| real(Path::new(name))).collect();
        files.insert(root.to_owned());
        Checked { report, files }
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

    fn news(&mut self, touched: &BTreeSet<PathBuf>, documents: &Documents, client: &Client) -> Vec<Value> {
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
            if let Some(document) = documents.get(&uri) {
                params["version"] = document.version.clone();
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

/// The URI of a file that the checker names.
pub fn uri(documents: &Documents, name: &str) -> String {
    if documents.get(name).is_some() {
        return name.to_owned();
    }
    let path = Path::new(name);
    documents.of_path(&real(path)).map_or_else(|| uri_of(path), |document| document.uri.clone())
}
