//! Which server this is: its kind and major version, and what of the bulk interface depends on them.

use super::rules::Rules;
use hyper::http::HeaderValue;
use serde::Deserialize;

/// Whose plugin the configuration was written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// `@type elasticsearch`.
    Elasticsearch,
    /// `@type opensearch`.
    OpenSearch,
}

impl Product {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Product::Elasticsearch => "Elasticsearch",
            Product::OpenSearch => "OpenSearch",
        }
    }

    /// The default of `time_parse_error_tag`.
    pub fn time_error_tag(self) -> &'static str {
        match self {
            Product::Elasticsearch => "Fluent::ElasticsearchOutput::TimeParser.error",
            Product::OpenSearch => "opensearch_plugin.output.time.error",
        }
    }

    /// The major version that is assumed where nobody says.
    pub fn default_major(self) -> u32 {
        match self {
            Product::Elasticsearch => 5,
            Product::OpenSearch => 1,
        }
    }
}

/// What `GET /` says.
#[derive(Debug, Deserialize)]
struct Identity {
    version: Option<VersionInfo>,
}

#[derive(Debug, Deserialize)]
struct VersionInfo {
    number: Option<String>,
    distribution: Option<String>,
}

/// What a server understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    product: Product,
    /// The major version; of an OpenSearch that answers to `@type elasticsearch`, that of its counterpart.
    pub major: u32,
}

/// How documents name their type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeField {
    /// Not at all.
    Absent,
    /// `null`.
    Null,
    /// By this name.
    Named(String),
}

impl Dialect {
    /// Of a version that the configuration says.
    pub fn assumed(product: Product, major: u32) -> Dialect {
        Dialect { product, major }
    }

    /// Of a server that gave this answer to `GET /`; `None` where that tells no version.
    pub fn detect(product: Product, answer: &[u8]) -> Option<Dialect> {
        let version = serde_json::from_slice::<Identity>(answer).ok()?.version?;
        let number = version.number?;
        let major: u32 = number.split('.').next()?.trim().parse().ok()?;
        let is_opensearch = version.distribution.is_some_and(|name| name.eq_ignore_ascii_case("opensearch"));
        // OpenSearch 1 is Elasticsearch 7.10, which has one type, `_doc`; later ones have none, as Elasticsearch 8.
        let major = match (product, is_opensearch) {
            (Product::Elasticsearch, true) if major <= 1 => 7,
            (Product::Elasticsearch, true) => 8,
            _ => major,
        };
        Some(Dialect { product, major })
    }

    /// The type of a document. `configured` is `type_name`, `chosen` what the record's own field says.
    pub fn type_field(&self, rules: &Rules, configured: &str, chosen: Option<&str>) -> TypeField {
        let doc = || TypeField::Named("_doc".to_owned());
        if self.product == Product::OpenSearch {
            return if rules.suppress_type || self.major >= 2 { TypeField::Absent } else { doc() };
        }
        match (self.major, chosen) {
            (8.., _) => TypeField::Absent,
            (7, None) if rules.suppress_type => TypeField::Null,
            (7, _) => doc(),
            (6, Some(_)) | (_, None) => TypeField::Named(configured.to_owned()),
            (_, Some(chosen)) => TypeField::Named(chosen.to_owned()),
        }
    }

    /// The class of the error of a record without an id.
    pub fn missing_id_class(&self) -> &'static str {
        match self.product {
            Product::Elasticsearch => "Fluent::Plugin::ElasticsearchOutput::MissingIdFieldError",
            Product::OpenSearch => "Fluent::Plugin::OpenSearchOutput::MissingIdFieldError",
        }
    }

    /// The key of a document's routing.
    pub fn routing_key(&self) -> &'static str {
        if self.product == Product::OpenSearch || self.major >= 7 { "routing" } else { "_routing" }
    }

    /// What the body of a request is called, and what answers are asked to be.
    pub fn media_types(&self) -> (HeaderValue, HeaderValue) {
        if self.product == Product::Elasticsearch && self.major >= 9 {
            let compatible = "application/vnd.elasticsearch+x-ndjson; compatible-with=9";
            return (
                HeaderValue::from_static(compatible),
                HeaderValue::from_static("application/vnd.elasticsearch+json; compatible-with=9"),
            );
        }
        (HeaderValue::from_static("application/x-ndjson"), HeaderValue::from_static("application/json"))
    }
}
