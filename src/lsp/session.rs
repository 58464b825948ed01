//! One client: what it can do, what it has open, when that is checked, and who answers which method.

use super::checks::{Checks, uri as uri_of_name};
use super::documents::{Documents, path_of, real};
use super::findings::{diagnostic, explanation, range as range_of};
use super::inbox::Inbox;
use super::message::{self, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, Message, NOT_INITIALIZED};
use super::position::{Encoding, Lines};
use super::project::Project;
use super::{Options, completion, hover, navigation, outline, wire};
use crate::check::{Found, codes};
use crate::ruby::Environment;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The command that explains a code.
const EXPLAIN: &str = "flumen.explain";

/// How long an answer about findings waits for the checker.
const SETTLED: Duration = Duration::from_secs(1);

/// What the client can take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client {
    /// In what it counts characters.
    pub encoding: Encoding,
    /// Whether completions may have places to fill in.
    pub takes_snippets: bool,
    /// Whether diagnostics may point to other places.
    pub takes_related: bool,
    /// Whether symbols may be within each other.
    pub takes_tree: bool,
    /// Whether it can be asked to show where files change.
    pub watches_files: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Fresh,
    Running,
    ShutDown,
}

/// One client.
pub struct Session<W> {
    output: W,
    client: Client,
    phase: Phase,
    folders: Vec<PathBuf>,
    environment: Environment,
    documents: Documents,
    checks: Checks,
}

/// Why a request has no result.
pub struct Fault {
    code: i64,
    why: String,
}

fn fault(code: i64, why: impl Into<String>) -> Fault {
    Fault { code, why: why.into() }
}

impl<W: Write> Session<W> {
    /// Before its first message.
    pub fn new(output: W, options: Options, inbox: Arc<Inbox>) -> io::Result<Session<W>> {
        Ok(Session {
            output,
            client: Client::default(),
            phase: Phase::Fresh,
            folders: Vec::new(),
            environment: options.environment.clone(),
            documents: Documents::default(),
            checks: Checks::new(options, inbox)?,
        })
    }

    /// When something is to be checked.
    pub fn due(&self) -> Option<Instant> {
        self.checks.due()
    }

    /// Whether the client has said `shutdown`.
    pub fn is_shut_down(&self) -> bool {
        self.phase == Phase::ShutDown
    }

    /// Answers a message. Whether it was the last one; fails where the client does not read any more.
    pub fn handle(&mut self, message: Message) -> io::Result<bool> {
        match message {
            Message::Request { id, method, params } => {
                let answer = match self.request(&method, &params) {
                    Ok(result) => message::answer(&id, result),
                    Err(fault) => message::error(&id, fault.code, &fault.why),
                };
                self.send(&answer)?;
                if method == "initialize" || method == "shutdown" {
                    self.settle_phase(&method);
                }
            }
            Message::Notification { method, .. } if method == "exit" => return Ok(true),
            Message::Notification { method, params } if self.phase == Phase::Running => self.notification(&method, &params)?,
            Message::Notification { .. } | Message::Answer => {}
            Message::Broken { id, code, why } => self.send(&message::error(&id, code, &why))?,
        }
        Ok(false)
    }

    fn send(&mut self, message: &Value) -> io::Result<()> {
        wire::write(&mut self.output, message)
    }

    fn settle_phase(&mut self, method: &str) {
        self.phase = match (method, self.phase) {
            ("initialize", Phase::Fresh) => Phase::Running,
            ("shutdown", Phase::Running) => Phase::ShutDown,
            (_, phase) => phase,
        };
        if self.phase == Phase::ShutDown {
            self.checks.stop();
        }
    }

    fn request(&mut self, method: &str, params: &Value) -> Result<Value, Fault> {
        match (self.phase, method) {
            (Phase::Fresh, "initialize") => return Ok(self.initialize(params)),
            (Phase::Fresh, _) => return Err(fault(NOT_INITIALIZED, format!("'{method}' before 'initialize'"))),
            (Phase::ShutDown, _) => return Err(fault(INVALID_REQUEST, format!("'{method}' after 'shutdown'"))),
            (Phase::Running, "initialize") => return Err(fault(INVALID_REQUEST, "'initialize' for the second time")),
            (Phase::Running, "shutdown") => return Ok(Value::Null),
            (Phase::Running, _) => {}
        }
        if method == "workspace/executeCommand" {
            return self.command(params);
        }
        if matches!(method, "textDocument/codeAction" | "textDocument/hover") {
            self.settle();
        }
        self.of_document(method, params)
    }

    /// Requests about one text.
    fn of_document(&self, method: &str, params: &Value) -> Result<Value, Fault> {
        const METHODS: [&str; 8] =
            ["hover", "completion", "definition", "references", "documentSymbol", "foldingRange", "formatting", "codeAction"];
        let known = method.strip_prefix("textDocument/").filter(|name| METHODS.contains(name));
        let Some(name) = known else { return Err(fault(METHOD_NOT_FOUND, format!("there is no method '{method}'"))) };
        let Some(uri) = params["textDocument"]["uri"].as_str() else {
            return Err(fault(INVALID_PARAMS, format!("'{method}' names no text")));
        };
        let Some(document) = self.documents.get(uri) else {
            return Err(fault(INVALID_PARAMS, format!("{uri} is not open")));
        };
        let project = self.project();
        let lines = Lines::new(&document.text, self.client.encoding);
        let offset = || lines.offset(&params["position"]).ok_or_else(|| fault(INVALID_PARAMS, format!("'{method}' names no position")));
        let is_yaml = uri.ends_with(".yaml") || uri.ends_with(".yml");
        Ok(match name {
            "codeAction" => self.actions(uri, &params["range"]),
            // What is in YAML is checked, and that is all.
            _ if is_yaml => Value::Null,
            "hover" => {
                let found = self.found_in(uri, &json!({ "start": params["position"], "end": params["position"] }));
                hover::hover(&project, document, offset()?, &self.client, &found)
            }
            "completion" => completion::completion(&project, document, offset()?, &self.client),
            "definition" => navigation::definition(&project, document, offset()?, self.client.encoding),
            "references" => {
                let with_declaration = params["context"]["includeDeclaration"].as_bool().unwrap_or(true);
                navigation::references(&project, document, offset()?, with_declaration, self.client.encoding)
            }
            "documentSymbol" => outline::symbols(document, &self.client),
            "foldingRange" => outline::folds(document, self.client.encoding),
            _ => outline::format(document, self.client.encoding),
        })
    }

    fn project(&self) -> Project<'_> {
        Project { documents: &self.documents, environment: &self.environment, folders: &self.folders }
    }

    fn initialize(&mut self, params: &Value) -> Value {
        let capabilities = &params["capabilities"];
        let text = &capabilities["textDocument"];
        let is_on = |value: &Value| value.as_bool() == Some(true);
        let offered = capabilities["general"]["positionEncodings"].as_array();
        let takes_bytes = offered.is_some_and(|offered| offered.iter().any(|encoding| encoding == "utf-8"));
        self.client = Client {
            encoding: if takes_bytes { Encoding::Utf8 } else { Encoding::Utf16 },
            takes_snippets: is_on(&text["completion"]["completionItem"]["snippetSupport"]),
            takes_related: is_on(&text["publishDiagnostics"]["relatedInformation"]),
            takes_tree: is_on(&text["documentSymbol"]["hierarchicalDocumentSymbolSupport"]),
            watches_files: is_on(&capabilities["workspace"]["didChangeWatchedFiles"]["dynamicRegistration"]),
        };
        let folders = params["workspaceFolders"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut uris: Vec<&str> = folders.iter().filter_map(|folder| folder["uri"].as_str()).collect();
        if uris.is_empty() {
            uris.extend(params["rootUri"].as_str());
        }
        self.folders = uris.iter().filter_map(|uri| path_of(uri)).map(|path| real(&path)).collect();
        json!({
            "serverInfo": { "name": "flumen", "version": env!("CARGO_PKG_VERSION") },
            "capabilities": {
                "positionEncoding": if takes_bytes { "utf-8" } else { "utf-16" },
                "textDocumentSync": { "openClose": true, "change": 2, "save": true },
                "hoverProvider": true,
                "completionProvider": { "triggerCharacters": ["@", "<", "{", "%", ":", "/", " "] },
                "definitionProvider": true,
                "referencesProvider": true,
                "documentSymbolProvider": true,
                "foldingRangeProvider": true,
                "documentFormattingProvider": true,
                "codeActionProvider": { "codeActionKinds": ["quickfix"] },
                "executeCommandProvider": { "commands": [EXPLAIN] },
            },
        })
    }

    fn notification(&mut self, method: &str, params: &Value) -> io::Result<()> {
        let uri = params["textDocument"]["uri"].as_str().unwrap_or_default().to_owned();
        let result = match method {
            "initialized" => return self.watch_files(),
            "textDocument/didOpen" => self.documents.open(&params["textDocument"]),
            "textDocument/didChange" => {
                let path = self.documents.get(&uri).map(|document| document.path.clone().unwrap_or_else(|| PathBuf::from(&uri)));
                let result = self.documents.change(params, self.client.encoding);
                self.checks.changed(path);
                result
            }
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => Ok(()),
            "textDocument/didClose" => {
                self.documents.close(&uri);
                Ok(())
            }
            _ => return Ok(()),
        };
        if method != "textDocument/didChange" {
            self.checks.all_changed();
        }
        match result {
            Ok(()) => Ok(()),
            Err(why) => self.send(&message::notification("window/logMessage", json!({ "type": 2, "message": format!("flumen: {why}") }))),
        }
    }

    /// Asks to be told of configurations that change on the disk.
    fn watch_files(&mut self) -> io::Result<()> {
        if !self.client.watches_files {
            return Ok(());
        }
        let options = json!({ "watchers": [{ "globPattern": "**/*.{conf,yaml,yml}" }] });
        let registration = json!({ "id": "files", "method": "workspace/didChangeWatchedFiles", "registerOptions": options });
        let params = json!({ "registrations": [registration] });
        self.send(&json!({ "jsonrpc": "2.0", "id": "watch-files", "method": "client/registerCapability", "params": params }))
    }

    /// Has what has changed checked.
    pub fn check(&mut self) {
        let project = Project { documents: &self.documents, environment: &self.environment, folders: &self.folders };
        self.checks.begin(&project);
    }

    /// Tells the client what was found, where that is known within `limit`.
    pub fn tell(&mut self, limit: Duration) -> io::Result<()> {
        for params in self.checks.take(limit, &self.documents, &self.client) {
            wire::write(&mut self.output, &message::notification("textDocument/publishDiagnostics", params))?;
        }
        Ok(())
    }

    /// Waits a little, so that an answer about findings is about what is there now.
    fn settle(&mut self) {
        let end = Instant::now() + SETTLED;
        while self.checks.is_behind() && Instant::now() < end {
            self.check();
            // Where the client has gone, the next message says so.
            let _ = self.tell(end.saturating_duration_since(Instant::now()));
        }
    }

    fn found_in(&self, uri: &str, range: &Value) -> Vec<&Found> {
        self.checks.found_in(&self.documents, uri, range, &self.client)
    }

    /// What can be done about the findings of a range.
    fn actions(&self, uri: &str, range: &Value) -> Value {
        let mut actions: Vec<Value> = Vec::new();
        for found in self.found_in(uri, range) {
            let Some(row) = codes::find(found.code) else { continue };
            let title = format!("Explain {}: {}", row.code, row.title);
            let command = json!({ "title": title, "command": EXPLAIN, "arguments": [row.code] });
            let uri = |name: &str| uri_of_name(&self.documents, name);
            let diagnostic = diagnostic(found, &self.client, &uri);
            if let Some(fix) = &found.fix {
                let edit = json!({ "range": range_of(&fix.place, &self.client), "newText": fix.text });
                let wrong: String = fix.place.text.chars().skip(fix.place.column - 1).take(fix.place.width).collect();
                let mut action = json!({ "title": format!("Write '{}' in place of '{wrong}'", fix.text), "kind": "quickfix" });
                action["diagnostics"] = json!([diagnostic]);
                action["isPreferred"] = true.into();
                action["edit"] = json!({ "changes": { uri(&fix.place.file): [edit] } });
                add(&mut actions, action);
            }
            let action = json!({ "title": title, "kind": "quickfix", "diagnostics": [diagnostic], "command": command });
            add(&mut actions, action);
        }
        Value::Array(actions)
    }

    /// `flumen.explain`: the page of a code, shown and given back.
    fn command(&mut self, params: &Value) -> Result<Value, Fault> {
        let name = params["command"].as_str().unwrap_or_default();
        if name != EXPLAIN {
            return Err(fault(INVALID_PARAMS, format!("there is no command '{name}'")));
        }
        let code = params["arguments"][0].as_str().unwrap_or_default();
        let row = codes::find(code).ok_or_else(|| fault(INVALID_PARAMS, format!("{code:?} is no code of a finding")))?;
        let page = codes::page(row);
        // Where the client has gone, the next message says so.
        let _ = self.send(&message::notification("window/showMessage", json!({ "type": 3, "message": page })));
        Ok(json!(explanation(code)))
    }
}

/// Adds an action that is not there yet: a finding may be one of several configurations.
fn add(actions: &mut Vec<Value>, action: Value) {
    if !actions.contains(&action) {
        actions.push(action);
    }
}
