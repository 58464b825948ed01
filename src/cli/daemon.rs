//! `--daemon PIDFILE`: the same program again, in a session of its own.

use super::{EXIT_CONFIG, EXIT_RUN, Options, check};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// Checks the configuration, so that its faults are seen, then starts the background process and writes its number.
pub fn start(options: &Options, pid_file: &Path, arguments: &[String]) -> ExitCode {
    if check::check_quietly(options).is_err() {
        return ExitCode::from(EXIT_CONFIG);
    }
    match spawn(pid_file, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flumen: cannot start in the background: {error}");
            ExitCode::from(EXIT_RUN)
        }
    }
}

fn spawn(pid_file: &Path, arguments: &[String]) -> std::io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(foreground(arguments)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: setsid is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        });
    }
    let child = command.spawn()?;
    std::fs::write(pid_file, format!("{}\n", child.id()))
}

/// The arguments without `--daemon` and its value.
fn foreground(arguments: &[String]) -> Vec<&String> {
    let mut kept = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "-d" || argument == "--daemon" {
            arguments.next();
        } else if !argument.starts_with("--daemon=") && (!argument.starts_with("-d") || argument.len() <= 2) {
            kept.push(argument);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_runs_in_the_foreground() {
        let arguments: Vec<String> = ["-c", "a", "-d", "pid", "--daemon=x", "-dy", "-o", "log"].map(String::from).to_vec();
        assert_eq!(foreground(&arguments), ["-c", "a", "-o", "log"]);
    }
}
