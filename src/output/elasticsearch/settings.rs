//! The parameters, checked: what they come to, what is refused, and what is taken although it changes nothing here.

use super::answer::Judge;
use super::dynamic::Dynamic;
use super::hosts::{self, Server};
use super::params::{Compression, Params, Scheme};
use super::rules::Rules;
use super::time_value::TimeParser;
use super::version::Product;
use super::{BUFFER, cluster::Connection};
use crate::buffer::{Keys, Template, placeholders};
use crate::config::{Diagnostics, Element, Refused, Span};
use crate::net::http::Limits;
use crate::net::tls::{self, ClientTls, Version, Versions};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::http::{HeaderMap, HeaderName, HeaderValue, header};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The largest answer that is read: one of a few hundred thousand documents.
const MAX_ANSWER_BYTES: usize = 128 << 20;
/// The least time for a request: with less nothing could ever be delivered.
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);
/// Parameters that only work together with those.
const IDLE: &[&str] = &[
    "template_overwrite",
    "use_legacy_template",
    "max_retry_putting_template",
    "fail_on_putting_template_retry_exceed",
    "truncate_caches_interval",
    "index_date_pattern",
    "index_separator",
    "application_name",
    "ilm_policy_id",
    "ilm_policy_overwrite",
    "exception_backup",
];
/// Parameters whose purpose is reached in another way, and which way.
const COVERED: &[(&str, &str)] = &[
    ("reload_connections", "the servers of the configuration are used, their names resolved again for each connection"),
    ("reload_on_failure", "the servers of the configuration are used, their names resolved again for each connection"),
    ("reload_after", "the servers of the configuration are used, their names resolved again for each connection"),
    ("sniffer_class_name", "the servers of the configuration are used, their names resolved again for each connection"),
    ("reconnect_on_error", "a connection that failed is never used again"),
    ("with_transporter_log", "failed requests are logged"),
    ("http_backend", "there is one HTTP client"),
    ("http_backend_excon_nonblock", "there is one HTTP client"),
    ("prefer_oj_serializer", "there is one JSON writer"),
    ("validate_client_version", "the client speaks with every version"),
    ("max_retry_get_es_version", "the version is asked for before the first request, as often as that is retried"),
    ("max_retry_get_os_version", "the version is asked for before the first request, as often as that is retried"),
    ("fail_on_detecting_es_version_retry_exceed", "a server that is away never stops the daemon"),
    ("fail_on_detecting_os_version_retry_exceed", "a server that is away never stops the daemon"),
    ("catch_transport_exception_on_retry", "a server that is away never stops the daemon"),
    ("retry_tag", "documents are sent again as they are, without passing filters again"),
    ("log_es_400_reason", "error events always give the reason"),
    ("log_os_400_reason", "error events always give the reason"),
];

/// What the parameters come to.
pub struct Settings {
    /// Whose plugin the configuration was written for.
    pub product: Product,
    /// How documents are made.
    pub rules: Rules,
    /// How answers are judged.
    pub judge: Judge,
    /// How requests are made.
    pub connection: Connection,
    /// How bodies are compressed.
    pub compression: Compression,
    /// The size from which on a body is not added to.
    pub threshold: Option<u64>,
    /// Whether rejected documents go to `@ERROR`.
    pub error_events: bool,
    /// Whether the server is asked for its version.
    pub ask_version: bool,
    /// The major version that is assumed where nobody says.
    pub default_major: u32,
    /// The servers, as the configuration gives them.
    pub hosts: Template,
    /// The index.
    pub index_name: Template,
    /// The prefix of indexes with a date.
    pub logstash_prefix: Template,
    /// The date.
    pub logstash_dateformat: Template,
    /// The type for old servers.
    pub type_name: Template,
    /// The ingest pipeline.
    pub pipeline: Option<Template>,
    /// Parameters that are evaluated for each event.
    pub dynamic: Option<Dynamic>,
    params: Params,
}

impl Settings {
    /// Reads and checks a section.
    pub fn read(element: &Element, product: Product, diagnostics: &Diagnostics) -> Result<Settings, Refused> {
        Settings::of(element, product, false, diagnostics)
    }

    /// Reads and checks a section of `elasticsearch_dynamic`.
    pub fn read_dynamic(element: &Element, diagnostics: &Diagnostics) -> Result<Settings, Refused> {
        Settings::of(element, Product::Elasticsearch, true, diagnostics)
    }

    fn of(element: &Element, product: Product, is_dynamic: bool, diagnostics: &Diagnostics) -> Result<Settings, Refused> {
        let params = Params::read(element, diagnostics);
        let buffer = crate::buffer::Settings::read(element, &BUFFER, diagnostics);
        let reader = Reader { element, diagnostics, product };
        let refused = reader.refuse_endpoint();
        let params = params?;
        reader.say_covered(&params);
        let rules = Rules::new(&params, product, element, diagnostics);
        let checked = [reader.check_login(&params), reader.check_tls_files(&params), reader.check_servers(&params)];
        let connection = reader.connection(&params);
        let keys = buffer?.keys;
        reader.check_keys(&params, &keys)?;
        std::iter::once(refused).chain(checked).collect::<Result<Vec<()>, Refused>>()?;
        let dynamic = if is_dynamic { Dynamic::read(&params, element, diagnostics)? } else { None };
        let mut rules = rules?;
        if rules.generate_id && dynamic.as_ref().is_some_and(Dynamic::chooses_hosts) {
            return Err(reader.refuse("FLM0611", "generate_id", "generate_id does not go together with ${...} in host or hosts"));
        }
        if is_dynamic {
            reader.keep_to_dynamic(&mut rules);
        }
        // It has no placeholders of chunk keys.
        let placeholders = if is_dynamic { Keys::default() } else { keys };
        let template = |text: &str| Template::new(text, &placeholders);
        Ok(Settings {
            product,
            rules,
            dynamic,
            judge: Judge { product, final_types: final_types(&params) },
            connection: connection?,
            compression: params.compression_level,
            threshold: params.bulk_message_request_threshold.0,
            error_events: params.emit_error_label_event,
            ask_version: params.verify_es_version_at_startup,
            default_major: params.default_elasticsearch_version.map_or(product.default_major(), |major| u32::try_from(major).unwrap_or(0)),
            hosts: template(params.hosts.as_deref().unwrap_or(&params.host)),
            index_name: template(&params.index_name),
            logstash_prefix: template(&params.logstash_prefix),
            logstash_dateformat: template(&params.logstash_dateformat),
            type_name: template(&params.type_name),
            pipeline: params.pipeline.as_deref().map(template),
            params,
        })
    }

    /// The servers that a text of `hosts` or `host` names after placeholders were filled in.
    pub fn servers(&self, text: &str) -> Result<Vec<Server>, String> {
        servers(&self.params, text)
    }
}

fn servers(params: &Params, text: &str) -> Result<Vec<Server>, String> {
    match &params.cloud_id {
        Some(id) => hosts::cloud(id, params).map(|server| vec![server]),
        None => hosts::servers(text, params),
    }
}

/// Error types with which a document is not sent again, where the configuration names any.
fn final_types(params: &Params) -> Vec<String> {
    // Fluentd: `out_of_memory_error` is in the default list; it is the server's trouble, not the document's, and passes.
    [&params.unrecoverable_error_types, &params.unrecoverable_record_types].into_iter().flatten().flatten().cloned().collect()
}

struct Reader<'r> {
    element: &'r Element,
    diagnostics: &'r Diagnostics,
    product: Product,
}

impl Reader<'_> {
    fn span(&self, name: &str) -> Span {
        self.element.param(name).map_or(self.element.span, |param| param.value_span)
    }

    fn refuse(&self, code: &'static str, name: &str, message: impl Into<String>) -> Refused {
        self.diagnostics.error(code, Some(self.span(name)), message)
    }

    /// What the plugin does otherwise, or not at all, where parameters are evaluated for each event.
    fn keep_to_dynamic(&self, rules: &mut Rules) {
        rules.keeps_time_text = true;
        rules.time_parser = TimeParser::new(None);
        (rules.target_index, rules.target_type) = (None, None);
        for name in ["target_index_key", "target_type_key", "time_key_format"] {
            if let Some(param) = self.element.param(name) {
                let message = format!("'{name}' has no effect in elasticsearch_dynamic, as in Fluentd: say it in index_name or type_name");
                self.diagnostics.note("FLM0603", Some(param.span), message);
            }
        }
    }

    fn refuse_endpoint(&self) -> Result<(), Refused> {
        match self.element.section("endpoint") {
            Some(_) if self.product == Product::OpenSearch => Err(self.diagnostics.error(
                "FLM0602",
                Some(self.element.span),
                "'<endpoint>' (requests signed for AWS) is not supported yet",
            )),
            _ => Ok(()),
        }
    }

    /// One line for all parameters that are taken although they change nothing.
    fn say_covered(&self, params: &Params) {
        let given = |name: &str| self.element.text(name).is_some();
        let covered = COVERED.iter().filter(|(name, _)| given(name)).map(|(name, how)| format!("{name} ({how})"));
        let idle =
            IDLE.iter().filter(|name| given(name)).map(|name| format!("{name} (has no effect without templates, rollover and the like)"));
        let mut all: Vec<String> = covered.chain(idle).collect();
        if params.hosts.is_none() && !params.host.contains(',') && given("resurrect_after") {
            all.push("resurrect_after (there is one server only)".to_owned());
        }
        if let Some(class) = params.selector_class_name.as_deref().filter(|class| !is_fallback(class)) {
            all.push(format!("selector_class_name ({class}: servers take turns)"));
        }
        if !all.is_empty() {
            self.diagnostics.note("FLM0603", Some(self.element.span), format!("parameters that need not be set here: {}", all.join(", ")));
        }
    }

    fn check_login(&self, params: &Params) -> Result<(), Refused> {
        if params.cloud_id.is_some() && params.cloud_auth.is_none() && params.api_key.is_none() {
            return Err(self.refuse("FLM0604", "cloud_id", "`cloud_auth` must be present if `cloud_id` is present"));
        }
        if params.user.is_some() && params.password.is_none() {
            return Err(self.refuse("FLM0604", "user", "`password` must be present if `user` is present"));
        }
        Ok(())
    }

    fn check_keys(&self, params: &Params, keys: &Keys) -> Result<(), Refused> {
        let names_index = keys.tag || keys.fields.iter().any(|field| field.name == "_index");
        let texts = [params.host.as_str(), &params.index_name, &params.logstash_prefix, &params.logstash_dateformat];
        if names_index || texts.iter().any(|text| uses_some_key(text, keys)) {
            return Ok(());
        }
        Err(self.diagnostics.error("FLM0605", Some(self.element.span), "'tag' or '_index' in chunk_keys is required."))
    }

    fn check_servers(&self, params: &Params) -> Result<(), Refused> {
        let name = if params.cloud_id.is_some() { "cloud_id" } else { params.hosts.as_ref().map_or("host", |_| "hosts") };
        let text = params.hosts.as_deref().unwrap_or(&params.host);
        if params.cloud_id.is_none() && text.contains("${") {
            return Ok(());
        }
        if params.cloud_id.is_none() && text.trim().is_empty() {
            // Fluentd: takes that too; it mostly comes from a variable of the environment that is not set here but where it runs.
            self.diagnostics.warn("FLM0606", Some(self.span(name)), format!("{name} is empty: as long as it is, nothing is delivered"));
            return Ok(());
        }
        servers(params, text).map(|_| ()).map_err(|why| self.refuse("FLM0606", name, why))
    }

    fn check_tls_files(&self, params: &Params) -> Result<(), Refused> {
        if let Some(key) = params.client_key.as_deref().filter(|key| tls::is_encrypted_key(Path::new(key))) {
            let message = format!("private key {key} is encrypted, which is not supported yet: give it without a passphrase");
            return Err(self.refuse("FLM0607", "client_key", message));
        }
        for (name, file) in [("ca_file", &params.ca_file), ("client_cert", &params.client_cert), ("client_key", &params.client_key)] {
            if let Some(file) = file.as_deref().filter(|file| !Path::new(file).is_file()) {
                self.diagnostics.warn(
                    "FLM0608",
                    Some(self.span(name)),
                    format!("{name}: there is no file {file} (yet); it is read at the first connection"),
                );
            }
        }
        Ok(())
    }

    fn versions(&self, params: &Params) -> Result<Versions, Refused> {
        let versions = match (params.ssl_min_version, params.ssl_max_version) {
            (None, None) => Versions::default(),
            (Some(_), None) => {
                return Err(self.refuse(
                    "FLM0609",
                    "ssl_min_version",
                    "When you set 'ssl_min_version', must set 'ssl_max_version' together.",
                ));
            }
            (None, Some(_)) => {
                return Err(self.refuse(
                    "FLM0609",
                    "ssl_max_version",
                    "When you set 'ssl_max_version', must set 'ssl_min_version' together.",
                ));
            }
            (Some(min), Some(max)) => Versions { min, max },
        };
        if !versions.are_possible() {
            return Err(self.refuse("FLM0609", "ssl_max_version", "TLS before version 1.2 is not supported, expected TLSv1_2 or TLSv1_3"));
        }
        if matches!(params.ssl_version, Version::Ssl23 | Version::Tls10 | Version::Tls11) && params.scheme == Scheme::Https {
            self.diagnostics.warn("FLM0609", Some(self.span("ssl_version")), "ssl_version is not used: TLS 1.2 or 1.3 is spoken");
        }
        Ok(versions)
    }

    fn connection(&self, params: &Params) -> Result<Connection, Refused> {
        let path = |file: &Option<String>| file.as_ref().map(PathBuf::from);
        let tls = tls::Settings {
            verify: params.ssl_verify,
            ca_file: path(&params.ca_file),
            client_cert: path(&params.client_cert),
            client_key: path(&params.client_key),
            versions: self.versions(params)?,
        };
        let timeout = params.request_timeout.duration().max(LEAST_TIMEOUT);
        Ok(Connection {
            headers: self.headers(params)?,
            tls: Arc::new(ClientTls::new(tls)),
            limits: Limits { connect: timeout, silence: timeout, answer_bytes: MAX_ANSWER_BYTES },
            resurrect_after: params.resurrect_after.duration(),
            in_turn: !params.selector_class_name.as_deref().is_some_and(is_fallback),
        })
    }

    fn headers(&self, params: &Params) -> Result<HeaderMap, Refused> {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("flumen/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &params.custom_headers {
            let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
            let wrong = || self.refuse("FLM0610", "custom_headers", format!("custom_headers: {name:?} and its value are no HTTP header"));
            let (name, mut value) = parsed.ok_or_else(wrong)?;
            value.set_sensitive(name == header::AUTHORIZATION);
            headers.insert(name, value);
        }
        if let Some(key) = &params.api_key {
            // Base64 is always a valid header.
            if let Ok(mut value) = HeaderValue::from_str(&format!("ApiKey {}", STANDARD.encode(key))) {
                value.set_sensitive(true);
                headers.insert(header::AUTHORIZATION, value);
            }
        }
        Ok(headers)
    }
}

/// Whether this selector takes the first server that is there, as the one does that comes with the plugin.
fn is_fallback(class: &str) -> bool {
    class.ends_with("FallbackSelector")
}

/// Whether a text's placeholders fit some of the chunk keys: then the chunk keys are the configuration's own business.
fn uses_some_key(text: &str, keys: &Keys) -> bool {
    let found = placeholders::Placeholders::of(text);
    let time = found.time().zip(keys.time.as_ref()).is_some_and(|((unit, ..), slices)| slices.length as i64 >= unit);
    let mut named = found.keys();
    named.sort_unstable();
    let mut configured: Vec<&str> = keys.fields.iter().map(|field| field.name.as_str()).collect();
    configured.sort_unstable();
    time || (found.has_tag() && keys.tag) || (!named.is_empty() && named == configured)
}
