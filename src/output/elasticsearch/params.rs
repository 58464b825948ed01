//! The parameters of `elasticsearch` and `opensearch`, as they are written; [`super::settings`] says what they come to.
//!
//! One declaration serves both: where the OpenSearch plugin gave a parameter another name, that name is an alias.

use crate::config::{FromLiteral, Kind, Seconds, Size};
use crate::net::tls::Version;
use std::collections::BTreeMap;

crate::choice! {
    /// How servers are spoken to.
    pub enum Scheme { Https = "https", Http = "http" }
}

crate::choice! {
    /// How hard request bodies are compressed.
    pub enum Compression { None = "no_compression", Speed = "best_speed", Best = "best_compression", Default = "default_compression" }
}

crate::choice! {
    /// The HTTP libraries that Fluentd's plugin can choose from.
    pub enum Backend { Excon = "excon", Typhoeus = "typhoeus" }
}

crate::choice! {
    /// What bodies of requests were once called.
    pub enum ContentType { Json = "application/json", NdJson = "application/x-ndjson" }
}

/// The size of a request's body beyond which the next events go into another request; a negative one means no such size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold(pub Option<u64>);

impl FromLiteral for Threshold {
    const KIND: Kind = Kind::Size;

    fn from_literal(text: &str, strict: bool) -> Result<Threshold, String> {
        if text.trim_start().starts_with('-') {
            Ok(Threshold(None))
        } else {
            Size::from_literal(text, strict).map(|size| Threshold(Some(size.0)))
        }
    }
}

crate::section! {
    /// What documents get from the chunk that they were in.
    pub struct Metadata {
        /// Whether the chunk's name is added.
        pub include_chunk_id: bool = "false",
        /// The key under which it is added.
        pub chunk_id_key: String = "chunk_id",
    }
}

crate::section! {
    /// Sends events as documents to Elasticsearch or OpenSearch, many in one request.
    pub struct Params {
        /// The server's name or address, or several, with a comma between them.
        pub host: String = "localhost",
        /// The server's port.
        pub port: i64 = "9200",
        /// Several servers: `name:port,name` or URLs; in place of `host` and `port`.
        pub hosts: Option<String>,
        /// Whether TLS is spoken.
        pub scheme: Scheme = "http",
        /// What paths of requests start with.
        pub path: Option<String>,
        /// The user, for Basic authentication; `%{text}` takes the text as it is.
        pub user: Option<String>,
        /// The user's password.
        pub password: Option<String> [secret],
        /// A deployment at Elastic Cloud.
        pub cloud_id: Option<String>,
        /// `user:password` there.
        pub cloud_auth: Option<String> [secret],
        /// An API key, as `id:key`.
        pub api_key: Option<String> [secret],
        /// Headers of every request.
        pub custom_headers: BTreeMap<String, String> = "{}",
        /// How long a connection, and then the server's silence, may last.
        pub request_timeout: Seconds = "5",
        /// Whether documents without an id get one that stays the same when they are sent again: from the sender's `chunk` and the number of
        /// the event in it, or where there is none from the buffer's chunk and the place in it.
        pub generate_id: bool = "false",
        /// How bodies of requests are compressed (gzip).
        pub compression_level: Compression = "no_compression",
        /// A body larger than this is sent before the next event is added; -1 for one body a chunk.
        pub bulk_message_request_threshold: Threshold = "4m",

        /// Whether the server's certificate is checked.
        pub ssl_verify: bool = "true",
        /// The version of TLS; `ssl_min_version` and `ssl_max_version` decide.
        pub ssl_version: Version = "TLSv1_2",
        /// The oldest version of TLS.
        pub ssl_min_version: Option<Version>,
        /// The newest version of TLS.
        pub ssl_max_version: Option<Version>,
        /// Certificates of the authorities to trust, in place of the system's.
        pub ca_file: Option<String>,
        /// Our own certificate.
        pub client_cert: Option<String>,
        /// Its private key.
        pub client_key: Option<String>,
        /// The key's passphrase.
        pub client_key_pass: Option<String> [secret],

        /// The index; placeholders are allowed.
        pub index_name: String = "fluentd",
        /// The field that names the index, as a path with dots; it is removed from the document.
        pub target_index_key: Option<String>,
        /// Whether documents are updated in the index that has them.
        pub target_index_affinity: bool = "false" [refused "documents are not looked up before they are written"],
        /// Whether the index is named by prefix and date, and `@timestamp` is added.
        pub logstash_format: bool = "false",
        /// The prefix of such names; placeholders are allowed.
        pub logstash_prefix: String = "logstash",
        /// What stands between prefix and date.
        pub logstash_prefix_separator: String = "-",
        /// The date in such names.
        pub logstash_dateformat: String = "%Y.%m.%d",
        /// Whether that date is UTC's.
        pub utc_index: bool = "true",
        /// The type of documents, for servers before version 7.
        pub type_name: String = "fluentd",
        /// Whether documents have no type.
        pub suppress_type_name: bool = "false",
        /// The field that names the type, as a path with dots.
        pub target_type_key: Option<String> [deprecated "Elasticsearch 7.x or above will ignore this config. Please use fixed type_name instead."],
        /// Whether the index is named in the request's path only.
        pub include_index_in_url: bool = "false",

        /// What is done with documents: `index`, `create`, `update` or `upsert`.
        pub write_operation: String = "index",
        /// The field that holds a document's id.
        pub id_key: Option<String>,
        /// The field that holds its parent's id.
        pub parent_key: Option<String>,
        /// The field that holds its routing.
        pub routing_key: Option<String>,
        /// The ingest pipeline; placeholders are allowed.
        pub pipeline: Option<String>,
        /// Fields that are not sent, with commas between them.
        pub remove_keys: Option<String>,
        /// Fields that updates leave out, with commas between them.
        pub remove_keys_on_update: String = "",
        /// The field that lists the fields that an update leaves out.
        pub remove_keys_on_update_key: Option<String>,
        /// Whether updates are sent without `doc` around them.
        pub suppress_doc_wrap: bool = "false",
        /// Whether records without an id go to `@ERROR` where the operation needs one; else they are dropped.
        pub emit_error_for_missing_id: bool = "false",
        /// Whether the tag is added to documents.
        pub include_tag_key: bool = "false",
        /// The key under which it is added.
        pub tag_key: String = "tag",
        /// Whether `@timestamp` is added although `logstash_format` is not set.
        pub include_timestamp: bool = "false",
        /// The field that `@timestamp` is taken from.
        pub time_key: Option<String>,
        /// Its format; without one it is guessed.
        pub time_key_format: Option<String>,
        /// Digits of a second's fraction in `@timestamp`.
        pub time_precision: i64 = "9",
        /// Whether `@timestamp` is left out where `time_key` is there.
        pub time_key_exclude_timestamp: bool = "false",
        /// The tag of error events about times that cannot be read.
        pub time_parse_error_tag: Option<String>,
        /// Whether fields within fields become fields of the document.
        pub flatten_hashes: bool = "false",
        /// What stands between the parts of their names.
        pub flatten_hashes_separator: String = "_",

        /// Whether the server is asked for its version; before the first request, not at start.
        pub verify_es_version_at_startup: bool = "true" [alias "verify_os_version_at_startup"],
        /// The major version that is assumed when the server is not asked or does not say.
        pub default_elasticsearch_version: Option<i64> [alias "default_opensearch_version"],
        /// Error types with which a document is not sent again.
        pub unrecoverable_error_types: Option<Vec<String>>,
        /// Error types with which a document goes to `@ERROR`.
        pub unrecoverable_record_types: Option<Vec<String>>,
        /// Whether rejected documents go to `@ERROR`.
        pub emit_error_label_event: bool = "true",
        /// Whether error events say why a document was rejected: they always do.
        pub log_es_400_reason: bool = "false" [alias "log_os_400_reason"],
        /// The tag for documents that are sent again: they are, without passing the filters again.
        pub retry_tag: Option<String>,
        /// Exceptions after which a chunk is given up.
        pub ignore_exceptions: Vec<String> = "[]" [refused "no failure is passed over"],
        /// Whether such a chunk is kept in the backup folder.
        pub exception_backup: bool = "true",

        /// Whether the list of servers is asked for: it is not, that of the configuration is used.
        pub reload_connections: bool = "true",
        /// As `reload_connections`, after failures.
        pub reload_on_failure: bool = "false",
        /// As `reload_connections`, after so many requests.
        pub reload_after: i64 = "-1",
        /// How long a server that could not be reached is left alone, while there are others.
        pub resurrect_after: Seconds = "60",
        /// Whether connections are closed after failures: they always are.
        pub reconnect_on_error: bool = "false",
        /// How the list of servers is asked for.
        pub sniffer_class_name: Option<String>,
        /// How the next server is chosen.
        pub selector_class_name: Option<String>,
        /// Whether requests are logged.
        pub with_transporter_log: bool = "false",
        /// The HTTP library.
        pub http_backend: Backend = "excon",
        /// How that library waits.
        pub http_backend_excon_nonblock: bool = "true",
        /// Whether the library's version has to match the server's.
        pub validate_client_version: bool = "false",
        /// The JSON library.
        pub prefer_oj_serializer: bool = "false",
        /// What bodies of requests are called.
        pub content_type: ContentType = "application/json" [deprecated "bodies are always sent as application/x-ndjson"],
        /// How often the version is asked for.
        pub max_retry_get_es_version: i64 = "15" [alias "max_retry_get_os_version"],
        /// What happens when it stays unknown.
        pub fail_on_detecting_es_version_retry_exceed: bool = "true" [alias "fail_on_detecting_os_version_retry_exceed"],
        /// Whether failures to reach the server at start are retried.
        pub catch_transport_exception_on_retry: bool = "true",

        /// The name of an index template.
        pub template_name: Option<String> [refused "templates are set up from outside, as by curl"],
        /// The file of an index template.
        pub template_file: Option<String> [refused "templates are set up from outside, as by curl"],
        /// Index templates: names and files.
        pub templates: Option<BTreeMap<String, String>> [refused "templates are set up from outside, as by curl"],
        /// Whether a template that exists is overwritten.
        pub template_overwrite: bool = "false",
        /// Texts to be replaced in the template.
        pub customize_template: Option<BTreeMap<String, String>> [refused "templates are set up from outside, as by curl"],
        /// Whether templates have the old form.
        pub use_legacy_template: bool = "true",
        /// How often putting a template is tried.
        pub max_retry_putting_template: i64 = "10",
        /// What happens when that fails.
        pub fail_on_putting_template_retry_exceed: bool = "true",
        /// How often what is known of templates is forgotten.
        pub truncate_caches_interval: Option<Seconds>,
        /// Whether indexes roll over.
        pub rollover_index: String = "false" [refused "index lifecycles are set up from outside, as by curl"],
        /// The date in names of indexes that roll over.
        pub index_date_pattern: String = "now/d",
        /// What stands between the parts of their names.
        pub index_separator: String = "-",
        /// The alias of indexes that roll over.
        pub deflector_alias: Option<String> [refused "index lifecycles are set up from outside, as by curl"],
        /// The application's part in their names.
        pub application_name: String = "default",
        /// Obsolete.
        pub index_prefix: String = "logstash" [obsoleted "This parameter shouldn't be used in 4.0.0 or later. Specify ILM target index with using `index_name' w/o `logstash_format' or 'logstash_prefix' w/ `logstash_format' instead."],
        /// Whether indexes have a lifecycle.
        pub enable_ilm: bool = "false" [refused "index lifecycles are set up from outside, as by curl"],
        /// The lifecycle policy's name.
        pub ilm_policy_id: String = "logstash-policy",
        /// The lifecycle policy.
        pub ilm_policy: Option<BTreeMap<String, String>> [refused "index lifecycles are set up from outside, as by curl"],
        /// Several lifecycle policies.
        pub ilm_policies: Option<BTreeMap<String, String>> [refused "index lifecycles are set up from outside, as by curl"],
        /// Whether a policy that exists is overwritten.
        pub ilm_policy_overwrite: bool = "false",
    }
    sections { "buffer": one, "secondary": one, "metadata": one (Metadata), "endpoint": one }
}
