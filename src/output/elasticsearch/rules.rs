//! What a document is made of: the parameters that say so, compiled.

use super::params::{Metadata, Params};
use super::time_value::TimeParser;
use super::version::Product;
use crate::config::{Diagnostics, Element, Refused};
use crate::event::{Accessor, Tag};
use jiff::tz::TimeZone;

/// What is done with documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Stored, whatever was there before.
    Index,
    /// Stored where nothing was before.
    Create,
    /// Merged into what is there.
    Update,
    /// As `Update`, or stored where nothing was.
    Upsert,
    /// A word that Fluentd takes, and then sends nothing at all.
    Unknown,
}

impl Operation {
    /// The operation of this word.
    pub fn parse(word: &str) -> Operation {
        match word {
            "index" => Operation::Index,
            "create" => Operation::Create,
            "update" => Operation::Update,
            "upsert" => Operation::Upsert,
            _ => Operation::Unknown,
        }
    }

    /// The word of the bulk interface.
    pub fn action(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Update | Operation::Upsert => "update",
            Operation::Index | Operation::Unknown => "index",
        }
    }
}

/// How documents and the actions before them are made.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The operation.
    pub operation: Operation,
    /// The operation's word in the configuration, for messages.
    pub operation_word: String,
    /// Whether the index is named by prefix and date.
    pub logstash: bool,
    /// What stands between prefix and date.
    pub separator: String,
    /// Whether that date is UTC's.
    pub utc_index: bool,
    /// Whether `@timestamp` is added.
    pub timestamps: bool,
    /// The field that `@timestamp` is taken from.
    pub time_key: Option<String>,
    /// Reads it.
    pub time_parser: TimeParser,
    /// Whether `@timestamp` is that field's value as it is, and not the time that it means in the usual form.
    pub keeps_time_text: bool,
    /// Whether `@timestamp` is left out where that field is there.
    pub time_key_only: bool,
    /// Digits of a second's fraction.
    pub precision: usize,
    /// The tag of error events about times that cannot be read.
    pub time_error_tag: Tag,
    /// The zone of this machine.
    pub zone: TimeZone,
    /// The field that names the index.
    pub target_index: Option<Vec<String>>,
    /// The field that names the type.
    pub target_type: Option<Vec<String>>,
    /// The key under which the tag is added.
    pub tag_key: Option<String>,
    /// The key under which the chunk's name is added.
    pub chunk_id_key: Option<String>,
    /// Where the id, the parent and the routing are.
    pub id: Option<Accessor>,
    /// As `id`.
    pub parent: Option<Accessor>,
    /// As `id`.
    pub routing: Option<Accessor>,
    /// Whether documents without an id get one.
    pub generate_id: bool,
    /// Fields that are not sent.
    pub remove: Vec<String>,
    /// Fields that updates leave out.
    pub remove_on_update: Vec<String>,
    /// The field that lists such fields.
    pub remove_on_update_key: Option<String>,
    /// Whether updates are sent bare.
    pub bare_updates: bool,
    /// Whether records without an id are errors.
    pub missing_id_is_error: bool,
    /// What joins the names of nested fields, where they are flattened.
    pub flatten: Option<String>,
    /// Whether the index is named in the path only.
    pub index_in_url: bool,
    /// Whether documents have no type.
    pub suppress_type: bool,
}

impl Rules {
    /// Compiles the parameters.
    pub fn new(params: &Params, product: Product, element: &Element, diagnostics: &Diagnostics) -> Result<Rules, Refused> {
        let accessor = |name: &str, key: &Option<String>| accessor(name, key.as_deref(), element, diagnostics);
        let operation = Operation::parse(&params.write_operation);
        if operation == Operation::Unknown {
            let message = format!("write_operation '{}' sends nothing, expected index, create, update or upsert", params.write_operation);
            diagnostics.warn("FLM0621", Some(element.span), message);
        }
        let metadata = element.section("metadata").map(|section| Metadata::read(section, diagnostics)).transpose()?;
        let error_tag = params.time_parse_error_tag.as_deref().unwrap_or(product.time_error_tag());
        Ok(Rules {
            operation,
            operation_word: params.write_operation.clone(),
            logstash: params.logstash_format,
            separator: params.logstash_prefix_separator.clone(),
            utc_index: params.utc_index,
            timestamps: params.logstash_format || params.include_timestamp,
            time_key: params.time_key.clone(),
            time_parser: TimeParser::new(params.time_key_format.as_deref()),
            keeps_time_text: false,
            time_key_only: params.time_key_exclude_timestamp,
            precision: params.time_precision.clamp(0, MAX_PRECISION) as usize,
            time_error_tag: Tag::new(error_tag),
            zone: TimeZone::system(),
            target_index: params.target_index_key.as_deref().map(path),
            target_type: params.target_type_key.as_deref().map(path),
            tag_key: params.include_tag_key.then(|| params.tag_key.clone()),
            chunk_id_key: metadata.filter(|metadata| metadata.include_chunk_id).map(|metadata| metadata.chunk_id_key),
            id: accessor("id_key", &params.id_key)?,
            parent: accessor("parent_key", &params.parent_key)?,
            routing: accessor("routing_key", &params.routing_key)?,
            generate_id: params.generate_id,
            remove: params.remove_keys.as_deref().map_or_else(Vec::new, |keys| split(keys, true)),
            remove_on_update: split(&params.remove_keys_on_update, false),
            remove_on_update_key: params.remove_keys_on_update_key.clone(),
            bare_updates: params.suppress_doc_wrap,
            missing_id_is_error: params.emit_error_for_missing_id,
            flatten: params.flatten_hashes.then(|| params.flatten_hashes_separator.clone()),
            index_in_url: params.include_index_in_url,
            suppress_type: params.suppress_type_name,
        })
    }

    /// Whether documents can be written without looking into the records.
    pub fn are_plain(&self) -> bool {
        self.operation == Operation::Index
            && self.time_key.is_none()
            && self.target_index.is_none()
            && self.target_type.is_none()
            && self.chunk_id_key.is_none()
            && self.flatten.is_none()
            && self.remove.is_empty()
            && [&self.id, &self.parent, &self.routing].iter().all(|key| key.is_none())
    }
}

/// Digits beyond this are zeros that nobody asks for.
const MAX_PRECISION: i64 = 30;

/// A path with dots. As Ruby's `split`, which drops empty parts at the end.
fn path(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    parts
}

/// Names between commas. Fluentd: blanks around commas are removed from `remove_keys`, from `remove_keys_on_update` they are not.
fn split(text: &str, trim: bool) -> Vec<String> {
    let mut keys: Vec<String> = text.split(',').map(|key| if trim { key.trim().to_owned() } else { key.to_owned() }).collect();
    while keys.last().is_some_and(String::is_empty) {
        keys.pop();
    }
    keys
}

/// The accessor of a parameter; a name with dots that is no accessor yet becomes one.
fn accessor(name: &str, key: Option<&str>, element: &Element, diagnostics: &Diagnostics) -> Result<Option<Accessor>, Refused> {
    let Some(key) = key else { return Ok(None) };
    let refuse = |why| {
        let span = element.param(name).map_or(element.span, |param| param.value_span);
        diagnostics.error("FLM0622", Some(span), format!("{name}: {why}"))
    };
    accessor_of(key).map(Some).map_err(refuse)
}

/// The accessor that a text names.
pub fn accessor_of(key: &str) -> Result<Accessor, String> {
    let nested = key.contains('.') && !key.starts_with("$[") && !key.starts_with("$.");
    let text = if nested { format!("$.{key}") } else { key.to_owned() };
    Accessor::parse(&text)
}
