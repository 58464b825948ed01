//! The plugins as `/api/plugins` shows them: which are asked for, and their fields in Fluentd's order.

use super::node::Node;
use crate::metrics::{Overview, Plugin, RetryState, Usage, Watched};
use crate::net::query::Query;
use std::sync::Arc;

/// What is shown beside the numbers.
pub struct Show {
    /// The configuration.
    pub config: bool,
    /// The state of retries.
    pub retry: bool,
    /// Values of parameters.
    pub variables: Variables,
}

/// Which parameters are shown with their values.
pub enum Variables {
    /// None.
    None,
    /// All.
    All,
    /// Those, where the plugin has them.
    Some(Vec<String>),
}

/// The plugins that a request is about: by tag the output that takes it, by id, by type, or all.
pub fn found(overview: &Overview, query: &Query) -> Vec<Arc<Plugin>> {
    let all = overview.plugins();
    let first = |wanted: &dyn Fn(&Plugin) -> bool| all.iter().find(|plugin| wanted(plugin)).cloned().into_iter().collect();
    if let Some(tag) = query.first("tag") {
        // As in Fluentd: of the root's outputs, and without those that only hand on.
        return first(&|plugin: &Plugin| {
            let is_output = matches!(plugin.watched, Watched::Direct(_) | Watched::Buffered(..));
            is_output && plugin.router == "@ROOT" && plugin.takes.as_ref().is_some_and(|takes| takes(tag))
        });
    }
    if let Some(id) = query.first("@id").or_else(|| query.first("id")) {
        return first(&|plugin: &Plugin| plugin.id == id);
    }
    if let Some(kind) = query.first("@type").or_else(|| query.first("type")) {
        return all.into_iter().filter(|plugin| plugin.kind == kind).collect();
    }
    all
}

/// One plugin.
pub fn describe(plugin: &Plugin, show: &Show) -> Node {
    let mut fields = vec![
        ("plugin_id", Node::text(&plugin.id)),
        ("plugin_category", Node::text(plugin.watched.category())),
        ("type", Node::text(&plugin.kind)),
    ];
    if show.config {
        let config = plugin.config.iter().map(|(key, value)| (key.clone(), Node::text(value))).collect();
        fields.push(("config", Node::Map(config)));
    }
    let usage = numbers(plugin, &mut fields);
    if let (true, Watched::Direct(_) | Watched::Buffered(..)) = (show.retry, &plugin.watched) {
        fields.push(("retry", retry(usage.and_then(|usage| usage.retry))));
    }
    let wanted = |name: &str| match &show.variables {
        Variables::None => false,
        Variables::All => true,
        Variables::Some(names) => names.iter().any(|wanted| wanted == name),
    };
    if !matches!(show.variables, Variables::None) {
        let variables = plugin.variables.iter().filter(|(name, _)| wanted(name));
        let variables = variables.map(|(name, value)| (name.clone(), Node::from_json(value))).collect();
        fields.push(("instance_variables", Node::Map(variables)));
    }
    Node::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn numbers(plugin: &Plugin, fields: &mut Vec<(&'static str, Node)>) -> Option<Usage> {
    let is_output = matches!(plugin.watched, Watched::Direct(_) | Watched::Buffered(..));
    fields.push(("output_plugin", Node::Bool(is_output)));
    let (counters, buffer) = match &plugin.watched {
        Watched::Input(counters, _) => {
            fields.push(("retry_count", Node::Null));
            fields.push(("emit_records", Node::count(counters.emit_records.get())));
            fields.push(("emit_size", Node::count(counters.emit_size.get())));
            return None;
        }
        Watched::Filter(counters) => {
            fields.push(("retry_count", Node::Null));
            fields.push(("emit_records", Node::count(counters.emit_records.get())));
            fields.push(("emit_size", Node::count(counters.emit_size.get())));
            return None;
        }
        Watched::Multiple(counters) => {
            fields.push(("retry_count", Node::count(counters.retry_count.get())));
            return None;
        }
        Watched::Direct(counters) => (counters, None),
        Watched::Buffered(counters, buffer) => (counters, Some(buffer)),
    };
    let usage = buffer.map(|buffer| buffer.usage());
    if let Some(usage) = &usage {
        fields.push(("buffer_queue_length", Node::count(usage.queue_length as u64)));
        fields.push(("buffer_timekeys", Node::List(usage.timekeys.iter().map(|key| Node::Int(*key)).collect())));
        fields.push(("buffer_total_queued_size", Node::count(usage.stage_bytes + usage.queue_bytes)));
    }
    fields.push(("retry_count", Node::count(counters.retry_count.get())));
    for (name, count) in [
        ("emit_records", &counters.emit_records),
        ("emit_size", &counters.emit_size),
        ("emit_count", &counters.emit_count),
        ("write_count", &counters.write_count),
        ("rollback_count", &counters.rollback_count),
        ("slow_flush_count", &counters.slow_flush_count),
        ("flush_time_count", &counters.flush_time_count),
    ] {
        fields.push((name, Node::count(count.get())));
    }
    if let Some(usage) = &usage {
        fields.push(("buffer_stage_length", Node::count(usage.stage_length as u64)));
        fields.push(("buffer_stage_byte_size", Node::count(usage.stage_bytes)));
        fields.push(("buffer_queue_byte_size", Node::count(usage.queue_bytes)));
        fields.push(("buffer_available_buffer_space_ratios", Node::Float(available_percent(usage))));
        for (name, key) in [("buffer_oldest_timekey", usage.timekeys.first()), ("buffer_newest_timekey", usage.timekeys.last())] {
            key.iter().for_each(|key| fields.push((name, Node::Int(**key))));
        }
    }
    usage
}

/// How much of the buffer is free, in percent with one decimal.
pub fn available_percent(usage: &Usage) -> f64 {
    let used = usage.stage_bytes + usage.queue_bytes;
    let free = usage.total_limit.saturating_sub(used) as f64 / usage.total_limit.max(1) as f64;
    (free * 1000.0).round() / 10.0
}

fn retry(state: Option<RetryState>) -> Node {
    let time = |at: i64| {
        let at = jiff::Timestamp::from_second(at).unwrap_or_default();
        Node::Text(at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %z").to_string())
    };
    let fields = state.map(|RetryState { start, steps, next_time }| {
        vec![("start".to_owned(), time(start)), ("steps".to_owned(), Node::count(steps)), ("next_time".to_owned(), time(next_time))]
    });
    Node::Map(fields.unwrap_or_default())
}

/// What `/api/config` shows.
pub fn process(overview: &Overview) -> Node {
    let process = overview.process();
    let fields = [
        ("pid", Node::Int(i64::from(std::process::id()))),
        ("ppid", Node::Int(i64::from(std::os::unix::process::parent_id()))),
        ("version", Node::text(env!("CARGO_PKG_VERSION"))),
        ("config_path", Node::Text(process.config_path)),
        ("pid_file", Node::optional(process.pid_file)),
        // There are no plugins to load.
        ("plugin_dirs", Node::List(Vec::new())),
        ("log_path", Node::optional(process.log_path)),
        ("root_dir", Node::optional(process.root_dir)),
    ];
    Node::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
