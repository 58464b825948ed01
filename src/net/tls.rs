//! TLS as a client: whom to trust, how to show who we are, which versions to speak. As a server: [`ServerSettings`].
//!
//! A client's files are read at the first connection, not when the configuration is: a certificate may be mounted later than the daemon
//! starts, and a dry run reads none. A server's are read at its start and at each reload.

mod server;

pub use server::ServerSettings;

use anyhow::{Context, Result, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Where systems keep the certificates of the authorities they trust, the commonest first.
const SYSTEM_AUTHORITIES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// More than this is no bundle of certificates, and is not read into memory.
const MAX_PEM_BYTES: u64 = 16 << 20;

crate::choice! {
    /// A version of the protocol as Fluentd's parameters name it.
    pub enum Version { Ssl23 = "SSLv23", Tls10 = "TLSv1", Tls11 = "TLSv1_1", Tls12 = "TLSv1_2", Tls13 = "TLSv1_3", Short11 = "TLS1_1", Short12 = "TLS1_2", Short13 = "TLS1_3" }
}

impl Version {
    fn rank(self) -> u8 {
        match self {
            Version::Ssl23 => 0,
            Version::Tls10 => 1,
            Version::Tls11 | Version::Short11 => 2,
            Version::Tls12 | Version::Short12 => 3,
            Version::Tls13 | Version::Short13 => 4,
        }
    }
}

/// The oldest and the newest version that may be spoken.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    /// The oldest.
    pub min: Version,
    /// The newest.
    pub max: Version,
}

impl Default for Versions {
    fn default() -> Versions {
        Versions { min: Version::Tls12, max: Version::Tls13 }
    }
}

impl Versions {
    /// Those within the bounds that there is code for: 1.2 and 1.3. Empty where there are none.
    fn supported(self) -> Vec<&'static SupportedProtocolVersion> {
        let all = [(Version::Tls12, &rustls::version::TLS12), (Version::Tls13, &rustls::version::TLS13)];
        let within = |version: Version| (self.min.rank()..=self.max.rank()).contains(&version.rank());
        all.into_iter().filter(|(version, _)| within(*version)).map(|(_, supported)| supported).collect()
    }

    /// Whether any of them can be spoken.
    pub fn are_possible(self) -> bool {
        !self.supported().is_empty()
    }
}

/// What the configuration says about TLS towards a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether the server's certificate is checked.
    pub verify: bool,
    /// The authorities to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Our certificate and those that vouch for it.
    pub client_cert: Option<PathBuf>,
    /// Its private key, not encrypted.
    pub client_key: Option<PathBuf>,
    /// The versions to speak.
    pub versions: Versions,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { verify: true, ca_file: None, client_cert: None, client_key: None, versions: Versions::default() }
    }
}

/// TLS towards servers, set up when it is first asked for.
#[derive(Debug)]
pub struct ClientTls {
    settings: Settings,
    config: OnceLock<Arc<ClientConfig>>,
}

impl ClientTls {
    /// Nothing is read yet.
    pub fn new(settings: Settings) -> ClientTls {
        ClientTls { settings, config: OnceLock::new() }
    }

    /// The configuration for a connection; reads the files until that has worked once.
    pub fn config(&self) -> Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(build(&self.settings)?);
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

/// Whether this file holds a private key that needs a passphrase; `false` where it cannot be read.
pub fn is_encrypted_key(path: &Path) -> bool {
    read(path).is_ok_and(|pem| is_encrypted(&pem))
}

fn is_encrypted(pem: &[u8]) -> bool {
    let has = |needle: &str| pem.windows(needle.len()).any(|window| window == needle.as_bytes());
    has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED")
}

fn build(settings: &Settings) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let versions = settings.versions.supported();
    if versions.is_empty() {
        bail!("TLS versions {:?} to {:?} are not supported, expected TLSv1_2 or TLSv1_3", settings.versions.min, settings.versions.max);
    }
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&versions)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier(settings, provider)?);
    let mut config = match (&settings.client_cert, &settings.client_key) {
        (Some(cert), key) => {
            // A file may hold both.
            let key = private_key(key.as_deref().unwrap_or(cert))?;
            builder
                .with_client_auth_cert(certificates(cert)?, key)
                .with_context(|| format!("cannot use client certificate {}", cert.display()))?
        }
        (None, _) => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn verifier(settings: &Settings, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    if !settings.verify {
        return Ok(Arc::new(TrustAll(provider)));
    }
    let path = match &settings.ca_file {
        Some(path) => path.clone(),
        None => system_authorities().context("no certificates of authorities found on this machine: set ca_file, or SSL_CERT_FILE")?,
    };
    let trusted = certificates(&path)?;
    let mut roots = RootCertStore::empty();
    // What is no authority's certificate may still be the server's own.
    roots.add_parsable_certificates(trusted.iter().cloned());
    let pinned = if settings.ca_file.is_some() { trusted } else { Vec::new() };
    if roots.is_empty() {
        return Ok(Arc::new(TrustPinned { chain: None, pinned, provider }));
    }
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    Ok(Arc::new(TrustPinned { chain: Some(chain), pinned, provider }))
}

fn system_authorities() -> Option<PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    named.into_iter().chain(SYSTEM_AUTHORITIES.iter().map(PathBuf::from)).find(|path| path.is_file())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let what = || format!("cannot read {}", path.display());
    let size = std::fs::metadata(path).with_context(what)?.len();
    if size > MAX_PEM_BYTES {
        bail!("{} has {size} bytes, expected a PEM file of at most {MAX_PEM_BYTES}", path.display());
    }
    std::fs::read(path).with_context(what)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(path)?;
    let all = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let all = all.with_context(|| format!("cannot read certificates from {}", path.display()))?;
    if all.is_empty() {
        bail!("no certificate in {}, expected PEM", path.display());
    }
    Ok(all)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let pem = read(path)?;
    if is_encrypted(&pem) {
        bail!("private key {} is encrypted, which is not supported: give it without a passphrase", path.display());
    }
    PrivateKeyDer::from_pem_slice(&pem).with_context(|| format!("no private key in {}, expected PEM", path.display()))
}

/// Takes any certificate (`ssl_verify false`); that the server has its key is still checked.
struct TrustAll(Arc<CryptoProvider>);

/// Checks the chain; and takes a certificate that is in `ca_file` itself, as OpenSSL does with self-signed ones.
struct TrustPinned {
    chain: Option<Arc<WebPkiServerVerifier>>,
    pinned: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl TrustPinned {
    fn is_pinned(&self, certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
        let known = self.pinned.iter().any(|known| known.as_ref() == certificate.as_ref());
        known && ParsedCertificate::try_from(certificate).and_then(|parsed| verify_server_name(&parsed, name)).is_ok()
    }
}

impl ServerCertVerifier for TrustPinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let result = self.chain.as_ref().map_or(Err(unknown), |verifier| verifier.verify_server_cert(certificate, chain, name, ocsp, now));
        result.or_else(|error| if self.is_pinned(certificate, name) { Ok(ServerCertVerified::assertion()) } else { Err(error) })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for TrustAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrustAll")
    }
}

impl fmt::Debug for TrustPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustPinned({} certificates)", self.pinned.len())
    }
}

#[cfg(test)]
mod tests;
