//! Containers of a real Docker engine that log through its `fluentd` driver, and every field that arrives.

use crate::support::{Daemon, Engine, Event, FORWARD_SOURCE, PATIENCE, STDOUT_MATCH, free_port, wait_until};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// A container to be run: its shell script, and the options of `docker run` that a test adds.
struct Container<'a> {
    engine: &'a Engine,
    name: String,
    options: Vec<String>,
}

impl<'a> Container<'a> {
    fn new(engine: &'a Engine, name: &str, address: &str) -> Container<'a> {
        let name = format!("{name}-{}", std::process::id());
        let container = Container { engine, name, options: Vec::new() };
        container.options(&["--network=none", "--log-driver=fluentd"]).log_option(&format!("fluentd-address={address}"))
    }

    fn options(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|option| option.to_string()));
        self
    }

    fn log_option(self, option: &str) -> Self {
        self.options(&["--log-opt", option])
    }

    /// Runs it to its end; its id. What it printed has been handed to the driver when this returns.
    fn run(&self, script: &str) -> String {
        let id = self.start(script);
        self.engine.docker(&["wait", &id]);
        self.engine.docker(&["rm", &id]);
        id
    }

    /// Starts it; its id.
    fn start(&self, script: &str) -> String {
        let mut arguments = vec!["run", "--detach", "--name", &self.name];
        arguments.extend(self.options.iter().map(String::as_str));
        arguments.extend([Engine::IMAGE, "sh", "-c", script]);
        self.engine.docker(&arguments)
    }
}

fn collector() -> Daemon {
    Daemon::start(&format!("{FORWARD_SOURCE}{STDOUT_MATCH}"))
}

fn address(daemon: &Daemon) -> String {
    format!("127.0.0.1:{}", daemon.port("FORWARD_PORT"))
}

/// The record as Docker sends it: all values are strings.
fn fields(event: &Event) -> BTreeMap<&str, &str> {
    let map = event.record.as_object().unwrap();
    map.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_else(|| panic!("{key} is no string in {event:?}")))).collect()
}

fn expected<'a>(id: &'a str, name: &'a str, source: &'a str, log: &'a str) -> BTreeMap<&'a str, &'a str> {
    BTreeMap::from([("container_id", id), ("container_name", name), ("source", source), ("log", log)])
}

fn log_of(event: &Event) -> &str {
    event.record["log"].as_str().unwrap()
}

/// Seconds of the epoch as the first column of an event shows them, in UTC.
fn seconds_now() -> String {
    let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap();
    now.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[test]
fn both_streams_arrive_with_the_fields_of_the_driver() {
    let Some(engine) = Engine::shared() else { return };
    let daemon = collector();
    let before = seconds_now();
    let container = Container::new(engine, "streams", &address(&daemon));
    let id = container.run("echo 'hello  world'; echo oops >&2");
    let events = daemon.wait_for_events(2);
    let after = seconds_now();
    assert_eq!(events.len(), 2, "{events:?}");
    let name = format!("/{}", container.name);
    assert_eq!(id.len(), 64);
    for (source, log) in [("stdout", "hello  world"), ("stderr", "oops")] {
        let event = events.iter().find(|event| event.record["source"] == source).unwrap();
        assert_eq!(fields(event), expected(&id, &name, source, log));
        assert_eq!(event.tag, id[..12]);
        let (second, rest) = event.time.split_at(19);
        assert_eq!(rest, ".000000000 +0000");
        assert!(before.as_str() <= second && second <= after.as_str(), "{before} <= {second} <= {after}");
    }
}

#[test]
fn sub_second_precision_keeps_the_nanoseconds() {
    let Some(engine) = Engine::shared() else { return };
    let daemon = collector();
    let container = Container::new(engine, "precise", &address(&daemon)).log_option("fluentd-sub-second-precision=true");
    container.run("for i in 1 2 3 4 5; do echo $i; sleep 0.01; done");
    let events = daemon.wait_for_events(5);
    let times: Vec<&str> = events.iter().map(|event| event.time.as_str()).collect();
    assert!(times.is_sorted(), "{times:?}");
    // Five whole milliseconds in a row do not happen by chance, unlike one.
    assert!(times.iter().any(|time| !time.ends_with("000000 +0000")), "{times:?}");
    assert_eq!(events.iter().map(log_of).collect::<Vec<_>>(), ["1", "2", "3", "4", "5"]);
}

#[test]
fn acks_let_a_container_go_on_and_keep_the_order() {
    let Some(engine) = Engine::shared() else { return };
    let daemon = collector();
    let container = Container::new(engine, "acks", &address(&daemon)).log_option("fluentd-request-ack=true");
    // The driver waits for each ack before it sends the next line, so a missing one would leave the rest unsent.
    container.run("seq 1 500");
    let events = daemon.wait_for_events(500);
    let logs: Vec<usize> = events.iter().map(|event| log_of(event).parse().unwrap()).collect();
    assert_eq!(logs, (1..=500).collect::<Vec<_>>());
}

#[test]
fn a_unix_socket_serves_the_driver_too() {
    let Some(engine) = Engine::shared() else { return };
    let setup = Daemon::with(&format!("<source>\n  @type unix\n  path \"#{{ENV['OUT_DIR']}}/in.sock\"\n</source>\n{STDOUT_MATCH}"));
    let path = setup.dir().join("in.sock");
    let daemon = setup.start();
    wait_until("the unix socket", PATIENCE, || path.exists().then_some(()));
    let container = Container::new(engine, "unix", &format!("unix://{}", path.display())).log_option("tag=by.unix");
    let id = container.run("seq 1 100; echo 'ünïcode → ok'");
    let events = daemon.wait_for_events(101);
    let name = format!("/{}", container.name);
    for (index, event) in events[..100].iter().enumerate() {
        assert_eq!(fields(event), expected(&id, &name, "stdout", &(index + 1).to_string()));
        assert_eq!(event.tag, "by.unix");
    }
    assert_eq!(log_of(&events[100]), "ünïcode → ok");
}

#[test]
fn labels_and_environment_and_tag_templates_arrive() {
    let Some(engine) = Engine::shared() else { return };
    let daemon = collector();
    let container = Container::new(engine, "extras", &address(&daemon))
        .options(&["--label", "team=logs", "--label", "tier.one=a=b", "--label", "hidden=x"])
        .options(&["--env", "COLOR=dark red", "--env", "HUE_1=7", "--env", "SECRET=s"])
        .log_option("labels=team")
        .log_option("labels-regex=^tier")
        .log_option("env=COLOR")
        .log_option("env-regex=^HUE")
        .log_option("tag=docker.{{.ImageName}}.{{.Name}}.{{.ID}}");
    let id = container.run("echo extras");
    let event = &daemon.wait_for_events(1)[0];
    let name = format!("/{}", container.name);
    let mut wanted = expected(&id, &name, "stdout", "extras");
    wanted.extend([("team", "logs"), ("tier.one", "a=b"), ("COLOR", "dark red"), ("HUE_1", "7")]);
    assert_eq!(fields(event), wanted);
    assert_eq!(event.tag, format!("docker.{}.{}.{}", Engine::IMAGE, container.name, &id[..12]));
}

#[test]
fn a_long_line_arrives_in_parts_that_say_so() {
    let Some(engine) = Engine::shared() else { return };
    let daemon = collector();
    let container = Container::new(engine, "parts", &address(&daemon));
    let id = container.run("echo before; head -c 40000 /dev/zero | tr '\\0' x; echo; echo after");
    let events = daemon.wait_for_events(5);
    let name = format!("/{}", container.name);
    assert_eq!(fields(&events[0]), expected(&id, &name, "stdout", "before"));
    assert_eq!(fields(&events[4]), expected(&id, &name, "stdout", "after"));
    let partial_id = events[1].record["partial_id"].as_str().unwrap();
    assert_eq!(partial_id.len(), 64, "{partial_id}");
    for (index, length) in [16384, 16384, 40000 - 2 * 16384].into_iter().enumerate() {
        let (log, ordinal) = ("x".repeat(length), (index + 1).to_string());
        let mut wanted = expected(&id, &name, "stdout", &log);
        wanted.extend([("partial_message", "true"), ("partial_id", partial_id), ("partial_ordinal", &ordinal)]);
        wanted.insert("partial_last", if index == 2 { "true" } else { "false" });
        assert_eq!(fields(&events[index + 1]), wanted);
    }
}

#[test]
fn odd_lines_arrive_as_lines_of_json() {
    let Some(engine) = Engine::shared() else { return };
    let daemon = collector();
    let container = Container::new(engine, "odd", &address(&daemon));
    container.run(r#"printf 'tab\there\n"quoted" \\ back\n\r\nno utf-8: \377\376!\n\033[31mred\033[0m\nlast without end'"#);
    let events = daemon.wait_for_events(6);
    let logs: Vec<&str> = events.iter().map(log_of).collect();
    assert_eq!(logs[..3], ["tab\there", "\"quoted\" \\ back", "\r"]);
    assert!(logs[3].starts_with("no utf-8: ") && logs[3].ends_with('!'), "{:?}", logs[3]);
    assert_eq!(logs[4..], ["\u{1b}[31mred\u{1b}[0m", "last without end"]);
}

#[test]
fn an_async_container_may_start_before_the_collector() {
    let Some(engine) = Engine::shared() else { return };
    let setup = Daemon::with(&format!("{FORWARD_SOURCE}{STDOUT_MATCH}"));
    let container = Container::new(engine, "early", &format!("127.0.0.1:{}", setup.port("FORWARD_PORT")))
        .log_option("fluentd-async=true")
        .log_option("fluentd-retry-wait=100ms");
    let id = container.start("echo first; echo second; sleep 600");
    let daemon = setup.start();
    let events = daemon.wait_for_events(2);
    assert_eq!(events.iter().map(log_of).collect::<Vec<_>>(), ["first", "second"]);
    engine.docker(&["rm", "--force", &id]);
}

#[test]
fn a_restart_of_the_collector_loses_no_acked_line() {
    let Some(engine) = Engine::shared() else { return };
    let config = format!("{FORWARD_SOURCE}{STDOUT_MATCH}");
    let daemon = Daemon::start(&config);
    let container = Container::new(engine, "restart", &address(&daemon))
        .log_option("fluentd-async=true")
        .log_option("fluentd-request-ack=true")
        .log_option("fluentd-retry-wait=50ms");
    let id = container.start("i=0; while true; do i=$((i+1)); echo $i; sleep 0.01; done");
    daemon.wait_for_events(20);
    let again = Daemon::with(&config).with_ports_of(&daemon);
    let first = daemon.stop();
    assert_eq!(first.code, 0, "{}", first.stderr.join("\n"));
    let again = again.start();
    again.wait_for_events(20);
    engine.docker(&["rm", "--force", &id]);
    let mut numbers: Vec<usize> = first.events().iter().chain(&again.events()).map(|event| log_of(event).parse().unwrap()).collect();
    numbers.sort_unstable();
    // Twice is allowed: an ack may be lost on its way.
    numbers.dedup();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
}

#[test]
fn a_container_starts_while_elasticsearch_is_down() {
    let Some(engine) = Engine::shared() else { return };
    let store = format!("<store>\n    @type elasticsearch\n    host 127.0.0.1\n    port {}\n  </store>", free_port());
    let matched = format!("<match **>\n  @type copy\n  {store}\n  <store>\n    @type stdout\n  </store>\n</match>\n");
    let daemon = Daemon::start(&format!("{FORWARD_SOURCE}{matched}"));
    Container::new(engine, "alone", &address(&daemon)).run("echo anyway");
    daemon.wait_for_event("the line", |event| event.record["log"] == "anyway");
}
