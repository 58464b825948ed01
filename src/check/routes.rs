//! Where events can go: sections that nothing reaches, labels that nobody uses, and ways that lead in circles.

use super::subject::{Raw, Subject, kind_of, label_of, text_of, value, walk};
use super::suggest::closest;
use super::tags::{Tags, included, overlap};
use crate::config::{Element, Severity};
use std::collections::BTreeMap;

const ROOT: &str = "@ROOT";
const ERROR: &str = "@ERROR";
const OWN_LOG: &str = "@FLUENT_LOG";
/// How many ways through labels are followed in search of circles.
const MAX_WAYS: usize = 2_000;

/// Outputs that emit no events themselves. About any other, unless it is treated below, nothing is known.
const ENDS: &[&str] = &[
    "stdout",
    "null",
    "file",
    "elasticsearch",
    "elasticsearch_dynamic",
    "opensearch",
    "opensearch_data_stream",
    "forward",
    "secure_forward",
    "http",
    "exec",
    "secondary_file",
    "buffer",
    "s3",
    "kafka",
    "kafka2",
    "kafka_buffered",
    "kinesis_streams",
    "kinesis_firehose",
    "loki",
    "mongo",
    "gelf",
    "splunk_hec",
    "influxdb",
    "cloudwatch_logs",
    "google_cloud",
    "bigquery_insert",
    "azureblob",
    "gcs",
    "webhdfs",
    "td",
    "tdlog",
    "syslog",
    "remote_syslog",
    "sql",
    "mysql",
    "redis",
    "nats",
    "rabbitmq",
    "datadog",
    "newrelic",
    "sumologic",
    "logzio_buffered",
    "slack",
    "mail",
    "stream",
];

/// Inputs whose events have the tag that `tag` says, and no other.
const TAGGED: &[&str] =
    &["tcp", "udp", "exec", "sample", "dummy", "systemd", "unix_datagram", "gc_stat", "object_space", "debug_agent", "windows_eventlog2"];

/// A `<filter>` or `<match>`.
struct Rule<'e> {
    element: &'e Element,
    is_filter: bool,
    tags: Tags,
}

/// The rules of one label, or of the root.
struct Router<'e> {
    rules: Vec<Rule<'e>>,
    incoming: Tags,
    /// Whether nothing is known about what comes in.
    open: bool,
}

impl<'e> Router<'e> {
    fn of(sections: impl Iterator<Item = &'e Element>) -> Router<'e> {
        let rules = sections.filter(|section| matches!(section.name.as_str(), "filter" | "match"));
        let rules =
            rules.map(|element| Rule { element, is_filter: element.name == "filter", tags: Tags::of_patterns(&element.arg) }).collect();
        Router { rules, incoming: Tags::default(), open: false }
    }

    fn matches_before(&self, at: usize) -> Vec<&Rule<'e>> {
        self.rules[..at].iter().filter(|rule| !rule.is_filter).collect()
    }
}

/// Looks at all routers of a configuration.
pub fn check(subject: &Subject<'_>) {
    let root = subject.written;
    for sections in workers(root) {
        let mut routers: BTreeMap<&str, Router<'_>> = BTreeMap::new();
        for label in sections.iter().filter(|section| section.name == "label") {
            routers.entry(label.arg.as_str()).or_insert_with(|| Router::of(label.children.iter()));
        }
        routers.insert(ROOT, Router::of(sections.iter().copied()));
        let sources: Vec<&Element> = sections.iter().copied().filter(|section| section.name == "source").collect();
        flow(&sources, &mut routers);
        for router in routers.values() {
            shadowed(subject, router);
            if !sources.is_empty() && !router.open {
                unfed(subject, router);
            }
        }
        unmatched(subject, &sources, &routers);
        circles(subject, &routers);
        rewritten(subject, &routers);
    }
    unused_labels(subject);
}

/// The sections of each worker; those outside of `<worker>` are in all of them.
fn workers(root: &Element) -> Vec<Vec<&Element>> {
    let own: Vec<&Element> = root.children.iter().filter(|child| child.name != "worker").collect();
    let divisions: Vec<&Element> = root.children.iter().filter(|child| child.name == "worker").collect();
    if divisions.is_empty() {
        return vec![own];
    }
    divisions.iter().map(|division| own.iter().copied().chain(&division.children).collect()).collect()
}

/// Which tags come into each router.
fn flow(sources: &[&Element], routers: &mut BTreeMap<&str, Router<'_>>) {
    let mut sent: Vec<(String, Option<Tags>)> = Vec::new();
    for source in sources {
        sent.push((label_of(source).unwrap_or(ROOT).to_owned(), of_source(source)));
    }
    for (name, router) in routers.iter() {
        for rule in &router.rules {
            emitted(name, rule.element, &rule.tags, &mut sent);
        }
    }
    sent.push((ROOT.to_owned(), Some(Tags::of_patterns("fluent.**"))));
    sent.push((OWN_LOG.to_owned(), Some(Tags::of_patterns("fluent.**"))));
    sent.push((ERROR.to_owned(), None));
    for (label, tags) in sent {
        match (routers.get_mut(label.as_str()), tags) {
            (Some(router), Some(tags)) => router.incoming.add(&tags),
            (Some(router), None) => router.open = true,
            (None, _) => {}
        }
    }
}

/// The tags of an input's events; `None` where they can be any.
fn of_source(source: &Element) -> Option<Tags> {
    let tag = text_of(source, "tag").filter(|tag| !tag.is_empty());
    match kind_of(source) {
        "tail" => tag.map(|tag| Tags::of_template(&tag.replace('*', "${path}"))),
        "syslog" => tag.map(|tag| Tags::starting_with(&format!("{tag}."))),
        "forward" => match (tag, text_of(source, "add_tag_prefix")) {
            (_, Some(prefix)) => Some(Tags::starting_with(&format!("{prefix}."))),
            (tag, None) => tag.map(Tags::of_template),
        },
        "monitor_agent" => Some(tag.map_or_else(Tags::default, Tags::of_template)),
        kind if TAGGED.contains(&kind) => tag.map(Tags::of_template),
        _ => None,
    }
}

/// Adds what an output, or a filter, of router `name` sends to which label.
fn emitted(name: &str, element: &Element, tags: &Tags, sent: &mut Vec<(String, Option<Tags>)>) {
    let label = label_of(element);
    match kind_of(element) {
        "relabel" => sent.push((label.unwrap_or(ROOT).to_owned(), Some(tags.clone()))),
        "rewrite_tag_filter" => {
            for rule in element.children.iter().filter(|child| child.name == "rule") {
                let to = label_of(rule).or(label).unwrap_or(name);
                sent.push((to.to_owned(), text_of(rule, "tag").map(Tags::of_template)));
            }
            if element.params.iter().any(|param| param.key.starts_with("rewriterule")) {
                sent.push((label.unwrap_or(name).to_owned(), None));
            }
        }
        "exec_filter" => sent.push((label.unwrap_or(name).to_owned(), text_of(element, "tag").map(Tags::of_template))),
        "record_modifier" if element.name != "filter" => sent.push((label.unwrap_or(name).to_owned(), modified_tags(element))),
        "copy" | "roundrobin" => {}
        kind if element.name == "filter" || ENDS.contains(&kind) => {}
        // Some plugin of a gem: it may emit anything, here and elsewhere.
        _ => sent.push((label.unwrap_or(name).to_owned(), None)),
    }
    for param in &element.params {
        if let Some(label) = value(param).filter(|text| text.starts_with('@') && param.key != "@label" && param.key != "label") {
            sent.push((label.to_owned(), None));
        }
    }
    let stores = element.children.iter().filter(|child| matches!(child.name.as_str(), "store" | "secondary"));
    stores.for_each(|store| emitted(name, store, tags, sent));
}

/// What the output `record_modifier` makes of tags; not known where its Ruby has braces of its own.
fn modified_tags(element: &Element) -> Option<Tags> {
    text_of(element, "tag").filter(|tag| tag.matches("${").count() == tag.matches('}').count()).map(Tags::of_template)
}

/// Sections that an earlier `<match>` leaves nothing for.
fn shadowed(subject: &Subject<'_>, router: &Router<'_>) {
    for (at, rule) in router.rules.iter().enumerate() {
        let before = router.matches_before(at);
        let sets: Vec<&Tags> = before.iter().map(|rule| &rule.tags).collect();
        if before.is_empty() || included(&[&rule.tags], &sets) != Some(true) {
            continue;
        }
        let span = rule.element.span;
        let alone = before.iter().find(|earlier| included(&[&rule.tags], &[&earlier.tags]) == Some(true));
        let taker = match alone {
            Some(earlier) => format!("{} {} takes all of its tags", earlier.element.tag_text(), subject.at(earlier.element.span, span)),
            None => "the <match> sections above it together take all of its tags".to_owned(),
        };
        let code = if rule.is_filter { "FLM0711" } else { "FLM0710" };
        let message = format!("{} is never reached: {taker}", rule.element.tag_text());
        subject.warn(
            code,
            span,
            message,
            "the first <match> that fits takes an event: move this section above it, or narrow the pattern there",
        );
    }
}

/// Sections whose patterns fit no tag that comes in.
fn unfed(subject: &Subject<'_>, router: &Router<'_>) {
    if router.incoming.is_empty() {
        return; // A label that nobody uses; that is said elsewhere.
    }
    for rule in &router.rules {
        if overlap(&[&rule.tags, &router.incoming]) == Some(false) {
            let code = if rule.is_filter { "FLM0712" } else { "FLM0713" };
            let message = format!("{} fits no tag that any <source> or rewritten tag here can have", rule.element.tag_text());
            subject.warn(
                code,
                rule.element.span,
                message,
                "compare the pattern with the 'tag' of the sources: * stands for one part, ** for any number",
            );
        }
    }
}

/// Sources whose events no `<match>` takes.
fn unmatched(subject: &Subject<'_>, sources: &[&Element], routers: &BTreeMap<&str, Router<'_>>) {
    for source in sources {
        let Some(tags) = of_source(source).filter(|tags| !tags.is_empty()) else { continue };
        let Some(router) = routers.get(label_of(source).unwrap_or(ROOT)) else { continue };
        let matches: Vec<&Rule<'_>> = router.rules.iter().filter(|rule| !rule.is_filter).collect();
        if matches.is_empty() || matches.iter().any(|rule| overlap(&[&rule.tags, &tags]) != Some(false)) {
            continue;
        }
        let span = source.param("tag").map_or(source.span, |param| param.value_span);
        let tag = text_of(source, "tag").unwrap_or_default();
        subject.warn("FLM0714", span, format!("no <match> takes the tag '{tag}': the events of this source are thrown away"), "");
    }
}

/// A way from one router to another: by a `relabel` that takes these tags.
struct Way<'r, 'e> {
    to: &'r str,
    rule: &'r Rule<'e>,
    element: &'e Element,
    earlier: Vec<&'r Tags>,
}

fn relabels<'e>(element: &'e Element, into: &mut Vec<&'e Element>) {
    if kind_of(element) == "relabel" {
        into.push(element);
    }
    element.children.iter().filter(|child| child.name == "store").for_each(|store| relabels(store, into));
}

fn ways<'r, 'e>(router: &'r Router<'e>) -> Vec<Way<'r, 'e>> {
    let mut ways = Vec::new();
    for (at, rule) in router.rules.iter().enumerate().filter(|(_, rule)| !rule.is_filter) {
        let mut found = Vec::new();
        relabels(rule.element, &mut found);
        let earlier: Vec<&Tags> = router.matches_before(at).iter().map(|rule| &rule.tags).collect();
        ways.extend(found.into_iter().map(|element| Way {
            to: label_of(element).unwrap_or(ROOT),
            rule,
            element,
            earlier: earlier.clone(),
        }));
    }
    ways
}

/// Circles of `relabel`s that some tag can go round.
fn circles(subject: &Subject<'_>, routers: &BTreeMap<&str, Router<'_>>) {
    let ways: BTreeMap<&str, Vec<Way<'_, '_>>> = routers.iter().map(|(name, router)| (*name, ways(router))).collect();
    let mut steps = 0;
    for start in routers.keys() {
        let mut open: Vec<(&str, Vec<&Way<'_, '_>>)> = vec![(start, Vec::new())];
        while let Some((at, path)) = open.pop() {
            steps += 1;
            if steps > MAX_WAYS {
                return;
            }
            for way in ways.get(at).into_iter().flatten() {
                let mut path = path.clone();
                path.push(way);
                // Each circle is found from its first label by name.
                if way.to == *start {
                    circle(subject, start, &path);
                } else if way.to > *start && !path.iter().rev().skip(1).any(|other| other.to == way.to) {
                    open.push((way.to, path));
                }
            }
        }
    }
    if let Some(errors) = ways.get(ERROR) {
        for way in errors.iter().filter(|way| way.to != ERROR) {
            let message = format!("what fails behind {} comes back to {ERROR}, and from there to {} again", way.to, way.to);
            subject.warn(
                "FLM0718",
                way.element.span,
                message,
                "end the ways of <label @ERROR> in outputs of its own, such as file or stdout",
            );
        }
    }
}

fn circle(subject: &Subject<'_>, start: &str, path: &[&Way<'_, '_>]) {
    let sets: Vec<&Tags> = path.iter().map(|way| &way.rule.tags).collect();
    let earlier: Vec<&Tags> = path.iter().flat_map(|way| way.earlier.iter().copied()).collect();
    let (Some(true), Some(false)) = (overlap(&sets), included(&sets, &earlier)) else { return };
    let Some(last) = path.last() else { return };
    let names: Vec<&str> = [start].into_iter().chain(path.iter().map(|way| way.to)).collect();
    let span = label_span(last.element);
    subject.warn(
        "FLM0717",
        span,
        format!("events go in a circle for ever: {}", names.join(" -> ")),
        "let one of these labels end in an output",
    );
}

fn label_span(element: &Element) -> crate::config::Span {
    element.param("@label").map_or(element.span, |param| param.value_span)
}

/// New tags that the section which gives them takes again.
fn rewritten(subject: &Subject<'_>, routers: &BTreeMap<&str, Router<'_>>) {
    for (name, router) in routers {
        for (at, rule) in router.rules.iter().enumerate().filter(|(_, rule)| !rule.is_filter) {
            let mut all = Vec::new();
            rewriters(rule.element, &mut all);
            let earlier: Vec<&Tags> = router.matches_before(at).iter().map(|rule| &rule.tags).collect();
            for rewriter in &all {
                let same_tag_kept = ["remove_tag_prefix", "remove_tag_regexp"].iter().all(|key| text_of(rewriter, key).is_none());
                // `record_modifier` has one new tag, which stands in the section itself.
                let rules = rewriter.children.iter().filter(|child| child.name == "rule");
                let rows = rules.chain(Some(*rewriter).filter(|rewriter| kind_of(rewriter) == "record_modifier"));
                for row in rows {
                    let (Some(tag), Some(param)) = (text_of(row, "tag"), row.param("tag")) else { continue };
                    let elsewhere = label_of(row).or(label_of(rewriter)).is_some_and(|label| label != *name);
                    let new = if same_tag_kept && matches!(tag, "${tag}" | "__TAG__") { rule.tags.clone() } else { Tags::of_template(tag) };
                    let comes_back = included(&[&new], &[&rule.tags]) == Some(true) && included(&[&new], &earlier) == Some(false);
                    if comes_back && !elsewhere {
                        let message =
                            format!("the new tag '{tag}' fits {} again: the event goes in a circle for ever", rule.element.tag_text());
                        subject.warn(
                            "FLM0719",
                            param.value_span,
                            message,
                            "give it a tag that only a later section takes, or send it to a label",
                        );
                    }
                }
            }
        }
    }
}

fn rewriters<'e>(element: &'e Element, into: &mut Vec<&'e Element>) {
    if matches!(kind_of(element), "rewrite_tag_filter" | "record_modifier") {
        into.push(element);
    }
    element.children.iter().filter(|child| child.name == "store").for_each(|store| rewriters(store, into));
}

/// Gives the finding about the daemon's own log its place. Said only where a pattern names that log: the one that takes everything is no slip.
pub fn place_own_log(subject: &Subject<'_>, raw: &mut Vec<Raw>) {
    let own = Tags::of_patterns("fluent.**");
    let takes = |element: &&Element| {
        element.name == "match" && element.arg.contains("fluent") && overlap(&[&own, &Tags::of_patterns(&element.arg)]) == Some(true)
    };
    let taker = subject.built.children.iter().find(takes);
    raw.retain_mut(|finding| {
        if finding.code == "FLM0409" {
            finding.severity = Severity::Note;
            finding.span = taker.map(|element| element.span);
        }
        finding.code != "FLM0409" || taker.is_some()
    });
}

/// Labels that nothing sends to.
fn unused_labels(subject: &Subject<'_>) {
    let mut named: Vec<&str> = vec![ERROR, OWN_LOG, ROOT];
    let mut labels: Vec<&Element> = Vec::new();
    walk(subject.written, &mut |element, _| {
        if element.name == "label" {
            labels.push(element);
        }
        named.extend(element.params.iter().filter_map(value).filter(|text| text.starts_with('@')));
    });
    // A label that another one was meant to name is not unused.
    let missing: Vec<&str> = named.iter().copied().filter(|name| !labels.iter().any(|label| label.arg == *name)).collect();
    let meant: Vec<&str> = missing.iter().filter_map(|name| closest(name, labels.iter().map(|label| label.arg.as_str()))).collect();
    let unused = |label: &&&Element| !label.arg.is_empty() && !named.contains(&label.arg.as_str()) && !meant.contains(&label.arg.as_str());
    for label in labels.iter().filter(unused) {
        let name = &label.arg;
        subject.warn(
            "FLM0715",
            label.span,
            format!("nothing sends to <label {name}>: it is never used"),
            format!("'@label {name}' in a <source> or a relabel output leads there"),
        );
    }
}
