//! `flumen lsp` among clients that do not keep to the protocol: it answers what can be answered, goes on, and ends when they end.

use crate::support::lsp_client::{LspClient, uri};
use crate::support::{PATIENCE, TempDir, wait_until};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

const UNTITLED: &str = "untitled:Untitled-1";

fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or_default()
}

/// That it still answers as it should.
fn is_well(client: &mut LspClient) {
    client.open(UNTITLED, "<match **>\n  @type nul\n</match>\n");
    let asked = json!({ "textDocument": { "uri": UNTITLED }, "position": { "line": 1, "character": 10 } });
    let items = client.ask("textDocument/completion", asked)["result"].clone();
    assert!(items.as_array().is_some_and(|items| items.iter().any(|item| item["label"] == "null")), "{items}");
}

#[test]
fn nothing_is_answered_before_initialize_or_after_shutdown() {
    let mut client = LspClient::spawn(&[]);
    assert_eq!(code(&client.ask("textDocument/hover", json!({}))), -32002);
    assert_eq!(code(&client.ask("shutdown", Value::Null)), -32002);
    client.open(UNTITLED, "<match");
    assert!(client.ask("initialize", json!({ "capabilities": {} }))["result"]["capabilities"].is_object());
    assert_eq!(code(&client.ask("initialize", json!({}))), -32600);
    assert_eq!(client.ask("shutdown", Value::Null)["result"], Value::Null);
    assert_eq!(code(&client.ask("textDocument/hover", json!({}))), -32600);
    client.tell("exit", Value::Null);
    assert_eq!(client.end(), 0);
}

#[test]
fn who_leaves_without_a_word_is_told_by_the_exit_code() {
    let (client, _) = LspClient::start(None, json!({}));
    assert_eq!(client.end(), 1, "the input has ended");
    let (mut client, _) = LspClient::start(None, json!({}));
    client.tell("exit", Value::Null);
    assert_eq!(client.end(), 1, "no shutdown before exit");
    for arguments in [&["--no-such"][..], &["--for", "me"], &["fluent.conf"]] {
        assert_eq!(LspClient::spawn(arguments).end(), 1, "{arguments:?}");
    }
}

#[test]
fn broken_frames_are_said_and_passed_over() {
    let (mut client, _) = LspClient::start(None, json!({}));
    for (bytes, wanted) in [
        (&b"Content-Length: many\r\n\r\n"[..], -32700),
        (b"no header at all\r\n\r\n", -32700),
        (b"Content-Length: 99999999999\r\n\r\n", -32700),
        (b"Content-Length: 3\r\n\r\n{\xff}", -32700),
        (b"Content-Length: 2\r\n\r\n[]", -32600),
        (b"Content-Length: 4\r\n\r\nnull", -32600),
        (b"Content-Length: 17\r\n\r\n{\"id\":1,\"what\":2}", -32600),
        (b"Content-Length: 27\r\n\r\n{\"id\":[1],\"method\":\"hover\"}", -32600),
    ] {
        client.raw(bytes);
        let answer = client.wait(&format!("an answer to {:?}", String::from_utf8_lossy(bytes)), |message| message["error"].is_object());
        assert_eq!(code(&answer), wanted, "{:?}", String::from_utf8_lossy(bytes));
    }
    let body = "[".repeat(1 << 20);
    client.raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    assert_eq!(code(&client.wait("an answer", |message| message["error"].is_object())), -32700);
    let length = (8 << 20) + 1;
    client.raw(format!("Content-Length: {length}\r\n\r\n").as_bytes());
    client.raw(&vec![b' '; length]);
    assert_eq!(code(&client.wait("an answer", |message| message["error"].is_object())), -32700);
    is_well(&mut client);
}

#[test]
fn parameters_of_any_shape_do_no_harm() {
    let (mut client, _) = LspClient::start(None, json!({}));
    client.open(UNTITLED, "<match **>\n  @type null\n");
    let document = json!({ "uri": UNTITLED });
    let shapes = [
        json!(null),
        json!([1, 2]),
        json!("x"),
        json!({ "textDocument": 5 }),
        json!({ "textDocument": { "uri": "file:///no/such" }, "position": { "line": 0, "character": 0 } }),
        json!({ "textDocument": document, "position": null, "range": 5 }),
        json!({ "textDocument": document, "position": { "line": -1, "character": 0.5 } }),
        json!({ "textDocument": document, "position": { "line": 1e300, "character": u64::MAX }, "range": { "start": {}, "end": [] } }),
        json!({ "textDocument": document, "contentChanges": [{ "range": { "start": 1 }, "text": "" }, { "text": 5 }] }),
    ];
    let methods =
        ["hover", "completion", "definition", "references", "documentSymbol", "foldingRange", "formatting", "codeAction", "rename"];
    for shape in &shapes {
        for method in methods {
            let answer = client.ask(&format!("textDocument/{method}"), shape.clone());
            assert!(answer["error"].is_object() || answer.get("result").is_some(), "{method} {shape}: {answer}");
        }
        for method in ["didOpen", "didChange", "didSave", "didClose", "didNothing"] {
            client.tell(&format!("textDocument/{method}"), shape.clone());
        }
        client.tell("$/setTrace", shape.clone());
        client.tell("$/cancelRequest", shape.clone());
        assert!(code(&client.ask("workspace/executeCommand", shape.clone())) < 0);
        assert_eq!(code(&client.ask("$/unknown", shape.clone())), -32601);
    }
    is_well(&mut client);
}

#[test]
fn requests_that_wait_can_be_cancelled() {
    let (mut client, _) = LspClient::start(None, json!({}));
    // Enough work in front of the request that the cancellation comes before its turn.
    let text = "<match a>\n  @type file\n  path x\n</match>\n".repeat(200);
    client.open(UNTITLED, &text);
    for id in 1000..1040 {
        let position = json!({ "line": 1, "character": 3 });
        client.send(
            &json!({ "id": id, "method": "textDocument/hover", "params": { "textDocument": { "uri": UNTITLED }, "position": position } }),
        );
    }
    client.tell("$/cancelRequest", json!({ "id": 1039 }));
    client.tell("$/cancelRequest", json!({ "id": 5 }));
    let last = client.wait("the last answer", |message| message["id"] == 1039);
    assert_eq!(code(&last), -32800, "{last}");
    for id in 1000..1039 {
        client.wait("the other answers", |message| message["id"] == id);
    }
    is_well(&mut client);
}

#[test]
fn any_beginning_of_a_configuration_can_be_asked_about() {
    let (mut client, _) = LspClient::start(None, json!({}));
    let whole = include_str!("../../conf/docker-elasticsearch.conf");
    let broken = "<match \"é\n<>\n</\n@include\n%{ \"\n<label @A\n x [\n#\n\\\n\u{0}\r\r\n</>\n";
    for text in [whole, broken] {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)).step_by(if text == whole { 41 } else { 1 }) {
            client.open(UNTITLED, &text[..end]);
            let line = text[..end].matches('\n').count();
            let position = json!({ "line": line, "character": text[..end].rsplit('\n').next().unwrap().len() });
            for method in ["hover", "completion", "definition", "references", "documentSymbol", "foldingRange", "formatting"] {
                let asked = json!({ "textDocument": { "uri": UNTITLED }, "position": position });
                let answer = client.ask(&format!("textDocument/{method}"), asked);
                assert!(answer["error"].is_null(), "{method} at {end}: {answer}");
            }
        }
    }
    is_well(&mut client);
}

#[test]
fn a_client_that_does_not_read_ends_it() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    let mut child = command.args(["lsp", "--stdio"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let stdin = child.stdin.as_mut().unwrap();
    let body = "{\"id\":1,\"method\":\"initialize\",\"params\":{}}";
    std::io::Write::write_all(stdin, format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    let status = wait_until("the end", PATIENCE, || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
}

#[test]
fn what_takes_the_checker_long_keeps_nobody_waiting() {
    let (mut client, _) = LspClient::start(None, json!({}));
    let text: String = (0..40_000).map(|number| format!("k{number} v\n")).collect();
    client.open(UNTITLED, &text);
    for line in 0..5 {
        let asked = json!({ "textDocument": { "uri": UNTITLED }, "position": { "line": line, "character": 0 } });
        assert!(client.ask("textDocument/completion", asked)["result"].is_array());
    }
    assert_eq!(client.ask("shutdown", Value::Null)["result"], Value::Null);
    client.tell("exit", Value::Null);
    assert_eq!(client.end(), 0);
}

#[test]
fn files_that_never_end_are_not_read() {
    let (mut client, _) = LspClient::start(None, json!({}));
    let folder = TempDir::new();
    let main = uri(folder.path(), "fluent.conf");
    std::fs::create_dir(folder.path().join("patterns")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("patterns/endless")).unwrap();
    let patterns = folder.path().join("patterns").display().to_string();
    let text = format!(
        "@include /dev/zero\n<source>\n  @type tcp\n  tag a\n  <parse>\n    @type grok\n    grok_pattern %{{WORD:a}}\n    custom_pattern_path {patterns}\n  \
         </parse>\n</source>\n<source>\n  @type tcp\n  tag b\n  port 1\n  <parse>\n    @type grok\n    grok_pattern %{{WORD:a}}\n    custom_pattern_path /dev/zero\n  \
         </parse>\n</source>\n<match **>\n  @type null\n</match>\n"
    );
    client.open(&main, &text);
    let codes: Vec<Value> = client.diagnostics(&main, json!(1)).iter().map(|diagnostic| diagnostic["code"].clone()).collect();
    assert!(codes.contains(&json!("FLM0110")), "{codes:?}");
    let asked = json!({ "textDocument": { "uri": main }, "position": { "line": 6, "character": 21 } });
    let said = client.ask("textDocument/hover", asked)["result"]["contents"]["value"].clone();
    assert!(said.as_str().unwrap_or_default().contains("grok pattern `WORD`"), "{said}");
    let files =
        client.ask("textDocument/definition", json!({ "textDocument": { "uri": main }, "position": { "line": 0, "character": 12 } }));
    assert!(files["result"].is_array(), "{files}");
}
