//! One connection that carries texts: reads, hands the whole ones over, waits for room, and ends.

use super::frames::{Frames, Framing};
use super::{Emits, Origin, Setup, SetupSeat, shown};
use crate::event::{Scratch, Tag};
use crate::net::{Peer, Stream, name_of};
use crate::plugin::Stop;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// How long the TLS handshake may take.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// How much is read at once.
const READ_BYTES: usize = 64 << 10;
/// At the end, for what may still be on its way from a peer.
const LAST_BYTES_WAIT: Duration = Duration::from_millis(50);
/// At the end, for a peer that goes on and on sending.
const LAST_TEXTS_WAIT: Duration = Duration::from_secs(3);
/// What unfinished texts of all connections may take together; a share of what one machine has, whatever the number of peers.
const MAX_HELD_BYTES: usize = 256 << 20;
/// A connection that holds less than this may go on even when all together hold too much.
const FAIR_BYTES: usize = 256 << 10;

static HELD_BYTES: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Where bytes are read to, so that an idle connection holds no buffer.
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// What a connection is begun with.
#[derive(Clone)]
pub struct Shared {
    current: watch::Receiver<Arc<Setup>>,
    stop: Stop,
    framing: Framing,
}

impl Shared {
    /// For the connections of an input that begins to run.
    pub fn begin(seat: &SetupSeat, emitter: crate::plugin::Emitter, stop: Stop, framing: Framing) -> Shared {
        seat.send_modify(|setup| *setup = Arc::new(Setup { emitter, ..Setup::clone(setup) }));
        Shared { current: seat.subscribe(), stop, framing }
    }

    /// What counts at the moment.
    pub fn setup(&self) -> Arc<Setup> {
        Arc::clone(&self.current.borrow())
    }

    /// Serves a connection to its end.
    pub async fn serve(self, stream: Stream, peer: Peer) {
        let setup = self.setup();
        let log = setup.log.clone();
        log.run(async move {
            let address = peer.address();
            if let Some(from) = peer.0
                && !setup.take.clients().admit(from.ip()).await
            {
                crate::warning!("anonymous client '{address}' denied");
                return;
            }
            let stream = match &setup.tls {
                None => stream,
                Some(tls) => match timeout(HANDSHAKE_WAIT, stream.accept_tls(Arc::clone(tls))).await {
                    Ok(Ok(stream)) => stream,
                    failed => {
                        let error = failed.map_or_else(
                            |_| "it took too long".to_owned(),
                            |result| result.err().map_or_else(String::new, |error| error.to_string()),
                        );
                        return crate::warning!("TLS handshake failed: host={address:?} port={} error={error:?}", peer.port());
                    }
                },
            };
            let host = match peer.0 {
                Some(from) if setup.take.needs_names() => name_of(from.ip()).await.unwrap_or_else(|| address.clone()),
                _ => address.clone(),
            };
            drop(setup);
            let frames = Frames::new(self.framing.clone());
            let mut connection =
                Connection { stream, shared: self, origin: Origin { address, host }, frames, data: Vec::new(), counted: 0 };
            if let Err(why) = connection.run().await {
                let Origin { host, .. } = &connection.origin;
                crate::error!("unexpected error on reading data host={host:?} port={} error={why:?}", peer.port());
            }
            let _ = connection.stream.shutdown().await;
        })
        .await;
    }

    /// Waits until there is room for events of these tags, or until the end.
    pub async fn wait_for_room(&mut self, tags: &[Tag]) {
        let emitter = self.setup().emitter.clone();
        tokio::select! {
            () = async { for tag in tags { emitter.reserve(tag).await; } } => {}
            () = self.stop.wait() => {}
        }
    }
}

struct Connection {
    stream: Stream,
    shared: Shared,
    origin: Origin,
    frames: Frames,
    /// What has been read and is no whole text yet.
    data: Vec<u8>,
    /// How much of [`HELD_BYTES`] is ours.
    counted: usize,
}

impl Connection {
    async fn run(&mut self) -> Result<(), String> {
        let mut last_call: Option<Instant> = None;
        loop {
            if last_call.is_some_and(|began| began.elapsed() > LAST_TEXTS_WAIT) {
                return Ok(());
            }
            let read = read(&mut self.stream, &mut self.data);
            let got = match last_call {
                Some(_) => timeout(LAST_BYTES_WAIT, read).await.unwrap_or(Ok(0)),
                None => tokio::select! {
                    biased;
                    got = read => got,
                    () = self.shared.stop.wait() => {
                        last_call = Some(Instant::now());
                        continue;
                    }
                },
            };
            match got {
                Ok(0) => {
                    if !self.data.is_empty() {
                        crate::warning!(
                            "a connection ended within a message, which is dropped: host={:?} bytes={}",
                            self.origin.host,
                            self.data.len()
                        );
                    }
                    return Ok(());
                }
                // A peer that has gone is no fault.
                Err(_) => return Ok(()),
                Ok(_) => {}
            }
            let tags = self.handle()?;
            self.count()?;
            self.shared.wait_for_room(&tags).await;
        }
    }

    /// Makes events of all texts that are whole.
    fn handle(&mut self) -> Result<Vec<Tag>, String> {
        let setup = self.shared.setup();
        let data = std::mem::take(&mut self.data);
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut emits = Emits::new();
        let (used, result) = self.frames.split(&data, |text| setup.take.take(&scope, text, &self.origin, &mut emits));
        (0..std::mem::take(&mut self.frames.dropped)).for_each(|_| emits.note_invalid());
        let tags = setup.emit(&scope, emits);
        drop(scope);
        drop(scratch);
        self.data = data;
        self.data.drain(..used);
        if self.data.is_empty() && self.data.capacity() > READ_BYTES {
            self.data = Vec::new();
        }
        result.map(|()| tags)
    }

    fn count(&mut self) -> Result<(), String> {
        let held = self.data.len();
        let all = HELD_BYTES.fetch_add(held, Ordering::Relaxed) + held - self.counted;
        HELD_BYTES.fetch_sub(self.counted, Ordering::Relaxed);
        self.counted = held;
        if all > MAX_HELD_BYTES && held > FAIR_BYTES {
            return Err(format!(
                "unfinished messages of all connections take more than {MAX_HELD_BYTES} bytes, dropped {}",
                shown(&self.data[..32])
            ));
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        HELD_BYTES.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

/// Reads once, to the end of `data`; 0 at the end.
async fn read(stream: &mut Stream, data: &mut Vec<u8>) -> io::Result<usize> {
    poll_fn(|context| {
        READ.with_borrow_mut(|bytes| {
            let mut buffer = ReadBuf::new(bytes);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) => {
                    data.extend_from_slice(buffer.filled());
                    Poll::Ready(Ok(buffer.filled().len()))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            }
        })
    })
    .await
}
