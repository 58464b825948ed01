//! The language server: what the checker finds and what the manual says, inside an editor. `flumen lsp` runs it.
//!
//! One thread reads messages into a bounded queue, one answers them in their order, and one checks what has changed once the typing
//! pauses. Texts that are open count in the place of their files, for whatever includes them too. The protocol is written by hand:
//! the crates `lsp-server` and `lsp-types` add 0.63 MB to a stripped program and take any length that a head announces; the few methods
//! that there are need few of those types, and whatever comes from the other side is bounded here.

mod checks;
mod completion;
mod cursor;
mod documents;
mod findings;
mod hover;
mod inbox;
mod message;
mod navigation;
mod outline;
mod position;
mod project;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use crate::check::Settings;
use crate::ruby::Environment;
use inbox::{Inbox, Next};
use session::Session;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Duration;

/// How to check.
#[derive(Clone, Debug)]
pub struct Options {
    /// As for `flumen check`.
    pub settings: Settings,
    /// What embedded Ruby sees.
    pub environment: Environment,
}

/// Serves one client until it says `exit`, or ends. Whether it had said `shutdown` before.
pub fn serve(input: impl BufRead + Send + 'static, output: impl Write, options: Options) -> bool {
    let inbox = Arc::new(Inbox::default());
    let filled = Arc::clone(&inbox);
    // It ends with the process: nothing can wake it while it waits for its input.
    std::thread::spawn(move || filled.fill(input));
    let mut session = match Session::new(output, options, Arc::clone(&inbox)) {
        Ok(session) => session,
        // A machine that has no thread left.
        Err(_) => return false,
    };
    loop {
        let end = match inbox.next(session.due()) {
            Next::Message(message) => session.handle(message),
            Next::Due => {
                session.check();
                Ok(false)
            }
            Next::Woken => session.tell(Duration::ZERO).map(|()| false),
            Next::End => return session.is_shut_down(),
        };
        match end {
            Ok(false) => {}
            // Whoever does not read any more has gone.
            Ok(true) | Err(_) => return session.is_shut_down(),
        }
    }
}
