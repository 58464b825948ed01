//! A scripted client of the language server: starts the real binary, writes frames, waits for answers.

use super::PATIENCE;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// One running server.
pub struct LspClient {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// What came while something else was waited for.
    kept: Vec<Value>,
    next_id: u64,
}

impl LspClient {
    /// Starts `flumen lsp` without greeting it.
    pub fn spawn(arguments: &[&str]) -> LspClient {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
        command.arg("lsp").args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut stdout) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        LspClient { stdin: child.stdin.take(), child, messages, kept: Vec::new(), next_id: 1 }
    }

    /// Starts it and says what this client can take; gives what the server says of itself.
    pub fn start(folder: Option<&Path>, capabilities: Value) -> (LspClient, Value) {
        let mut client = LspClient::spawn(&["--no-fs"]);
        let root = folder.map(|folder| uri(folder, ""));
        let answer = client.ask("initialize", json!({ "processId": null, "rootUri": root, "capabilities": capabilities }));
        client.tell("initialized", json!({}));
        (client, answer["result"].clone())
    }

    /// Writes bytes as they are; the server may have gone.
    pub fn raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        let _ = stdin.write_all(bytes).and_then(|()| stdin.flush());
    }

    /// Writes a message.
    pub fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    /// Writes a notification.
    pub fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Writes a request and waits for its answer.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.wait(&format!("the answer to {method}"), |message| message["id"] == id && message["method"].is_null())
    }

    /// The first message, of those that came and those that come, that is wanted.
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&wanted) {
            return self.kept.remove(at);
        }
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{what}: {error}; kept {:?}", self.kept));
            if wanted(&message) {
                return message;
            }
            self.kept.push(message);
        }
    }

    /// Waits for the diagnostics of a text in a version; `null` for a file that is not open.
    pub fn diagnostics(&mut self, uri: &str, version: Value) -> Vec<Value> {
        let is = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"] == version
        };
        let message = self.wait(&format!("diagnostics of {uri} {version}"), is);
        message["params"]["diagnostics"].as_array().unwrap().clone()
    }

    /// Opens a text as version 1.
    pub fn open(&mut self, uri: &str, text: &str) {
        self.tell("textDocument/didOpen", json!({ "textDocument": { "uri": uri, "languageId": "fluentd", "version": 1, "text": text } }));
    }

    /// Closes the input and waits for the end; its exit code.
    pub fn end(mut self) -> i32 {
        drop(self.stdin.take());
        super::wait_until("the end of the server", PATIENCE, || self.child.try_wait().unwrap()).code().unwrap()
    }
}

impl Drop for LspClient {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The URI of a file in a folder.
pub fn uri(folder: &Path, name: &str) -> String {
    format!("file://{}", folder.canonicalize().unwrap().join(name).display())
}

fn read(input: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end().split_once(": ") {
            Some((_, value)) => length = value.parse().ok()?,
            None => break,
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
