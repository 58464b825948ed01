//! Texts for an input in a rehearsal: they come from a test case in place of files and sockets, and are made events of as usual.

use crate::plugin::Emitter;

/// A text, and what is known of where it comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw<'r> {
    /// Lines, or the body of a request.
    pub text: &'r [u8],
    /// The file, or the path of the request.
    pub path: Option<&'r str>,
    /// The address of the peer.
    pub from: Option<&'r str>,
    /// The headers of the request.
    pub headers: &'r [(String, String)],
}

/// Makes events of texts as an input does, and emits them.
pub trait Feed: Send {
    /// Takes a text; what is wrong with it where the input would answer that.
    fn take(&mut self, raw: &Raw<'_>, emitter: &Emitter) -> Result<(), String>;

    /// Asked about once a second: lets go of lines that have waited too long for others.
    fn tick(&mut self, _emitter: &Emitter) {}

    /// Lets go of all lines: nothing more comes.
    fn end(&mut self, _emitter: &Emitter) {}
}
