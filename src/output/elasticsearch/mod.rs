//! `elasticsearch` and `opensearch`: sends events as documents, many in one request.
//!
//! A chunk becomes bodies ([`bulk`]), the bodies are sent ([`send`]) to one of the servers ([`cluster`]), and the answer is judged document
//! by document ([`answer`]): stored, rejected ([`report`]), or left in the chunk for later. The server's version is asked for before the
//! first request, never at start. Templates, lifecycles and data streams are not here yet.

mod answer;
mod blocks;
mod bulk;
mod cluster;
mod document;
mod dynamic;
mod hosts;
mod index;
mod params;
mod plan;
mod portion;
mod report;
mod rules;
mod send;
mod settings;
mod spread;
mod time_value;
mod timestamp;
mod version;

pub use dynamic::SECTION as DYNAMIC;
pub use params::Params;

use super::{BufferedOutput, Output, WriteError};
use crate::buffer::{Chunk, Defaults, entries};
use crate::config::{Diagnostics, Element, Refused};
use crate::net::http::Failure;
use crate::plugin::{BoxFuture, Context, Emitter};
use blocks::Blocks;
use bulk::Planner;
use cluster::Cluster;
use document::Site;
use dynamic::Dynamic;
use hyper::body::Bytes;
use hyper::http::{HeaderMap, Method, header};
use index::Dated;
use plan::{Op, Problem, Trouble};
use portion::Portion;
use send::{Outcome, Sender};
use settings::Settings;
use spread::Spread;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use version::{Dialect, Product};

/// Sets of servers that are kept, where placeholders name them; beyond that all connections are made anew.
const MAX_CLUSTERS: usize = 64;
/// What the plugin's buffer is where the configuration says nothing.
const BUFFER: Defaults = Defaults { chunk_keys: &["tag"], params: &[("timekey_use_utc", "true")], path_from: None };

/// Makes an `elasticsearch` output.
pub fn build_elasticsearch(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    build(element, context, Product::Elasticsearch)
}

/// Makes an `elasticsearch_dynamic` output.
pub fn build_dynamic(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    let settings = Settings::read_dynamic(element, context.diagnostics)?;
    Ok(output(settings, context))
}

/// Makes an `opensearch` output.
pub fn build_opensearch(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    build(element, context, Product::OpenSearch)
}

fn build(element: &Element, context: &Context<'_>, product: Product) -> Result<Output, Refused> {
    Ok(output(Settings::read(element, product, context.diagnostics)?, context))
}

fn output(settings: Settings, context: &Context<'_>) -> Output {
    let errors = context.host.errors();
    Output::Buffered(Box::new(Search {
        id: Arc::from(context.id),
        settings,
        errors,
        clusters: Mutex::new(HashMap::new()),
        blocks: Blocks::new(),
        portion: Portion::default(),
    }))
}

/// Makes request bodies and sends nothing: for tests and measurements.
pub struct Bodies(Search);

impl Bodies {
    /// As the parameters of this section say.
    pub fn new(section: &Element) -> Result<Bodies, Refused> {
        let settings = Settings::read(section, Product::Elasticsearch, &Diagnostics::new())?;
        let (errors, clusters, blocks, portion) = (Emitter::default(), Mutex::default(), Blocks::new(), Portion::default());
        Ok(Bodies(Search { id: Arc::from("bodies"), settings, errors, clusters, blocks, portion }))
    }

    /// The bodies of the requests that a chunk becomes.
    pub fn of(&self, chunk: &Chunk) -> Vec<Bytes> {
        let Bodies(search) = self;
        let texts = search.texts(chunk);
        let site = search.site(chunk, &texts, Dialect::assumed(search.settings.product, search.settings.default_major));
        let mut planner = Planner::new(&site, chunk, search.dated(&texts), search.settings.threshold, &search.blocks);
        let plans = std::iter::from_fn(|| planner.next());
        plans.flat_map(|plan| plan.bodies).map(|body| search.blocks.lend(body.bytes)).collect()
    }
}

struct Search {
    id: Arc<str>,
    settings: Settings,
    errors: Emitter,
    clusters: Mutex<HashMap<String, Arc<Cluster>>>,
    blocks: Blocks,
    portion: Portion,
}

impl BufferedOutput for Search {
    fn buffer_defaults(&self) -> Defaults {
        BUFFER
    }

    fn trim(&self) {
        self.blocks.trim();
    }

    fn names_events(&self) -> bool {
        self.settings.rules.generate_id
    }

    fn write<'a>(&'a self, chunk: &'a Chunk) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(self.deliver(chunk))
    }
}

/// The texts of a chunk after placeholders were filled in.
struct Texts {
    index: String,
    prefix: String,
    date: String,
    kind: String,
    pipeline: Option<String>,
    chunk_id: String,
}

impl Search {
    async fn deliver(&self, chunk: &Chunk) -> Result<(), WriteError> {
        match self.settings.dynamic.as_ref().filter(|dynamic| dynamic.chooses_hosts()) {
            Some(dynamic) => self.deliver_by_hosts(dynamic, chunk).await,
            None => self.deliver_to(&self.settings.hosts.expand(chunk), chunk).await,
        }
    }

    /// Delivers a chunk whose events name their servers.
    async fn deliver_by_hosts(&self, dynamic: &Dynamic, chunk: &Chunk) -> Result<(), WriteError> {
        let texts = self.texts(chunk);
        let site = self.site(chunk, &texts, Dialect::assumed(self.settings.product, self.settings.default_major));
        let Spread { groups, problems, unreadable } = spread::spread(dynamic, &site, chunk);
        if let Some(at) = unreadable {
            return Err(WriteError::Unrecoverable(anyhow::anyhow!("byte {at} of the chunk begins no event that can be read")));
        }
        let (mut settled, mut remaining, mut reason) = (problems.len(), Vec::new(), None);
        for (hosts, ranges) in groups {
            let part = spread::part(chunk, &ranges);
            let (left, why) = match self.deliver_to(&hosts, &part).await {
                Ok(()) => (Vec::new(), None),
                Err(WriteError::Partial { remaining, reason, .. }) => (spread::back(&ranges, &remaining), Some(reason)),
                Err(error) => (ranges, Some(error.into_reason())),
            };
            chunk.rejected.add(part.rejected.take());
            chunk.dropped.add(part.dropped.take());
            settled += part.records - left.len();
            remaining.extend(left);
            reason = why.or(reason);
        }
        if let (0, Some(reason)) = (settled, reason.take_if(|_| settled == 0)) {
            return Err(WriteError::Retry(reason));
        }
        chunk.rejected.add(problems.len() as u64);
        self.say(&site, chunk, problems, 0, &texts);
        match reason {
            None => Ok(()),
            Some(reason) => Err(WriteError::Partial { records: remaining.len(), remaining: spread::joined(remaining), reason }),
        }
    }

    async fn deliver_to(&self, hosts: &str, chunk: &Chunk) -> Result<(), WriteError> {
        let cluster = self.cluster(hosts).map_err(|why| WriteError::Retry(anyhow::anyhow!(why)))?;
        let dialect = self.dialect(&cluster).await?;
        let texts = self.texts(chunk);
        let site = self.site(chunk, &texts, dialect);
        let (content, accept) = dialect.media_types();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content);
        headers.insert(header::ACCEPT, accept);
        let sender = Sender {
            cluster: &cluster,
            judge: &self.settings.judge,
            headers,
            compression: self.settings.compression,
            product: self.settings.product,
            blocks: &self.blocks,
            portion: &self.portion,
        };
        let mut outcome = Outcome::default();
        let (mut problems, mut dropped, mut taken) = (Vec::new(), 0, 0);
        let mut planner = Planner::new(&site, chunk, self.dated(&texts), self.portion.limit(self.settings.threshold), &self.blocks);
        while let Some(plan) = planner.next() {
            if let Some(at) = plan.unreadable {
                let reason = anyhow::anyhow!("byte {at} of the chunk begins no event that can be read");
                if taken == 0 {
                    return Err(WriteError::Unrecoverable(reason));
                }
                // The rest comes again without what came before, and is given up then.
                outcome.reason.get_or_insert(reason);
                break;
            }
            problems.extend(plan.problems);
            dropped += plan.dropped;
            for body in plan.bodies {
                sender.send(body, &mut outcome).await;
            }
            taken = planner.position();
            if outcome.stopped {
                break;
            }
        }
        let class = report::rejected_class(self.settings.product);
        let rejected =
            outcome.rejected.drain(..).map(|(op, why)| Problem { entry: op.entry..op.entry_end, what: Trouble::Rejected(class, why) });
        let settled = outcome.stored + rejected.len();
        problems.extend(rejected);
        if settled == 0
            && let Some(reason) = outcome.reason.take()
        {
            // The whole chunk comes again, and with it what there is to say.
            return Err(WriteError::Retry(reason));
        }
        chunk.rejected.add(problems.iter().filter(|problem| !matches!(problem.what, Trouble::Time(_))).count() as u64);
        chunk.dropped.add(dropped as u64);
        self.say(&site, chunk, problems, dropped, &texts);
        match outcome.reason {
            None => Ok(()),
            Some(reason) => {
                let rest = taken..chunk.bytes.len();
                let records = outcome.later.len() + chunk.records.saturating_sub(entries::count(&chunk.bytes[..taken]));
                let mut remaining = ranges_of(outcome.later);
                match remaining.last_mut() {
                    Some(last) if last.end == rest.start => last.end = rest.end,
                    _ if rest.is_empty() => {}
                    _ => remaining.push(rest),
                }
                Err(WriteError::Partial { remaining, records, reason })
            }
        }
    }

    fn say(&self, site: &Site<'_>, chunk: &Chunk, mut problems: Vec<Problem>, dropped: usize, texts: &Texts) {
        if dropped > 0 {
            let word = &self.settings.rules.operation_word;
            crate::warning!("dropped {dropped} records of chunk {}: missing an '_id' field and write_operation is {word}", site.chunk_id);
        }
        if !self.settings.error_events {
            problems.retain(|problem| match &problem.what {
                Trouble::Rejected(_, why) | Trouble::Unevaluated(_, why) => {
                    crate::error!("a document is rejected and thrown away, as emit_error_label_event is false: {why}");
                    false
                }
                Trouble::Time(_) => true,
            });
        }
        if !problems.is_empty() {
            report::report(site, &chunk.bytes, problems, &self.errors, &self.id, || self.dated(texts));
        }
    }

    fn texts(&self, chunk: &Chunk) -> Texts {
        let settings = &self.settings;
        Texts {
            index: settings.index_name.expand(chunk).to_lowercase(),
            prefix: settings.logstash_prefix.expand(chunk),
            date: settings.logstash_dateformat.expand(chunk),
            kind: settings.type_name.expand(chunk),
            pipeline: settings.pipeline.as_ref().map(|pipeline| pipeline.expand(chunk)),
            chunk_id: chunk.hex(),
        }
    }

    fn site<'s>(&'s self, chunk: &'s Chunk, texts: &'s Texts, dialect: Dialect) -> Site<'s> {
        Site {
            rules: &self.settings.rules,
            dialect,
            index_name: &texts.index,
            prefix: &texts.prefix,
            date: &texts.date,
            dynamic: self.settings.dynamic.as_ref(),
            type_name: &texts.kind,
            pipeline: texts.pipeline.as_deref(),
            tag: chunk.keys.tag.as_ref(),
            chunk_id: &texts.chunk_id,
        }
    }

    fn dated(&self, texts: &Texts) -> Dated {
        let rules = &self.settings.rules;
        Dated::new(format!("{}{}", texts.prefix, rules.separator), &texts.date, rules.utc_index)
    }

    /// The servers of a chunk: the same for all where no placeholder names them.
    fn cluster(&self, text: &str) -> Result<Arc<Cluster>, String> {
        let mut clusters = self.clusters.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(cluster) = clusters.get(text) {
            return Ok(Arc::clone(cluster));
        }
        let servers = self.settings.servers(text)?;
        if clusters.len() >= MAX_CLUSTERS {
            clusters.clear();
        }
        let cluster = Arc::new(Cluster::new(servers, &self.settings.connection));
        clusters.insert(text.to_owned(), Arc::clone(&cluster));
        Ok(cluster)
    }

    /// What the servers understand. They are asked before the first request, and again after they were away.
    async fn dialect(&self, cluster: &Cluster) -> Result<Dialect, WriteError> {
        let settings = &self.settings;
        let assumed = Dialect::assumed(settings.product, settings.default_major);
        if !settings.ask_version {
            return Ok(assumed);
        }
        if let Some(known) = cluster.dialect() {
            return Ok(known);
        }
        let retry = |error: anyhow::Error| {
            let why = format!("could not ask the version of {}: {error:#}", cluster.description());
            WriteError::Retry(error.context(why))
        };
        let answer = match cluster.send(Method::GET, "/", &HeaderMap::new(), Bytes::new()).await {
            Ok(answer) => answer,
            Err(Failure::Connect(error) | Failure::Broken(error)) => return Err(retry(error)),
            Err(failure @ Failure::TooLarge) => return Err(retry(anyhow::anyhow!(failure))),
        };
        match answer.status {
            200 => {}
            429 | 500.. => return Err(retry(anyhow::anyhow!("status {}", answer.status))),
            // Whether documents are taken all the same, the bulk request will show.
            401 | 403 => return Ok(assumed),
            _ => {}
        }
        let found = Dialect::detect(settings.product, &answer.body);
        match found {
            Some(dialect) => crate::debug!("{} has major version {}", cluster.description(), dialect.major),
            None => crate::warning!("{} does not say its version, {} is assumed", cluster.description(), settings.default_major),
        }
        let dialect = found.unwrap_or(assumed);
        cluster.set_dialect(Some(dialect));
        Ok(dialect)
    }
}

/// Where the entries of these events are in the chunk, neighbours as one.
fn ranges_of(mut ops: Vec<Op>) -> Vec<Range<usize>> {
    ops.sort_unstable_by_key(|op| op.entry);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for op in ops {
        match ranges.last_mut() {
            Some(last) if last.end == op.entry => last.end = op.entry_end,
            _ => ranges.push(op.entry..op.entry_end),
        }
    }
    ranges
}

#[cfg(test)]
mod tests;
