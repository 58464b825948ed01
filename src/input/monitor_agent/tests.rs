//! Requests in, answers out, over an overview made by hand.

use super::*;
use crate::metrics::{Activity, Buffered, FilterCounters, InputCounters, OutputCounters, Plugin, RetryState, RouterEntry, Usage, Watched};
use std::collections::BTreeMap;
use std::sync::Mutex;

struct Fixed(Usage);

impl Buffered for Fixed {
    fn usage(&self) -> Usage {
        self.0.clone()
    }
}

fn plugin(id: &str, kind: &str, router: &str, watched: Watched) -> Plugin {
    Plugin {
        id: id.to_owned(),
        kind: kind.to_owned(),
        router: router.to_owned(),
        worker: 0,
        config: vec![("@type".to_owned(), kind.to_owned()), ("z".to_owned(), "1".to_owned()), ("a".to_owned(), "xxxxxx".to_owned())],
        variables: vec![("port".to_owned(), serde_json::json!(5)), ("bind".to_owned(), serde_json::Value::Null)],
        takes: matches!(watched, Watched::Direct(_) | Watched::Multiple(_) | Watched::Buffered(..))
            .then(|| Box::new(|tag: &str| tag.starts_with("app")) as crate::metrics::Takes),
        queue: None,
        watched,
    }
}

fn usage() -> Usage {
    Usage {
        stage_length: 2,
        stage_bytes: 155,
        stage_records: 7,
        queue_length: 1,
        queue_bytes: 93,
        queue_records: 3,
        in_flight_records: 4,
        total_limit: 1000,
        timekeys: vec![1_500_000_000, 1_500_000_005],
        retry: Some(RetryState { start: 1_500_000_000, steps: 2, next_time: 1_500_000_009 }),
        stuck: None,
    }
}

/// An input, a copy, two outputs and a filter, in the order in which they are shown.
fn overview(activity: Activity, usage: Usage) -> Arc<Overview> {
    let input = Arc::new(InputCounters::default());
    input.emit_records.add(16);
    let output = Arc::new(OutputCounters::default());
    output.emit_records.add(14);
    output.emit_count.add(8);
    output.retry_count.add(2);
    let filter = Arc::new(FilterCounters::default());
    filter.count(16, 14, 1, 0);
    let overview = Overview::default();
    overview.show(
        vec![
            plugin("in", "forward", "@ROOT", Watched::Input(input, Arc::new(Mutex::new(activity)))),
            plugin("both", "copy", "@ROOT", Watched::Multiple(Arc::default())),
            plugin("print", "stdout", "@ROOT", Watched::Direct(Arc::default())),
            plugin("sea\\rch \"1\"\n", "elasticsearch", "@L", Watched::Buffered(output, Arc::new(Fixed(usage)))),
            plugin("grep", "grep", "@L", Watched::Filter(filter)),
        ],
        vec![RouterEntry { name: "@ROOT".to_owned(), worker: 0, counters: Arc::default() }],
    );
    overview.set_process(crate::metrics::Process { config_path: "f.conf".to_owned(), ..Default::default() });
    Arc::new(overview)
}

fn ask_of(overview: Arc<Overview>, method: &str, uri: &str) -> (u16, String, String) {
    let element = Element::new("source", "", crate::config::Span::default());
    let params = Params::read(&element, &crate::config::Diagnostics::new()).unwrap();
    let agent = MonitorAgent { params, overview, log: PluginLog::default(), bound: None };
    let (method, uri) = (method.parse().unwrap(), uri.parse().unwrap());
    let request = Request { method, uri, headers: Default::default(), keep_alive: true, body: Ok(Default::default()) };
    let response = agent.answer(&request);
    let kind = response.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
    (response.status.as_u16(), kind, String::from_utf8(response.body.to_vec()).unwrap())
}

fn ask(uri: &str) -> String {
    ask_of(overview(Activity::Running, usage()), "GET", uri).2
}

#[test]
fn plugins_are_shown_as_fluentd_shows_them() {
    let body = ask("/api/plugins.json?with_config=no");
    let wanted = r#"{"plugins":[
{"plugin_id":"in","plugin_category":"input","type":"forward","output_plugin":false,"retry_count":null,"emit_records":16,"emit_size":0},
{"plugin_id":"both","plugin_category":"output","type":"copy","output_plugin":false,"retry_count":0},
{"plugin_id":"print","plugin_category":"output","type":"stdout","output_plugin":true,"retry_count":0,"emit_records":0,"emit_size":0,"emit_count":0,"write_count":0,"rollback_count":0,"slow_flush_count":0,"flush_time_count":0,"retry":{}},
{"plugin_id":"sea\\rch \"1\"\n","plugin_category":"output","type":"elasticsearch","output_plugin":true,"buffer_queue_length":1,"buffer_timekeys":[1500000000,1500000005],"buffer_total_queued_size":248,"retry_count":2,"emit_records":14,"emit_size":0,"emit_count":8,"write_count":0,"rollback_count":0,"slow_flush_count":0,"flush_time_count":0,"buffer_stage_length":2,"buffer_stage_byte_size":155,"buffer_queue_byte_size":93,"buffer_available_buffer_space_ratios":75.2,"buffer_oldest_timekey":1500000000,"buffer_newest_timekey":1500000005,"retry":{"start":"START","steps":2,"next_time":"NEXT"}},
{"plugin_id":"grep","plugin_category":"filter","type":"grep","output_plugin":false,"retry_count":null,"emit_records":14,"emit_size":0}]}"#;
    let time = |at: i64| {
        let at = jiff::Timestamp::from_second(at).unwrap().to_zoned(jiff::tz::TimeZone::system());
        at.strftime("%Y-%m-%d %H:%M:%S %z").to_string()
    };
    assert_eq!(body, wanted.replace('\n', "").replace("START", &time(1_500_000_000)).replace("NEXT", &time(1_500_000_009)));
    let line = "plugin_id:both\tplugin_category:output\ttype:copy\toutput_plugin:false\tretry_count:0\n";
    assert_eq!(ask("/api/plugins?id=both"), line);
}

#[test]
fn requests_say_which_plugins_and_how() {
    let ids = |uri: &str| {
        let parsed: serde_json::Value = serde_json::from_str(&ask(uri)).unwrap();
        let plugins = parsed["plugins"].as_array().unwrap();
        plugins.iter().map(|plugin| plugin["plugin_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("/api/plugins.json?tag=app.x"), ["print"], "copy hands on only, and a label is not asked");
    assert!(ids("/api/plugins.json?tag=other").is_empty());
    assert_eq!(ids("/api/plugins.json?%40id=grep&@id=in"), ["grep"]);
    assert_eq!(ids("/api/plugins.json?@type=forward"), ["in"]);
    assert!(ids("/api/plugins.json?type=nothing").is_empty());
    let one = ask("/api/plugins.json?id=print&with_retry=false&with_ivars=port,nothing");
    assert!(one.contains(r#""config":{"@type":"stdout","z":"1","a":"xxxxxx"},"output_plugin""#), "{one}");
    assert!(one.ends_with(r#""flush_time_count":0,"instance_variables":{"port":5}}]}"#), "{one}");
    let debug = ask("/api/plugins.json?id=in&debug=1");
    assert!(debug.contains("\n      \"instance_variables\": {\n        \"port\": 5,\n        \"bind\": null\n      }\n"), "{debug}");
}

#[test]
fn the_process_is_shown() {
    let (pid, version) = (std::process::id(), env!("CARGO_PKG_VERSION"));
    let ppid = std::os::unix::process::parent_id();
    let json = format!(
        r#"{{"pid":{pid},"ppid":{ppid},"version":"{version}","config_path":"f.conf","pid_file":null,"plugin_dirs":[],"log_path":null,"root_dir":null}}"#
    );
    assert_eq!(ask("/api/config.json"), json);
    let line = format!("pid:{pid}\tppid:{ppid}\tversion:{version}\tconfig_path:f.conf\tpid_file:\tplugin_dirs:\tlog_path:\troot_dir:\n");
    assert_eq!(ask("/api/config"), line);
}

#[test]
fn what_is_not_there_is_said_in_json() {
    let running = || overview(Activity::Running, usage());
    let json = "application/json".to_owned();
    assert_eq!(ask_of(running(), "GET", "/nope"), (404, json.clone(), r#"{"message":"Not found"}"#.to_owned()));
    assert_eq!(ask_of(running(), "POST", "/metrics"), (405, json.clone(), r#"{"message":"Method not allowed"}"#.to_owned()));
    assert_eq!(ask_of(running(), "GET", "/healthz"), (200, json, r#"{"status":"ok"}"#.to_owned()));
}

#[test]
fn readiness_says_what_it_lacks() {
    let answer = |activity: Activity, stuck: Option<&str>| {
        let usage = Usage { stuck: stuck.map(str::to_owned), ..usage() };
        let (status, _, body) = ask_of(overview(activity, usage), "GET", "/readyz");
        (status, body)
    };
    assert_eq!(answer(Activity::Running, None), (200, r#"{"status":"ready"}"#.to_owned()));
    let (status, body) = answer(Activity::Ended("no more".to_owned()), None);
    assert_eq!(status, 503);
    let ended = r#"{"status":"not ready","reasons":[{"plugin_id":"in","type":"forward","reason":"it has ended: no more"}]}"#;
    assert_eq!(body, ended);
    let (status, body) = answer(Activity::Idle, Some("the buffer is full: 9 of 8 bytes"));
    assert_eq!(status, 503);
    assert!(body.contains("it does not listen yet") && body.contains("the buffer is full: 9 of 8 bytes"), "{body}");
    let stopping = overview(Activity::Running, usage());
    stopping.stop();
    let (status, _, body) = ask_of(stopping, "GET", "/readyz");
    assert!(status == 503 && body.contains("the process is stopping"), "{body}");
}

/// Every line is a comment or a sample of the text format; names, labels and values by its rules; each family once and whole.
fn parse_metrics(page: &str) -> BTreeMap<String, f64> {
    let is_name = |name: &str, first: fn(char) -> bool| {
        name.chars().next().is_some_and(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
    };
    let metric_start = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    let label_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    assert!(page.ends_with('\n'));
    let (mut samples, mut families, mut helped, mut typed) = (BTreeMap::new(), Vec::new(), String::new(), String::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            helped = rest.split_once(' ').expect("a help text").0.to_owned();
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(name == helped && ["counter", "gauge"].contains(&kind), "{line}");
            assert!(!families.contains(&name.to_owned()), "{name} comes twice");
            families.push(name.to_owned());
            typed = name.to_owned();
            continue;
        }
        let name_end = line.find(['{', ' ']).expect("a value");
        assert!(is_name(&line[..name_end], metric_start) && line[..name_end] == typed, "{line}");
        let mut rest = &line[name_end..];
        let mut names = Vec::new();
        if let Some(labels) = rest.strip_prefix('{') {
            rest = labels;
            loop {
                let (name, after) = rest.split_once("=\"").expect("a label");
                assert!(is_name(name, label_start) && !names.contains(&name), "{line}");
                names.push(name);
                let mut escaped = false;
                let end = after.char_indices().find(|(_, c)| match (*c, escaped) {
                    (c, true) => {
                        assert!(matches!(c, '\\' | '"' | 'n'), "{line}");
                        escaped = false;
                        false
                    }
                    ('\\', false) => {
                        escaped = true;
                        false
                    }
                    (c, false) => c == '"',
                });
                rest = &after[end.expect("the end of a label").0 + 1..];
                match rest.strip_prefix(',') {
                    Some(next) => rest = next,
                    None => break,
                }
            }
            rest = rest.strip_prefix('}').expect("the end of the labels");
        }
        let value: f64 = rest.strip_prefix(' ').expect("a space").parse().expect("a number");
        let sample = line[..line.len() - rest.len()].to_owned();
        assert!(samples.insert(sample.clone(), value).is_none(), "{sample} comes twice");
    }
    samples
}

#[test]
fn metrics_are_in_prometheus_text_format() {
    let (status, kind, page) = ask_of(overview(Activity::Running, usage()), "GET", "/metrics");
    assert_eq!((status, kind.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let samples = parse_metrics(&page);
    let search = r#"plugin_id="sea\\rch \"1\"\n",type="elasticsearch",router="@L",worker_id="0""#;
    let value = |name: &str, labels: &str| samples.get(&format!("{name}{{{labels}}}")).copied();
    assert_eq!(value("fluentd_output_status_emit_records", search), Some(14.0));
    assert_eq!(value("fluentd_output_status_retry_count", search), Some(2.0));
    assert_eq!(value("fluentd_output_status_buffer_total_bytes", search), Some(248.0));
    assert_eq!(value("fluentd_output_status_retry_wait", search), Some(9.0));
    assert_eq!(value("fluentd_output_status_buffer_available_space_ratio", search), Some(75.2));
    assert_eq!(value("flumen_output_held_records", &format!("{search},place=\"in_flight\"")), Some(4.0));
    assert_eq!(value("flumen_output_dropped_records_total", &format!("{search},reason=\"overflow\"")), Some(0.0));
    let grep = r#"plugin_id="grep",type="grep",router="@L",worker_id="0""#;
    assert_eq!(value("flumen_filter_dropped_records_total", grep), Some(1.0));
    assert_eq!(value("flumen_input_up", r#"plugin_id="in",type="forward",router="@ROOT",worker_id="0""#), Some(1.0));
    assert!(samples["process_resident_memory_bytes"] > 1e6 && samples["process_cpu_seconds_total"] >= 0.0);
}
