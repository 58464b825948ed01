//! A `flumen` process under test: started with a configuration in a folder of its own, watched, stopped at the end of the test.

use super::streams::Lines;
use super::{PATIENCE, TempDir, free_port, is_listening, wait_until};
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The ports that each daemon gets in its environment, for configurations to read with `#{ENV['...']}`.
const PORTS: [&str; 5] = ["FORWARD_PORT", "HTTP_PORT", "TCP_PORT", "UDP_PORT", "MONITOR_PORT"];

/// What to start, before it is started.
pub struct Setup {
    dir: TempDir,
    config: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    ports: Vec<(&'static str, u16)>,
    read_stdout: bool,
}

/// A running daemon. Dropping it sends SIGTERM and, should that not help, SIGKILL.
pub struct Daemon {
    child: Child,
    code: Option<i32>,
    stdout: Option<Lines>,
    unread: Option<ChildStdout>,
    stderr: Lines,
    ports: Vec<(&'static str, u16)>,
    _dir: TempDir,
    config: PathBuf,
}

/// How a process that ended by itself ended.
pub struct Finished {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// The lines on standard output.
    pub stdout: Vec<String>,
    /// The lines on standard error.
    pub stderr: Vec<String>,
}

/// One event as `@type stdout` prints it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `2026-01-02 03:04:05.000000000 +0000`
    pub time: String,
    /// The tag.
    pub tag: String,
    /// The record.
    pub record: serde_json::Value,
    /// The record as it was written, for the order of its keys.
    pub text: String,
}

impl Setup {
    /// Sets a variable in the daemon's environment, which otherwise holds only `PATH`, `HOME`, `TZ=UTC`, `OUT_DIR` and the ports.
    pub fn env(mut self, name: &str, value: impl ToString) -> Setup {
        self.environment.push((name.to_string(), value.to_string()));
        self
    }

    /// Adds a command line argument after `-c FILE`.
    pub fn argument(mut self, argument: &str) -> Setup {
        self.arguments.push(argument.to_string());
        self
    }

    /// Takes the ports of another daemon, for one that comes back after it.
    pub fn with_ports_of(mut self, other: &Daemon) -> Setup {
        self.ports = other.ports.clone();
        self
    }

    /// Leaves standard output unread, as behind a stuck pipe, until `Daemon::read_stdout`.
    pub fn leave_stdout_unread(mut self) -> Setup {
        self.read_stdout = false;
        self
    }

    /// The port behind one of the environment's names, e.g. `FORWARD_PORT`, before the start.
    pub fn port(&self, name: &str) -> u16 {
        find_port(&self.ports, name)
    }

    /// The daemon's folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts it and waits until it listens; panics with its log when it ends instead.
    pub fn start(self) -> Daemon {
        let text = std::fs::read_to_string(&self.config).unwrap_or_default();
        let awaited: Vec<u16> =
            self.ports.iter().filter(|(name, _)| *name != "UDP_PORT" && text.contains(name)).map(|(_, port)| *port).collect();
        let read_stdout = self.read_stdout;
        let mut daemon = self.spawn();
        if read_stdout {
            daemon.read_stdout();
        }
        wait_until("the daemon to listen", PATIENCE, || {
            if let Some(status) = daemon.child.try_wait().unwrap() {
                panic!("flumen ended at start with {status}:\n{}", daemon.stderr.read_to_end().join("\n"));
            }
            awaited.iter().all(|port| is_listening(*port)).then_some(())
        });
        daemon
    }

    /// Runs it to its end, for `--dry-run` and for configurations that are refused.
    pub fn run(self) -> Finished {
        let mut daemon = self.spawn();
        daemon.read_stdout();
        daemon.wait_for_exit();
        daemon.finish()
    }

    fn spawn(self) -> Daemon {
        let mut command = Command::new(binary());
        command.arg("-c").arg(&self.config).args(&self.arguments).current_dir(self.dir.path());
        command.env_clear().env("TZ", "UTC").env("HOME", self.dir.path()).env("OUT_DIR", self.dir.path());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(self.ports.iter().map(|(name, port)| (name, port.to_string())));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = Lines::read(child.stderr.take().unwrap());
        let unread = child.stdout.take();
        Daemon { child, code: None, stdout: None, unread, stderr, ports: self.ports, _dir: self.dir, config: self.config }
    }
}

impl Finished {
    /// The events on standard output, without those of the daemon's own log (tags `fluent.*`).
    pub fn events(&self) -> Vec<Event> {
        events_in(&self.stdout)
    }
}

impl Daemon {
    /// Starts with a configuration given as text.
    pub fn start(config: &str) -> Daemon {
        Daemon::with(config).start()
    }

    /// Prepares a start with a configuration given as text.
    pub fn with(config: &str) -> Setup {
        let dir = TempDir::new();
        let path = dir.path().join("fluent.conf");
        std::fs::write(&path, config).unwrap();
        Daemon::set_up(dir, path)
    }

    /// Prepares a start with a configuration file of the repository, e.g. `conf/reddit-v0.12.conf`.
    pub fn with_file(path: &str) -> Setup {
        Daemon::set_up(TempDir::new(), Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
    }

    fn set_up(dir: TempDir, config: PathBuf) -> Setup {
        let ports = PORTS.iter().map(|name| (*name, free_port())).collect();
        Setup { dir, config, arguments: Vec::new(), environment: Vec::new(), ports, read_stdout: true }
    }

    /// The port behind one of the environment's names, e.g. `FORWARD_PORT`.
    pub fn port(&self, name: &str) -> u16 {
        find_port(&self.ports, name)
    }

    /// Sends SIGTERM, and gives the time until the process is gone with what it leaves.
    pub fn stop_timed(self) -> (Finished, Duration) {
        let began = std::time::Instant::now();
        (self.stop(), began.elapsed())
    }

    /// Writes another text into its configuration file.
    pub fn rewrite(&self, config: &str) {
        std::fs::write(&self.config, config).unwrap();
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory now, in kilobytes.
    pub fn rss_kb(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The largest resident memory since the start, in kilobytes.
    pub fn peak_rss_kb(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Begins to read standard output after `leave_stdout_unread`.
    pub fn read_stdout(&mut self) {
        if let Some(stream) = self.unread.take() {
            self.stdout = Some(Lines::read(stream));
        }
    }

    /// The lines on standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.lines().now()
    }

    /// The lines of the log so far.
    pub fn log(&self) -> Vec<String> {
        self.stderr.now()
    }

    /// Waits until `wanted` says yes to the lines on standard output; panics with everything printed when it does not.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        self.lines().wait_for(PATIENCE, wanted).unwrap_or_else(|lines| self.give_up(what, &lines))
    }

    /// Waits until `wanted` says yes to the lines of the log; panics with everything printed when it does not.
    pub fn wait_for_log(&self, what: &str, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        self.stderr.wait_for(PATIENCE, wanted).unwrap_or_else(|_| self.give_up(what, &self.lines().now()))
    }

    /// The events on standard output so far, without those of the daemon's own log (tags `fluent.*`).
    pub fn events(&self) -> Vec<Event> {
        events_in(&self.stdout())
    }

    /// Waits for `count` events on standard output, the daemon's own log apart; all of them.
    pub fn wait_for_events(&self, count: usize) -> Vec<Event> {
        // Lines are looked at once each: there may be many.
        let (seen, found) = (Cell::new(0), Cell::new(0));
        let lines = self.wait_for(&format!("{count} events"), |lines| {
            found.set(found.get() + events_in(&lines[seen.replace(lines.len())..]).len());
            found.get() >= count
        });
        events_in(&lines)
    }

    /// Waits for the first event that `wanted` says yes to.
    pub fn wait_for_event(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let (seen, found) = (Cell::new(0), RefCell::new(None));
        self.wait_for(what, |lines| {
            let mut events = lines[seen.replace(lines.len())..].iter().filter_map(|line| Event::parse(line));
            *found.borrow_mut() = events.find(&wanted);
            found.borrow().is_some()
        });
        found.into_inner().unwrap()
    }

    /// Sends a signal, e.g. `libc::SIGUSR1`.
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill takes two integers; the child is ours and not yet waited for, so the id is still its own.
        unsafe { libc::kill(self.pid() as i32, signal) };
    }

    /// Kills it, as a crash would, and waits for the end.
    pub fn kill(mut self) {
        self.signal(libc::SIGKILL);
        self.wait_for_exit();
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(mut self) -> Finished {
        self.read_stdout();
        self.signal(libc::SIGTERM);
        self.wait_for_exit();
        self.finish()
    }

    /// Waits for the process to end; its exit code, -1 for a signal.
    pub fn wait_for_exit(&mut self) -> i32 {
        if self.code.is_none() {
            let status = wait_until("the daemon to end", PATIENCE, || self.child.try_wait().unwrap());
            self.code = Some(status.code().unwrap_or(-1));
        }
        self.code.unwrap()
    }

    fn finish(mut self) -> Finished {
        let stdout = self.stdout.as_mut().map(Lines::read_to_end).unwrap_or_default();
        Finished { code: self.code.unwrap_or(-1), stdout, stderr: self.stderr.read_to_end() }
    }

    fn lines(&self) -> &Lines {
        self.stdout.as_ref().expect("standard output is read only after read_stdout")
    }

    fn give_up(&self, what: &str, stdout: &[String]) -> ! {
        panic!("no {what}\n--- standard output\n{}\n--- log\n{}\n---", stdout.join("\n"), self.log().join("\n"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.code.is_some() || self.child.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        // A pipe that nobody reads may hold up the last write, so its reader's end goes first.
        self.unread = None;
        self.signal(libc::SIGTERM);
        for _ in 0..500 {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Event {
    /// Reads a line of standard output; `None` when it is not an event.
    pub fn parse(line: &str) -> Option<Event> {
        const TIME: &str = "0000-00-00 00:00:00.000000000 +0000";
        let (time, rest) = line.split_at_checked(TIME.len())?;
        let is_time = time.bytes().zip(TIME.bytes()).all(|(found, wanted)| match wanted {
            b'0' => found.is_ascii_digit(),
            b'+' => matches!(found, b'+' | b'-'),
            _ => found == wanted,
        });
        let (tag, text) = rest.strip_prefix(' ')?.split_once(": ")?;
        let record = serde_json::from_str(text).ok()?;
        is_time.then(|| Event { time: time.to_string(), tag: tag.to_string(), record, text: text.to_string() })
    }
}

fn events_in(lines: &[String]) -> Vec<Event> {
    lines.iter().filter_map(|line| Event::parse(line)).filter(|event| !event.tag.starts_with("fluent.")).collect()
}

/// The program under test: the one cargo built, or another build of it that `FLUMEN_BINARY` names.
pub fn binary() -> std::ffi::OsString {
    std::env::var_os("FLUMEN_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_flumen").into())
}

fn find_port(ports: &[(&'static str, u16)], name: &str) -> u16 {
    ports.iter().find(|(known, _)| *known == name).map(|(_, port)| *port).unwrap_or_else(|| panic!("no port is called {name}"))
}
