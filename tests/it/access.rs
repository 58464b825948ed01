//! `flumen cat` and `flumen replay --to` towards a forward input that asks who sends, and one that encrypts.

use crate::support::{Daemon, FORWARD_SOURCE, STDOUT_MATCH, TempDir};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The certificate is one for `localhost`, by an authority of its own.
fn pki(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/net/tls/pki").join(name).display().to_string()
}

fn guarded(more: &str) -> Daemon {
    let security = "<security>\nself_hostname logs\nshared_key between us\nuser_auth true\n<user>\nusername ann\npassword secret\n</user>\n\
                    </security>\n";
    Daemon::start(&format!("{}{STDOUT_MATCH}", FORWARD_SOURCE.replace("</source>", &format!("{security}{more}</source>"))))
}

/// Runs `flumen` with these arguments, variables and standard input; the exit code and what it said.
fn flumen(arguments: &[&str], variables: &[(&str, &str)], input: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().unwrap(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

const SECRETS: [(&str, &str); 2] = [("FLUMEN_SHARED_KEY", "between us"), ("FLUMEN_PASSWORD", "secret")];

#[test]
fn who_knows_the_key_and_the_password_may_send() {
    let daemon = guarded("");
    let port = daemon.port("FORWARD_PORT").to_string();
    let cat = |more: &[&str], variables: &[(&str, &str)]| flumen(&[&["cat", "t", "-p", &port], more].concat(), variables, "{\"n\":1}\n");
    assert_eq!(cat(&["--user", "ann"], &SECRETS), (0, String::new()));
    assert_eq!(cat(&["--user=ann", "--shared-key=between us", "--password", "secret"], &[]), (0, String::new()));
    assert_eq!(daemon.wait_for_events(2).len(), 2);
    for (arguments, variables, wanted) in [
        (&[][..], &[][..], "wants a shared key (<security>): give it with --shared-key, or in FLUMEN_SHARED_KEY"),
        (&["--shared-key", "other", "--user", "ann"], &[("FLUMEN_PASSWORD", "secret")], "does not let us in"),
        (&["--user", "bob"], &SECRETS, "authentication failed: username/password mismatch"),
        (&["--self-hostname", "logs", "--user", "ann"], &SECRETS, "same hostname between input and output"),
        (&["--user", "ann"], &[], "need a shared key"),
    ] {
        let (code, said) = cat(arguments, variables);
        assert!(code == 1 && said.contains(wanted) && !said.contains("trying again"), "{arguments:?}: {code} {said}");
    }
    assert_eq!(daemon.events().len(), 2);
}

#[test]
fn tls_is_spoken_with_whom_the_certificate_says() {
    let transport = format!("<transport tls>\ncert_path {}\nprivate_key_path {}\n</transport>\n", pki("server.pem"), pki("server.key"));
    let daemon = guarded(&transport);
    let port = daemon.port("FORWARD_PORT").to_string();
    let (ca, ann) = (pki("ca.pem"), ["--user", "ann"]);
    let cat = |more: &[&str]| flumen(&[&["cat", "t", "-p", &port], &ann[..], more].concat(), &SECRETS, "{\"n\":1}\n");
    assert_eq!(cat(&["--tls-ca", &ca, "--tls-name", "localhost"]), (0, String::new()));
    assert_eq!(cat(&["--tls-ca", &ca, "-h", "localhost"]), (0, String::new()));
    assert_eq!(cat(&["--tls-insecure"]), (0, String::new()));
    // Another name than the certificate has, an authority that did not sign it.
    for wrong in [&["--tls-ca", &ca][..], &["--tls-ca", &pki("self.pem"), "--tls-name", "localhost"]] {
        let (code, said) = cat(wrong);
        assert!(code == 1 && said.contains("certificate") && !said.contains("trying again"), "{wrong:?}: {code} {said}");
    }
    assert_eq!(cat(&["--retry-limit", "0"]).0, 1, "without TLS");
    assert_eq!(daemon.wait_for_events(3).len(), 3);
}

#[test]
fn replays_get_in_as_well() {
    let transport = format!("<transport tls>\ncert_path {}\nprivate_key_path {}\n</transport>\n", pki("server.pem"), pki("server.key"));
    let daemon = guarded(&transport);
    let folder = TempDir::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fluentd-buffers/file-time-keys/buffer")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let (path, url) = (folder.path().display().to_string(), format!("forward://localhost:{}", daemon.port("FORWARD_PORT")));
    let replay = |more: &[&str]| flumen(&[&["replay", &path, "--to", &url], more].concat(), &SECRETS, "");
    let (code, said) = replay(&["--user", "ann", "--tls-ca", &pki("ca.pem")]);
    assert!(code == 0 && said.contains("all of it is acknowledged by localhost"), "{said}");
    let sent: usize = said.split_once("sent ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
    assert!(sent > 0 && daemon.wait_for_events(sent).len() == sent);
    let (code, said) = flumen(&["replay", &path, "-c", "x.conf", "--tls"], &[], "");
    assert!(code == 1 && said.contains("options for the connection are for --to only"), "{said}");
}
