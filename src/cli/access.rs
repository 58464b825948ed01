//! How our own senders show a forward input who they are: the options that `flumen cat` and `flumen replay --to` have in common.

use crate::forward::Login;
use crate::net::tls::{ClientTls, Settings};
use anyhow::Context;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::fmt;
use std::net::TcpStream;
use std::path::PathBuf;

/// What `--help` prints of these options, for the texts of those who take them.
macro_rules! options_help {
    () => {
        "      --shared-key KEY   what a <security> section wants; better in the variable FLUMEN_SHARED_KEY, which others do not see
      --user NAME        and the user, with the password in the variable FLUMEN_PASSWORD (or --password TEXT)
      --self-hostname NAME
                         what we call ourselves (flumen-cli); the server must have another name
      --tls              for <transport tls>; the server's certificate has to be good
      --tls-ca FILE      by these authorities in place of the system's
      --tls-name NAME    for this name in place of the host's
      --tls-cert FILE    our own certificate, where the server asks for one
      --tls-key FILE     and its key
      --tls-insecure     whatever the server's certificate is
"
    };
}
pub(super) use options_help;

/// What we call ourselves unless it is said.
const SELF_HOSTNAME: &str = "flumen-cli";

/// What the options say.
#[derive(Clone, Default, PartialEq)]
pub struct Access {
    shared_key: Option<String>,
    user: Option<String>,
    password: Option<String>,
    self_hostname: Option<String>,
    is_tls: bool,
    is_insecure: bool,
    ca: Option<PathBuf>,
    name: Option<String>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("user", &self.user).field("is_tls", &self.is_tls).finish_non_exhaustive()
    }
}

impl Access {
    /// Takes an option, with its value where it has one; `false` where it is none of these.
    pub fn take(&mut self, name: &str, mut value: impl FnMut() -> Result<String, String>) -> Result<bool, String> {
        match name {
            "--shared-key" => self.shared_key = Some(value()?),
            "--user" => self.user = Some(value()?),
            "--password" => self.password = Some(value()?),
            "--self-hostname" => self.self_hostname = Some(value()?),
            "--tls-ca" => self.ca = Some(PathBuf::from(value()?)),
            "--tls-name" => self.name = Some(value()?),
            "--tls-cert" => self.cert = Some(PathBuf::from(value()?)),
            "--tls-key" => self.key = Some(PathBuf::from(value()?)),
            "--tls-insecure" => self.is_insecure = true,
            "--tls" => {}
            _ => return Ok(false),
        }
        self.is_tls |= name.starts_with("--tls");
        Ok(true)
    }

    /// Looks at the environment for what is not said by an option, and at whether all of it fits together.
    pub fn complete(mut self, variable: impl Fn(&str) -> Option<String>) -> Result<Access, String> {
        let given = |name: &str| variable(name).filter(|text| !text.is_empty());
        self.shared_key = self.shared_key.or_else(|| given("FLUMEN_SHARED_KEY"));
        self.password = self.password.or_else(|| given("FLUMEN_PASSWORD").filter(|_| self.user.is_some()));
        if self.shared_key.is_none() && (self.user.is_some() || self.password.is_some() || self.self_hostname.is_some()) {
            return Err(
                "--user, --password and --self-hostname need a shared key: --shared-key, or the variable FLUMEN_SHARED_KEY".to_owned()
            );
        }
        if self.user.is_some() != self.password.is_some() {
            return Err("--user and --password (or the variable FLUMEN_PASSWORD) need each other".to_owned());
        }
        if self.cert.is_some() != self.key.is_some() {
            return Err("--tls-cert and --tls-key need each other".to_owned());
        }
        Ok(self)
    }

    /// Whether anything is said by options.
    pub fn is_asked(&self) -> bool {
        *self != Access::default()
    }

    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// What is said in the handshake, where there is one.
    pub fn login(&self) -> Option<Login> {
        let shared_key = self.shared_key.clone()?;
        Some(Login {
            self_hostname: self.self_hostname.clone().unwrap_or_else(|| SELF_HOSTNAME.to_owned()),
            shared_key,
            username: self.user.clone().unwrap_or_default(),
            password: self.password.clone().unwrap_or_default(),
        })
    }

    /// Speaks TLS over a connection to `host`; the handshake comes with the first bytes.
    pub fn encrypt(&self, host: &str, stream: TcpStream) -> anyhow::Result<StreamOwned<ClientConnection, TcpStream>> {
        let settings = Settings {
            verify: !self.is_insecure,
            ca_file: self.ca.clone(),
            client_cert: self.cert.clone(),
            client_key: self.key.clone(),
            ..Settings::default()
        };
        let name = self.name.as_deref().unwrap_or(host).to_owned();
        let checked = ServerName::try_from(name.clone()).with_context(|| format!("{name:?} is no name that a certificate can have"))?;
        let connection = ClientConnection::new(ClientTls::new(settings).config()?, checked)?;
        Ok(StreamOwned::new(connection, stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(options: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Access, String> {
        let mut access = Access::default();
        for (name, value) in options {
            assert_eq!(access.take(name, || Ok((*value).to_owned())), Ok(true), "{name}");
        }
        access.complete(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn secrets_come_from_options_or_from_the_environment() {
        let login = |options: &[(&str, &str)], variables: &[(&str, &str)]| {
            let login = access(options, variables).unwrap().login()?;
            Some([login.self_hostname, login.shared_key, login.username, login.password])
        };
        assert_eq!(login(&[], &[]), None);
        assert_eq!(login(&[("--shared-key", "k")], &[("FLUMEN_SHARED_KEY", "other")]).unwrap(), ["flumen-cli", "k", "", ""]);
        let variables = [("FLUMEN_SHARED_KEY", "k"), ("FLUMEN_PASSWORD", "p")];
        assert_eq!(login(&[("--user", "u"), ("--self-hostname", "me")], &variables).unwrap(), ["me", "k", "u", "p"]);
        assert_eq!(login(&[], &variables).unwrap(), ["flumen-cli", "k", "", ""]);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        for (options, wanted) in [
            (&[("--user", "u")][..], "need a shared key"),
            (&[("--shared-key", "k"), ("--user", "u")], "need each other"),
            (&[("--tls-cert", "c")], "--tls-cert and --tls-key"),
        ] {
            assert!(access(options, &[]).unwrap_err().contains(wanted), "{options:?}");
        }
        let said = format!("{:?}", access(&[("--shared-key", "secret"), ("--password", "secret"), ("--user", "u")], &[]).unwrap());
        assert!(!said.contains("secret"), "{said}");
        assert_eq!(Access::default().take("--tag", || Ok(String::new())), Ok(false));
    }
}
