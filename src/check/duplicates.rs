//! Two plugins that want the same thing: a port, a file of positions, a path.

use super::subject::{Subject, kind_of, text_of, walk};
use crate::config::{Element, Param, Span};
use std::collections::HashMap;

/// Inputs that listen: their protocol and the port that they take without `port`.
const LISTENERS: &[(&str, &str, &str)] = &[
    ("forward", "tcp", "24224"),
    ("http", "tcp", "9880"),
    ("tcp", "tcp", "5170"),
    ("udp", "udp", "5160"),
    ("syslog", "udp", "5140"),
    ("monitor_agent", "tcp", "24220"),
    ("prometheus", "tcp", "24231"),
    ("debug_agent", "tcp", "24230"),
];

struct Listener<'e> {
    element: &'e Element,
    protocol: String,
    bind: String,
    port: String,
}

/// Looks for what is wanted twice.
pub fn check(subject: &Subject<'_>) {
    let mut listeners: Vec<Listener<'_>> = Vec::new();
    let mut paths: HashMap<(&'static str, String), Span> = HashMap::new();
    walk(subject.written, &mut |element, around| {
        let in_worker = around.iter().any(|outer| outer.name == "worker");
        match element.name.as_str() {
            "source" if !in_worker => {
                if let Some(listener) = listener(element) {
                    collision(subject, &listeners, &listener);
                    listeners.push(listener);
                }
                if let Some(param) = element.param("pos_file") {
                    path(subject, &mut paths, "pos_file", param, "two inputs that share a file of positions overwrite each other's");
                }
            }
            "match" | "store" if !in_worker && kind_of(element) == "file" => {
                if let Some(param) = element.param("path").filter(|_| text_of(element, "append").is_none()) {
                    path(subject, &mut paths, "path of a file output", param, "two outputs that write one file take each other's buffer");
                }
            }
            "buffer" if !in_worker => {
                if let Some(param) = element.param("path") {
                    path(subject, &mut paths, "path of a buffer", param, "each buffer needs a path of its own");
                }
            }
            _ => {}
        }
    });
}

fn listener(element: &Element) -> Option<Listener<'_>> {
    let (_, protocol, port) = LISTENERS.iter().find(|(kind, ..)| *kind == kind_of(element))?;
    let transport = element.children.iter().find(|child| child.name == "transport").map(|child| child.arg.as_str());
    let given = text_of(element, "protocol_type").or(transport).unwrap_or(protocol);
    let protocol = if given == "tls" { "tcp" } else { given };
    Some(Listener {
        element,
        protocol: protocol.to_owned(),
        bind: text_of(element, "bind").unwrap_or("0.0.0.0").to_owned(),
        port: text_of(element, "port").unwrap_or(port).to_owned(),
    })
}

fn collision(subject: &Subject<'_>, known: &[Listener<'_>], new: &Listener<'_>) {
    let everywhere = |bind: &str| matches!(bind, "0.0.0.0" | "::" | "");
    let same = |other: &&Listener<'_>| {
        let binds = other.bind == new.bind || everywhere(&other.bind) || everywhere(&new.bind);
        other.protocol == new.protocol && other.port == new.port && binds && new.port != "0"
    };
    if let Some(other) = known.iter().find(same) {
        let span = new.element.param("port").map_or(new.element.span, |param| param.value_span);
        let place = subject.at(other.element.span, span);
        let message = format!("port {} ({}) is taken by the <source> {place} already", new.port, new.protocol);
        subject.warn("FLM0741", span, message, "give each listener a port of its own");
    }
}

fn path(subject: &Subject<'_>, known: &mut HashMap<(&'static str, String), Span>, what: &'static str, param: &Param, why: &str) {
    let Some(text) = super::subject::value(param).filter(|text| !text.is_empty()) else { return };
    match known.get(&(what, text.to_owned())) {
        Some(first) => {
            let place = subject.at(*first, param.value_span);
            subject.warn("FLM0742", param.value_span, format!("the {what} {text} is used {place} already: {why}"), "");
        }
        None => _ = known.insert((what, text.to_owned()), param.value_span),
    }
}
