//! Whether the process is ready: all listeners are bound, no input has ended, and no output is stuck.
//!
//! Stuck is an output whose buffer is full, or that has chunks to deliver and has failed for a minute without any success, or whose printed
//! events nobody takes from standard output, as those of a filter may be. An output that
//! merely fails, with room in its buffer, keeps nobody from sending.

use super::node::Node;
use crate::metrics::{Activity, Overview, Plugin, Watched};
use std::sync::PoisonError;

/// Why the process is not ready, plugin by plugin; nothing where it is.
pub fn readiness(overview: &Overview) -> Vec<Node> {
    let mut reasons = Vec::new();
    if overview.is_stopping() {
        reasons.push(Node::Map(vec![("reason".to_owned(), Node::text("the process is stopping"))]));
    }
    for plugin in overview.plugins() {
        if let Some(reason) = reason(&plugin) {
            let fields = [("plugin_id", plugin.id.as_str()), ("type", plugin.kind.as_str()), ("reason", reason.as_str())];
            reasons.push(Node::Map(fields.into_iter().map(|(key, text)| (key.to_owned(), Node::text(text))).collect()));
        }
    }
    reasons
}

fn reason(plugin: &Plugin) -> Option<String> {
    if let Some(stuck) = plugin.queue.as_ref().and_then(|queue| queue.waiting().stuck) {
        return Some(stuck);
    }
    match &plugin.watched {
        Watched::Input(_, activity) => match &*activity.lock().unwrap_or_else(PoisonError::into_inner) {
            Activity::Running => None,
            Activity::Idle => Some("it does not listen yet".to_owned()),
            Activity::Ended(why) => Some(format!("it has ended: {why}")),
        },
        Watched::Buffered(_, buffer) => buffer.usage().stuck,
        Watched::Filter(_) | Watched::Multiple(_) | Watched::Direct(_) => None,
    }
}
