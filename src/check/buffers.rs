//! Buffers whose parameters contradict each other, placeholders without their chunk keys, acks for what only memory holds.

use super::subject::{Subject, kind_of, text_of, value, walk};
use crate::config::{Element, FromLiteral, Param, Seconds, Size};

/// Outputs that send events elsewhere from a buffer.
const REMOTE: &[&str] = &[
    "elasticsearch",
    "elasticsearch_dynamic",
    "opensearch",
    "opensearch_data_stream",
    "elasticsearch_data_stream",
    "forward",
    "http",
    "s3",
    "kafka2",
    "loki",
    "mongo",
    "gelf",
    "splunk_hec",
    "influxdb",
    "kinesis_streams",
    "kinesis_firehose",
    "cloudwatch_logs",
    "gcs",
    "webhdfs",
    "azureblob",
];
/// Parameters that are names made for each chunk.
const TEMPLATES: &[&str] = &[
    "index_name",
    "logstash_prefix",
    "type_name",
    "target_index_key_prefix",
    "topic",
    "default_topic",
    "stream_name",
    "database",
    "collection",
    "table",
];
/// Placeholders that need no chunk key.
const FREE: &[&str] = &["chunk_id", "uuid", "uuid_flush", "hostname", "time_slice", "index", "hex_random", "file_extension", "worker_id"];

/// Looks at all buffers.
pub fn check(subject: &Subject<'_>) {
    let mut forward_source = false;
    walk(subject.built, &mut |element, _| forward_source |= element.name == "source" && kind_of(element) == "forward");
    let mut said = false;
    walk(subject.built, &mut |element, _| {
        if !matches!(element.name.as_str(), "match" | "store") {
            return;
        }
        let buffer = element.children.iter().find(|child| child.name == "buffer");
        if let Some(buffer) = buffer {
            limits(subject, buffer);
            retries(subject, buffer);
            times(subject, buffer);
        }
        placeholders(subject, element, buffer);
        if forward_source && !said && REMOTE.contains(&kind_of(element)) && !is_durable(element, buffer) {
            said = true;
            let message = format!(
                "what waits for {} is in memory only: where a sender asks for acks, events that it was told of are lost if the process dies",
                kind_of(element)
            );
            subject.note("FLM0735", element.span, message, "a <buffer> with '@type file' and a path keeps them on disk");
        }
    });
}

fn is_durable(element: &Element, buffer: Option<&Element>) -> bool {
    buffer.is_some_and(|buffer| kind_of(buffer).starts_with("file"))
        || text_of(element, "buffer_type").is_some_and(|kind| kind.starts_with("file"))
}

fn read<T: FromLiteral>(element: &Element, key: &str) -> Option<T> {
    T::from_literal(text_of(element, key)?, false).ok()
}

/// The place of a parameter.
fn at<'e>(element: &'e Element, key: &str) -> Option<&'e Param> {
    element.param(key)
}

fn limits(subject: &Subject<'_>, buffer: &Element) {
    let is_file = kind_of(buffer).starts_with("file");
    let chunk = read::<Size>(buffer, "chunk_limit_size");
    let total = read::<Size>(buffer, "total_limit_size");
    let default_total = Size(if is_file { 64 << 30 } else { 512 << 20 });
    let default_chunk = Size(if is_file { 256 << 20 } else { 8 << 20 });
    if (chunk.is_some() || total.is_some()) && chunk.unwrap_or(default_chunk) > total.unwrap_or(default_total) {
        let key = if total.is_some() { "total_limit_size" } else { "chunk_limit_size" };
        if let Some(param) = at(buffer, key) {
            let (chunk, total) = (chunk.unwrap_or(default_chunk).0, total.unwrap_or(default_total).0);
            let message = format!("one chunk may have {chunk} bytes, and all together only {total}: the buffer is full before a chunk is");
            subject.warn("FLM0731", param.span, message, "total_limit_size is for all chunks of the output, chunk_limit_size for each");
        }
    }
    if let (Some(param), Some(_)) = (at(buffer, "total_limit_size"), at(buffer, "queue_limit_length")) {
        subject.warn(
            "FLM0732",
            param.span,
            "'total_limit_size' has no effect beside 'queue_limit_length', which sets it to that many chunks",
            "leave one of them out",
        );
    }
    if let Some(param) = at(buffer, "chunk_full_threshold")
        && let Some(threshold) = read::<f64>(buffer, "chunk_full_threshold").filter(|threshold| !(*threshold > 0.0 && *threshold <= 1.0))
    {
        subject.warn(
            "FLM0731",
            param.value_span,
            format!("chunk_full_threshold {threshold} is no part of a chunk"),
            "expected more than 0 and at most 1, such as 0.95",
        );
    }
}

fn retries(subject: &Subject<'_>, buffer: &Element) {
    if read::<bool>(buffer, "retry_forever") == Some(true) {
        for key in ["retry_max_times", "retry_timeout"] {
            if let Some(param) = at(buffer, key) {
                subject.warn("FLM0733", param.span, format!("'{key}' has no effect beside 'retry_forever true'"), "leave one of them out");
            }
        }
    }
    if let (Some(Seconds(wait)), Some(Seconds(most))) = (read(buffer, "retry_wait"), read(buffer, "retry_max_interval"))
        && wait > most
        && let Some(param) = at(buffer, "retry_max_interval")
    {
        subject.warn(
            "FLM0733",
            param.span,
            format!("the longest pause between retries, {most} s, is shorter than the first, {wait} s"),
            "",
        );
    }
}

fn times(subject: &Subject<'_>, buffer: &Element) {
    let by_time = buffer.arg.split([',', ' ']).any(|key| key.trim() == "time") || buffer.arg.contains("\"time\"");
    if by_time {
        return;
    }
    for key in ["timekey", "timekey_wait", "timekey_zone", "timekey_use_utc"] {
        if let Some(param) = at(buffer, key) {
            subject.warn(
                "FLM0734",
                param.span,
                format!("'{key}' has no effect: 'time' is not among the chunk keys"),
                "write <buffer time> or <buffer tag,time>",
            );
            return;
        }
    }
}

/// Placeholders that are never replaced, because what they stand for is no chunk key.
fn placeholders(subject: &Subject<'_>, element: &Element, buffer: Option<&Element>) {
    let Some(arg) = buffer.map(|buffer| buffer.arg.as_str()).filter(|arg| !arg.is_empty()) else { return };
    let keys: Vec<&str> = arg.split([',', ' ', '[', ']', '"']).map(str::trim).filter(|key| !key.is_empty()).collect();
    for param in element.params.iter().filter(|param| TEMPLATES.contains(&param.key.as_str())) {
        let text = value(param).unwrap_or_default();
        for (start, _) in text.match_indices("${") {
            let inside = &text[start + 2..];
            let Some(name) = inside.find('}').map(|end| &inside[..end]) else { continue };
            let key = if name.starts_with("tag[") { "tag" } else { name };
            let plain = key.chars().all(|c| c.is_alphanumeric() || "._-$@".contains(c));
            if plain && !keys.contains(&key) && !FREE.contains(&key) && !key.is_empty() {
                let message =
                    format!("'{}': ${{{name}}} is never replaced, because '{key}' is not among the chunk keys ({arg})", param.key);
                subject.warn("FLM0736", param.value_span, message, format!("write <buffer {},{key}>", arg.trim()));
            }
        }
    }
}
