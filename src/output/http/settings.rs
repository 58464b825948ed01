//! The parameters of the http output, and what they come to.

use super::url::Url;
use crate::buffer::{Keys, Settings as BufferSettings, Template};
use crate::config::{Element, Refused};
use crate::net::http::Limits;
use crate::net::proxy::Proxy;
use crate::net::tls::{self, ClientTls, Version, Versions};
use crate::plugin::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection, or its TLS handshake, may take where the configuration does not say. Fluentd waits without end.
const OPEN_WAIT: i64 = 60;
/// How long a server may be silent where the configuration does not say: longer than servers themselves work on a request.
const READ_WAIT: i64 = 300;
/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 16 << 20;
/// What OpenSSL is told by default; it means that all is well.
const USUAL_CIPHERS: &str = "ALL:!aNULL:!eNULL:!SSLv2";

crate::choice! {
    /// The method of requests.
    pub enum HttpMethod { Put = "put", Post = "post" }
}

crate::choice! {
    /// How bodies are compressed.
    pub enum Compress { Text = "text", Gzip = "gzip" }
}

crate::choice! {
    /// Whether the server's certificate is checked.
    pub enum Verify { None = "none", Peer = "peer" }
}

crate::choice! {
    /// How a request shows who sends it.
    pub enum AuthMethod { Basic = "basic", AwsSigv4 = "aws_sigv4" }
}

crate::section! {
    /// Sends each chunk as the body of an HTTP request.
    pub struct Params {
        /// The URL, with placeholders of the chunk keys.
        pub endpoint: String,
        /// The method.
        pub http_method: HttpMethod = "post",
        /// The URL of a proxy; by default what `HTTP_PROXY` or `http_proxy` of the environment says.
        pub proxy: Option<String>,
        /// The type of bodies; by default what fits the formatter.
        pub content_type: Option<String>,
        /// Whether a body is a JSON array of the events, not a line for each; only with the json formatter.
        pub json_array: bool = "false",
        /// More headers.
        pub headers: Option<Vec<(String, String)>>,
        /// More headers, with placeholders of the chunk keys in their values.
        pub headers_from_placeholders: Option<Vec<(String, String)>>,
        /// How bodies are compressed.
        pub compress: Compress = "text",
        /// Seconds that a connection may take; 60 by default.
        pub open_timeout: Option<i64>,
        /// Seconds that the server may be silent; 300 by default.
        pub read_timeout: Option<i64>,
        /// Seconds that the TLS handshake may take beside; 60 by default.
        pub ssl_timeout: Option<i64>,
        /// Whether connections are kept for the next chunk.
        pub reuse_connections: bool = "false",
        /// The certificates of the authorities to trust; the system's by default.
        pub tls_ca_cert_path: Option<String>,
        /// Our certificate, and those that vouch for it.
        pub tls_client_cert_path: Option<String>,
        /// Its private key, not encrypted.
        pub tls_private_key_path: Option<String>,
        /// The passphrase of the key.
        pub tls_private_key_passphrase: Option<String> [secret, idle "an encrypted key is refused, and others need none"],
        /// Whether the server's certificate is checked.
        pub tls_verify_mode: Verify = "peer",
        /// The version of TLS to speak.
        pub tls_version: Version = "TLSv1_2",
        /// Only the default is taken: the cipher suites are those of rustls, all of them strong.
        pub tls_ciphers: String = "ALL:!aNULL:!eNULL:!SSLv2",
        /// Whether a chunk is given up when the answer is an error that is not among `retryable_response_codes`; else the error is logged,
        /// and the chunk is dropped.
        pub error_response_as_unrecoverable: bool = "true",
        /// The statuses after which a chunk is sent again; 503 by default.
        pub retryable_response_codes: Option<Vec<i64>>,
    }
    sections { "auth": one(Auth), "format": one, "buffer": one, "secondary": one }
}

crate::section! {
    /// How a request shows who sends it.
    pub struct Auth {
        /// The way: user and password.
        pub method: AuthMethod = "basic",
        /// The user.
        pub username: Option<String>,
        /// The password.
        pub password: Option<String> [secret],
        /// For signed requests, which are not supported.
        pub aws_service: Option<String> [idle "requests are not signed"],
        /// For signed requests, which are not supported.
        pub aws_region: Option<String> [idle "requests are not signed"],
        /// For signed requests, which are not supported.
        pub aws_role_arn: Option<String> [idle "requests are not signed"],
    }
}

/// What the parameters come to.
pub struct Settings {
    /// The URL.
    pub endpoint: Template,
    /// The method.
    pub method: Method,
    /// The proxy.
    pub proxy: Option<Arc<Proxy>>,
    /// Headers that every request has.
    pub headers: HeaderMap,
    /// Headers whose values come from the chunk.
    pub chunk_headers: Vec<(HeaderName, Template)>,
    /// Whether a body is a JSON array.
    pub json_array: bool,
    /// How bodies are compressed.
    pub compress: Compress,
    /// Whether connections are kept.
    pub reuse_connections: bool,
    /// For servers that speak TLS.
    pub tls: Arc<ClientTls>,
    /// Time and size limits of a request; the TLS handshake has `tls_wait` more.
    pub limits: Limits,
    /// How long the TLS handshake may take beside.
    pub tls_wait: Duration,
    /// Whether other errors than those that are tried again give the chunk up.
    pub errors_are_unrecoverable: bool,
    /// The statuses after which a chunk is sent again.
    pub retryable: Vec<i64>,
}

/// Reads parameters, with the place of each fault.
struct Reader<'r> {
    element: &'r Element,
    context: &'r Context<'r>,
}

impl Settings {
    /// From the section.
    pub fn read(element: &Element, buffer: &BufferSettings, context: &Context<'_>) -> Result<Settings, Refused> {
        let params = Params::read(element, context.diagnostics);
        let auth = element.section("auth").map(|section| Auth::read(section, context.diagnostics)).transpose();
        let (params, auth) = (params?, auth?);
        let reader = Reader { element, context };
        let (headers, chunk_headers) = reader.headers(&params, auth.as_ref(), &buffer.keys)?;
        let seconds = |given: Option<i64>, usual: i64| Duration::from_secs(given.unwrap_or(usual).max(1) as u64);
        let settings = Settings {
            endpoint: reader.endpoint(&params, &buffer.keys),
            method: if params.http_method == HttpMethod::Put { Method::PUT } else { Method::POST },
            proxy: reader.proxy(&params)?,
            headers,
            chunk_headers,
            json_array: params.json_array,
            compress: params.compress,
            reuse_connections: params.reuse_connections,
            tls: Arc::new(ClientTls::new(reader.tls(&params)?)),
            limits: Limits {
                connect: seconds(params.open_timeout, OPEN_WAIT),
                silence: seconds(params.read_timeout, READ_WAIT),
                answer_bytes: MAX_ANSWER_BYTES,
            },
            tls_wait: seconds(params.ssl_timeout, OPEN_WAIT),
            errors_are_unrecoverable: params.error_response_as_unrecoverable,
            retryable: params.retryable_response_codes.unwrap_or_else(|| reader.usual_codes()),
        };
        Ok(settings)
    }
}

impl Reader<'_> {
    fn refuse(&self, code: &'static str, name: &str, message: impl Into<String>) -> Refused {
        let span = self.element.param(name).map_or(self.element.span, |param| param.value_span);
        self.context.refuse(code, span, message)
    }

    fn usual_codes(&self) -> Vec<i64> {
        let message = "Status code 503 is going to be removed from default `retryable_response_codes` from fluentd v2. \
                       Please add it by yourself if you wish";
        self.context.diagnostics.note("FLM0641", Some(self.element.span), message);
        vec![503]
    }

    /// Fluentd: looks at the URL when it sends the first chunk.
    fn endpoint(&self, params: &Params, keys: &Keys) -> Template {
        let template = Template::new(&params.endpoint, keys);
        if let Some(Err(why)) = template.constant().filter(|text| !text.contains("${")).map(Url::parse) {
            let span = self.element.param("endpoint").map_or(self.element.span, |param| param.value_span);
            self.context.diagnostics.warn("FLM0642", Some(span), format!("endpoint: {why}; nothing can be sent there"));
        }
        template
    }

    fn proxy(&self, params: &Params) -> Result<Option<Arc<Proxy>>, Refused> {
        let of_environment = || ["HTTP_PROXY", "http_proxy"].iter().find_map(|name| std::env::var(name).ok());
        let Some(text) = params.proxy.clone().or_else(of_environment).filter(|text| !text.is_empty()) else { return Ok(None) };
        let url = Url::parse(&text).map_err(|why| self.refuse("FLM0643", "proxy", format!("proxy: {why}")))?;
        Ok(Some(Arc::new(Proxy { host: url.host, port: url.port, login: url.login })))
    }

    fn headers(&self, params: &Params, auth: Option<&Auth>, keys: &Keys) -> Result<(HeaderMap, Vec<(HeaderName, Template)>), Refused> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("flumen/", env!("CARGO_PKG_VERSION"))));
        let wrong = |list: &str, name: &str| self.refuse("FLM0644", list, format!("{list}: {name:?} and its value are no HTTP header"));
        for (name, value) in params.headers.iter().flatten() {
            let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
            let (name, value) = parsed.ok_or_else(|| wrong("headers", name))?;
            headers.insert(name, value);
        }
        let mut chunk_headers = Vec::new();
        for (name, value) in params.headers_from_placeholders.iter().flatten() {
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("headers_from_placeholders", name))?;
            chunk_headers.push((parsed, Template::new(value, keys)));
        }
        if params.compress == Compress::Gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let content_type = self.content_type(params)?;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(&content_type).map_err(|_| wrong("content_type", &content_type))?);
        // They come before what placeholders say.
        chunk_headers
            .retain(|(name, _)| *name != header::CONTENT_TYPE && (*name != header::CONTENT_ENCODING || params.compress == Compress::Text));
        if let Some(auth) = auth {
            if auth.method == AuthMethod::AwsSigv4 {
                let message = "<auth> with 'method aws_sigv4' is not supported: requests are not signed for AWS";
                let span = self.element.section("auth").map_or(self.element.span, |section| section.span);
                return Err(self.context.refuse("FLM0645", span, message));
            }
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", text(&auth.username), text(&auth.password))));
            // Base64 is always a valid header.
            if let Ok(mut value) = HeaderValue::from_str(&basic) {
                value.set_sensitive(true);
                headers.insert(header::AUTHORIZATION, value);
                chunk_headers.retain(|(name, _)| *name != header::AUTHORIZATION);
            }
        }
        Ok((headers, chunk_headers))
    }

    fn content_type(&self, params: &Params) -> Result<String, Refused> {
        let formatter = self.element.section("format").and_then(|section| section.plugin_type()).unwrap_or("json");
        if params.json_array && formatter != "json" {
            return Err(self.refuse("FLM0646", "json_array", "json_array option could be used with json formatter only"));
        }
        if let Some(given) = &params.content_type {
            return Ok(given.clone());
        }
        Ok(match formatter {
            "json" if params.json_array => "application/json",
            "json" => "application/x-ndjson",
            "csv" => "text/csv",
            "tsv" | "ltsv" => "text/tab-separated-values",
            "msgpack" => "application/x-msgpack",
            "out_file" | "single_value" | "stdout" | "hash" => "text/plain",
            _ => {
                let message = "can't determine Content-Type from formatter type. Set content_type parameter explicitly";
                return Err(self.refuse("FLM0646", "content_type", message));
            }
        }
        .to_owned())
    }

    fn tls(&self, params: &Params) -> Result<tls::Settings, Refused> {
        let versions = Versions { min: params.tls_version, max: params.tls_version };
        let path = |file: &Option<String>| file.as_ref().map(PathBuf::from);
        let settings = tls::Settings {
            verify: params.tls_verify_mode == Verify::Peer,
            ca_file: path(&params.tls_ca_cert_path),
            client_cert: path(&params.tls_client_cert_path),
            client_key: path(&params.tls_private_key_path),
            versions,
        };
        // As in Fluentd, none of it is looked at where TLS is not spoken.
        if !params.endpoint.starts_with("https") {
            return Ok(tls::Settings { versions: Versions::default(), ..settings });
        }
        if !versions.are_possible() {
            return Err(self.refuse("FLM0647", "tls_version", "TLS before version 1.2 is not supported, expected TLSv1_2 or TLSv1_3"));
        }
        if params.tls_ciphers != USUAL_CIPHERS {
            let message = "'tls_ciphers' is not supported: those of TLS 1.3, and of TLS 1.2 with ECDHE and AES-GCM or ChaCha20, are used";
            return Err(self.refuse("FLM0647", "tls_ciphers", message));
        }
        if let Some(key) = params.tls_private_key_path.as_deref().filter(|key| tls::is_encrypted_key(Path::new(key))) {
            let message = format!("private key {key} is encrypted, which is not supported: give it without a passphrase");
            return Err(self.refuse("FLM0647", "tls_private_key_path", message));
        }
        let files = [
            ("tls_ca_cert_path", &params.tls_ca_cert_path),
            ("tls_client_cert_path", &params.tls_client_cert_path),
            ("tls_private_key_path", &params.tls_private_key_path),
        ];
        for (name, file) in files {
            if let Some(file) = file.as_deref().filter(|file| !Path::new(file).is_file()) {
                // Fluentd: refuses to start; here it is read at the first connection, and may be mounted until then.
                let span = self.element.param(name).map_or(self.element.span, |param| param.value_span);
                self.context.diagnostics.warn("FLM0648", Some(span), format!("{name} is wrong: {file}: there is no such file (yet)"));
            }
        }
        Ok(settings)
    }
}
