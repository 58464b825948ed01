//! `flumen reload`: asks a running one to read its configuration anew, by its process number or by its RPC endpoint.

use super::{EXIT_CONFIG, EXIT_RUN};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

/// What its `--help` prints.
pub const USAGE: &str =
    "usage: flumen reload PIDFILE          send SIGHUP to the process whose number is in the file; its log says what came of it
       flumen reload --rpc HOST:PORT   ask by <system> rpc_endpoint, and say what came of it
";
/// Connecting takes no longer than this.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// Reading a configuration and binding what is new takes no longer than this.
const ANSWER_WAIT: Duration = Duration::from_secs(120);
/// An answer is a line; more is not read.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

/// 0: reloaded, or asked to; 1: wrong arguments, or the new configuration was refused; 2: nobody was there to ask.
pub fn main(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["-h" | "--help"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        ["--rpc", endpoint] => by_rpc(endpoint),
        [pid_file] if !pid_file.starts_with('-') => by_signal(pid_file),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    match result {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err((code, why)) => {
            eprintln!("flumen: {why}");
            ExitCode::from(code)
        }
    }
}

fn by_signal(pid_file: &str) -> Result<String, (u8, String)> {
    let text = std::fs::read_to_string(pid_file).map_err(|error| (EXIT_RUN, format!("cannot read {pid_file}: {error}")))?;
    let pid: libc::pid_t = text.trim().parse().ok().filter(|pid| *pid > 1).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        (EXIT_CONFIG, format!("{pid_file} holds {shown:?}, expected a process number"))
    })?;
    // SAFETY: kill takes two integers and changes nothing of this process.
    if unsafe { libc::kill(pid, libc::SIGHUP) } != 0 {
        return Err((EXIT_RUN, format!("cannot send SIGHUP to process {pid}: {}", std::io::Error::last_os_error())));
    }
    Ok(format!("SIGHUP sent to process {pid}"))
}

fn by_rpc(endpoint: &str) -> Result<String, (u8, String)> {
    let (status, body) = call(endpoint).map_err(|error| (EXIT_RUN, format!("cannot ask {endpoint}: {error}")))?;
    match status {
        200 => Ok("the new configuration is running".to_owned()),
        _ => {
            let answer: Option<serde_json::Value> = serde_json::from_str(&body).ok();
            let why = answer.as_ref().and_then(|answer| answer["error"].as_str()).unwrap_or("no reason was given").to_owned();
            Err((EXIT_CONFIG, format!("reload refused, the configuration stays as it was: {why}")))
        }
    }
}

/// One request; status and body of the answer.
fn call(endpoint: &str) -> std::io::Result<(u16, String)> {
    let invalid = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why.to_owned());
    let address = endpoint.to_socket_addrs()?.next().ok_or_else(|| invalid("the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_WAIT)?;
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    stream.set_write_timeout(Some(CONNECT_WAIT))?;
    write!(stream, "GET /api/config.reload HTTP/1.1\r\nHost: {endpoint}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| invalid("no HTTP answer"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| invalid("no HTTP answer"))?;
    Ok((status, body.to_owned()))
}
