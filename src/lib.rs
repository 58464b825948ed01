//! Flumen: a Fluentd-compatible log aggregator. This page is its architecture.
//!
//! # Bird's eye
//!
//! A configuration in Fluentd's language describes inputs, filters and outputs. Flumen reads it into a tree, lowers the tree to
//! [`Element`](config::Element)s, and builds one [`Pipeline`](pipeline::Pipeline) from them. Events then travel by *push, in batches, synchronously*:
//!
//! ```text
//! socket -> forward (wire) -> input --permit--> router: tag -> filters -> output --> buffer --> delivery --> server
//!                                                    one thread, one call, one batch     |      a task of its own
//!                                                                              the only queue and thread boundary
//! ```
//!
//! An input decodes just enough to know the tag and the bounds of a batch, asks its [`Emitter`](plugin::Emitter) for a permit (which waits while
//! anything behind the route is full), and emits. The router looks the tag up once a batch, runs the filters over the batch in place and hands it to the output. A batch
//! stays packed msgpack until somebody has to look; decoded records borrow from the received bytes and from the thread's [`Scratch`](event::Scratch),
//! live inside one `emit`, and never cross an await. Whoever walks over packed records expects the keys of those before ([`Layouts`](event::msgpack::Layouts)):
//! one source has the same ones in the same order. A buffered output's chunk is packed msgpack again; its writer transcodes that straight to what the server wants.
//!
//! # Rooms
//!
//! From the bottom up; a room sees those on the lines above it in this list, and none beside it.
//!
//! | room | what it is for |
//! |---|---|
//! | [`log`], [`metrics`] | the daemon's own log; what it counts about itself |
//! | [`event`], [`regex`] | tag, time, value, record, batch, with their msgpack and JSON forms and Ruby's time formats; Ruby's regular expressions |
//! | [`ruby`] | the part of Ruby that configurations embed and records are transformed by: read once, run within bounds |
//! | [`config`] | the configuration language: tree, includes, embedded Ruby, elements, parameters declared once as data, diagnostics |
//! | [`plugin`], [`net`] | the contract between rooms; sockets, threads for connections, TLS, names, HTTP |
//! | [`parser`], [`formatter`], [`buffer`], [`forward`], [`console`], [`modifier`], [`process`] | text to record; event to bytes; chunks between `emit` and `write`; the forward protocol; standard output; what `record_modifier` does, as a filter and as an output; programs that are started |
//! | [`input`], [`filter`], [`output`] | the plugins, one file or folder each, a table in each `mod.rs` |
//! | [`pipeline`], [`manual`] | elements to a running graph: patterns, routers, `@ERROR`, delivery; what every plugin and section takes, from its declaration |
//! | [`check`], [`supervisor`] | all that can be said about a configuration without running it, and its tests ([`check::cases`]); the life of the process |
//! | [`lsp`] | the language server: the checker and the manual inside an editor |
//! | [`cli`] | the command line |
//!
//! # Invariants
//!
//! - Imports go strictly downward; `tests/it/tidy.rs` checks it.
//! - An input never sees an output, only an emitter. A filter sees a batch and a scope, nothing else.
//! - `event` knows no configuration and does no I/O. Only `config` reads configuration text. Only `forward` knows the wire. Only `supervisor` touches signals.
//! - Constructing a plugin has no side effects: a dry run is everything up to and including construction.
//! - Every parameter is declared once, by [`section!`]; it is acted on or refused, never ignored in silence.
//! - Nothing that a peer or a file sends can panic, hang, or grow memory without a bound. Every queue has a limit that is a parameter or a `const` with its reason.
//! - Where Flumen differs from Fluentd on purpose, the line says `// Fluentd:`.
//!
//! # Decisions worth knowing
//!
//! - **Threads.** [`Loops`](net::Loops): one single-threaded runtime a core. A connection lives on one of them, so do an output's writers, on two at least: a chunk goes to one
//!   that is not on the thread which fills the next, so that reading and delivering overlap for one connection too. No more of them write at once than there are flush threads,
//!   and each over connections of its own thread. Standard output and the log have threads of their own, because a pipe may be stuck.
//! - **A batch on several cores.** Big batches are filtered in parts by threads that have nothing else to do, where every filter on the way treats each event
//!   on its own (`pipeline::split`); each thread has an arena of the batch's own, so that what they made is put together without a copy, in order.
//!   Where outputs come after that which [take batches packed](plugin::Sink::takes_packed), parts are filtered one by one by a single thread too, and packed
//!   again at once: the records of a part never leave the nearest caches, and threads hand each other entries. Whose batch it is takes parts from the front, who helps from the back.
//! - **What is expected.** Records of one source are alike: keys of msgpack and of JSON texts are compared with those of the record before and gone over as a whole where they are the
//!   same. What is expected is learned from what comes, and forgotten where it does not come again; results never depend on it, which tests hold for each place.
//! - **Backpressure** is an await on [`Limit`](plugin::Limit)s before a batch is read on, never a channel a node. After the permit an emit does not fail for space.
//!   A forward connection asks before it reads, by the tag of what came last: those that wait hold nothing but what is in their sockets. Where more chunks wait than are
//!   being delivered, all senders together may bring so many bytes between pauses.
//! - **Durability.** A buffer on disk is one log an output ([`buffer::log`]), not a file a chunk. Appending is a copy into memory; a thread of the log's own writes what has
//!   gathered and syncs it where somebody waits, so that one sync serves all who came meanwhile. Files of what is delivered are written over by what is new. A sender's wish for an ack is a [`Receipt`](event::Receipt) in the scope of
//!   the emit: whoever has still to store some of the events holds a clone, and the ack goes out when all are dropped. Without a wish there is none of it.
//! - **Coalescing.** Docker sends one event a message. Messages of one tag that arrive together become one batch, marked
//!   [`coalesced`](event::Batch::is_coalesced): whatever shows the bounds of messages (round robin, warnings by count, the order of copies that meet again) looks at the mark.
//! - **Nothing that is given up is dropped.** What an output rejects or cannot deliver is kept whole, in its backup folder or as dead letters
//!   ([`letters`](pipeline::letters)), in forms that `flumen buffer` reads and `flumen replay` sends again. Fluentd's own chunk files
//!   ([`import`](buffer::import)) are read and removed, never written.
//! - **Errors of single events** go to [`Scope::reject`](event::Scope::reject) and from there, after the step, to `@ERROR`. An emit that fails as a whole is an
//!   [`EmitError`](plugin::EmitError): the sender is told. While `@ERROR` itself is being handled nothing is sent there again.
//! - **Tests of configurations** run a whole [`Pipeline`](pipeline::Rehearsal) on one thread whose clock is paused: what passes nothing on is stood in for
//!   ([`SyncOutput::passes_on`](output::SyncOutput::passes_on)), sources are given texts by hand ([`Feed`](input::Feed)), and [`Clock`](event::Clock) is turned.
//! - **Regular expressions** are read as Ruby's, rewritten, and run by PCRE2's JIT under a bound, behind a required-literal prefilter. Branches that all begin alike
//!   are tried only where a text begins like that.
//! - **Old flat parameters** of version 0.12 are moved into their sections before construction, by tables; no plugin knows them.
//!
//! # Adding a plugin
//!
//! A new file and a row in the table of its room: name, section, old parameters it takes, constructor.

pub mod buffer;
pub mod check;
pub mod cli;
pub mod config;
pub mod console;
pub mod event;
pub mod filter;
pub mod formatter;
pub mod forward;
pub mod input;
pub mod log;
pub mod lsp;
pub mod manual;
pub mod metrics;
pub mod modifier;
pub mod net;
pub mod output;
pub mod parser;
pub mod pipeline;
pub mod plugin;
pub mod process;
pub mod regex;
pub mod ruby;
pub mod supervisor;
