//! `flumen lsp`: a scripted client drives it as an editor does; and some that are no editors.

use crate::support::TempDir;
use crate::support::lsp_client::{LspClient, uri};
use serde_json::{Value, json};
use std::fs;

const UNTITLED: &str = "untitled:Untitled-1";

/// A text with its mark taken out, and the position of the mark.
fn marked(text: &str) -> (String, Value) {
    let at = text.find('|').expect("a mark");
    let (before, behind) = text.split_at(at);
    let line = before.matches('\n').count();
    let character: usize = before.rsplit('\n').next().unwrap().chars().map(char::len_utf16).sum();
    (format!("{before}{}", &behind[1..]), json!({ "line": line, "character": character }))
}

fn capable() -> Value {
    json!({ "textDocument": {
        "completion": { "completionItem": { "snippetSupport": true } },
        "publishDiagnostics": { "relatedInformation": true },
        "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
    } })
}

/// `CODE line:character-line:character` of diagnostics.
fn brief(diagnostics: &[Value]) -> Vec<String> {
    let position = |position: &Value| format!("{}:{}", position["line"], position["character"]);
    let one =
        |one: &Value| format!("{} {}-{}", one["code"].as_str().unwrap(), position(&one["range"]["start"]), position(&one["range"]["end"]));
    diagnostics.iter().map(one).collect()
}

/// Asks about the mark in a text of its own.
fn ask_at(client: &mut LspClient, method: &str, text: &str) -> Value {
    let (text, position) = marked(text);
    client.open(UNTITLED, &text);
    let answer = client.ask(method, json!({ "textDocument": { "uri": UNTITLED }, "position": position }));
    answer["result"].clone()
}

fn offered(client: &mut LspClient, text: &str) -> Vec<String> {
    let items = ask_at(client, "textDocument/completion", text);
    items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
}

fn explained(client: &mut LspClient, text: &str) -> String {
    ask_at(client, "textDocument/hover", text)["contents"]["value"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn faults_are_shown_while_one_types_and_the_server_ends_well() {
    let (mut client, about) = LspClient::start(None, capable());
    assert_eq!(about["capabilities"]["positionEncoding"], "utf-16");
    client.open(UNTITLED, "<match **>\n  @type stdot # 😀\n  prot é\n</match>\n");
    let diagnostics = client.diagnostics(UNTITLED, json!(1));
    assert_eq!(brief(&diagnostics), ["FLM0402 1:8-1:13"]);
    assert_eq!(diagnostics[0]["severity"], 1);
    assert!(diagnostics[0]["message"].as_str().unwrap().contains("help: did you mean 'stdout'?"), "{diagnostics:?}");

    let change =
        |version: u32, changes: Value| json!({ "textDocument": { "uri": UNTITLED, "version": version }, "contentChanges": changes });
    let range = json!({ "start": { "line": 1, "character": 8 }, "end": { "line": 1, "character": 13 } });
    client.tell("textDocument/didChange", change(2, json!([{ "range": range, "text": "stdout" }])));
    let diagnostics = client.diagnostics(UNTITLED, json!(2));
    assert_eq!(brief(&diagnostics), ["FLM0301 2:2-2:8"]);
    client.tell("textDocument/didChange", change(3, json!([{ "text": "<match é😀>\n  @type null 'x'\n</match>\n" }])));
    assert!(brief(&client.diagnostics(UNTITLED, json!(3))).iter().all(|line| line.starts_with("FLM")), "{diagnostics:?}");
    client.tell("textDocument/didClose", json!({ "textDocument": { "uri": UNTITLED } }));
    assert_eq!(client.diagnostics(UNTITLED, Value::Null), Vec::<Value>::new());

    assert_eq!(client.ask("shutdown", Value::Null)["result"], Value::Null);
    client.tell("exit", Value::Null);
    assert_eq!(client.end(), 0);
}

#[test]
fn characters_are_counted_as_agreed() {
    for (capabilities, wanted) in
        [(json!({}), "FLM0106 2:6-2:8"), (json!({ "general": { "positionEncodings": ["utf-16", "utf-8"] } }), "FLM0106 2:8-2:10")]
    {
        let (mut client, _) = LspClient::start(None, capabilities);
        client.open(UNTITLED, "<match **>\n  @type stdout\n  😀 \"\\q\"\n</match>\n");
        let found = brief(&client.diagnostics(UNTITLED, json!(1)));
        assert!(found.iter().any(|line| line == wanted), "{found:?}");
    }
}

#[test]
fn open_texts_stand_for_files_that_others_include() {
    let folder = TempDir::new();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(
        folder.path().join("fluent.conf"),
        "@include conf.d/*.conf\n<label @A>\n  <match **>\n    @type null\n  </match>\n</label>\n",
    )
    .unwrap();
    fs::write(folder.path().join("conf.d/in.conf"), "<source>\n  @type sample\n  tag a\n  @label @A\n</source>\n").unwrap();
    let (main, inner) = (uri(folder.path(), "fluent.conf"), uri(folder.path(), "conf.d/in.conf"));
    let (mut client, _) = LspClient::start(Some(folder.path()), capable());

    // Alone, the file would have a label that is not there.
    client.open(&inner, &fs::read_to_string(folder.path().join("conf.d/in.conf")).unwrap());
    assert_eq!(brief(&client.diagnostics(&inner, json!(1))), [""; 0]);

    // What is not written yet counts, in the file itself and for the others.
    let text = "<source>\n  @type sample\n  tag a\n  @label @B\n</source>\n";
    client.tell("textDocument/didChange", json!({ "textDocument": { "uri": inner, "version": 2 }, "contentChanges": [{ "text": text }] }));
    let diagnostics = client.diagnostics(&inner, json!(2));
    assert_eq!(brief(&diagnostics), ["FLM0406 3:9-3:11"]);
    let related = &diagnostics[0]["relatedInformation"][0];
    assert_eq!((&related["location"]["uri"], &related["location"]["range"]["start"]["line"]), (&json!(main), &json!(0)));

    // The label is found in the other file, and from there its senders.
    let at = |uri: &str, line: u32, character: u32| json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character } });
    let text = text.replace("@B", "@A");
    client.tell("textDocument/didChange", json!({ "textDocument": { "uri": inner, "version": 3 }, "contentChanges": [{ "text": text }] }));
    let place = &client.ask("textDocument/definition", at(&inner, 3, 10))["result"][0];
    assert_eq!((&place["uri"], &place["range"]["start"]), (&json!(main), &json!({ "line": 1, "character": 7 })));
    client.open(&main, &fs::read_to_string(folder.path().join("fluent.conf")).unwrap());
    let places = client.ask("textDocument/references", at(&main, 1, 8))["result"].clone();
    let uris: Vec<&str> = places.as_array().unwrap().iter().map(|place| place["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, [main.as_str(), inner.as_str()]);
    let files = client.ask("textDocument/definition", at(&main, 0, 12))["result"].clone();
    assert_eq!((files.as_array().unwrap().len(), &files[0]["uri"]), (1, &json!(inner)));
    assert!(client.ask("textDocument/hover", at(&main, 1, 9))["result"]["contents"]["value"].as_str().unwrap().contains("in.conf:4"));
}

#[test]
fn the_manual_is_shown() {
    let (mut client, _) = LspClient::start(None, capable());
    for (text, wanted) in [
        ("<source>\n  @type for|ward\n</source>\n", &["**input `forward`**", "- `port` integer; default: 24224", "- `<security>`"][..]),
        ("<source>\n  @type forward\n  po|rt 1\n</source>\n", &["**`port`** integer; default: 24224"]),
        ("<match **>\n  @type forward\n  <ser|ver>\n    host a\n  </server>\n</match>\n", &["`<server>`", "- `weight`"]),
        ("<match **>\n  @type s|3\n</match>\n", &["fluent-plugin-s3", "does not run it"]),
        ("<match **>\n  @type file\n  path x\n  buffer_ch|unk_limit 1m\n</match>\n", &["`chunk_limit_size`", "`<buffer>`"]),
        ("<match **>\n  @type file\n  path x\n  <buffer>\n    flush_mode int|erval\n  </buffer>\n</match>\n", &["default | lazy"]),
        (
            "<source>\n  @type tail\n  <parse>\n    @type grok\n    grok_pattern %{WO|RD:a} %{INT:b}\n  </parse>\n</source>\n",
            &["**grok pattern `WORD`**", "\\b"],
        ),
        ("<label @|A>\n  <match **>\n    @type null\n  </match>\n</label>\n", &["**label `@A`**", "- `<match **>` null"]),
        ("<match **>\n  @type nu|ll\n  tgg\n", &["**output `null`**"]),
        ("<match **>\n  @type null\n  t|gg 1\n</match>\n", &["**FLM0301:"]),
    ] {
        let said = explained(&mut client, text);
        for part in wanted {
            assert!(said.contains(part), "{part} is not in what is said of\n{text}\n{said}");
        }
    }
    assert_eq!(ask_at(&mut client, "textDocument/hover", "# a com|ment\n"), Value::Null);
}

#[test]
fn what_can_be_written_is_offered() {
    let (mut client, _) = LspClient::start(None, capable());
    for (text, with, without) in [
        ("|", &["<source>", "<match>", "@include"][..], &["@type", "<buffer>"][..]),
        ("<source>\n  @type |\n</source>\n", &["forward", "tail", "systemd"], &["stdout", "grep"]),
        ("<match **>\n  @type st|", &["stdout", "s3"], &["tail"]),
        ("<filter **>\n  @type\t|\n</filter>\n", &["grep", "record_transformer"], &["copy"]),
        ("<source>\n  @type forward\n  port 1\n  |\n</source>\n", &["bind", "@label", "<security>"], &["port", "@type", "<buffer>"]),
        ("<match **>\n  @type file\n  <|\n  path x\n</match>\n<match b>\n</match>\n", &["<buffer>", "<format>"], &["<source>", "path"]),
        ("<match **>\n  @type file\n  <buffer>\n    |\n  </buffer>\n</match>\n", &["flush_mode", "chunk_limit_size"], &["append"]),
        ("<match **>\n  @type file\n  <buffer>\n    flush_mode |\n  </buffer>\n</match>\n", &["lazy", "immediate"], &["true"]),
        ("<match **>\n  @type file\n  <buffer>\n    @type |\n", &["memory", "file"], &["stdout"]),
        ("<match **>\n  @type file\n  append t|\n</match>\n", &["true", "false"], &["lazy"]),
        ("<source>\n  @label |\n</source>\n<label @A>\n</label>\n", &["@A", "@ROOT"], &["@ERROR"]),
        ("<label |\n<match **>\n  @type relabel\n  @label @B\n</match>\n", &["@B", "@ERROR"], &[]),
        ("<source>\n  @type tail\n  <parse>\n    @type grok\n    grok_pattern %{IP:a} %{|\n", &["IP", "COMBINEDAPACHELOG"], &["integer"]),
        ("<source>\n  @type tail\n  <parse>\n    @type grok\n    grok_pattern %{IP:a:|} x\n", &["integer"], &["IP"]),
        ("<match **>\n  </|", &["</match>"], &["</source>"]),
        ("<match **>\n  # @type |\n", &[], &["stdout"]),
        ("<match **>\n  x [\n |\n]\n</match>\n", &[], &["@type"]),
    ] {
        let offered = offered(&mut client, text);
        for label in with {
            assert!(offered.iter().any(|one| one == label), "{label} is not offered at\n{text}\n{offered:?}");
        }
        for label in without {
            assert!(!offered.iter().any(|one| one == label), "{label} is offered at\n{text}");
        }
    }
    let items = ask_at(&mut client, "textDocument/completion", "<match **>\n  @type file\n  <bu|>\n</match>\n");
    let buffer = items.as_array().unwrap().iter().find(|item| item["label"] == "<buffer>").unwrap();
    assert_eq!(buffer["textEdit"]["newText"], "<buffer>\n  $0\n</buffer>");
    assert_eq!(buffer["textEdit"]["range"], json!({ "start": { "line": 2, "character": 2 }, "end": { "line": 2, "character": 6 } }));
    let items = ask_at(&mut client, "textDocument/completion", "<source>\n  @type forward\n  po|\n</source>\n");
    let port = items.as_array().unwrap().iter().find(|item| item["label"] == "port").unwrap();
    assert_eq!((&port["detail"], &port["textEdit"]["newText"]), (&json!("integer; default: 24224"), &json!("port ")));
    assert!(port["documentation"]["value"].as_str().unwrap().contains("port to listen"), "{port}");
}

#[test]
fn files_to_include_are_offered() {
    let folder = TempDir::new();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(folder.path().join("conf.d/one.conf"), "").unwrap();
    let (mut client, _) = LspClient::start(Some(folder.path()), capable());
    let main = uri(folder.path(), "fluent.conf");
    for (text, wanted) in [("@include co", "conf.d/"), ("@include conf.d/", "one.conf"), ("<match **>\n  @include conf.d/o", "one.conf")] {
        client.open(&main, text);
        let (line, last) = (text.matches('\n').count(), text.rsplit('\n').next().unwrap());
        let position = json!({ "line": line, "character": last.len() });
        let answer = client.ask("textDocument/completion", json!({ "textDocument": { "uri": main }, "position": position }));
        assert_eq!(answer["result"].as_array().unwrap().iter().map(|item| &item["label"]).collect::<Vec<_>>(), [wanted], "{text}");
    }
}

#[test]
fn texts_are_laid_out_and_outlined() {
    let (mut client, _) = LspClient::start(None, capable());
    client.open(UNTITLED, "<label @A>\n<match **>\n@type null # é\n</match>\n</label>\n");
    let of = json!({ "textDocument": { "uri": UNTITLED }, "options": { "tabSize": 8, "insertSpaces": false } });
    let edits = client.ask("textDocument/formatting", of.clone())["result"].clone();
    assert_eq!(edits.as_array().unwrap().len(), 1);
    assert_eq!(edits[0]["newText"], "  <match **>\n    @type null # é\n  </match>\n");
    assert_eq!(edits[0]["range"], json!({ "start": { "line": 1, "character": 0 }, "end": { "line": 4, "character": 0 } }));
    let symbols = client.ask("textDocument/documentSymbol", of.clone())["result"].clone();
    assert_eq!((&symbols[0]["name"], &symbols[0]["children"][0]["name"]), (&json!("label @A"), &json!("match **")));
    assert_eq!(symbols[0]["children"][0]["detail"], "null");
    assert_eq!(client.ask("textDocument/foldingRange", of.clone())["result"].as_array().unwrap().len(), 2);
    client.open(UNTITLED, "<label @A>\n<match **>\n");
    assert_eq!(client.ask("textDocument/formatting", of)["result"], Value::Null);
}

#[test]
fn codes_are_explained_on_demand() {
    let (mut client, _) = LspClient::start(None, capable());
    client.open(UNTITLED, "<match **>\n  @type null\n  tgg 1\n</match>\n");
    let range = json!({ "start": { "line": 2, "character": 3 }, "end": { "line": 2, "character": 3 } });
    let asked = json!({ "textDocument": { "uri": UNTITLED }, "range": range, "context": { "diagnostics": [] } });
    let actions = client.ask("textDocument/codeAction", asked)["result"].clone();
    let explain =
        actions.as_array().unwrap().iter().find(|action| action["title"].as_str().unwrap().starts_with("Explain FLM0301")).unwrap();
    let command = &explain["command"];
    let page = client.ask("workspace/executeCommand", json!({ "command": command["command"], "arguments": command["arguments"] }));
    assert!(page["result"].as_str().unwrap().contains("FLM0301"), "{page}");
    let shown = client.wait("the page", |message| message["method"] == "window/showMessage");
    assert!(shown["params"]["message"].as_str().unwrap().contains("Example:"), "{shown}");
}

#[test]
fn what_most_likely_mends_a_finding_is_one_keystroke_away() {
    let (mut client, _) = LspClient::start(None, capable());
    for (text, mended) in [
        ("<match **>\n  @type st|dot\n</match>\n", "<match **>\n  @type stdout\n</match>\n"),
        ("<source>\n  @type forward\n  pr|ot 1\n</source>\n", "<source>\n  @type forward\n  port 1\n</source>\n"),
        (
            "<match **>\n  @type file\n  path x\n  <bu|fer>\n  </bufer>\n</match>\n",
            "<match **>\n  @type file\n  path x\n  <buffer>\n  </bufer>\n</match>\n",
        ),
        ("<match **>\n  @type null\n</mat|hc>\n", "<match **>\n  @type null\n</match>\n"),
        ("<match **>\n  ty|pe null\n</match>\n", "<match **>\n  @type null\n</match>\n"),
        (
            "<source>\n  @type tcp\n  tag é\n  <parse>\n    @type grok\n    grok_pattern é%{WORD:a}%{W|ROD:b}\n  </parse>\n</source>\n",
            "<source>\n  @type tcp\n  tag é\n  <parse>\n    @type grok\n    grok_pattern é%{WORD:a}%{WORD:b}\n  </parse>\n</source>\n",
        ),
        (
            "<source>\n  @type sample\n  tag a\n  @label @MIAN|\n</source>\n<label @MAIN>\n  <match **>\n    @type null\n  </match>\n</label>\n",
            "<source>\n  @type sample\n  tag a\n  @label @MAIN\n</source>\n<label @MAIN>\n  <match **>\n    @type null\n  </match>\n</label>\n",
        ),
    ] {
        let (text, position) = marked(text);
        client.open(UNTITLED, &text);
        let asked = json!({ "textDocument": { "uri": UNTITLED }, "range": { "start": position, "end": position }, "context": {} });
        let actions = client.ask("textDocument/codeAction", asked)["result"].clone();
        let fix = actions.as_array().unwrap().iter().find(|action| action["edit"].is_object());
        let fix = fix.unwrap_or_else(|| panic!("nothing mends\n{text}\n{actions}"));
        assert_eq!((&fix["kind"], &fix["isPreferred"]), (&json!("quickfix"), &json!(true)));
        let edit = &fix["edit"]["changes"][UNTITLED][0];
        let line = |edit: &Value| edit["range"]["start"]["line"].as_u64().unwrap() as usize;
        let changed = text.lines().nth(line(edit)).unwrap();
        let bytes = |position: &Value| {
            let mut left = position["character"].as_u64().unwrap() as usize;
            changed
                .char_indices()
                .find(|(_, c)| {
                    let over = left == 0;
                    left = left.saturating_sub(c.len_utf16());
                    over
                })
                .map_or(changed.len(), |(at, _)| at)
        };
        let (start, end) = (bytes(&edit["range"]["start"]), bytes(&edit["range"]["end"]));
        let after = format!("{}{}{}", &changed[..start], edit["newText"].as_str().unwrap(), &changed[end..]);
        assert_eq!(after, mended.lines().nth(line(edit)).unwrap(), "{actions}");
    }
}
