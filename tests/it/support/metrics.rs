//! What the daemon counts, read from `/metrics`, and whether its books balance.

use super::http::request;
use super::{Daemon, PATIENCE, wait_until};
use std::collections::BTreeMap;

/// Answers at `MONITOR_PORT`.
pub const MONITOR_SOURCE: &str = "<source>\n@type monitor_agent\n@id monitor\nbind 127.0.0.1\nport \"#{ENV['MONITOR_PORT']}\"\n</source>\n";

/// Labels and a number.
type Sample = (BTreeMap<String, String>, u64);

/// The numbers of `/metrics` by name.
pub struct Metrics(BTreeMap<String, Vec<Sample>>);

impl Metrics {
    /// Asks the daemon, whose configuration has [`MONITOR_SOURCE`].
    pub fn of(daemon: &Daemon) -> Metrics {
        let (status, page) = request(daemon.port("MONITOR_PORT"), "GET", "/metrics", "", "").expect("an answer");
        assert_eq!(status, 200);
        let mut all: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
            let labels = labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('='));
            let labels = labels.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect();
            all.entry(name.to_owned()).or_default().push((labels, value.parse::<f64>().unwrap() as u64));
        }
        Metrics(all)
    }

    /// The sum of all numbers of this name whose labels have these values.
    pub fn sum(&self, name: &str, wanted: &[(&str, &str)]) -> u64 {
        let samples = self.0.get(name).unwrap_or_else(|| panic!("there is no {name}"));
        let fits =
            |labels: &BTreeMap<String, String>| wanted.iter().all(|(key, value)| labels.get(*key).is_some_and(|found| found == value));
        samples.iter().filter(|(labels, _)| fits(labels)).map(|(_, value)| value).sum()
    }

    /// The sum of all numbers of this name for one plugin.
    pub fn of_plugin(&self, name: &str, id: &str) -> u64 {
        self.sum(name, &[("plugin_id", id)])
    }

    fn values(&self, name: &str, label: &str) -> Vec<String> {
        self.0.get(name).into_iter().flatten().filter_map(|(labels, _)| labels.get(label).cloned()).collect()
    }

    /// Checks that what came in at each plugin and router is what went on, what is gone with a reason, and what is held.
    pub fn check_books(&self) {
        assert_eq!(self.unbalanced(), Vec::<String>::new());
    }

    /// The plugins and routers of which that is not so; while events are on their way, some may be counted at two places, or not yet.
    pub fn unbalanced(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut compare = |what: String, came: u64, went: u64| {
            if came != went {
                wrong.push(format!("{what}: {came} came, {went} are accounted for"));
            }
        };
        for id in self.values("flumen_filter_received_records_total", "plugin_id") {
            let of = |what: &str| self.of_plugin(&format!("flumen_filter_{what}_records_total"), &id);
            compare(format!("filter {id}"), of("received") + of("added"), of("emit") + of("dropped") + of("rejected"));
        }
        for name in self.values("flumen_router_received_records_total", "router") {
            let labels = [("router", name.as_str())];
            let of = |what: &str| self.sum(&format!("flumen_router_{what}_records_total"), &labels);
            let by_filters = |what: &str| {
                let name = format!("flumen_filter_{what}_records_total");
                if self.0.contains_key(&name) { self.sum(&name, &labels) } else { 0 }
            };
            let out = of("matched") + of("unmatched") + of("failed");
            let gone = by_filters("dropped") + by_filters("rejected");
            compare(format!("router {name}"), of("received") + by_filters("added"), out + gone);
        }
        for id in self.values("flumen_output_delivered_records_total", "plugin_id") {
            let of = |what: &str| self.of_plugin(&format!("flumen_output_{what}"), &id);
            let refused = self.sum("flumen_output_dropped_records_total", &[("plugin_id", &id), ("reason", "overflow")]);
            let gone = of("dropped_records_total") - refused;
            let settled = of("delivered_records_total") + of("rejected_records_total") + of("backup_records_total");
            compare(format!("output {id}"), self.of_plugin("fluentd_output_status_emit_records", &id), settled + gone + of("held_records"));
        }
        wrong
    }
}

/// Waits until the numbers are as wanted.
pub fn wait_for_metrics(daemon: &Daemon, what: &str, wanted: impl Fn(&Metrics) -> bool) -> Metrics {
    wait_until(what, PATIENCE, || Some(Metrics::of(daemon)).filter(|metrics| wanted(metrics)))
}
