//! From `host`, `hosts` and `cloud_id` to the servers that they name.

use super::params::{Params, Scheme};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::Ipv6Addr;

/// More servers than this are a mistake in the configuration.
const MAX_SERVERS: usize = 256;
/// Where Elastic Cloud listens.
const CLOUD_PORT: u16 = 443;

/// One server as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// What paths start with; without a slash at the end.
    pub path: String,
    /// User and password.
    pub login: Option<(String, String)>,
}

/// The servers of a `hosts` or `host` text after placeholders were filled in.
pub fn servers(text: &str, params: &Params) -> Result<Vec<Server>, String> {
    let login = login(params);
    let port = port(params.port)?;
    let defaults = Server {
        host: String::new(),
        port,
        tls: params.scheme == Scheme::Https,
        path: tidy_path(params.path.as_deref().unwrap_or_default()),
        login,
    };
    let list: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    if list.is_empty() {
        return Err(format!("{text:?} names no server"));
    }
    if list.len() > MAX_SERVERS {
        return Err(format!("{} servers, expected at most {MAX_SERVERS}", list.len()));
    }
    list.into_iter().map(|item| server(item, &defaults)).collect()
}

/// The server that a `cloud_id` names: `label:` and, in base64, the domain and the cluster's own name.
pub fn cloud(id: &str, params: &Params) -> Result<Server, String> {
    let wrong = || "cloud_id has the wrong form, expected 'name:base64'".to_owned();
    let coded = id.rsplit_once(':').map_or(id, |(_, coded)| coded);
    let decoded = STANDARD.decode(coded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)?;
    let mut parts = decoded.split('$');
    let (domain, cluster) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if domain.is_empty() || cluster.is_empty() {
        return Err(wrong());
    }
    let (domain, port) = match domain.split_once(':') {
        Some((domain, port)) => (domain, port.parse().map_err(|_| wrong())?),
        None => (domain, CLOUD_PORT),
    };
    Ok(Server { host: format!("{cluster}.{domain}"), port, tls: true, path: String::new(), login: login(params) })
}

/// The user and password of the whole section.
fn login(params: &Params) -> Option<(String, String)> {
    if let Some(both) = &params.cloud_auth {
        let (user, password) = both.split_once(':').unwrap_or((both, ""));
        return Some((user.to_owned(), password.to_owned()));
    }
    let user = params.user.as_deref()?;
    Some((literal(user).to_owned(), literal(params.password.as_deref().unwrap_or_default()).to_owned()))
}

/// `%{text}` says that the text holds characters that would have a meaning in a URL.
fn literal(text: &str) -> &str {
    match (text.find("%{"), text.rfind('}')) {
        (Some(start), Some(end)) if start + 2 <= end => &text[start + 2..end],
        _ => text,
    }
}

fn port(number: i64) -> Result<u16, String> {
    u16::try_from(number).map_err(|_| format!("port {number} is out of range, expected 0 to 65535"))
}

fn tidy_path(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

fn server(text: &str, defaults: &Server) -> Result<Server, String> {
    if text.contains("://") {
        return url(text, defaults);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok(Server { host: format!("[{text}]"), ..defaults.clone() });
    }
    let (host, given) = host_and_port(text)?;
    Ok(Server { host: host.to_owned(), port: given.unwrap_or(defaults.port), ..defaults.clone() })
}

fn url(text: &str, defaults: &Server) -> Result<Server, String> {
    let wrong = |what: &str| format!("{what} in {}, expected 'http://user:password@host:port/path'", hide_login(text));
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return Err(wrong("unknown scheme")),
    };
    // A password in %{} may hold slashes.
    let (userinfo, rest) = match rest.rfind('@') {
        Some(at) if rest[..at].contains("%{") || !rest[..at].contains('/') => (Some(&rest[..at]), &rest[at + 1..]),
        _ => (None, rest),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = host_and_port(authority).map_err(|why| wrong(&why))?;
    let path = if path.is_empty() { defaults.path.clone() } else { tidy_path(path) };
    let login = userinfo.map(userinfo_login).or_else(|| defaults.login.clone());
    Ok(Server { host: host.to_owned(), port: port.unwrap_or(if tls { 443 } else { 80 }), tls, path, login })
}

fn userinfo_login(text: &str) -> (String, String) {
    if let Some((user, password)) = text.split_once("}:%{")
        && let (Some(user), Some(password)) = (user.strip_prefix("%{"), password.strip_suffix('}'))
    {
        return (user.to_owned(), password.to_owned());
    }
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    (percent_decoded(user), percent_decoded(password))
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        match digits.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hide_login(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(start), Some(end)) if start < end => format!("\"{}xxxxxx{}\"", &text[..start + 3], &text[end..]),
        _ => format!("{text:?}"),
    }
}

fn host_and_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, rest) = match text.find(']').filter(|_| text.starts_with('[')) {
        Some(end) => text.split_at(end + 1),
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    let good = |c: char| c.is_alphanumeric() || "-._[]:".contains(c);
    if host.is_empty() || !host.chars().all(good) {
        return Err(format!("{host:?} is no host name"));
    }
    if rest.is_empty() {
        return Ok((host, None));
    }
    let number = rest.strip_prefix(':').and_then(|digits| digits.parse().ok());
    number.map(|port| (host, Some(port))).ok_or_else(|| format!("{rest:?} is no port"))
}
