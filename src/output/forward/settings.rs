//! The parameters of the forward output, and what they come to.

use super::node::Node;
use super::{DEFAULTS, Forward};
use crate::buffer::{Compress, Settings};
use crate::config::{Element, Refused, Seconds, Size};
use crate::forward::Login;
use crate::net::tls::{self, ClientTls, Version, Versions};
use crate::output::Output;
use crate::plugin::Context;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

crate::choice! {
    /// Over what chunks are sent.
    pub enum Transport { Tcp = "tcp", Tls = "tls" }
}

crate::choice! {
    /// How servers are asked whether they are there.
    pub enum Heartbeat { Transport = "transport", Tcp = "tcp", Udp = "udp", None = "none" }
}

crate::section! {
    /// Sends chunks on by the forward protocol, to one of several servers.
    pub struct Params {
        /// Over what chunks are sent.
        pub transport: Transport = "tcp",
        /// How long sending may stand still.
        pub send_timeout: Seconds = "60",
        /// How long a connection may take; 30 seconds by default.
        pub connect_timeout: Option<Seconds>,
        /// How servers are asked whether they are there: by a connection, by a datagram, or not at all.
        pub heartbeat_type: Heartbeat = "transport",
        /// How often.
        pub heartbeat_interval: Seconds = "1",
        /// How long a server has to answer until it is used again.
        pub recover_wait: Seconds = "10",
        /// How long a server may be silent until it is used no more.
        pub hard_timeout: Seconds = "60",
        /// How unlikely it has to be that a server is only late, as a power of ten.
        pub phi_threshold: i64 = "16",
        /// Whether that is looked at.
        pub phi_failure_detector: bool = "true",
        /// Whether a chunk counts as delivered when the server says so, not when it is sent.
        pub require_ack_response: bool = "false",
        /// How long that may take.
        pub ack_response_timeout: Seconds = "190",
        /// How often Fluentd looks for answers; here they are seen as they come.
        pub read_interval_msec: i64 = "50" [idle "answers are seen as they come"],
        /// How much Fluentd reads at once; has no counterpart here.
        pub read_length: Size = "512" [idle "answers are read as they come"],
        /// How long the addresses of a server are used before its name is looked up again, 0 for each time; by default as long as the
        /// name's own time to live.
        pub expire_dns_cache: Option<Seconds>,
        /// Whether one of a server's addresses is chosen by chance.
        pub dns_round_robin: bool = "false",
        /// Starting never depends on servers.
        pub ignore_network_errors_at_startup: bool = "false" [idle "starting never depends on servers"],
        /// Starting never depends on servers: what is wrong with them shows, and is said, when the first chunk is sent.
        pub verify_connection_at_startup: bool = "false" [idle "starting never depends on servers: what is wrong with them is said when the first chunk is sent"],
        /// How chunks are compressed on their way.
        pub compress: Compress = "text",
        /// The newest version of TLS to speak.
        pub tls_version: Version = "TLSv1_2",
        /// Not supported: the cipher suites are those of rustls, all of them strong.
        pub tls_ciphers: Option<String>,
        /// Whether certificates are not checked at all.
        pub tls_insecure_mode: bool = "false",
        /// Whether certificates are taken that nobody vouches for; that is to check none.
        pub tls_allow_self_signed_cert: bool = "false",
        /// Whether the server's name has to be that of its certificate; not to check it is only supported together with tls_insecure_mode.
        pub tls_verify_hostname: bool = "true",
        /// The certificates of the authorities to trust, or of the server itself; one file.
        pub tls_ca_cert_path: Option<Vec<String>>,
        /// The same.
        pub tls_cert_path: Option<Vec<String>>,
        /// Our certificate.
        pub tls_client_cert_path: Option<String>,
        /// Its private key, not encrypted.
        pub tls_client_private_key_path: Option<String>,
        /// Encrypted keys are not supported.
        pub tls_client_private_key_passphrase: Option<String> [secret],
        /// For Windows only.
        pub tls_cert_thumbprint: Option<String> [secret],
        /// For Windows only.
        pub tls_cert_logical_store_name: Option<String>,
        /// For Windows only.
        pub tls_cert_use_enterprise_store: bool = "true" [idle "it is for Windows only"],
        /// Whether connections are kept for the next chunk.
        pub keepalive: bool = "false",
        /// For how long; for ever by default.
        pub keepalive_timeout: Option<Seconds>,
        /// Whether idle connections are probed by the kernel.
        pub send_keepalive_packet: bool = "false",
        /// The old form of `<server>`.
        pub port: Option<u16> [obsoleted "User <server> section instead."],
        /// The old form of `<server>`.
        pub host: Option<String> [obsoleted "Use <server> section instead."],
    }
    sections { "server": many(Server), "security": one(Security), "service_discovery": many, "buffer": one, "secondary": one }
}

crate::section! {
    /// A server.
    pub struct Server {
        /// Its address or name.
        pub host: String,
        /// What logs call it, and the name of its certificate where `host` is an address.
        pub name: Option<String>,
        /// Its port.
        pub port: u16 = "24224",
        /// What it and we know, in place of that of `<security>`.
        pub shared_key: Option<String> [secret],
        /// The user.
        pub username: String = "",
        /// The user's password.
        pub password: String = "" [secret],
        /// Whether it is only used when others are gone.
        pub standby: bool = "false",
        /// How often it is chosen compared with the others; 0 for never.
        pub weight: i64 = "60",
    }
}

crate::section! {
    /// How servers know who we are.
    pub struct Security {
        /// Our name.
        pub self_hostname: String,
        /// What both sides know.
        pub shared_key: String [secret],
    }
}

/// What the parameters come to.
pub struct Options {
    /// TLS, where it is spoken.
    pub tls: Option<ClientTls>,
    /// Whether there is a handshake.
    pub is_secure: bool,
    /// How long sending may stand still.
    pub send_timeout: Duration,
    /// How long a connection may take.
    pub connect_timeout: Option<Duration>,
    /// How servers are asked whether they are there.
    pub heartbeat: Heartbeat,
    /// How often.
    pub heartbeat_interval: Duration,
    /// How many answers make a server available again.
    pub recover_samples: f64,
    /// How long a server may be silent.
    pub hard_timeout: Duration,
    /// How unlikely its life has to be.
    pub phi_threshold: f64,
    /// Whether that is looked at.
    pub phi_detector: bool,
    /// Whether acks are waited for.
    pub require_ack: bool,
    /// For how long.
    pub ack_timeout: Duration,
    /// How long addresses are used; their own time to live without it.
    pub expire_dns_cache: Option<Duration>,
    /// Whether addresses are chosen by chance.
    pub dns_round_robin: bool,
    /// How chunks are compressed.
    pub compress: Compress,
    /// Whether connections are kept.
    pub keepalive: bool,
    /// For how long.
    pub keepalive_timeout: Option<Duration>,
    /// Whether idle ones are probed.
    pub send_keepalive_packet: bool,
}

/// Makes the output.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    let params = Params::read(element, context.diagnostics);
    let buffer = Settings::read(element, &DEFAULTS, context.diagnostics);
    let security = element.section("security").map(|section| Security::read(section, context.diagnostics)).transpose();
    let servers = servers(element, context);
    let (params, buffer, security, servers) = (params?, buffer?, security?, servers?);
    let refuse = |message: &str| Err(context.refuse("FLM0691", element.span, message));
    if !buffer.keys.tag {
        return refuse("buffer chunk key must include 'tag' for forward output");
    }
    if servers.is_empty() {
        return refuse("forward output plugin requires at least one node is required. Add <server> or <service_discovery>");
    }
    let nodes = servers.into_iter().map(|server| Arc::new(node(server, security.as_ref()))).collect();
    let options = options(&params, security.is_some(), element, context)?;
    Ok(Forward::output(options, nodes))
}

/// The servers of `<server>` sections and of `<service_discovery>`, where that lists them.
fn servers(element: &Element, context: &Context<'_>) -> Result<Vec<Server>, Refused> {
    let mut servers = Vec::new();
    let mut result = Ok(());
    let mut read = |section: &Element| match Server::read(section, context.diagnostics) {
        Ok(server) => servers.push(server),
        Err(refused) => result = Err(refused),
    };
    element.sections("server").into_iter().for_each(&mut read);
    let mut unknown = None;
    for section in element.sections("service_discovery") {
        match section.plugin_type() {
            Some("static") => section.sections("service").into_iter().for_each(&mut read),
            None => {
                unknown = Some(context.refuse("FLM0692", section.span, "'@type' parameter is required, in section service_discovery"));
            }
            Some(other) => {
                section.pass_over();
                let message = format!("<service_discovery> of type '{other}' is not supported yet, use static, or <server>");
                unknown = Some(context.refuse("FLM0692", section.span, message));
            }
        }
    }
    result?;
    unknown.map_or(Ok(servers), Err)
}

fn node(server: Server, security: Option<&Security>) -> Node {
    let common = |of: fn(&Security) -> &String| security.map(of).cloned().unwrap_or_default();
    let login = Login {
        self_hostname: common(|security| &security.self_hostname),
        shared_key: server.shared_key.unwrap_or_else(|| common(|security| &security.shared_key)),
        username: server.username,
        password: server.password,
    };
    let name = server.name.unwrap_or_else(|| format!("{}:{}", server.host, server.port));
    Node::new(name, (server.host, server.port), server.weight, server.standby, login)
}

fn options(params: &Params, is_secure: bool, element: &Element, context: &Context<'_>) -> Result<Options, Refused> {
    let refuse = |message: &str| Err(context.refuse("FLM0691", element.span, message));
    let warn = |message: &str| context.diagnostics.warn("FLM0693", Some(element.span), message);
    let heartbeat = match params.heartbeat_type {
        Heartbeat::Tcp => {
            warn("'heartbeat_type tcp' is deprecated. use 'transport' instead.");
            Heartbeat::Transport
        }
        other => other,
    };
    if params.dns_round_robin && heartbeat == Heartbeat::Udp {
        return refuse("forward output heartbeat type must be 'transport' or 'none' to use dns_round_robin option");
    }
    if params.ack_response_timeout.0 < 1.0 {
        return refuse("ack_response_timeout must be a positive integer");
    }
    if params.tls_cert_logical_store_name.is_some() || params.tls_cert_thumbprint.is_some() {
        return refuse("This parameter is for only Windows");
    }
    if !params.keepalive && params.keepalive_timeout.is_some() {
        warn("The value of keepalive_timeout is ignored. if you want to use keepalive, please add `keepalive true` to your conf.");
    }
    let interval = params.heartbeat_interval.duration().max(Duration::from_millis(100));
    Ok(Options {
        tls: if params.transport == Transport::Tls { Some(ClientTls::new(tls_settings(params, element, context)?)) } else { None },
        is_secure,
        send_timeout: params.send_timeout.duration().max(Duration::from_secs(1)),
        connect_timeout: params.connect_timeout.map(Seconds::duration),
        heartbeat,
        heartbeat_interval: interval,
        recover_samples: params.recover_wait.0 / interval.as_secs_f64(),
        hard_timeout: params.hard_timeout.duration(),
        phi_threshold: params.phi_threshold as f64,
        phi_detector: params.phi_failure_detector,
        require_ack: params.require_ack_response,
        ack_timeout: params.ack_response_timeout.duration(),
        expire_dns_cache: params.expire_dns_cache.map(Seconds::duration),
        dns_round_robin: params.dns_round_robin,
        compress: params.compress,
        keepalive: params.keepalive,
        keepalive_timeout: params.keepalive_timeout.map(Seconds::duration),
        send_keepalive_packet: params.send_keepalive_packet,
    })
}

fn tls_settings(params: &Params, element: &Element, context: &Context<'_>) -> Result<tls::Settings, Refused> {
    let refuse = |message: &str| Err(context.refuse("FLM0694", element.span, message));
    let verify = !params.tls_insecure_mode && !params.tls_allow_self_signed_cert;
    if !verify {
        context.diagnostics.warn("FLM0695", Some(element.span), "TLS transport is configured in insecure way");
    }
    if params.tls_ciphers.is_some() {
        return refuse("'tls_ciphers' is not supported: those of TLS 1.3, and of TLS 1.2 with ECDHE and AES-GCM or ChaCha20, are used");
    }
    if !params.tls_verify_hostname && verify {
        return refuse("'tls_verify_hostname false' is only supported together with 'tls_insecure_mode true'");
    }
    if params.tls_client_private_key_passphrase.is_some() {
        return refuse("'tls_client_private_key_passphrase' is not supported: give the private key without a passphrase");
    }
    let given = |paths: &Option<Vec<String>>| paths.clone().filter(|paths| !paths.is_empty());
    let ca_file = match given(&params.tls_cert_path).or_else(|| given(&params.tls_ca_cert_path)).as_deref() {
        None => None,
        Some([path]) => Some(PathBuf::from(path)),
        Some(_) => return refuse("'tls_cert_path': one file is supported, put all certificates into it"),
    };
    let versions = Versions { min: params.tls_version, max: params.tls_version };
    if !versions.are_possible() {
        return refuse("TLS versions before TLSv1_2 are not supported, expected TLSv1_2 or TLSv1_3");
    }
    Ok(tls::Settings {
        verify,
        ca_file,
        client_cert: params.tls_client_cert_path.as_ref().map(PathBuf::from),
        client_key: params.tls_client_private_key_path.as_ref().map(PathBuf::from),
        versions,
    })
}
