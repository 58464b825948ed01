//! Programs that configurations name: started as Ruby starts them, read, waited for, and ended with all that they have started.
//!
//! What is done with their output is the business of the plugins.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// With any of these in it, a command is one for the shell.
const FOR_THE_SHELL: &str = "*?{}[]<>()~&|\\$;'`\"\n#=%";
/// What only the shell has, as the first word of a command.
const BUILT_IN: &[&str] = &[
    "alias", "bg", "break", "case", "cd", "continue", "do", "done", "elif", "else", "esac", "eval", "exec", "exit", "export", "fc", "fg",
    "fi", "for", "getopts", "hash", "if", "jobs", "read", "readonly", "return", "set", "shift", "then", "times", "trap", "type", "ulimit",
    "umask", "unalias", "unset", "until", "wait", "while", ".", ":", "!",
];

/// What becomes of what a program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output is read; standard error is thrown away.
    Read,
    /// Both are read as one.
    ReadWithErrors,
    /// Standard output is thrown away; standard error is ours.
    Ignored,
}

/// A program that was started.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

/// How to end a program that another thread waits for.
#[derive(Clone, Copy, Debug)]
pub struct Leash {
    group: i32,
}

/// Starts a command with nothing to read, in a group of its own.
pub fn start(command: &str, output: Output) -> io::Result<Running> {
    let mut words = command.split_whitespace();
    let first = words.next().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the command is empty"))?;
    let mut program = if command.contains(|c| FOR_THE_SHELL.contains(c)) || BUILT_IN.contains(&first) {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command);
        shell
    } else {
        let mut program = Command::new(first);
        program.args(words);
        program
    };
    program.stdin(Stdio::null()).process_group(0);
    match output {
        Output::Read => program.stdout(Stdio::piped()).stderr(Stdio::null()),
        Output::ReadWithErrors => return start_with_errors(program),
        Output::Ignored => program.stdout(Stdio::null()).stderr(Stdio::inherit()),
    };
    program.spawn().map(|child| Running { child })
}

fn start_with_errors(mut program: Command) -> io::Result<Running> {
    let (read, write) = io::pipe()?;
    program.stdout(write.try_clone()?).stderr(write);
    let mut child = program.spawn()?;
    // Ours of the writing ends, which the command holds, have to be closed for the end to show.
    drop(program);
    child.stdout = Some(ChildStdout::from(std::os::fd::OwnedFd::from(read)));
    Ok(Running { child })
}

impl Running {
    /// What it writes, once.
    pub fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// How to end it.
    pub fn leash(&self) -> Leash {
        Leash { group: self.child.id() as i32 }
    }

    /// Waits for its end, on a thread that may be held up.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Leash {
    /// Asks the program, and what it has started, to end.
    pub fn terminate(self) {
        self.send(libc::SIGTERM);
    }

    /// Ends them.
    pub fn kill(self) {
        self.send(libc::SIGKILL);
    }

    fn send(self, signal: i32) {
        // SAFETY: sends a signal to a group that was made for the program; where it is gone, nothing happens. Until the program has been
        // waited for, its number is nobody else's.
        unsafe {
            libc::kill(-self.group, signal);
        }
    }
}

/// How a program ended, in words: `exited with code 1`, `ended by signal 9`.
pub fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn output_of(command: &str, output: Output) -> (String, String) {
        let mut running = start(command, output).unwrap();
        let mut text = String::new();
        running.take_output().unwrap().read_to_string(&mut text).unwrap();
        (text, ending(running.wait().unwrap()))
    }

    #[test]
    fn plain_commands_and_those_for_the_shell() {
        assert_eq!(output_of("echo  a   b", Output::Read), ("a b\n".to_owned(), "exited with code 0".to_owned()));
        assert_eq!(output_of("echo 'a   b'; exit 3", Output::Read), ("a   b\n".to_owned(), "exited with code 3".to_owned()));
        assert_eq!(output_of("exit 4", Output::Read).1, "exited with code 4");
        assert!(start("/nowhere/to/be/found", Output::Read).is_err());
        assert!(start("  ", Output::Read).is_err());
    }

    #[test]
    fn errors_are_read_where_that_is_asked_for() {
        let command = "echo out; echo err >&2";
        assert_eq!(output_of(command, Output::Read).0, "out\n");
        assert_eq!(output_of(command, Output::ReadWithErrors).0, "out\nerr\n");
    }

    #[test]
    fn what_a_program_has_started_ends_with_it() {
        let mut running = start("(sleep 600; echo late) & sleep 600", Output::Read).unwrap();
        running.leash().terminate();
        let mut text = String::new();
        // The end of the output is that of all who could write there.
        running.take_output().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), ending(running.wait().unwrap())), ("", "ended by signal 15".to_owned()));
    }
}
