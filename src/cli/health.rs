//! `flumen health`: asks a running Flumen how it is, for health checks where there is no curl. One line, and the exit code says it again.

use super::EXIT_CONFIG;
use crate::config::{self, Diagnostics, Element, LoadOptions};
use crate::net::http::{Client, Endpoint, Limits, Request};
use hyper::http::{HeaderMap, Method, Uri};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long everything may take: health checks have time limits of their own, which are longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer is a line or two.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Where `monitor_agent` listens unless it is told otherwise.
const USUAL_PORT: u16 = 24220;
/// Inputs that take connections, with their usual ports: what is tried where no `monitor_agent` is configured.
const LISTENERS: [(&str, u16); 4] = [("forward", 24224), ("http", 9880), ("tcp", 5170), ("syslog", 5140)];

/// What its `--help` prints.
pub const USAGE: &str = "usage: flumen health [--ready] [URL | -c FILE | --port N]

Asks a running Flumen whether it is alive, or with --ready whether it listens and no output is stuck. Exit code 0: it is; 1: it is not.
  URL        http://HOST:PORT or http://HOST:PORT/PATH of a monitor_agent (default: http://127.0.0.1:24220)
  -c FILE    the configuration that runs: its monitor_agent is asked; without one, its first listener is connected to
             (default: $FLUENT_CONF, where that is set)
  --port N   the port of the monitor_agent on this machine
  --ready    ask whether it listens and no output is stuck, not only whether it is alive
";

/// What is looked at.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// An address that answers by HTTP: host, port, path.
    Ask(String, u16, String),
    /// An address that takes connections.
    Connect(String, u16),
}

/// Runs the subcommand.
pub fn main(arguments: &[String]) -> ExitCode {
    let asked = match Asked::parse(arguments) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("flumen: {why}\n{USAGE}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    match asked.target().and_then(|target| look(&target)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(line) => {
            println!("{line}");
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

/// What the arguments say.
#[derive(Debug, Default)]
struct Asked {
    is_ready: bool,
    url: Option<String>,
    config: Option<PathBuf>,
    port: Option<u16>,
}

impl Asked {
    /// Reads the arguments; `None` where only help is wanted.
    fn parse(arguments: &[String]) -> Result<Option<Asked>, String> {
        let mut asked = Asked::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let (name, attached) =
                argument.split_once('=').map_or((argument.as_str(), None), |(name, value)| (name, Some(value.to_owned())));
            let mut value = || attached.clone().or_else(|| arguments.next().cloned()).ok_or_else(|| format!("missing argument: {name}"));
            match name {
                "-h" | "--help" => return Ok(None),
                "--ready" => asked.is_ready = true,
                "-c" | "--config" => asked.config = Some(PathBuf::from(value()?)),
                "-p" | "--port" => {
                    let text = value()?;
                    asked.port = Some(text.parse().map_err(|_| format!("{name}: expected a port, got {text:?}"))?);
                }
                _ if argument.starts_with('-') => return Err(format!("invalid option: {name}")),
                _ if asked.url.is_none() => asked.url = Some(argument.clone()),
                _ => return Err(format!("unexpected argument {argument:?}")),
            }
        }
        if [asked.url.is_some(), asked.config.is_some(), asked.port.is_some()].iter().filter(|given| **given).count() > 1 {
            return Err("a URL, -c and --port are three ways to say the same: give one of them".to_owned());
        }
        if asked.url.is_none() && asked.port.is_none() && asked.config.is_none() {
            asked.config = std::env::var_os("FLUENT_CONF").filter(|path| !path.is_empty()).map(PathBuf::from);
        }
        Ok(Some(asked))
    }

    fn path(&self) -> String {
        if self.is_ready { "/readyz" } else { "/healthz" }.to_owned()
    }

    fn target(&self) -> Result<Target, String> {
        match (&self.url, &self.config) {
            (Some(url), _) => self.of_url(url),
            (None, Some(path)) => self.of_file(path),
            (None, None) => Ok(Target::Ask("127.0.0.1".to_owned(), self.port.unwrap_or(USUAL_PORT), self.path())),
        }
    }

    fn of_url(&self, url: &str) -> Result<Target, String> {
        let with_scheme = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let parsed: Uri = with_scheme.parse().map_err(|error| format!("{url:?} is no URL: {error}"))?;
        let (Some("http"), Some(host)) = (parsed.scheme_str(), parsed.host()) else {
            return Err(format!("expected http://HOST:PORT, got {url:?}"));
        };
        let path = parsed.path_and_query().map_or("/", |path| path.as_str());
        let path = if path == "/" { self.path() } else { path.to_owned() };
        Ok(Target::Ask(host.to_owned(), parsed.port_u16().unwrap_or(USUAL_PORT), path))
    }

    fn of_file(&self, path: &Path) -> Result<Target, String> {
        let diagnostics = Diagnostics::new();
        let root = config::load_despite_faults(&LoadOptions::new(path), &diagnostics);
        let root = root.map_err(|_| {
            let said = diagnostics.findings().into_iter().map(|finding| finding.message).next();
            format!("cannot read {}: {}", path.display(), said.unwrap_or_default())
        })?;
        self.of_sources(&root).ok_or_else(|| format!("{} has no input that can be asked or connected to", path.display()))
    }

    /// The `monitor_agent` of a configuration, else the first input that takes connections.
    fn of_sources(&self, root: &Element) -> Option<Target> {
        let workers = root.children.iter().filter(|child| child.name == "worker").flat_map(|worker| &worker.children);
        let sources: Vec<&Element> = root.children.iter().chain(workers).filter(|child| child.name == "source").collect();
        let address = |source: &Element, usual: u16| {
            let port = source.text("port").and_then(|port| port.trim().parse().ok()).unwrap_or(usual);
            (reachable(source.text("bind").unwrap_or("0.0.0.0")), port)
        };
        if let Some(monitor) = sources.iter().find(|source| source.plugin_type() == Some("monitor_agent")) {
            let (host, port) = address(monitor, USUAL_PORT);
            return Some(Target::Ask(host, port, self.path()));
        }
        sources.iter().find_map(|source| {
            let (_, usual) = LISTENERS.iter().find(|(kind, _)| source.plugin_type() == Some(kind))?;
            // What listens by UDP takes no connections.
            let is_udp =
                source.plugin_type() == Some("syslog") && source.section("transport").is_none_or(|transport| transport.arg != "tcp");
            let (host, port) = address(source, *usual);
            (!is_udp).then_some(Target::Connect(host, port))
        })
    }
}

/// Where what listens on this address is reached from this machine.
fn reachable(bind: &str) -> String {
    match bind {
        "0.0.0.0" | "" => "127.0.0.1".to_owned(),
        "::" => "::1".to_owned(),
        other => other.to_owned(),
    }
}

/// Looks, and says in one line what was seen.
fn look(target: &Target) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let looked = async {
        match target {
            Target::Ask(host, port, path) => ask(host, *port, path).await,
            Target::Connect(host, port) => connect(host, *port).await,
        }
    };
    runtime
        .block_on(async { tokio::time::timeout(PATIENCE, looked).await })
        .unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
}

async fn ask(host: &str, port: u16, path: &str) -> Result<String, String> {
    let limits = Limits { connect: PATIENCE, silence: PATIENCE, answer_bytes: MAX_ANSWER_BYTES };
    let client = Client::new(Endpoint { host: host.to_owned(), port, tls: None, proxy: None }, limits);
    let request = Request { method: Method::GET, path: path.to_owned(), headers: HeaderMap::new(), body: Default::default() };
    let answer = client.send(request).await.map_err(|failure| failure.to_string())?;
    let body = String::from_utf8_lossy(&answer.body).split_whitespace().collect::<Vec<_>>().join(" ");
    let line = format!("{} {body}", answer.status);
    if (200..300).contains(&answer.status) { Ok(line) } else { Err(line) }
}

async fn connect(host: &str, port: u16) -> Result<String, String> {
    let addresses = crate::net::resolve(host, port).await.map_err(|error| format!("{error:#}"))?;
    let connected = tokio::net::TcpStream::connect(addresses.as_slice()).await;
    connected.map(|_| format!("{host}:{port} takes connections")).map_err(|error| format!("{host}:{port} takes no connections: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn target(arguments: &[&str]) -> Result<Target, String> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Asked::parse(&arguments)?.expect("no help").target()
    }

    fn asks(host: &str, port: u16, path: &str) -> Result<Target, String> {
        Ok(Target::Ask(host.to_owned(), port, path.to_owned()))
    }

    #[test]
    fn arguments_say_whom_to_ask_what() {
        assert_eq!(target(&["--port", "5"]), asks("127.0.0.1", 5, "/healthz"));
        assert_eq!(target(&["--ready", "--port=5"]), asks("127.0.0.1", 5, "/readyz"));
        assert_eq!(target(&["http://h:7"]), asks("h", 7, "/healthz"));
        assert_eq!(target(&["h:7/readyz?debug=1"]), asks("h", 7, "/readyz?debug=1"));
        assert_eq!(target(&["--ready", "http://[::1]/"]), asks("[::1]", 24220, "/readyz"));
        assert!(target(&["https://h"]).unwrap_err().contains("expected http://HOST:PORT"));
        for wrong in [&["--port", "x"][..], &["--port"], &["-x"], &["a", "b"], &["a", "--port", "5"]] {
            assert!(target(wrong).is_err(), "{wrong:?}");
        }
        assert!(Asked::parse(&["--help".to_owned()]).unwrap().is_none());
        assert!(target(&["-c", "/nowhere/x.conf"]).unwrap_err().contains("/nowhere/x.conf"));
    }

    #[test]
    fn a_configuration_says_where_its_monitor_or_its_listener_is() {
        let of = |text: &str| {
            let root = load(&LoadOptions::for_text("test", text), &Diagnostics::new()).expect("syntax");
            Asked::default().of_sources(&root)
        };
        let monitor = "<source>\n@type monitor_agent\nport 5\n</source>\n";
        let forward = "<source>\n@type forward\nbind ::\n</source>\n";
        assert_eq!(of(&[forward, monitor].concat()), asks("127.0.0.1", 5, "/healthz").ok());
        assert_eq!(of(&format!("<worker 0>\n{monitor}</worker>\n")), asks("127.0.0.1", 5, "/healthz").ok());
        assert_eq!(of(forward), Some(Target::Connect("::1".to_owned(), 24224)));
        assert_eq!(of("<source>\n@type syslog\ntag t\n</source>\n"), None);
        let tcp = "<source>\n@type syslog\ntag t\nbind 10.0.0.1\n<transport tcp>\n</transport>\n</source>\n";
        assert_eq!(of(tcp), Some(Target::Connect("10.0.0.1".to_owned(), 5140)));
        assert_eq!(of("<source>\n@type sample\ntag t\n</source>\n"), None);
    }
}
