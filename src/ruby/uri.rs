//! URIs taken apart, and text escaped for them.

use super::value::Value;

/// A URI's parts.
#[derive(Debug)]
pub struct Uri {
    text: String,
    scheme: Option<String>,
    userinfo: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    path: String,
    query: Option<String>,
    fragment: Option<String>,
}

impl Uri {
    /// Takes a text apart; `None` for what is no URI.
    pub fn parse(text: &str) -> Option<Uri> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii() || "<>\"{}|\\^`".contains(c)) {
            return None;
        }
        let (rest, fragment) = cut(text, '#');
        let (rest, query) = cut(rest, '?');
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, rest))
                if scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                    && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) =>
            {
                (Some(scheme.to_ascii_lowercase()), rest)
            }
            _ => (None, rest),
        };
        let mut uri = Uri { text: text.to_owned(), scheme, userinfo: None, host: None, port: None, path: rest.to_owned(), query, fragment };
        if let Some(authority) = rest.strip_prefix("//") {
            let end = authority.find('/').unwrap_or(authority.len());
            uri.path = authority[end..].to_owned();
            let authority = &authority[..end];
            let (userinfo, address) =
                authority.rsplit_once('@').map_or((None, authority), |(user, address)| (Some(user.to_owned()), address));
            let port_at = address.rfind(':').filter(|at| address.rfind(']').is_none_or(|bracket| bracket < *at));
            let (host, port) = port_at.map_or((address, None), |at| (&address[..at], Some(&address[at + 1..])));
            uri.userinfo = userinfo;
            uri.host = Some(host.to_owned());
            uri.port = match port {
                None | Some("") => None,
                Some(port) => Some(port.parse().ok()?),
            };
        }
        Some(uri)
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The class.
    pub fn class(&self) -> &'static str {
        match self.scheme.as_deref() {
            Some("http") => "URI::HTTP",
            Some("https") => "URI::HTTPS",
            Some("ftp") => "URI::FTP",
            Some("file") => "URI::File",
            _ => "URI::Generic",
        }
    }

    /// A method.
    pub(super) fn call(&self, name: &str) -> Option<Value> {
        let optional = |text: &Option<String>| text.as_deref().map_or(Value::Nil, Value::text);
        let user = |at: usize| self.userinfo.as_deref().and_then(|info| info.splitn(2, ':').nth(at)).map_or(Value::Nil, Value::text);
        Some(match name {
            "to_s" => Value::text(self.text.as_str()),
            "scheme" => optional(&self.scheme),
            "host" | "hostname" => optional(&self.host),
            "path" => Value::text(self.path.as_str()),
            "query" => optional(&self.query),
            "fragment" => optional(&self.fragment),
            "userinfo" => optional(&self.userinfo),
            "user" => user(0),
            "password" => user(1),
            "port" => self.port.or(self.default_port()).map_or(Value::Nil, Value::int),
            "default_port" => self.default_port().map_or(Value::Nil, Value::int),
            "request_uri" => {
                let path = if self.path.is_empty() { "/" } else { &self.path };
                Value::text(self.query.as_ref().map_or(path.to_owned(), |query| format!("{path}?{query}")))
            }
            "absolute?" => Value::Bool(self.scheme.is_some()),
            "relative?" => Value::Bool(self.scheme.is_none()),
            _ => return None,
        })
    }

    fn default_port(&self) -> Option<u16> {
        match self.scheme.as_deref() {
            Some("http") => Some(80),
            Some("https") => Some(443),
            Some("ftp") => Some(21),
            _ => None,
        }
    }
}

fn cut(text: &str, at: char) -> (&str, Option<String>) {
    text.split_once(at).map_or((text, None), |(before, behind)| (before, Some(behind.to_owned())))
}

/// `URI.join` of two: a path that starts with a slash replaces, others go beside the last part.
pub(super) fn join(base: &str, part: &str) -> String {
    if part.contains("://") {
        return part.to_owned();
    }
    let authority_end = base.find("://").map_or(0, |at| base[at + 3..].find('/').map_or(base.len(), |slash| at + 3 + slash));
    if part.starts_with('/') {
        return format!("{}{part}", &base[..authority_end]);
    }
    let folder = base.rfind('/').filter(|at| *at >= authority_end).map_or(format!("{base}/"), |at| base[..=at].to_owned());
    format!("{folder}{part}")
}

/// Text for a form: blanks as `+`, everything else but letters, digits and `plain` in hexadecimal.
pub(super) fn escape(text: &[u8], plain: &[u8]) -> String {
    let mut out = String::new();
    for byte in text {
        match byte {
            b' ' => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || plain.contains(byte) => out.push(char::from(*byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The opposite of [`escape`].
pub(super) fn unescape(text: &[u8], plus: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let digit = |offset: usize| text.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
        match (text[at], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) if plus => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    out
}

/// Text for HTML.
pub(super) fn escape_html(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
