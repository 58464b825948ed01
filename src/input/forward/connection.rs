//! One connection that speaks the forward protocol: reads, emits as far as there is room, answers, and ends.
//!
//! What the bytes mean is the business of the forward room. An idle connection holds no buffer.

mod acks;
mod reading;

use super::super::Seat;
use super::held::Held;
use super::owed::{AckAt, Broken, Owed};
use crate::event::{Claim, Scratch, Tag, Value, drop_front};
use crate::forward::{Decoder, Fault, Guard, Handshake, Next, Refusal, Rules, Verdict};
use crate::log::{self, Level, PluginLog};
use crate::net::{Peer, Stream, name_of};
use crate::plugin::{EmitError, Emitter, Permit, Stop};
use rustls::ServerConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// A peer that began a message has to go on with it within this time. Between messages it may be silent for ever, as containers are.
const HALF_MESSAGE_WAIT: Duration = Duration::from_secs(300);
/// A peer that asks for acks has to read them.
const ACK_WAIT: Duration = Duration::from_secs(60);
/// At the end, for acks of what is on its way into a buffer.
const LAST_ACKS_WAIT: Duration = Duration::from_secs(3);
/// Sent and not acknowledged: a sender waits so long by default, and so do we.
pub(in crate::input) const ACK_TIMEOUT: Duration = Duration::from_secs(190);
/// A peer has to say who it is within this time.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(30);
/// A peer that may not send has so long to read why.
const REFUSED_WAIT: Duration = Duration::from_secs(1);
/// At the end, for what may still be on its way from a peer.
const LAST_BYTES_WAIT: Duration = Duration::from_millis(50);
/// At the end, for a peer that goes on and on sending.
const LAST_MESSAGES_WAIT: Duration = Duration::from_secs(3);
/// The beginning of a message, up to this size, is kept in a buffer of its own size while more of it is awaited.
const SMALL_REST_BYTES: usize = 4 << 10;
/// What all connections of an input have in common, until a reload changes it.
#[derive(Clone)]
pub(in crate::input) struct Setup {
    pub rules: Arc<Rules>,
    pub emitter: Emitter,
    pub log: PluginLog,
    pub options: Arc<Options>,
    /// Who may send; everybody where there is none.
    pub guard: Option<Arc<Guard>>,
    pub tls: Option<Arc<ServerConfig>>,
}

/// Where the setup of an input is, for a successor to put its own there.
pub(in crate::input) type SetupSeat = watch::Sender<Arc<Setup>>;

/// What a connection is begun with.
#[derive(Clone)]
pub(in crate::input) struct Shared {
    pub current: watch::Receiver<Arc<Setup>>,
    pub stop: Stop,
}

impl Setup {
    /// Without a way out yet.
    pub fn new(rules: Rules, options: Options, log: &PluginLog) -> Setup {
        Setup { rules: Arc::new(rules), emitter: Emitter::default(), log: log.clone(), options: Arc::new(options), guard: None, tls: None }
    }

    /// The place for it.
    pub fn seat(self) -> Arc<SetupSeat> {
        Arc::new(watch::channel(Arc::new(self)).0)
    }
}

impl Shared {
    /// For the connections of an input that begins to run.
    pub fn begin(seat: &SetupSeat, emitter: Emitter, stop: Stop) -> Shared {
        seat.send_modify(|setup| *setup = Arc::new(Setup { emitter, ..Setup::clone(setup) }));
        Shared { current: seat.subscribe(), stop }
    }
}

/// Puts the setup of `new` in the place of that of a running input.
pub(in crate::input) fn take_seat(running: &Seat, new: &SetupSeat, emitter: Emitter) {
    if let Some(seat) = running.downcast_ref::<SetupSeat>() {
        let setup = Setup { emitter, ..Setup::clone(&new.borrow()) };
        seat.send_replace(Arc::new(setup));
    }
}

/// Parameters that concern the connection rather than the messages.
#[derive(Clone, Debug)]
pub(in crate::input) struct Options {
    pub ack_at: AckAt,
    pub ack_timeout: Duration,
    pub deny_keepalive: bool,
    pub resolve_hostname: bool,
    pub source_address_key: Option<String>,
    pub source_hostname_key: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            ack_at: AckAt::Buffered,
            ack_timeout: ACK_TIMEOUT,
            deny_keepalive: false,
            resolve_hostname: false,
            source_address_key: None,
            source_hostname_key: None,
        }
    }
}

/// Why a connection ends before its peer ends it.
enum End {
    /// What came cannot be used.
    Fault(Fault),
    /// The pipeline did not take the events.
    Refused(EmitError),
    /// An ack cannot be sent.
    NoAck(Broken),
    /// The peer may not send, or did not say who it is.
    Stranger(String),
    /// Unfinished messages take too much memory.
    Memory,
    /// The socket failed; not worth a line.
    Socket,
}

/// What a connection waits for.
enum Waited {
    /// Bytes, behind the beginning that was kept.
    Input(Vec<u8>),
    /// Something may have become of an ack.
    Acks,
    /// The peer has ended, or time is over.
    End,
}

/// Serves a connection to its end.
pub(in crate::input) async fn serve(stream: Stream, peer: Peer, mut shared: Shared) {
    let setup = Arc::clone(&shared.current.borrow_and_update());
    let log = setup.log.clone();
    // What is done once, or seldom, is boxed: a connection that waits has no place for it.
    log.run(async move {
        let host = Box::pin(host_of(&peer, setup.options.resolve_hostname)).await;
        let Some(stream) = Box::pin(opened(stream, &peer, &setup)).await else { return };
        crate::trace!("connected fluent socket addr={:?} port={}", peer.address(), peer.port());
        let decoder = Decoder::new(Arc::clone(&setup.rules), host.clone());
        let mut connection = Connection {
            stream,
            address: peer.address(),
            peer,
            host,
            decoder,
            shared,
            setup,
            owed: Owed::default(),
            wants_acks: false,
            has_unread: false,
            is_last: false,
            last_tag: None,
            rest: Vec::new(),
            held: None,
            memory: Held::default(),
            may_grow: false,
        };
        let ended = match Box::pin(connection.greet()).await {
            Ok(()) => connection.run().await,
            refused => refused,
        };
        let settled = connection.settle_all(matches!(ended, Err(End::Socket | End::NoAck(_) | End::Stranger(_)))).await;
        if let Err(end) = ended.and(settled) {
            connection.say(&end);
        }
        // What is written already goes out before the connection is gone.
        let _ = timeout(ACK_WAIT, connection.stream.shutdown()).await;
    })
    .await;
}

/// The connection after the TLS handshake, where there is to be one.
async fn opened(stream: Stream, peer: &Peer, setup: &Setup) -> Option<Stream> {
    let Some(tls) = &setup.tls else { return Some(stream) };
    let error = match timeout(HANDSHAKE_WAIT, stream.accept_tls(Arc::clone(tls))).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("nothing came within {HANDSHAKE_WAIT:?}"),
    };
    crate::warning!("TLS handshake failed: host={:?} port={} error={error:?}", peer.address(), peer.port());
    None
}

/// The peer's name in logs and records: its address where it has no other.
async fn host_of(peer: &Peer, resolve: bool) -> String {
    match peer.0 {
        Some(address) if resolve => name_of(address.ip()).await.unwrap_or_else(|| peer.address()),
        _ => peer.address(),
    }
}

struct Connection {
    stream: Stream,
    peer: Peer,
    address: String,
    host: String,
    decoder: Decoder,
    shared: Shared,
    /// What counts at the moment.
    setup: Arc<Setup>,
    /// Acks of what is on its way into the buffers.
    owed: Owed,
    /// Whether the peer has asked for acks.
    wants_acks: bool,
    /// What came behind the handshake has not been looked at.
    has_unread: bool,
    /// The end came while there was no room: nothing more is read.
    is_last: bool,
    /// The tag of what came last, which is most likely that of what comes next.
    last_tag: Option<Tag>,
    /// The beginning of a message, where that is small.
    rest: Vec<u8>,
    /// The buffer itself, where the beginning is not small.
    held: Option<Vec<u8>>,
    /// The memory that the beginning takes.
    memory: Held,
    /// Whether there was room for the message that has begun.
    may_grow: bool,
}

impl Connection {
    /// Asks the peer who it is, where the configuration says so.
    async fn greet(&mut self) -> Result<(), End> {
        let Some(guard) = self.setup.guard.clone() else { return Ok(()) };
        let mut handshake = Handshake::begin().map_err(|error| End::Stranger(error.to_string()))?;
        let helo = handshake.helo(!self.setup.options.deny_keepalive);
        let mut stop = self.shared.stop.clone();
        let verdict = async {
            self.stream.write_all(&helo).await.ok()?;
            loop {
                if let Some(verdict) = handshake.answer(&self.rest, self.peer.0.map(|peer| peer.ip()), &guard) {
                    return Some(verdict);
                }
                if self.stream.read_buf(&mut self.rest).await.ok()? == 0 {
                    return None;
                }
            }
        };
        let verdict = tokio::select! {
            verdict = timeout(HANDSHAKE_WAIT, verdict) => verdict.map_err(|_| End::Stranger("no PING came".to_owned()))?,
            () = stop.wait() => None,
        };
        // Gone before it said anything, as those are that only look whether we are there.
        let Verdict { consumed, pong, refusal } = verdict.ok_or(End::Socket)?;
        self.rest.drain(..consumed);
        self.has_unread = !self.rest.is_empty();
        let written = timeout(ACK_WAIT, self.stream.write_all(&pong)).await;
        let Some(refusal) = refusal else { return written.map_err(|_| End::Socket)?.map_err(|_| End::Socket) };
        let who = match &refusal {
            Refusal::SharedKey { hostname } => format!(" hostname={hostname:?}"),
            Refusal::Password { hostname, username } => format!(" hostname={hostname:?} username={username:?}"),
            Refusal::Ping | Refusal::Anonymous(_) => String::new(),
        };
        // The peer closes once it has read why; a reset before that would take the answer from it.
        let _ = timeout(REFUSED_WAIT, async {
            let _ = self.stream.shutdown().await;
            let mut rest = [0; 64];
            while self.stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        })
        .await;
        Err(End::Stranger(format!("{refusal}{who}")))
    }

    async fn run(&mut self) -> Result<(), End> {
        let mut last_call: Option<Instant> = None;
        loop {
            if last_call.is_none() && self.shared.stop.is_stopped() {
                // A peer that waits for acks sends again what it gets none for; only from others all that is on its way has to be taken.
                if self.wants_acks {
                    return Ok(());
                }
                last_call = Some(Instant::now() + LAST_MESSAGES_WAIT);
            }
            let mut input = match self.more(last_call).await? {
                Waited::Input(input) => input,
                Waited::Acks => {
                    self.settle().await?;
                    continue;
                }
                Waited::End => return Ok(()),
            };
            self.follow();
            let result = self.handle(&input).await;
            self.count_left_out(result.as_ref().err());
            self.answer().await?;
            result?;
            let consumed = self.decoder.take_consumed();
            if consumed > 0 {
                self.memory.end_turn();
                self.may_grow = false;
            }
            drop_front(&mut input, consumed);
            self.decoder.rest();
            self.keep(input);
            if self.is_last || self.setup.options.deny_keepalive && self.decoder.messages() > 0 {
                return Ok(());
            }
        }
    }

    /// Goes on as a reload says. A message that has begun is ended by the rules it began with.
    fn follow(&mut self) {
        if self.shared.current.has_changed().unwrap_or(false) {
            self.setup = Arc::clone(&self.shared.current.borrow_and_update());
        }
        if !self.decoder.is_inside() {
            self.decoder.follow(&self.setup.rules);
        }
    }

    /// Emits all messages that are wholly there.
    async fn handle(&mut self, input: &[u8]) -> Result<(), End> {
        loop {
            match self.decoder.next(input).map_err(End::Fault)? {
                Next::More => return Ok(()),
                Next::Emit(tag) => {
                    self.memory.end_turn();
                    let permit = self.permit(&tag).await?;
                    let result = self.emit(input, &tag, permit.as_ref());
                    self.decoder.emitted(result.is_ok());
                    self.owe(result?);
                    self.last_tag = Some(tag);
                    self.wants_acks |= !self.decoder.acks().is_empty() || !self.owed.is_empty();
                }
            }
        }
    }

    /// Counts what was no event, and the message that the connection ends with.
    fn count_left_out(&mut self, end: Option<&End>) {
        // One whose messages were none has had each of them counted.
        let last = matches!(end, Some(End::Fault(fault)) if !matches!(fault, Fault::NoMessages));
        self.setup.emitter.note_all_invalid(self.decoder.take_left_out() + u64::from(last));
    }

    /// Leave to emit; `None` where the end came first, when what was received is emitted nevertheless.
    async fn permit(&mut self, tag: &Tag) -> Result<Option<Permit>, End> {
        loop {
            let Shared { current, stop } = &mut self.shared;
            // Who could not be told to pause before reading pauses now.
            let has_paused = self.stream.can_be_peeked();
            let emitter = &self.setup.emitter;
            tokio::select! {
                biased;
                permit = emitter.reserve_for_read(tag), if has_paused => return Ok(Some(permit)),
                permit = emitter.reserve(tag), if !has_paused => return Ok(Some(permit)),
                () = stop.wait() => {
                    self.is_last = true;
                    return Ok(None);
                }
                // What there was no room for may go elsewhere now.
                Ok(()) = current.changed() => self.setup = Arc::clone(&current.borrow_and_update()),
                () = self.owed.changed() => {}
            }
            self.settle().await?;
        }
    }

    /// Emits a batch; the claim to its acks, where they have to wait.
    fn emit(&mut self, input: &[u8], tag: &Tag, permit: Option<&Permit>) -> Result<Option<Claim>, End> {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut claim = None;
        if self.decoder.is_ack_wanted() && self.setup.options.ack_at != AckAt::Received {
            let (receipt, asked) = self.owed.ask(self.setup.options.ack_at);
            scope.ask(receipt);
            claim = Some(asked);
        }
        let mut batch = self.decoder.batch(input, &scope).map_err(End::Fault)?;
        if batch.is_empty() {
            return Ok(None);
        }
        let options = &self.setup.options;
        for (key, value) in [(&options.source_address_key, &self.address), (&options.source_hostname_key, &self.host)] {
            if let Some(key) = key {
                let (key, value) = (scope.bytes(key.as_bytes()), Value::Str(scope.bytes(value.as_bytes())));
                batch.events_mut(&scope).iter_mut().for_each(|event| event.record.set(key, value));
            }
        }
        let result = match permit {
            Some(permit) => permit.emit(&scope, tag, batch),
            None => self.setup.emitter.emit(&scope, tag, batch),
        };
        match result {
            Err(error) if !error.settled => Err(End::Refused(error)),
            _ => Ok(claim),
        }
    }

    fn say(&self, end: &End) {
        let (class, error) = match end {
            End::Socket => return,
            End::Fault(fault) => (fault.class(), fault.to_string()),
            End::Refused(error) => (error.class, error.message.clone()),
            End::NoAck(Broken::Refused) => ("IOError", "the buffer could not store what was received: it is not acknowledged".to_owned()),
            End::NoAck(Broken::Late) => {
                let limit = self.setup.options.ack_timeout;
                ("Timeout::Error", format!("what was received could not be acknowledged within {limit:?}, the sender has to send it again"))
            }
            End::Stranger(why) => {
                return crate::warning!("connection refused: host={:?} port={} reason={why:?}", self.host, self.peer.port());
            }
            End::Memory => (
                "NoMemoryError",
                "unfinished messages of all connections take too much memory, and the turn of this one did not come in time".to_owned(),
            ),
        };
        let port = self.peer.port().to_string();
        let fields = [("host", self.host.as_str()), ("port", &port), ("error_class", class), ("error", &error)];
        log::write_with(Level::Error, "unexpected error on reading data", &fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F: Future, A, B, C>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_thousands_of_connections_seldom_do_takes_no_memory_of_each() {
        assert!(size(serve) < 4_900, "{}", size(serve));
    }
}
