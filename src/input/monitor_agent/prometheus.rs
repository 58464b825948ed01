//! `/metrics`: all counters in Prometheus' text format.
//!
//! `fluentd_output_status_*` are the names that Fluentd's plugin for Prometheus gives to the same numbers, so that dashboards and alerts go
//! on working; `flumen_*` are the books of every plugin and router, which balance.

use super::plugins::available_percent;
use crate::metrics::{
    Activity, Count, FilterCounters, InputCounters, OutputCounters, Overview, Plugin, RouterCounters, RouterEntry, Usage, Watched,
};
use std::fmt::Write;
use std::sync::{Arc, PoisonError};

/// What a number does: only grow, or go up and down.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

type Labels = Vec<(&'static str, String)>;
type OfInput = fn(&InputCounters) -> &Count;
type OfFilter = fn(&FilterCounters) -> &Count;
type OfRouter = fn(&RouterCounters) -> &Count;
type OfOutput = fn(&OutputCounters) -> &Count;
type OfUsage = fn(&Usage) -> Option<f64>;

/// Names that Fluentd's plugin for Prometheus gives, of every output.
#[rustfmt::skip]
const OUTPUTS: &[(&str, &str, OfOutput)] = &[
    ("fluentd_output_status_retry_count", "Deliveries that failed.", |c| &c.retry_count),
    ("fluentd_output_status_num_errors", "Deliveries that failed.", |c| &c.retry_count),
    ("fluentd_output_status_emit_count", "Emits to the output.", |c| &c.emit_count),
    ("fluentd_output_status_emit_records", "Events emitted to the output.", |c| &c.emit_records),
    ("fluentd_output_status_write_count", "Deliveries begun.", |c| &c.write_count),
    ("fluentd_output_status_rollback_count", "Chunks that came back after a failed delivery.", |c| &c.rollback_count),
    ("fluentd_output_status_flush_time_count", "Milliseconds spent in deliveries.", |c| &c.flush_time_count),
    ("fluentd_output_status_slow_flush_count", "Deliveries slower than slow_flush_log_threshold.", |c| &c.slow_flush_count),
    ("flumen_output_failed_records_total", "Events in emits that failed as a whole.", |c| &c.failed_records),
];

/// The same, of outputs with a buffer.
#[rustfmt::skip]
const BUFFERS: &[(&str, &str, OfUsage)] = &[
    ("fluentd_output_status_buffer_total_bytes", "Bytes staged and queued.", |u| Some((u.stage_bytes + u.queue_bytes) as f64)),
    ("fluentd_output_status_buffer_stage_length", "Chunks that take events.", |u| Some(u.stage_length as f64)),
    ("fluentd_output_status_buffer_stage_byte_size", "Bytes of chunks that take events.", |u| Some(u.stage_bytes as f64)),
    ("fluentd_output_status_buffer_queue_length", "Chunks that wait for delivery.", |u| Some(u.queue_length as f64)),
    ("fluentd_output_status_buffer_queue_byte_size", "Bytes of chunks that wait for delivery or are being delivered.", |u| Some(u.queue_bytes as f64)),
    ("fluentd_output_status_buffer_available_space_ratio", "Free part of the buffer, in percent.", |u| Some(available_percent(u))),
    ("fluentd_output_status_buffer_newest_timekey", "Newest time slice in the buffer.", |u| u.timekeys.last().map(|key| *key as f64)),
    ("fluentd_output_status_buffer_oldest_timekey", "Oldest time slice in the buffer.", |u| u.timekeys.first().map(|key| *key as f64)),
    ("fluentd_output_status_retry_wait", "Seconds from the first failure to the next retry; 0 where nothing is retried.", |u| {
        Some(u.retry.as_ref().map_or(0.0, |retry| (retry.next_time - retry.start) as f64))
    }),
    ("flumen_output_buffer_limit_bytes", "Bytes that the buffer can hold.", |u| Some(u.total_limit as f64)),
];

/// Outcomes of events at outputs with a buffer.
#[rustfmt::skip]
const OUTCOMES: &[(&str, &str, OfOutput)] = &[
    ("flumen_output_delivered_records_total", "Events delivered.", |c| &c.delivered_records),
    ("flumen_output_rejected_records_total", "Events that the output or its server rejected.", |c| &c.rejected_records),
    ("flumen_output_backup_records_total", "Events kept in the backup folder or among the dead letters.", |c| &c.backup_records),
    ("flumen_output_write_secondary_count_total", "Deliveries to the secondary begun.", |c| &c.write_secondary_count),
];

/// Why events of outputs with a buffer are gone.
const DROPS: &[(&str, OfOutput)] = &[
    ("overflow", |c| &c.overflow_records),
    ("drop_oldest_chunk", |c| &c.drop_oldest_records),
    ("left_out", |c| &c.dropped_records),
    ("lost", |c| &c.lost_records),
];

#[rustfmt::skip]
const INPUTS: &[(&str, &str, OfInput)] = &[
    ("flumen_input_emit_records_total", "Events that the input received and the pipeline took.", |c| &c.emit_records),
    ("flumen_input_refused_records_total", "Events that the pipeline did not take; the sender is told.", |c| &c.refused_records),
    ("flumen_input_invalid_messages_total", "Messages, entries of them, requests or lines that could not be read as events.", |c| &c.invalid_messages),
];

#[rustfmt::skip]
const FILTERS: &[(&str, &str, OfFilter)] = &[
    ("flumen_filter_received_records_total", "Events that came to the filter.", |c| &c.received_records),
    ("flumen_filter_added_records_total", "Events that the filter made beyond those.", |c| &c.added_records),
    ("flumen_filter_emit_records_total", "Events that went on.", |c| &c.emit_records),
    ("flumen_filter_dropped_records_total", "Events that the filter took out, or joined to others.", |c| &c.dropped_records),
    ("flumen_filter_rejected_records_total", "Events that the filter sent to @ERROR.", |c| &c.rejected_records),
    ("flumen_filter_released_records_total", "Events that the filter held and let go when their time was over.", |c| &c.released_records),
];

#[rustfmt::skip]
const ROUTERS: &[(&str, &str, OfRouter)] = &[
    ("flumen_router_received_records_total", "Events that came to the root router or a label.", |c| &c.received_records),
    ("flumen_router_matched_records_total", "Events that an output took.", |c| &c.matched_records),
    ("flumen_router_unmatched_records_total", "Events that no match was for.", |c| &c.unmatched_records),
    ("flumen_router_failed_records_total", "Events in emits that failed as a whole.", |c| &c.failed_records),
];

/// The whole page.
pub fn render(overview: &Overview) -> String {
    let mut page = Page::default();
    let plugins = overview.plugins();
    page.process(overview);
    page.inputs(&plugins);
    page.routers(&overview.routers());
    page.filters(&plugins);
    page.outputs(&plugins);
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// One name with all its numbers; nothing where there are none.
    fn family(&mut self, name: &str, help: &str, kind: Kind, samples: Vec<(Labels, f64)>) {
        if samples.is_empty() {
            return;
        }
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {kind}", help.replace('\\', "\\\\").replace('\n', "\\n"));
        for (labels, value) in samples {
            let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.text, "{name}{labels} {value}");
        }
    }

    fn process(&mut self, overview: &Overview) {
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        self.family("flumen_build_info", "The version that runs.", Kind::Gauge, vec![(version, 1.0)]);
        let errors = &overview.errors;
        let destination = |name: &str, count: &Count| (vec![("destination", name.to_owned())], count.get() as f64);
        let samples = vec![destination("label", &errors.labelled_records), destination("log", &errors.logged_records)];
        self.family("flumen_error_records_total", "Events that could not be handled, by where they went.", Kind::Counter, samples);
        let kept = vec![(Labels::new(), errors.kept_records.get() as f64)];
        let help = "Events of those in the log that are kept whole besides, as dead letters or in the backup folder.";
        self.family("flumen_dead_letter_records_total", help, Kind::Counter, kept);
        let dropped = vec![(Labels::new(), crate::log::dropped() as f64)];
        self.family("flumen_log_dropped_lines_total", "Lines of the own log that nobody read.", Kind::Counter, dropped);
        if let Some((seconds, bytes)) = own_usage() {
            let one = |value: f64| vec![(Labels::new(), value)];
            self.family("process_cpu_seconds_total", "User and system time spent, in seconds.", Kind::Counter, one(seconds));
            self.family("process_resident_memory_bytes", "Resident memory in bytes.", Kind::Gauge, one(bytes));
        }
    }

    fn inputs(&mut self, plugins: &[Arc<Plugin>]) {
        let inputs = || {
            plugins.iter().filter_map(|plugin| match &plugin.watched {
                Watched::Input(counters, activity) => Some((labels(plugin), counters, activity)),
                _ => None,
            })
        };
        let up = inputs().map(|(labels, _, activity)| {
            let is_running = *activity.lock().unwrap_or_else(PoisonError::into_inner) == Activity::Running;
            (labels, f64::from(u8::from(is_running)))
        });
        self.family("flumen_input_up", "1 while the input is at work.", Kind::Gauge, up.collect());
        for (name, help, of) in INPUTS {
            let samples = inputs().map(|(labels, counters, _)| (labels, of(counters).get() as f64));
            self.family(name, help, Kind::Counter, samples.collect());
        }
    }

    fn routers(&mut self, routers: &[Arc<RouterEntry>]) {
        for (name, help, of) in ROUTERS {
            let samples = routers.iter().map(|router| {
                let labels = vec![("router", router.name.clone()), ("worker_id", router.worker.to_string())];
                (labels, of(&router.counters).get() as f64)
            });
            self.family(name, help, Kind::Counter, samples.collect());
        }
    }

    fn filters(&mut self, plugins: &[Arc<Plugin>]) {
        for (name, help, of) in FILTERS {
            let samples = plugins.iter().filter_map(|plugin| match &plugin.watched {
                Watched::Filter(counters) => Some((labels(plugin), of(counters).get() as f64)),
                _ => None,
            });
            self.family(name, help, Kind::Counter, samples.collect());
        }
        let held = plugins.iter().filter_map(|plugin| match &plugin.watched {
            Watched::Filter(counters) => Some((labels(plugin), counters.held_records.get() as f64)),
            _ => None,
        });
        self.family("flumen_filter_held_records", "Events that the filter holds.", Kind::Gauge, held.collect());
    }

    fn outputs(&mut self, plugins: &[Arc<Plugin>]) {
        for (name, help, of) in OUTPUTS {
            let samples = plugins.iter().filter_map(|plugin| match &plugin.watched {
                Watched::Multiple(counters) | Watched::Direct(counters) | Watched::Buffered(counters, _) => {
                    Some((labels(plugin), of(counters).get() as f64))
                }
                _ => None,
            });
            self.family(name, help, Kind::Counter, samples.collect());
        }
        // Each buffer is looked at once.
        let buffered = plugins.iter().filter_map(|plugin| match &plugin.watched {
            Watched::Buffered(counters, buffer) => Some((labels(plugin), Arc::clone(counters), buffer.usage())),
            _ => None,
        });
        let buffered = buffered.collect::<Vec<_>>();
        self.buffers(&buffered);
        let queues = plugins.iter().filter_map(|plugin| Some((plugin, plugin.queue.as_ref()?.waiting()))).collect::<Vec<_>>();
        let waiting = queues.iter().map(|(plugin, waiting)| (labels(plugin), waiting.bytes as f64)).collect();
        let help = "Bytes of printed events that nobody has taken yet; what prints to one place shares them.";
        self.family("flumen_stdout_waiting_bytes", help, Kind::Gauge, waiting);
        let mut stuck: Vec<(Labels, bool)> = buffered.into_iter().map(|(labels, _, usage)| (labels, usage.stuck.is_some())).collect();
        for (plugin, waiting) in queues.into_iter().filter(|(plugin, _)| !matches!(plugin.watched, Watched::Filter(_))) {
            let labels = labels(plugin);
            match stuck.iter_mut().find(|(known, _)| *known == labels) {
                Some((_, is_stuck)) => *is_stuck |= waiting.stuck.is_some(),
                None => stuck.push((labels, waiting.stuck.is_some())),
            }
        }
        let help = "1 where the buffer is full, nothing was delivered for a minute of failures, or nobody takes what is printed.";
        let stuck = stuck.into_iter().map(|(labels, is_stuck)| (labels, f64::from(u8::from(is_stuck))));
        self.family("flumen_output_stuck", help, Kind::Gauge, stuck.collect());
    }

    fn buffers(&mut self, buffered: &[(Labels, Arc<OutputCounters>, Usage)]) {
        for (name, help, of) in BUFFERS {
            let samples = buffered.iter().filter_map(|(labels, _, usage)| Some((labels.clone(), of(usage)?)));
            self.family(name, help, Kind::Gauge, samples.collect());
        }
        for (name, help, of) in OUTCOMES {
            let samples = buffered.iter().map(|(labels, counters, _)| (labels.clone(), of(counters).get() as f64));
            self.family(name, help, Kind::Counter, samples.collect());
        }
        let with = |labels: &Labels, name, value: &str| labels.iter().cloned().chain([(name, value.to_owned())]).collect::<Labels>();
        let drops = buffered.iter().flat_map(|(labels, counters, _)| {
            DROPS.iter().map(move |(reason, of)| (with(labels, "reason", reason), of(counters).get() as f64))
        });
        let help = "Events that are gone, and why: refused by a full buffer, dropped for newer ones, left out as the parameters ask, lost.";
        self.family("flumen_output_dropped_records_total", help, Kind::Counter, drops.collect());
        let held = buffered.iter().flat_map(|(labels, _, usage)| {
            let places = [("stage", usage.stage_records), ("queue", usage.queue_records), ("in_flight", usage.in_flight_records)];
            places.map(|(place, records)| (with(labels, "place", place), records as f64))
        });
        self.family("flumen_output_held_records", "Events that wait, and where.", Kind::Gauge, held.collect());
    }
}

fn labels(plugin: &Plugin) -> Labels {
    vec![
        ("plugin_id", plugin.id.clone()),
        ("type", plugin.kind.clone()),
        ("router", plugin.router.clone()),
        ("worker_id", plugin.worker.to_string()),
    ]
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The seconds of CPU and the bytes of memory that the process has used; `None` where the kernel does not say.
fn own_usage() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process, in brackets, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<f64>().ok();
    // SAFETY: sysconf reads a number of the system and changes nothing.
    let (ticks, page) = unsafe { (libc::sysconf(libc::_SC_CLK_TCK) as f64, libc::sysconf(libc::_SC_PAGESIZE) as f64) };
    Some(((number(11)? + number(12)?) / ticks, number(21)? * page))
}
