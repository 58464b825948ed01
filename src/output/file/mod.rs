//! `file`: writes events to files named by time, tag and fields.

mod link;
mod name;
pub(super) mod write;

pub(super) use name::escaping;

use super::{BufferedOutput, Output, WriteError};
use crate::buffer::{Chunk, Defaults, Keys, Settings, Template, placeholders};
use crate::config::{Element, Octal, Refused};
use crate::event::{Event, Scope, Tag};
use crate::formatter::{FormatError, Formatter, Inject, build_formatter, inject};
use crate::plugin::{BoxFuture, Context};
use link::Link;

crate::choice! {
    /// How files are compressed.
    pub enum Compress { Text = "text", Gz = "gz", Gzip = "gzip" }
}

crate::section! {
    /// Writes events to files named by time, tag and fields.
    pub struct Params {
        /// The path, with placeholders of the chunk keys; `*` stands for the time.
        pub path: String,
        /// Whether `path_suffix` is added where the path has no `*`.
        pub add_path_suffix: bool = "true",
        /// What is added.
        pub path_suffix: String = ".log",
        /// Whether chunks are appended to a file that exists; otherwise each is a file of its own, numbered.
        pub append: bool = "false",
        /// How files are compressed.
        pub compress: Compress = "text",
        /// Whether chunks that are compressed already are compressed anew; here always, as chunks are unpacked before they are written.
        pub recompress: bool = "false" [idle "chunks are unpacked before they are written"],
        /// A link that leads to the file written last, with placeholders of the chunk keys. In Fluentd it leads to the file of a chunk in
        /// the buffer, which there is none of here.
        pub symlink_path: Option<String>,
        /// The old name of the time's form in the path.
        pub time_slice_format: Option<String>,
    }
    sections { "buffer": one, "format": one, "inject": one(inject::Params) }
}

/// What the buffer of a file holds where nothing is said: one chunk a day, in files beside the output's own.
const DEFAULTS: Defaults = Defaults { chunk_keys: &["time"], params: &[("@type", "file"), ("timekey", "86400")], path_from: Some("path") };

struct FileOutput {
    path: Template,
    /// Whether each chunk is a file of its own.
    is_numbered: bool,
    options: write::Options,
    link: Option<Link>,
    formatter: Box<dyn Formatter>,
    inject: Option<Inject>,
}

/// Makes the output.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Output, Refused> {
    let params = Params::read(element, context.diagnostics);
    let settings = Settings::read(element, &DEFAULTS, context.diagnostics);
    let formatter = build_formatter(element, "out_file", context);
    let inject = Inject::read(element, context);
    let (params, settings) = (params?, settings?);
    let refuse = |message: String| context.refuse("FLM0530", element.span, message);
    show_buffer_path(element, &params.path);
    let timekey = settings.keys.time.as_ref().map(|slices| slices.length as i64);
    let path = name::template(&params, timekey).map_err(refuse)?;
    // What a secondary takes has the chunk keys of the output before it: chunks are told apart by the numbers of their files.
    let validate = if element.name == "secondary" { placeholders::validate_time } else { placeholders::validate };
    validate("path", &path, &settings.keys).map_err(refuse)?;
    let link = params.symlink_path.as_deref().map(|path| link(path, element, &settings.keys, context)).transpose()?;
    let octal = |mode: Option<Octal>, usual: u32| mode.map_or(usual, |mode| mode.0);
    let options = write::Options {
        gzip: params.compress != Compress::Text,
        file_mode: octal(context.system.file_permission, 0o644),
        dir_mode: octal(context.system.dir_permission, 0o755),
    };
    Ok(Output::Buffered(Box::new(FileOutput {
        path: Template::new(&path, &settings.keys),
        is_numbered: !params.append,
        options,
        link,
        formatter: formatter?,
        inject: inject?,
    })))
}

/// The link, in Fluentd's words where it does not fit the chunk keys.
fn link(path: &str, element: &Element, keys: &Keys, context: &Context<'_>) -> Result<Link, Refused> {
    let span = element.param("symlink_path").map_or(element.span, |param| param.value_span);
    if element.name == "secondary" {
        let message = "symlink_path option is unavailable in <secondary>: consider to use secondary_file plugin";
        return Err(context.refuse("FLM0531", span, message));
    }
    // Many time slices may share a link, as the last one has it.
    if let Err(why) = placeholders::validate("symlink_path", path, &Keys { time: None, ..keys.clone() })
        && !why.contains("has timestamp placeholders")
    {
        let message = format!(
            "{why}. This means multiple chunks are competing for a single symlink_path, so some logs may not be taken from the symlink."
        );
        context.diagnostics.warn("FLM0531", Some(span), message);
    }
    Ok(Link::new(Template::new(path, keys)))
}

/// The configuration that is shown at start has the path in the buffer too, as Fluentd sets it there.
fn show_buffer_path(element: &Element, path: &str) {
    match element.section("buffer") {
        Some(buffer) if buffer.param("path").is_none() => buffer.give("path", path),
        Some(_) => {}
        None => {
            let mut buffer = Element::new("buffer", "time", element.span);
            buffer.set("path", path, element.span);
            buffer.declare(&Params::SECTION);
            element.show_section(buffer);
        }
    }
}

impl BufferedOutput for FileOutput {
    fn is_packed(&self) -> bool {
        false
    }

    fn format<'a>(&self, scope: &Scope<'a>, tag: &Tag, event: &Event<'a>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        match &self.inject {
            Some(inject) => self.formatter.format(scope, tag, &inject.apply(scope, tag, event), out),
            None => self.formatter.format(scope, tag, event, out),
        }
    }

    fn buffer_defaults(&self) -> Defaults {
        DEFAULTS
    }

    fn shows_chunks(&self) -> bool {
        self.is_numbered
    }

    fn write<'a>(&'a self, chunk: &'a Chunk) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(async {
            if let Some(value) = escaping(&chunk.keys) {
                let reason = anyhow::anyhow!("{value:?} would lead out of the folder of the path, expected no /../ and no leading /");
                return Err(WriteError::Unrecoverable(reason));
            }
            let path = self.path.expand(chunk);
            let written = match self.is_numbered {
                true => {
                    let numbered = |number: u64| path.replacen(name::NUMBER, &format!("_{number}"), 1);
                    write::write_new(numbered, &chunk.bytes, &self.options).await
                }
                false => write::append(&path, &chunk.bytes, &self.options).await.map(|()| path),
            };
            let written = written.map_err(WriteError::Retry)?;
            if let Some(link) = &self.link
                && let Err(error) = link.point(chunk, &written, self.options.dir_mode).await
            {
                // The events are where they belong.
                crate::warning!("the link of symlink_path cannot be made: {error:#}");
            }
            Ok(())
        })
    }
}
