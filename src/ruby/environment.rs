//! What code can see of the machine it runs on.

use super::value::{Outcome, raised};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Files are read up to this size: what is embedded in a configuration is a name or a secret.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// How long a command may take.
const COMMAND_WAIT: Duration = Duration::from_secs(10);

/// The environment of a run.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The environment variables.
    pub variables: Vec<(String, String)>,
    /// The name of this machine.
    pub hostname: String,
    /// The number of the worker; empty outside of one.
    pub worker_id: String,
    /// Whether files may be read and commands run. The checker does neither.
    pub trusted: bool,
}

impl Environment {
    /// This process's variables and this machine's name.
    pub fn of_process() -> Environment {
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Environment { variables, hostname, worker_id: String::new(), trusted: true }
    }

    /// A variable's value.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What a file holds; empty where files are not to be read.
    pub fn read(&self, path: &str) -> Outcome<Vec<u8>> {
        if !self.trusted {
            return Ok(Vec::new());
        }
        let size = std::fs::metadata(path).map_err(|error| errno(&error, path))?.len();
        if size > MAX_FILE_BYTES {
            return Err(raised("IOError", format!("{path} has {size} bytes, expected at most {MAX_FILE_BYTES}")));
        }
        std::fs::read(Path::new(path)).map_err(|error| errno(&error, path))
    }

    /// What a command prints; empty where commands are not to be run.
    pub fn command(&self, command: &[u8]) -> Outcome<Vec<u8>> {
        let command = String::from_utf8_lossy(command).into_owned();
        if command.trim() == "hostname" {
            return Ok(format!("{}\n", self.hostname).into_bytes());
        }
        if !self.trusted {
            return Ok(Vec::new());
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        let line = command.clone();
        std::thread::spawn(move || sender.send(Command::new("sh").arg("-c").arg(&line).stderr(std::process::Stdio::inherit()).output()));
        match receiver.recv_timeout(COMMAND_WAIT) {
            Ok(Ok(output)) => Ok(output.stdout),
            Ok(Err(error)) => Err(errno(&error, &command)),
            Err(_) => Err(raised("RuntimeError", format!("`{command}` did not end within {} s", COMMAND_WAIT.as_secs()))),
        }
    }
}

fn errno(error: &std::io::Error, path: &str) -> super::value::Raised {
    match error.kind() {
        std::io::ErrorKind::NotFound => raised("Errno::ENOENT", format!("No such file or directory @ rb_sysopen - {path}")),
        std::io::ErrorKind::PermissionDenied => raised("Errno::EACCES", format!("Permission denied @ rb_sysopen - {path}")),
        std::io::ErrorKind::IsADirectory => raised("Errno::EISDIR", format!("Is a directory @ io_fread - {path}")),
        _ => raised("IOError", format!("{error} - {path}")),
    }
}
