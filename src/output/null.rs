//! `null`: takes events and forgets them.

use super::{BufferedOutput, Output, SyncOutput, WriteError};
use crate::buffer::{Chunk, Defaults};
use crate::config::{Element, Refused};
use crate::event::{Batch, Scope, Tag};
use crate::plugin::{BoxFuture, Context, EmitError};

crate::section! {
    /// Takes events and forgets them.
    pub struct Params {
        /// Never succeed to flush: for tests of buffers. Has a meaning only with a `<buffer>` section.
        pub never_flush: bool = "false",
    }
    sections { "buffer": one }
}

struct Null {
    never_flush: bool,
}

/// Makes the output: buffered where there is a `<buffer>` section.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    let params = Params::read(element, context.diagnostics)?;
    let null = Null { never_flush: params.never_flush };
    Ok(if element.has_section("buffer") { Output::Buffered(Box::new(null)) } else { Output::Sync(Box::new(null)) })
}

impl SyncOutput for Null {
    fn emit<'a>(&self, _scope: &Scope<'a>, _tag: &Tag, _batch: &Batch<'a>) -> Result<(), EmitError> {
        Ok(())
    }
}

impl BufferedOutput for Null {
    fn buffer_defaults(&self) -> Defaults {
        Defaults { chunk_keys: &["tag"], params: &[("flush_at_shutdown", "true"), ("chunk_limit_size", "10240")], path_from: None }
    }

    fn write<'a>(&'a self, _chunk: &'a Chunk) -> BoxFuture<'a, Result<(), WriteError>> {
        let result = if self.never_flush { Err(WriteError::Retry(anyhow::anyhow!("failed to flush"))) } else { Ok(()) };
        Box::pin(async { result })
    }
}
