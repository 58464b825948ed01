//! A configuration whose buffers are all in memory, for those who use a pipeline for a while and beside another one.

use crate::config::Element;

/// What a `<buffer>` section says of files only.
const OF_FILES: [&str; 7] = ["@type", "type", "path", "path_suffix", "file_permission", "dir_permission", "fsync"];

/// Makes memory buffers of all file buffers.
pub fn keep_in_memory(element: &mut Element) {
    let span = element.span;
    match element.name.as_str() {
        "buffer" => {
            element.params.retain(|param| !OF_FILES.contains(&param.key.as_str()));
            element.set_quietly("@type", "memory", span);
        }
        // A file output has a file buffer where nothing is said.
        "match" | "store"
            if element.param("buffer_type").is_some() || (element.plugin_type() == Some("file") && !element.has_section("buffer")) =>
        {
            element.set_quietly("buffer_type", "memory", span);
        }
        _ => {}
    }
    element.children.iter_mut().for_each(keep_in_memory);
}
