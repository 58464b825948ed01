//! The `<secondary>` output: takes chunks that the output itself could not deliver, in the output's own form.

use super::super::known;
use crate::buffer::{Chunk, Defaults};
use crate::config::{Element, Refused};
use crate::output::{self, BufferedOutput, OUTPUTS, Output, WriteError};
use crate::plugin::Context;

/// The output behind an output.
pub struct Secondary {
    /// Whether it is of the output's own type.
    pub is_same_type: bool,
    output: Box<dyn BufferedOutput>,
}

impl Secondary {
    /// Builds the `<secondary>` section of an output, if there is one.
    pub fn build(element: &Element, primary: &dyn BufferedOutput, context: &Context<'_>) -> Result<Option<Secondary>, Refused> {
        let Some((section, kind, output)) = output_of(element, &primary.buffer_defaults(), context)? else { return Ok(None) };
        let own_type = element.plugin_type().unwrap_or_default();
        if kind != "secondary_file" && kind != own_type && !(primary.is_packed() && output.is_packed()) {
            let message = format!(
                "Use different plugin for secondary. Check the plugin works with primary like secondary_file primary={own_type:?} secondary={kind:?}"
            );
            context.diagnostics.warn("FLM0522", Some(section.span), message);
        }
        Ok(Some(Secondary { is_same_type: kind == own_type, output }))
    }

    /// Delivers a chunk.
    pub async fn write(&self, chunk: &Chunk) -> Result<(), WriteError> {
        super::write::guarded(self.output.write(chunk)).await
    }
}

/// A `<secondary>` section, its type, and the output it describes.
type Described<'e> = (&'e Element, String, Box<dyn BufferedOutput>);

/// The output that the `<secondary>` of an element describes; `defaults` are those of the element's own buffer.
pub fn output_of<'e>(element: &'e Element, defaults: &Defaults, context: &Context<'_>) -> Result<Option<Described<'e>>, Refused> {
    let sections = element.sections("secondary");
    let Some(section) = sections.first().copied() else { return Ok(None) };
    let refuse = |code, message: String| Err(context.refuse(code, section.span, message));
    if let Some(second) = sections.get(1) {
        return Err(context.refuse("FLM0208", second.span, "'<secondary>' section cannot be written twice or more"));
    }
    for inner in ["buffer", "secondary"] {
        if section.has_section(inner) {
            return refuse("FLM0520", format!("<secondary> section cannot have <{inner}> section"));
        }
    }
    let own_type = element.plugin_type().unwrap_or_default();
    let kind = section.plugin_type().unwrap_or(own_type).to_owned();
    // Its own parameters may refer to the chunk keys, which are those of the output before it.
    let mut with_buffer = section.clone();
    if with_buffer.plugin_type().is_none() {
        with_buffer.set("@type", &kind, section.span);
    }
    let row = known::find(OUTPUTS, &output::KNOWN, "output", &with_buffer, context);
    if row.is_err() {
        mark_used(section, &with_buffer);
    }
    let row = row?;
    with_buffer.children.push(buffer_of(element, defaults, section));
    let built = (row.build)(&with_buffer, context);
    mark_used(section, &with_buffer);
    match built? {
        Output::Buffered(output) => Ok(Some((section, kind, output))),
        _ => refuse(
            "FLM0521",
            format!("Failed to setup secondary plugin in '{own_type}'. '{kind}' plugin in not allowed due to non buffered output"),
        ),
    }
}

/// The buffer of the primary as it is, what its output has as defaults included.
fn buffer_of(element: &Element, defaults: &Defaults, section: &Element) -> Element {
    let given = element.children.iter().find(|child| child.name == "buffer").cloned();
    let mut buffer = given.unwrap_or_else(|| Element::new("buffer", "", section.span));
    if buffer.arg.is_empty() {
        buffer.arg = defaults.chunk_keys.join(",");
    }
    defaults.params.iter().for_each(|(name, value)| buffer.set_default(name, value));
    buffer
}

/// What a constructor has read from a copy counts as read.
fn mark_used(section: &Element, copy: &Element) {
    copy.declarations().into_iter().for_each(|declared| section.declare(declared));
    for (param, read) in section.params.iter().zip(&copy.params) {
        param.used.set(param.used.get() || read.used.get());
    }
    for (child, read) in section.children.iter().zip(&copy.children) {
        child.used.set(child.used.get() || read.used.get());
        mark_used(child, read);
    }
}
