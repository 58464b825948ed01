//! Memory that decoded batches borrow from: one arena a thread, reused from batch to batch.

use super::{EventTime, Receipt, Record, Sent, Tag};
use bumpalo::Bump;
use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;

/// An arena that grew past this is given back rather than kept: one huge batch must not pin memory.
const KEPT_ARENA_BYTES: usize = 8 << 20;

/// A buffer for packed entries that grew past this is given back.
const KEPT_PACKED_BYTES: usize = 4 << 20;

thread_local! {
    static ARENA: Cell<Option<Arenas>> = const { Cell::new(None) };
    static PART: Cell<Option<Arenas>> = const { Cell::new(None) };
    static PACKED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[derive(Default)]
struct Arenas {
    bump: Bump,
    /// Those of the threads that help with a batch; none until a batch is shared out for the first time.
    aides: OnceCell<Box<[Bump]>>,
    /// What the batch became, packed again.
    packed: OnceCell<Vec<u8>>,
}

/// A borrowed arena; taken from the thread, emptied and given back on drop. Never held across an await.
#[derive(Default)]
pub struct Scratch {
    arenas: Arenas,
    is_part: bool,
}

impl Scratch {
    /// This thread's arena, or a new one where it is in use already.
    pub fn take() -> Scratch {
        Scratch { arenas: ARENA.take().unwrap_or_default(), is_part: false }
    }

    /// The arena that this thread has for a part of a batch, beside that of the whole.
    pub fn for_part() -> Scratch {
        Scratch { arenas: PART.take().unwrap_or_default(), is_part: true }
    }

    /// The scope of one emit.
    pub fn scope(&self) -> Scope<'_> {
        Scope { aides: Some(&self.arenas.aides), packed: Some(&self.arenas.packed), ..Scope::over(&self.arenas.bump) }
    }
}

impl Arenas {
    fn allocated_bytes(&self) -> usize {
        self.bump.allocated_bytes() + self.aides.get().into_iter().flatten().map(Bump::allocated_bytes).sum::<usize>()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut arenas = std::mem::take(&mut self.arenas);
        if let Some(packed) = arenas.packed.take() {
            give_back_buffer(packed);
        }
        if arenas.allocated_bytes() <= KEPT_ARENA_BYTES {
            arenas.bump.reset();
            arenas.aides.get_mut().into_iter().flatten().for_each(Bump::reset);
            if self.is_part { &PART } else { &ARENA }.set(Some(arenas));
        }
    }
}

/// A buffer of this thread for packed entries, empty.
pub fn take_buffer() -> Vec<u8> {
    PACKED.take()
}

/// Gives a buffer back, to be used again.
pub fn give_back_buffer(mut buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT_PACKED_BYTES {
        buffer.clear();
        PACKED.set(buffer);
    }
}

/// One synchronous emit: the arena its records live in, and the events that were rejected on the way.
pub struct Scope<'a> {
    bump: &'a Bump,
    aides: Option<&'a OnceCell<Box<[Bump]>>>,
    packed: Option<&'a OnceCell<Vec<u8>>>,
    rejected: RefCell<Vec<(Rejected<'a>, Option<Origin<'a>>)>>,
    depth: Cell<u32>,
    added: Cell<usize>,
    in_error: Cell<bool>,
    receipt: OnceCell<Receipt>,
    sent: Cell<Option<Sent<'a>>>,
    named: Cell<u32>,
}

/// An event that could not be handled, on its way to the `@ERROR` label.
pub struct Rejected<'a> {
    /// The tag it had.
    pub tag: Tag,
    /// The time it had.
    pub time: EventTime,
    /// The record as it was.
    pub record: Record<'a>,
    /// Fluentd's class of the error, such as `Fluent::Plugin::Parser::ParserError` or `ArgumentError`.
    pub class: &'static str,
    /// What was wrong, in Fluentd's words where it has some.
    pub message: String,
}

/// The output that rejected an event: what an output rejects is kept whole, whatever else is done about it.
pub struct Origin<'a> {
    /// The output's id.
    pub output: Arc<str>,
    /// What the server answered, as HTTP has it.
    pub status: Option<u16>,
    /// The packed entry as the output got it, where the rejected record is no longer that.
    pub entry: Option<&'a [u8]>,
}

impl Rejected<'_> {
    /// The same in another arena.
    pub fn copied_into<'b>(&self, bump: &'b Bump) -> Rejected<'b> {
        let record = self.record.copied_into(bump);
        Rejected { tag: self.tag.clone(), time: self.time, record, class: self.class, message: self.message.clone() }
    }
}

impl<'a> Scope<'a> {
    /// A scope over one arena, for a part of the work on a batch.
    pub fn over(bump: &'a Bump) -> Scope<'a> {
        Scope {
            bump,
            aides: None,
            packed: None,
            rejected: RefCell::new(Vec::new()),
            depth: Cell::new(0),
            added: Cell::new(0),
            in_error: Cell::new(false),
            receipt: OnceCell::new(),
            sent: Cell::new(None),
            named: Cell::new(0),
        }
    }

    /// Up to `count` more arenas that live as long as this one, for threads that help; none where this scope is itself a part.
    pub fn aides(&self, count: usize) -> &'a [Bump] {
        let Some(aides) = self.aides else { return &[] };
        let all = aides.get_or_init(|| (0..count).map(|_| Bump::new()).collect());
        &all[..count.min(all.len())]
    }

    /// The arena.
    pub fn bump(&self) -> &'a Bump {
        self.bump
    }

    /// Keeps entries as long as the arena: themselves where they are the first, else a copy.
    pub fn keep(&self, entries: Vec<u8>) -> &'a [u8] {
        match self.packed.filter(|packed| packed.get().is_none()) {
            Some(packed) => packed.get_or_init(|| entries),
            None => {
                let copy = self.bytes(&entries);
                give_back_buffer(entries);
                copy
            }
        }
    }

    /// A copy of these bytes in the arena.
    pub fn bytes(&self, bytes: &[u8]) -> &'a [u8] {
        self.bump.alloc_slice_copy(bytes)
    }

    /// A copy of this text in the arena.
    pub fn text(&self, text: &str) -> &'a str {
        self.bump.alloc_str(text)
    }

    /// Sends an event to `@ERROR` once the present step is over.
    pub fn reject(&self, rejected: Rejected<'a>) {
        self.rejected.borrow_mut().push((rejected, None));
    }

    /// As [`Scope::reject`], by an output.
    pub fn reject_from(&self, rejected: Rejected<'a>, origin: Origin<'a>) {
        self.rejected.borrow_mut().push((rejected, Some(origin)));
    }

    /// Takes over what was rejected in another scope of the same lifetime.
    pub fn reject_all(&self, rejections: Vec<(Rejected<'a>, Option<Origin<'a>>)>) {
        self.rejected.borrow_mut().extend(rejections);
    }

    /// Whether events have been rejected since they were last taken.
    pub fn has_rejected(&self) -> bool {
        !self.rejected.borrow().is_empty()
    }

    /// How many events have been rejected since they were last taken.
    pub fn rejected_len(&self) -> usize {
        self.rejected.borrow().len()
    }

    /// Takes back the rejections after the first `kept`: the caller answers for them.
    pub fn forget_rejected(&self, kept: usize) {
        self.rejected.borrow_mut().truncate(kept);
    }

    /// Says that a filter has made so many events beyond those that it got (and has kept or rejected all of them).
    pub fn note_added(&self, events: usize) {
        self.added.set(self.added.get() + events);
    }

    /// How many events have been made since the last call; the router's business.
    pub fn take_added(&self) -> usize {
        self.added.take()
    }

    /// How many routers the events are in, one within another.
    pub fn depth(&self) -> u32 {
        self.depth.get()
    }

    /// Does something one router deeper.
    pub fn deeper<T>(&self, work: impl FnOnce() -> T) -> T {
        self.depth.set(self.depth.get() + 1);
        let result = work();
        self.depth.set(self.depth.get() - 1);
        result
    }

    /// Lets a wish for an ack go with the events: whoever still has to store some of them takes a clone.
    pub fn ask(&self, receipt: Receipt) {
        let _ = self.receipt.set(receipt);
    }

    /// Says what the sender calls the messages that the events came in.
    pub fn name(&self, sent: Sent<'a>) {
        self.sent.set(Some(sent));
    }

    /// What the sender calls the messages that the events came in.
    pub fn sent(&self) -> Option<Sent<'a>> {
        self.sent.get()
    }

    /// Numbers for so many events of the message, not given to any others of it; the first one.
    pub fn take_numbers(&self, count: usize) -> u32 {
        let first = self.named.get();
        self.named.set(first.wrapping_add(count as u32));
        first
    }

    /// The wish that goes with the events.
    pub fn receipt(&self) -> Option<&Receipt> {
        self.receipt.get()
    }

    /// Whether rejected events are being handled at the moment.
    pub fn in_error(&self) -> bool {
        self.in_error.get()
    }

    /// Does something for rejected events.
    pub fn as_error<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.in_error.replace(true);
        let result = work();
        self.in_error.set(before);
        result
    }

    /// The events rejected since they were last taken.
    pub fn take_rejected(&self) -> Vec<Rejected<'a>> {
        self.rejected.take().into_iter().map(|(rejected, _)| rejected).collect()
    }

    /// The same with the outputs that rejected them; the router's business.
    pub fn take_rejections(&self) -> Vec<(Rejected<'a>, Option<Origin<'a>>)> {
        self.rejected.take()
    }
}
