//! TLS as a server: our certificate, whom we ask for one, which versions we speak.

use super::{Versions, certificates, private_key, system_authorities};
use anyhow::{Context, Result};
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::PathBuf;
use std::sync::Arc;

/// What the configuration says about TLS towards clients.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Our certificate and those that vouch for it, as PEM.
    pub cert: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
    /// Whether clients have to show a certificate.
    pub asks_clients: bool,
    /// The authorities that theirs may come from; the system's where there are none.
    pub ca: Option<PathBuf>,
    /// The versions to speak.
    pub versions: Versions,
}

impl ServerSettings {
    /// Reads the files.
    pub fn load(&self) -> Result<Arc<ServerConfig>> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&self.versions.supported())?;
        let builder = if self.asks_clients {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.authorities()?), provider).build();
            builder.with_client_cert_verifier(verifier.context("cannot check certificates of clients")?)
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(certificates(&self.cert)?, private_key(&self.key)?);
        let config = config.with_context(|| format!("cannot use certificate {} with key {}", self.cert.display(), self.key.display()))?;
        Ok(Arc::new(config))
    }

    fn authorities(&self) -> Result<RootCertStore> {
        let system = || system_authorities().context("no certificates of authorities found on this machine: set ca_path");
        let path = self.ca.clone().map_or_else(system, Ok)?;
        let mut roots = RootCertStore::empty();
        let (taken, _) = roots.add_parsable_certificates(certificates(&path)?);
        anyhow::ensure!(taken > 0, "no certificate of an authority in {}", path.display());
        Ok(roots)
    }
}
