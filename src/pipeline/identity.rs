//! What makes a plugin the same before and after a reload: its place among the workers, its `@id`, else all that is written about it.

use super::delivery::Delivery;
use crate::config::{Element, ParamValue};
use crate::metrics::{Activity, InputCounters, Overview};
use crate::plugin::{Emitter, Limit};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// What a configuration that takes the place of a running one is built upon. Holding it changes nothing.
#[derive(Clone)]
pub struct Predecessor {
    /// The ways to routers by name, of each worker: plugins that stay hold them, and they will lead to the new routers.
    pub(super) ways: HashMap<i64, HashMap<String, Emitter>>,
    /// The inputs in their order.
    pub(super) inputs: Vec<Known>,
    /// The outputs that may be found again.
    pub(super) outputs: Vec<Placed>,
    /// What all memory buffers count against.
    pub(super) memory: Arc<Limit>,
    pub(super) overview: Arc<Overview>,
}

/// What there is to know of a running input.
#[derive(Clone)]
pub(super) struct Known {
    pub worker: i64,
    /// What is written about it.
    pub text: String,
    /// Its sockets, where a successor can have them.
    pub sockets: Option<String>,
    pub kept: Kept,
}

/// What an input that goes on keeps.
#[derive(Clone, Default)]
pub(super) struct Kept {
    pub counters: Arc<InputCounters>,
    pub activity: Arc<Mutex<Activity>>,
    /// Its place among the running ones.
    pub place: Option<usize>,
}

/// A buffered output at its place.
#[derive(Clone)]
pub(super) struct Placed {
    pub worker: i64,
    /// Its `@id`.
    pub id: Option<String>,
    /// What is written about it.
    pub text: String,
    pub delivery: Arc<Delivery>,
    pub origin: Origin,
}

/// What an output was before the reload.
#[derive(Clone)]
pub(super) enum Origin {
    /// Not there.
    New,
    /// The same.
    Kept,
    /// This one, by other parameters.
    Replaces(Arc<Delivery>),
}

impl Predecessor {
    /// The ways of a worker.
    pub(super) fn ways(&self, worker: i64) -> HashMap<String, Emitter> {
        self.ways.get(&worker).cloned().unwrap_or_default()
    }

    /// The running input that one described by `text` takes the place of, by its sockets; or is, by its text, where its kind cannot pass
    /// sockets on. Each is found once, as `claimed` says.
    pub(super) fn find_input(&self, worker: i64, text: &str, sockets: Option<&str>, claimed: &mut HashSet<usize>) -> Option<Kept> {
        let is_same = |known: &Known| match sockets {
            Some(_) => known.sockets.as_deref() == sockets,
            None => known.sockets.is_none() && known.text == text,
        };
        let mut free = self.inputs.iter().enumerate().filter(|(place, _)| !claimed.contains(place));
        let (place, known) = free.find(|(_, known)| known.worker == worker && is_same(known))?;
        claimed.insert(place);
        Some(Kept { place: Some(place), ..known.kept.clone() })
    }

    /// The output that takes the place of `new` or passes its chunks to it, if there is one that nobody has claimed yet.
    pub(super) fn place(&self, mut new: Placed, claimed: &[Placed]) -> Placed {
        let is_free = |old: &&Placed| !claimed.iter().any(|other| other.is_or_was(&old.delivery));
        let mut free = self.outputs.iter().filter(|old| old.worker == new.worker).filter(is_free);
        let path = new.delivery.buffer_path().map(|(path, _)| path);
        // A buffer on disk is one output's only: whoever has its path goes on with it.
        let by_path = free.clone().find(|old| path.is_some() && old.delivery.buffer_path().map(|(path, _)| path) == path);
        let found = match &new.id {
            Some(id) => free.find(|old| old.id.as_ref() == Some(id)),
            None => free.find(|old| old.id.is_none() && old.text == new.text),
        };
        let Some(old) = found.or(by_path) else { return new };
        if old.text == new.text {
            return Placed { delivery: Arc::clone(&old.delivery), origin: Origin::Kept, ..new };
        }
        if old.delivery.can_pass_to(&new.delivery) && type_of(&old.text) == type_of(&new.text) {
            new.delivery = Delivery::inherit(new.delivery, &old.delivery);
            new.origin = Origin::Replaces(Arc::clone(&old.delivery));
        }
        new
    }
}

impl Placed {
    /// Whether this is `delivery`, or takes its place.
    pub(super) fn is_or_was(&self, delivery: &Arc<Delivery>) -> bool {
        let was = matches!(&self.origin, Origin::Replaces(old) if Arc::ptr_eq(old, delivery));
        was || Arc::ptr_eq(&self.delivery, delivery)
    }
}

/// All that is written about a plugin, but for its `@id` and its pattern, in an order that does not depend on that of the lines; and what
/// else matters to it, from `<system>`. Its type is the first line.
pub(super) fn text_of(element: &Element, system: &[Option<String>]) -> String {
    let mut text = format!("{}\n{system:?}\n", element.plugin_type().unwrap_or_default());
    write(element, &mut text);
    text
}

fn type_of(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn write(element: &Element, text: &mut String) {
    let mut params: Vec<_> = element.params.iter().filter(|param| !matches!(param.key.as_str(), "@id" | "id")).collect();
    params.sort_by(|a, b| a.key.cmp(&b.key));
    for param in params {
        let value = match &param.value {
            ParamValue::Text(text) => format!("{text:?}"),
            ParamValue::Nil => "nil".to_owned(),
            ParamValue::Default => "default".to_owned(),
        };
        text.push_str(&format!("{:?} {value}\n", param.key));
    }
    for child in &element.children {
        text.push_str(&format!("<{} {:?}>\n", child.name, child.arg));
        write(child, text);
        text.push_str("</>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Diagnostics, LoadOptions, load};

    fn text(lines: &str) -> String {
        let root = load(&LoadOptions::for_text("test", &format!("<match x>\n{lines}\n</match>\n")), &Diagnostics::new()).unwrap();
        text_of(&root.children[0], &[])
    }

    #[test]
    fn order_and_name_do_not_count_and_everything_else_does() {
        let one = "@type file\n@id a\npath /x\n<buffer tag>\nflush_interval 1s\n</buffer>";
        let other = "path '/x'\n@type file\n<buffer tag>\nflush_interval 1s\n</buffer>";
        assert_eq!(text(one), text(other));
        assert_ne!(text(one), text(&one.replace("/x", "/y")));
        assert_ne!(text(one), text(&one.replace("1s", "2s")));
        assert_ne!(text(one), text(&one.replace("buffer tag", "buffer time")));
        assert_ne!(text(one), text(&one.replace("file", "stdout")));
        assert_ne!(text("@type a\nk x\nl y"), text("@type a\nk \"x\\nl y\""));
    }
}
