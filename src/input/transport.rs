//! The `<transport>` section of inputs that listen: socket options, and TLS.

use crate::config::{Element, Refused, Seconds, Size};
use crate::net::tls::{ServerSettings, Version, Versions};
use crate::plugin::Context;
use std::path::PathBuf;

/// What OpenSSL is told by default; it means that all is well.
const USUAL_CIPHERS: &str = "ALL:!aNULL:!eNULL:!SSLv2";

crate::section! {
    /// How connections are set up: `<transport tcp>` or `<transport tls>`.
    pub struct Transport {
        /// SO_RCVBUF in bytes.
        pub receive_buffer_size: Option<Size>,
        /// SO_LINGER of connections in seconds; 0 is a reset at the end.
        pub linger_timeout: u32 = "0",
        /// The version of TLS to speak, unless min_version and max_version say.
        pub version: Version = "TLSv1_2",
        /// The oldest version to speak; with max_version.
        pub min_version: Option<Version>,
        /// The newest version to speak; with min_version.
        pub max_version: Option<Version>,
        /// Only the default is taken: the cipher suites are those of rustls, all of them strong.
        pub ciphers: String = "ALL:!aNULL:!eNULL:!SSLv2",
        /// A certificate made at start that nobody vouches for; not supported.
        pub insecure: bool = "false",
        /// Only approved cryptography; not supported.
        pub ensure_fips: bool = "false",
        /// The authorities that certificates of clients come from; the system's by default.
        pub ca_path: Option<String>,
        /// The certificate, and those that vouch for it, as PEM.
        pub cert_path: Option<String>,
        /// Its private key as PEM, not encrypted.
        pub private_key_path: Option<String>,
        /// Encrypted keys are not supported.
        pub private_key_passphrase: Option<String> [secret, idle "an encrypted key is refused, and others need none"],
        /// Whether clients have to show a certificate.
        pub client_cert_auth: bool = "false",
        /// An authority that vouches for a certificate made at start; not supported.
        pub ca_cert_path: Option<String>,
        /// Its private key; not supported.
        pub ca_private_key_path: Option<String> [idle "no certificates are made at start"],
        /// The passphrase of that; not supported.
        pub ca_private_key_passphrase: Option<String> [secret, idle "no certificates are made at start"],
        /// Ruby code that judges certificates; not supported.
        pub cert_verifier: Option<String>,
        /// For certificates made at start, which are not supported.
        pub generate_private_key_length: i64 = "2048" [idle "no certificates are made at start"],
        /// For certificates made at start, which are not supported.
        pub generate_cert_country: String = "US" [idle "no certificates are made at start"],
        /// For certificates made at start, which are not supported.
        pub generate_cert_state: String = "CA" [idle "no certificates are made at start"],
        /// For certificates made at start, which are not supported.
        pub generate_cert_locality: String = "Mountain View" [idle "no certificates are made at start"],
        /// For certificates made at start, which are not supported.
        pub generate_cert_common_name: Option<String> [idle "no certificates are made at start"],
        /// For certificates made at start, which are not supported.
        pub generate_cert_expiration: Seconds = "315360000" [idle "no certificates are made at start"],
        /// For certificates made at start, which are not supported.
        pub generate_cert_digest: String = "sha256" [idle "no certificates are made at start"],
    }
}

impl Transport {
    /// The section of an input, if it has one, with what it says about TLS where that is asked for.
    pub fn of(element: &Element, context: &Context<'_>) -> Result<(Option<Transport>, Option<ServerSettings>), Refused> {
        let Some(section) = element.section("transport") else { return Ok((None, None)) };
        let is_tls = match section.arg.as_str() {
            "" | "tcp" => false,
            "tls" => true,
            other => {
                return Err(context.refuse("FLM0204", section.span, format!("protocol: valid options are tcp,tls but got {other}")));
            }
        };
        let transport = Transport::read(section, context.diagnostics)?;
        let tls = if is_tls { Some(transport.tls(section, context)?) } else { None };
        Ok((Some(transport), tls))
    }

    fn tls(&self, section: &Element, context: &Context<'_>) -> Result<ServerSettings, Refused> {
        let refuse = |message: String| context.refuse("FLM0653", section.span, message);
        let versions = self.versions().map_err(|why| refuse(why.to_owned()))?;
        if !versions.are_possible() {
            return Err(refuse("TLS versions before TLSv1_2 are not supported, expected TLSv1_2 or TLSv1_3".to_owned()));
        }
        let unsupported = [
            (
                self.ciphers != USUAL_CIPHERS,
                "'ciphers' is not supported: those of TLS 1.3, and of TLS 1.2 with ECDHE and AES-GCM or ChaCha20, are used",
            ),
            (self.ensure_fips, "Cannot enable FIPS compliant mode: the cryptography of this program is not certified"),
            (self.cert_verifier.is_some(), "'cert_verifier' is not supported: it is Ruby code"),
            (
                self.cert_path.is_none() && self.ca_cert_path.is_some(),
                "'ca_cert_path' is not supported: make a certificate for this server with it, and name that in cert_path and private_key_path",
            ),
            (
                self.cert_path.is_none() && self.insecure,
                "'insecure' without cert_path is not supported: make a certificate (openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=name \
                 -keyout key.pem -out cert.pem), and name it in cert_path and private_key_path",
            ),
        ];
        if let Some((_, why)) = unsupported.iter().find(|(asked, _)| *asked) {
            return Err(refuse((*why).to_owned()));
        }
        let Some(cert) = &self.cert_path else {
            return Err(refuse("no valid cert options configured. specify either 'cert_path', 'ca_cert_path' or 'insecure'".to_owned()));
        };
        let Some(key) = &self.private_key_path else {
            return Err(refuse("private_key_path is required when cert_path is specified".to_owned()));
        };
        Ok(ServerSettings {
            cert: PathBuf::from(cert),
            key: PathBuf::from(key),
            asks_clients: self.client_cert_auth,
            ca: self.ca_path.as_ref().map(PathBuf::from),
            versions,
        })
    }

    fn versions(&self) -> Result<Versions, &'static str> {
        match (self.min_version, self.max_version) {
            (None, None) => Ok(Versions { min: self.version, max: self.version }),
            (None, Some(_)) => Err("When you set max_version, must set min_version together"),
            (Some(_), None) => Err("When you set min_version, must set max_version together"),
            (Some(min), Some(max)) => Ok(Versions { min, max }),
        }
    }
}
