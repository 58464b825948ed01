//! A server of ours on one side, on the other what a configuration may say. The keys in `pki` were made for these tests and open nothing else.

use super::{ClientTls, Settings, is_encrypted_key};
use crate::net::http::{Client, Endpoint, Limits, Request};
use hyper::body::Bytes;
use hyper::http::{HeaderMap, Method};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

fn pki(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/net/tls/pki").join(name)
}

/// A server with this certificate that answers 200 to everything; it asks clients for a certificate of the authority `ca` if it is to.
fn serve(certificate: &str, asks_clients: bool) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_file(pki(&format!("{certificate}.pem"))).unwrap()];
    let key = PrivateKeyDer::from_pem_file(pki(&format!("{certificate}.key"))).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki("ca.pem")).unwrap()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let builder = if asks_clients { builder.with_client_cert_verifier(clients) } else { builder.with_no_client_auth() };
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            let mut line = String::new();
            // A handshake that fails ends here.
            while stream.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
            stream.get_mut().conn.send_close_notify();
            let _ = stream.get_mut().flush();
        }
    });
    port
}

/// What a client with these settings gets, or why it gets nothing.
fn get(host: &str, port: u16, settings: Settings) -> Result<String, String> {
    let endpoint = Endpoint { host: host.to_owned(), port, tls: Some(Arc::new(ClientTls::new(settings))), proxy: None };
    let limits = Limits { connect: Duration::from_secs(10), silence: Duration::from_secs(10), answer_bytes: 1024 };
    let request = Request { method: Method::GET, path: "/".to_owned(), headers: HeaderMap::new(), body: Bytes::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(Client::new(endpoint, limits).send(request));
    answer.map(|answer| String::from_utf8(answer.body.to_vec()).unwrap()).map_err(|failure| failure.to_string())
}

fn trusting(name: &str) -> Settings {
    Settings { ca_file: Some(pki(name)), ..Settings::default() }
}

#[test]
fn a_certificate_of_a_trusted_authority_is_taken_for_its_own_name_only() {
    let port = serve("server", false);
    assert_eq!(get("localhost", port, trusting("ca.pem")), Ok("ok".to_owned()));
    let error = get("127.0.0.1", port, trusting("ca.pem")).unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
    let error = get("localhost", port, trusting("self.pem")).unwrap_err();
    assert!(error.contains("TLS handshake failed") && error.contains("UnknownIssuer"), "{error}");
}

#[test]
fn a_certificate_that_is_trusted_itself_is_taken_too() {
    let port = serve("self", false);
    assert_eq!(get("localhost", port, trusting("self.pem")), Ok("ok".to_owned()));
    assert!(get("127.0.0.1", port, trusting("self.pem")).is_err());
}

#[test]
fn without_verification_every_certificate_is_taken() {
    let port = serve("self", false);
    assert_eq!(get("127.0.0.1", port, Settings { verify: false, ..Settings::default() }), Ok("ok".to_owned()));
}

#[test]
fn we_show_our_own_certificate_where_there_is_one() {
    let port = serve("server", true);
    let settings = Settings { client_cert: Some(pki("client.pem")), client_key: Some(pki("client.key")), ..trusting("ca.pem") };
    assert_eq!(get("localhost", port, settings), Ok("ok".to_owned()));
    assert!(get("localhost", port, trusting("ca.pem")).is_err());
}

#[test]
fn what_cannot_be_used_is_named() {
    let with = |key: &str| Settings { client_cert: Some(pki("client.pem")), client_key: Some(pki(key)), ..trusting("ca.pem") };
    let error = |settings: Settings| format!("{:#}", ClientTls::new(settings).config().unwrap_err());
    assert!(is_encrypted_key(&pki("encrypted.key")) && !is_encrypted_key(&pki("client.key")));
    assert!(error(with("encrypted.key")).contains("encrypted.key is encrypted"));
    assert!(error(with("ca.pem")).contains("no private key in"));
    assert!(error(with("absent.key")).contains("cannot read"));
    assert!(error(trusting("client.key")).contains("no certificate in"));
}
