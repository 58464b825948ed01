//! The whole graph as a picture, in the languages of Mermaid and Graphviz.

use super::{Plan, ROOT};
use crate::check::subject::{kind_of, label_of, text_of};
use crate::config::Element;
use std::fmt::Write;

/// The language of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// `flowchart`.
    Mermaid,
    /// `digraph`.
    Dot,
}

/// A box: which router it stands in, its words, and its shape.
struct Node {
    router: String,
    words: Vec<String>,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Source,
    Filter,
    /// An output that only sends events on.
    Way,
    Output,
}

/// What stands at the way of events that a <match> is not for.
const OTHER_TAGS: &str = "other tags";

/// What is drawn.
#[derive(Default)]
struct Drawing {
    nodes: Vec<Node>,
    edges: Vec<(usize, usize, String)>,
    /// Ways to routers, drawn to their first box once all are there.
    ways: Vec<(usize, String, String)>,
    /// The first box of each router, in order of the file.
    routers: Vec<(String, usize)>,
}

/// The picture of a configuration.
pub fn graph(plan: &Plan, picture: Picture) -> String {
    let mut drawing = Drawing::default();
    let labels = plan.root.children.iter().filter(|child| child.name == "label").map(|label| label.arg.as_str());
    for label in [ROOT].into_iter().chain(labels) {
        drawing.router(label, &plan.rules(label).unwrap_or_default());
    }
    for source in plan.root.children.iter().filter(|child| child.name == "source") {
        let at = drawing.node("", words(source), Shape::Source);
        drawing.ways.push((at, label_of(source).unwrap_or(ROOT).to_owned(), text_of(source, "tag").unwrap_or_default().to_owned()));
    }
    drawing.connect();
    match picture {
        Picture::Mermaid => drawing.mermaid(),
        Picture::Dot => drawing.dot(),
    }
}

fn shape_of(element: &Element) -> Shape {
    match kind_of(element) {
        _ if element.name == "filter" => Shape::Filter,
        "relabel" | "copy" | "roundrobin" | "rewrite_tag_filter" | "record_modifier" | "label_router" | "detect_exceptions"
        | "record_reformer" => Shape::Way,
        _ => Shape::Output,
    }
}

/// The type, and what tells one from another.
fn words(element: &Element) -> Vec<String> {
    let id = text_of(element, "@id").map(|id| format!("@id {id}"));
    let detail = ["port", "path", "index_name", "logstash_prefix", "host", "hosts"]
        .iter()
        .find_map(|key| text_of(element, key).map(|value| format!("{key} {value}")));
    let arg = matches!(element.name.as_str(), "filter" | "match")
        .then(|| if element.arg.is_empty() { "**".to_owned() } else { element.arg.clone() });
    [Some(kind_of(element).to_owned()), arg, id, detail].into_iter().flatten().collect()
}

impl Drawing {
    fn node(&mut self, router: &str, words: Vec<String>, shape: Shape) -> usize {
        self.nodes.push(Node { router: router.to_owned(), words, shape });
        self.nodes.len() - 1
    }

    /// The rules of a router, one below the other.
    fn router(&mut self, name: &str, rules: &[&Element]) {
        let mut last: Option<usize> = None;
        for rule in rules {
            let shape = shape_of(rule);
            let at = self.node(name, words(rule), shape);
            match last {
                None => self.routers.push((name.to_owned(), at)),
                Some(last) => {
                    self.edges.push((last, at, if self.nodes[last].shape != Shape::Filter { OTHER_TAGS.to_owned() } else { String::new() }))
                }
            }
            last = Some(at);
            if shape != Shape::Filter {
                self.output(name, at, rule);
            }
        }
    }

    /// Where an output sends events on.
    fn output(&mut self, router: &str, at: usize, element: &Element) {
        match kind_of(element) {
            "relabel" => self.ways.push((at, label_of(element).unwrap_or(ROOT).to_owned(), String::new())),
            "rewrite_tag_filter" => {
                for rule in element.children.iter().filter(|child| child.name == "rule") {
                    let to = label_of(rule).or(label_of(element)).unwrap_or(router);
                    self.ways.push((at, to.to_owned(), format!("tag {}", text_of(rule, "tag").unwrap_or_default())));
                }
            }
            "record_modifier" => {
                let to = label_of(element).unwrap_or(router);
                self.ways.push((at, to.to_owned(), format!("tag {}", text_of(element, "tag").unwrap_or_default())));
            }
            _ => {}
        }
        for store in element.children.iter().filter(|child| matches!(child.name.as_str(), "store" | "secondary")) {
            let inner = self.node(router, words(store), shape_of(store));
            let word = if store.name == "secondary" { "on failure" } else { "" };
            self.edges.push((at, inner, word.to_owned()));
            self.output(router, inner, store);
        }
    }

    fn connect(&mut self) {
        for (from, to, word) in std::mem::take(&mut self.ways) {
            if let Some((_, at)) = self.routers.iter().find(|(name, _)| *name == to) {
                self.edges.push((from, *at, word));
            }
        }
    }

    fn mermaid(&self) -> String {
        let mut out = "flowchart TD\n".to_owned();
        self.boxes(
            &mut out,
            |out, at, node, margin| {
                let words = node.words.iter().map(|word| mermaid_text(word)).collect::<Vec<_>>().join("<br/>");
                let (open, close) = match node.shape {
                    Shape::Source => ("([", "])"),
                    Shape::Filter => ("[", "]"),
                    Shape::Way => ("{{", "}}"),
                    Shape::Output => ("[(", ")]"),
                };
                let _ = writeln!(out, "{margin}n{at}{open}\"{words}\"{close}");
            },
            |out, number, name| {
                let _ = writeln!(out, "  subgraph r{number}[\"{}\"]", mermaid_text(name));
            },
            "  end\n",
        );
        for (from, to, word) in &self.edges {
            let line = if word == OTHER_TAGS { "-.->" } else { "-->" };
            let arrow = if word.is_empty() { line.to_owned() } else { format!("{line}|\"{}\"|", mermaid_text(word)) };
            let _ = writeln!(out, "  n{from} {arrow} n{to}");
        }
        out
    }

    fn dot(&self) -> String {
        let mut out = "digraph flumen {\n  graph [fontname=\"sans-serif\" compound=true];\n  node [fontname=\"sans-serif\" fontsize=11 style=filled fillcolor=white];\n  edge [fontname=\"sans-serif\" fontsize=9];\n".to_owned();
        self.boxes(
            &mut out,
            |out, at, node, margin| {
                let words = node.words.iter().map(|word| dot_text(word)).collect::<Vec<_>>().join("\\n");
                let (shape, colour) = match node.shape {
                    Shape::Source => ("oval", "#d9ead3"),
                    Shape::Filter => ("box", "#fff2cc"),
                    Shape::Way => ("hexagon", "#e8e0f0"),
                    Shape::Output => ("cylinder", "#cfe2f3"),
                };
                let _ = writeln!(out, "{margin}n{at} [shape={shape} fillcolor=\"{colour}\" label=\"{words}\"];");
            },
            |out, number, name| {
                let _ = writeln!(
                    out,
                    "  subgraph cluster_{number} {{\n    label=\"{}\"; labeljust=l; style=rounded; color=gray60; margin=14;",
                    dot_text(name)
                );
            },
            "  }\n",
        );
        for (from, to, word) in &self.edges {
            let line = if word == OTHER_TAGS { " style=dashed color=gray40 fontcolor=gray40" } else { "" };
            // The blank keeps the words off the line.
            let label = if word.is_empty() { String::new() } else { format!(" [label=\" {}\"{line}]", dot_text(word)) };
            let _ = writeln!(out, "  n{from} -> n{to}{label};");
        }
        out.push_str("}\n");
        out
    }

    /// Writes the boxes, those of each router within a frame.
    fn boxes(
        &self,
        out: &mut String,
        write: impl Fn(&mut String, usize, &Node, &str),
        open: impl Fn(&mut String, usize, &str),
        close: &str,
    ) {
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.router.is_empty()) {
            write(out, at, node, "  ");
        }
        for (number, (name, _)) in self.routers.iter().enumerate() {
            open(out, number, name);
            for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.router == *name) {
                write(out, at, node, "    ");
            }
            out.push_str(close);
        }
    }
}

fn mermaid_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', " ")
}

fn dot_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ")
}
