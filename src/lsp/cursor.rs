//! What is at a place of a text: the sections around it, and the piece of a line that it is in.

use crate::config::tree::{IncludeNode, Literal, Node, ParamNode, SectionNode, Tree};
use crate::config::{Diagnostics, Span, v1};
use crate::manual::Near;

/// A name that the place of the cursor gets while the text before it is read.
const MARK: &str = "flumen_lsp_cursor";

/// What is at a place.
pub enum At<'t> {
    /// The name in an opening tag.
    Name(&'t SectionNode),
    /// What stands behind that name.
    Argument(&'t SectionNode, &'t Literal),
    /// The name of a parameter.
    Key(&'t ParamNode),
    /// Its value.
    Value(&'t ParamNode, &'t Literal),
    /// An include.
    Include(&'t IncludeNode),
    /// Blanks, comments, closing tags, what could not be read.
    Nothing,
}

/// A place, with the sections that it is within, the outermost first.
pub struct Spot<'t> {
    /// The sections; one whose tag the place is in is not among them.
    pub around: Vec<&'t SectionNode>,
    /// What is there.
    pub at: At<'t>,
}

/// Whether a place is in a span or right behind it.
pub fn touches(span: Span, offset: usize) -> bool {
    (span.start as usize..=span.end as usize).contains(&offset)
}

/// The text of a span.
pub fn text_of(text: &str, span: Span) -> &str {
    text.get(span.start as usize..span.end as usize).unwrap_or("")
}

/// The text of a value where no Ruby is in it.
pub fn plain(param: &ParamNode) -> Option<&str> {
    param.value.as_ref().map_or(Some(""), Literal::plain_text)
}

/// The parameters of a section, without those of its sub-sections.
pub fn params(nodes: &[Node]) -> impl Iterator<Item = &ParamNode> {
    nodes.iter().filter_map(|node| match node {
        Node::Param(param) => Some(param),
        _ => None,
    })
}

/// The value of a parameter that a section has, by its name.
pub fn value<'t>(section: &'t SectionNode, keys: &[&str]) -> Option<&'t str> {
    params(&section.children).find(|param| param.key.plain_text().is_some_and(|key| keys.contains(&key))).and_then(plain)
}

/// The type of a section's plugin; empty where none is given.
pub fn kind_of(section: &SectionNode) -> &str {
    value(section, &["@type", "type"]).unwrap_or_default()
}

/// What the manual has to know of some sections.
pub fn near(sections: &[&SectionNode]) -> Vec<Near> {
    sections.iter().map(|section| Near { name: section.name.clone(), kind: kind_of(section).to_owned() }).collect()
}

/// Where the name in an opening tag stands.
pub fn name_span(section: &SectionNode) -> Span {
    Span { start: section.open.start + 1, end: section.open.start + 1 + section.name.len() as u32, ..section.open }
}

/// Where a section ends: behind its closing tag, or behind all that it holds.
pub fn end_of(section: &SectionNode) -> u32 {
    let last = || section.children.iter().map(end_of_node).max().unwrap_or(section.open.end);
    section.close.map_or_else(last, |close| close.end).max(section.open.end)
}

fn end_of_node(node: &Node) -> u32 {
    match node {
        Node::Blank(span) | Node::Comment(span) | Node::Broken(span) => span.end,
        Node::Param(param) => param.span.end,
        Node::Include(include) => include.span.end,
        Node::Section(section) => end_of(section),
    }
}

/// What is at a byte.
pub fn find(tree: &Tree, offset: usize) -> Spot<'_> {
    let mut spot = Spot { around: Vec::new(), at: At::Nothing };
    let mut nodes = &tree.nodes;
    'level: loop {
        for node in nodes {
            match node {
                Node::Param(param) if touches(param.span, offset) => {
                    let value = param.value.as_ref().filter(|value| touches(value.span, offset));
                    spot.at = match value {
                        Some(value) => At::Value(param, value),
                        None if touches(param.key.span, offset) => At::Key(param),
                        None => At::Nothing,
                    };
                    return spot;
                }
                Node::Include(include) if touches(include.span, offset) => {
                    spot.at = At::Include(include);
                    return spot;
                }
                Node::Section(section) if (section.open.start as usize..=end_of(section) as usize).contains(&offset) => {
                    if offset < section.open.end as usize {
                        spot.at = match &section.arg {
                            Some(arg) if touches(arg.span, offset) => At::Argument(section, arg),
                            _ if offset <= name_span(section).end as usize => At::Name(section),
                            _ => At::Nothing,
                        };
                        return spot;
                    }
                    if section.close.is_none_or(|close| offset < close.start as usize) {
                        spot.around.push(section);
                        nodes = &section.children;
                        continue 'level;
                    }
                }
                _ => {}
            }
        }
        return spot;
    }
}

/// Where something is about to be written.
pub struct Pen {
    /// The sections around, the outermost first.
    pub around: Vec<Near>,
    /// The names of the parameters that the innermost section has on other lines.
    pub given: Vec<String>,
    /// The names of the sections that it has on other lines.
    pub held: Vec<String>,
    /// Where the line starts.
    pub line_start: usize,
}

/// What is around the line of a byte; `None` within a value that began on an earlier line. What stands on the line itself, which is
/// only half written, counts for nothing.
pub fn pen(text: &str, offset: usize) -> Option<Pen> {
    let line_start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
    let quiet = Diagnostics::new();
    let before = v1::parse(&format!("{}{MARK}\n", &text[..line_start]), 0, &quiet);
    let starts: Vec<u32> = marked(&before.nodes)?.iter().map(|section| section.open.start).collect();
    let rest = format!("{}{}{}", &text[..line_start], " ".repeat(line_end - line_start), &text[line_end..]);
    let whole = v1::parse(&rest, 0, &quiet);
    if matches!(find(&whole, line_start).at, At::Value(_, value) if (value.span.start as usize) < line_start) {
        return None;
    }
    let mut nodes = &whole.nodes;
    let mut around = Vec::new();
    for start in starts {
        let section = nodes.iter().find_map(|node| match node {
            Node::Section(section) if section.open.start == start => Some(section),
            _ => None,
        })?;
        around.push(section);
        nodes = &section.children;
    }
    let given = params(nodes).filter_map(|param| param.key.plain_text()).map(str::to_owned).collect();
    let held = nodes.iter().filter_map(|node| match node {
        Node::Section(section) => Some(section.name.clone()),
        _ => None,
    });
    Some(Pen { around: near(&around), given, held: held.collect(), line_start })
}

/// The sections around the mark.
fn marked(nodes: &[Node]) -> Option<Vec<&SectionNode>> {
    for node in nodes {
        match node {
            Node::Param(param) if param.key.plain_text() == Some(MARK) => return Some(Vec::new()),
            Node::Section(section) => {
                if let Some(mut inner) = marked(&section.children) {
                    inner.insert(0, section);
                    return Some(inner);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(text: &str) -> Option<String> {
        let offset = text.find('|').expect("a mark");
        let pen = pen(&text.replace('|', ""), offset)?;
        Some(pen.around.iter().map(|near| format!("{}:{} ", near.name, near.kind)).collect::<String>() + &pen.given.join(","))
    }

    #[test]
    fn what_is_around_a_half_written_line() {
        for (text, expected) in [
            ("|", Some("")),
            ("<match **>\n  @type st|", Some("match: ")),
            ("<match **>\n  |\n  @type file\n  path x\n</match>\n", Some("match:file @type,path")),
            ("<match **>\n  @type file\n  <bu|\n  path x\n</match>\n<source>\n</source>\n", Some("match:file @type,path")),
            ("<match **>\n  @type copy\n  <store>\n    @type file\n    |\n  </store>\n</match>", Some("match:copy store:file @type")),
            ("<match **>\n</match>\n|", Some("")),
            ("<a>\n<b>\n</a>\n|", Some("")),
            ("<match a\n  @type file\n  |", Some("match:file @type")),
            ("x [\n  1,|\n]\n", None),
            ("x \"a\n  b|\n\"\n", None),
        ] {
            assert_eq!(around(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_at_a_place() {
        let text = "<match a.*> # c\n  port 80\n</match>\n@include x.conf\n";
        let tree = v1::parse(text, 0, &Diagnostics::new());
        let at = |offset: usize| match find(&tree, offset).at {
            At::Name(_) => "name",
            At::Argument(..) => "argument",
            At::Key(_) => "key",
            At::Value(..) => "value",
            At::Include(_) => "include",
            At::Nothing => "nothing",
        };
        let places =
            [(1, "name"), (8, "argument"), (13, "nothing"), (19, "key"), (24, "value"), (30, "nothing"), (40, "include"), (999, "nothing")];
        for (offset, expected) in places {
            assert_eq!(at(offset), expected, "{offset}");
        }
        assert_eq!(find(&tree, 19).around.len(), 1);
    }
}
