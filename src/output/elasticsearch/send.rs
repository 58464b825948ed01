//! Delivering a chunk's bodies: each document that is not stored is either sent to `@ERROR` or left for later.

use super::answer::{Fate, Judge, Verdict};
use super::blocks::Blocks;
use super::cluster::Cluster;
use super::params::Compression;
use super::plan::{Body, Op};
use super::portion::Portion;
use super::version::Product;
use crate::net::http::Failure;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::http::{HeaderMap, HeaderValue, Method, header};
use std::io::Write;
use std::ops::Range;

/// How requests are sent.
pub struct Sender<'s> {
    /// Where to.
    pub cluster: &'s Cluster,
    /// How answers are judged.
    pub judge: &'s Judge,
    /// Headers of the requests.
    pub headers: HeaderMap,
    /// How bodies are compressed.
    pub compression: Compression,
    /// Whose words are used.
    pub product: Product,
    /// Where the memory of bodies goes.
    pub blocks: &'s Blocks,
    /// How large bodies are made from now on.
    pub portion: &'s Portion,
}

/// What came of the bodies so far.
#[derive(Default)]
pub struct Outcome {
    /// How many documents are stored.
    pub stored: usize,
    /// Documents for which it is too early, in order.
    pub later: Vec<Op>,
    /// Why, as the last of them was told.
    pub reason: Option<anyhow::Error>,
    /// Documents that will never be stored, and why.
    pub rejected: Vec<(Op, String)>,
    /// The server did not take a whole request: it is not asked again for now.
    pub stopped: bool,
}

impl Sender<'_> {
    /// Sends a body, in parts where it is too large.
    pub async fn send(&self, body: Body, outcome: &mut Outcome) {
        let path = body.index.as_deref().map_or_else(|| "/_bulk".to_owned(), |index| format!("/{}/_bulk", in_path(index)));
        let bytes = self.blocks.lend(body.bytes);
        let mut parts = Vec::with_capacity(2);
        parts.push(0..body.ops.len());
        while let Some(part) = parts.pop() {
            let ops = &body.ops[part.clone()];
            if outcome.stopped {
                outcome.later.extend_from_slice(ops);
                continue;
            }
            let from = part.start.checked_sub(1).map_or(0, |before| body.ops[before].body_end);
            let until = ops.last().map_or(from, |op| op.body_end);
            let verdict = self.request(&path, bytes.slice(from..until), ops.len()).await;
            self.settle(verdict, part, ops, outcome, &mut parts);
        }
    }

    fn settle(
        &self,
        verdict: Result<Verdict, Failure>,
        part: Range<usize>,
        ops: &[Op],
        outcome: &mut Outcome,
        parts: &mut Vec<Range<usize>>,
    ) {
        match verdict {
            Ok(Verdict::AllStored) => outcome.stored += ops.len(),
            Ok(Verdict::Each(fates)) => ops.iter().zip(fates).for_each(|(op, fate)| outcome.add(*op, fate)),
            Ok(Verdict::TooLarge | Verdict::OneIsBad(_)) if ops.len() > 1 => {
                let middle = part.start + ops.len() / 2;
                // The last is taken first.
                parts.push(middle..part.end);
                parts.push(part.start..middle);
            }
            Ok(Verdict::TooLarge) => outcome.reject_all(ops, "413 - Rejected: the document alone is too large for the server"),
            Ok(Verdict::OneIsBad(why)) => outcome.reject_all(ops, &format!("400 - Rejected: {why}")),
            Ok(Verdict::Unintelligible(why)) => outcome.reject_all(ops, &why),
            Ok(Verdict::Later(why)) => outcome.postpone(ops, self.failure(anyhow::anyhow!(why))),
            Ok(Verdict::Forbidden(why)) => {
                crate::error!("{} refuses us, nothing can be stored until that is changed: {why}", self.cluster.description());
                outcome.postpone(ops, self.failure(anyhow::anyhow!(why)));
            }
            // The documents are stored or not, only nobody knows: as with an answer cut short.
            Err(Failure::TooLarge) => outcome.postpone(ops, self.failure(anyhow::anyhow!(Failure::TooLarge))),
            Err(Failure::Connect(error) | Failure::Broken(error)) => outcome.postpone(ops, self.failure(error)),
        }
    }

    fn failure(&self, error: anyhow::Error) -> anyhow::Error {
        let why = format!("could not push logs to {} cluster ({}): {error:#}", self.product.name(), self.cluster.description());
        error.context(why)
    }

    async fn request(&self, path: &str, body: Bytes, documents: usize) -> Result<Verdict, Failure> {
        let mut headers = self.headers.clone();
        let length = body.len();
        let body = match compressed(&body, self.compression) {
            Some(compressed) => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                Bytes::from(compressed)
            }
            None => body,
        };
        let answer = self.cluster.send(Method::POST, path, &headers, body).await;
        if let Some(less) = self.portion.learn(length, &answer) {
            crate::warning!("no answer in time to a request of {length} bytes: requests of about {less} bytes are made for now");
        }
        let answer = answer?;
        Ok(self.judge.judge(answer.status, &answer.body, documents))
    }
}

impl Outcome {
    fn add(&mut self, op: Op, fate: Fate) {
        match fate {
            Fate::Stored => self.stored += 1,
            Fate::Rejected(why) => self.rejected.push((op, why)),
            Fate::Later(why) => {
                self.later.push(op);
                self.reason = Some(anyhow::anyhow!("documents are not taken for now: {why}"));
            }
        }
    }

    fn reject_all(&mut self, ops: &[Op], why: &str) {
        self.rejected.extend(ops.iter().map(|op| (*op, why.to_owned())));
    }

    fn postpone(&mut self, ops: &[Op], reason: anyhow::Error) {
        self.later.extend_from_slice(ops);
        self.reason = Some(reason);
        self.stopped = true;
    }
}

/// The body as gzip, where that is asked for.
fn compressed(body: &[u8], how: Compression) -> Option<Vec<u8>> {
    let level = match how {
        Compression::None => return None,
        Compression::Speed => flate2::Compression::fast(),
        Compression::Best => flate2::Compression::best(),
        Compression::Default => flate2::Compression::default(),
    };
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), level);
    // Writing into memory does not fail; should it, the body goes as it is.
    encoder.write_all(body).and_then(|()| encoder.finish()).ok()
}

/// An index name as it may stand in a URL's path.
fn in_path(index: &str) -> String {
    let mut path = String::with_capacity(index.len());
    for byte in index.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}
