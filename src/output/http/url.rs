//! The parts of an endpoint that a request needs.

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Name or address; an IPv6 address is in brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User and password.
    pub login: Option<(String, String)>,
    /// Path and query, which a request asks for.
    pub target: String,
}

impl Url {
    /// Reads `http://user:password@host:port/path?query`; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Url, String> {
        let wrong = |why: &str| Err(format!("{why} in {text:?}, expected a URL such as http://host:port/path"));
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c)) {
            return wrong(&format!("{odd:?} must not stand"));
        }
        let Some((scheme, rest)) = text.split_once("://") else { return wrong("there is no scheme") };
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return wrong("the scheme is neither http nor https"),
        };
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
        let end = host.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match host[end..].find(':') {
            Some(colon) => (&host[..end + colon], &host[end + colon + 1..]),
            None => (host, ""),
        };
        if host.is_empty() {
            return wrong("there is no host");
        }
        let port = match port {
            "" => {
                if tls {
                    443
                } else {
                    80
                }
            }
            digits => match digits.parse() {
                Ok(port) => port,
                Err(_) => return wrong("the port is no number up to 65535"),
            },
        };
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            (user.to_owned(), password.to_owned())
        });
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Url { tls, host: host.to_owned(), port, login, target: format!("{slash}{target}") })
    }

    /// The value of `Host`: without the port where that is the usual one.
    pub fn host_header(&self) -> String {
        let is_usual = self.port == if self.tls { 443 } else { 80 };
        if is_usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let parts = |text: &str| Url::parse(text).map(|url| (url.tls, url.host_header(), url.port, url.login, url.target));
        let some = |tls, host: &str, port, target: &str| Ok((tls, host.to_owned(), port, None, target.to_owned()));
        assert_eq!(parts("http://a.example/x?y=1#z"), some(false, "a.example", 80, "/x?y=1"));
        assert_eq!(parts("HTTPS://a:8443"), some(true, "a:8443", 8443, "/"));
        assert_eq!(parts("https://a:443?q"), some(true, "a", 443, "/?q"));
        assert_eq!(parts("http://[::1]:9/x:y@z"), some(false, "[::1]:9", 9, "/x:y@z"));
        assert_eq!(parts("http://[::1]/"), some(false, "[::1]", 80, "/"));
        assert_eq!(Url::parse("http://u:p@h").unwrap().login, Some(("u".to_owned(), "p".to_owned())));
        for wrong in
            ["", "a.example/x", "ftp://a/", "http://", "http:///x", "http://a:x/", "http://a:70000/", "http://a/b c", "http://a/\u{e9}"]
        {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }
}
