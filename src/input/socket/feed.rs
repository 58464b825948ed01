//! The texts of a rehearsal, for inputs that read them from sockets: each line is one, whatever the delimiter.

use super::{Emits, Origin, Setup, SetupSeat};
use crate::event::Scratch;
use crate::input::{Feed, Raw};
use crate::plugin::Emitter;
use std::sync::Arc;

/// The address that texts come from where the case does not say.
const ADDRESS: &str = "127.0.0.1";

/// Takes texts by the setup of an input.
pub struct Texts(pub Arc<SetupSeat>);

impl Feed for Texts {
    fn take(&mut self, raw: &Raw<'_>, emitter: &Emitter) -> Result<(), String> {
        let setup = Setup { emitter: emitter.clone(), ..Setup::clone(&self.0.borrow()) };
        let address = raw.from.unwrap_or(ADDRESS).to_owned();
        let origin = Origin { host: address.clone(), address };
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut emits = Emits::new();
        let text = raw.text.strip_suffix(b"\n").unwrap_or(raw.text);
        for line in text.split(|byte| *byte == b'\n') {
            setup.take.take(&scope, scope.bytes(line), &origin, &mut emits);
        }
        setup.emit(&scope, emits);
        Ok(())
    }
}
