//! What a configuration is lowered to: sections with parameters and sub-sections, each with its place.

use super::{Section, Span};
use std::cell::{Cell, RefCell};

/// The value of a parameter after evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// Text, as Fluentd hands it to its type conversion (JSON values in compact form).
    Text(String),
    /// `use_nil` was evaluated: as though the value were nil.
    Nil,
    /// `use_default` was evaluated: the declared default.
    Default,
}

/// One parameter of a section.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: ParamValue,
    /// Where the whole parameter stands.
    pub span: Span,
    /// Where its value stands.
    pub value_span: Span,
    /// Whether some declaration took it; what stays `false` is warned about as not used.
    pub used: Cell<bool>,
}

/// One section.
#[derive(Clone, Debug, Default)]
pub struct Element {
    /// `source`, `match`, `parse`, ...; `ROOT` for the whole configuration.
    pub name: String,
    /// What stands behind the name, trimmed; empty where nothing does.
    pub arg: String,
    /// Parameters in order; a repeated key has been replaced by its last value.
    pub params: Vec<Param>,
    /// Sub-sections in order.
    pub children: Vec<Element>,
    /// Where the opening tag stands.
    pub span: Span,
    /// Whether some declaration took it.
    pub used: Cell<bool>,
    /// Shown without quotes in the dump: version 0 syntax, and sections that were made from flat parameters.
    pub plain: bool,
    /// The sections around it up to its plugin's, outermost first, as messages name them: `security > user`.
    within: String,
    /// The declarations that read it: how its values are shown follows from them.
    declared: RefCell<Vec<&'static Section>>,
    /// What a plugin has set here itself, shown behind the parameters in the dump.
    given: RefCell<Vec<(String, String)>>,
    /// Sections that a plugin has set here itself, shown behind the others in the dump.
    shown: RefCell<Vec<Element>>,
    /// Parameters that the dump leaves out.
    quiet: Vec<String>,
    /// Whether something in it could not be read.
    damaged: bool,
    /// Defaults that a plugin gives in place of the declared ones.
    defaults: RefCell<Vec<(String, String)>>,
}

/// Sections that belong to a plugin of their own, or to none.
const PLUGIN_SECTIONS: [&str; 12] =
    ["ROOT", "source", "match", "filter", "label", "worker", "system", "store", "secondary", "parse", "format", "buffer"];

impl Element {
    /// An empty section that stands at `span`.
    pub fn new(name: &str, arg: &str, span: Span) -> Element {
        Element { name: name.to_owned(), arg: arg.to_owned(), span, ..Element::default() }
    }

    /// A parameter, without marking it as used.
    pub fn param(&self, key: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.key == key)
    }

    /// The text of a parameter, marking it as used; `None` where it is absent, nil or default.
    pub fn text(&self, key: &str) -> Option<&str> {
        let param = self.param(key)?;
        param.used.set(true);
        match &param.value {
            ParamValue::Text(text) => Some(text),
            ParamValue::Nil | ParamValue::Default => None,
        }
    }

    /// Sets or replaces a parameter that stands at `span`.
    pub fn set(&mut self, key: &str, value: &str, span: Span) {
        let value = ParamValue::Text(value.to_owned());
        match self.params.iter_mut().find(|param| param.key == key) {
            Some(param) => param.value = value,
            None => self.params.push(Param { key: key.to_owned(), value, span, value_span: span, used: Cell::new(false) }),
        }
    }

    /// As [`Element::set`], and the dump leaves it out: for what Fluentd does without writing it down.
    pub fn set_quietly(&mut self, key: &str, value: &str, span: Span) {
        self.set(key, value, span);
        self.quiet.push(key.to_owned());
    }

    /// Whether the dump leaves a parameter out.
    pub fn is_quiet(&self, key: &str) -> bool {
        self.quiet.iter().any(|quiet| quiet == key)
    }

    /// Whether there is a sub-section of this name, without marking it as used.
    pub fn has_section(&self, name: &str) -> bool {
        self.children.iter().any(|child| child.name == name)
    }

    /// The first sub-section of this name; all of that name are marked as used.
    pub fn section(&self, name: &str) -> Option<&Element> {
        self.sections(name).into_iter().next()
    }

    /// The sub-sections of this name, marked as used.
    pub fn sections(&self, name: &str) -> Vec<&Element> {
        let found: Vec<&Element> = self.children.iter().filter(|child| child.name == name).collect();
        found.iter().for_each(|child| child.used.set(true));
        found
    }

    /// The plugin's type: `@type`, or the old `type`.
    pub fn plugin_type(&self) -> Option<&str> {
        self.text("@type").or_else(|| self.text("type"))
    }

    /// Notes which section this one stands in.
    pub fn stand_in(&mut self, parent: &Element) {
        self.within = match parent.within.as_str() {
            _ if PLUGIN_SECTIONS.contains(&self.name.as_str()) => String::new(),
            "" => self.name.clone(),
            around => format!("{around} > {}", self.name),
        };
    }

    /// What messages add about the place: `, in section security > user`; nothing for a plugin's own parameters.
    pub fn place(&self) -> String {
        if self.within.is_empty() { String::new() } else { format!(", in section {}", self.within) }
    }

    /// Notes that a declaration reads this section. [`section!`](crate::section) does it.
    pub fn declare(&self, section: &'static Section) {
        let mut declared = self.declared.borrow_mut();
        if !declared.iter().any(|known| std::ptr::eq(*known, section)) {
            declared.push(section);
        }
    }

    /// The declarations that read this section, the outer plugin's first.
    pub fn declarations(&self) -> Vec<&'static Section> {
        self.declared.borrow().clone()
    }

    /// Gives a parameter another default than the declared one, in the configuration's own syntax.
    pub fn set_default(&self, key: &str, value: &str) {
        let mut defaults = self.defaults.borrow_mut();
        defaults.retain(|(known, _)| known != key);
        defaults.push((key.to_owned(), value.to_owned()));
    }

    /// What [`Element::set_default`] has given.
    pub fn default_of(&self, key: &str) -> Option<String> {
        self.defaults.borrow().iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    /// Counts everything in this section and below as read: it is left out on purpose.
    pub fn pass_over(&self) {
        self.used.set(true);
        self.params.iter().for_each(|param| param.used.set(true));
        self.children.iter().for_each(Element::pass_over);
    }

    /// Notes that something in this section could not be read.
    pub fn damage(&mut self) {
        self.damaged = true;
    }

    /// Whether something in this section or below could not be read: building it would only lead to faults that follow from that one.
    pub fn is_damaged(&self) -> bool {
        self.damaged || self.children.iter().any(Element::is_damaged)
    }

    /// Notes a parameter that a plugin sets here itself, for the dump.
    pub fn give(&self, key: &str, value: &str) {
        let mut given = self.given.borrow_mut();
        given.retain(|(known, _)| known != key);
        given.push((key.to_owned(), value.to_owned()));
    }

    /// What [`Element::give`] has noted.
    pub fn given(&self) -> Vec<(String, String)> {
        self.given.borrow().clone()
    }

    /// Notes a section that a plugin sets here itself, for the dump.
    pub fn show_section(&self, section: Element) {
        let mut shown = self.shown.borrow_mut();
        shown.retain(|known| known.name != section.name);
        shown.push(section);
    }

    /// What [`Element::show_section`] has noted.
    pub fn shown_sections(&self) -> Vec<Element> {
        self.shown.borrow().clone()
    }

    /// The opening tag as messages show it: `<match a.**>`.
    pub fn tag_text(&self) -> String {
        if self.arg.is_empty() { format!("<{}>", self.name) } else { format!("<{} {}>", self.name, self.arg) }
    }
}
