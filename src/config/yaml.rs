//! Configurations written in YAML.

use super::ruby::Environment;
use super::{Diagnostics, Element};
use std::path::Path;

/// Reads a YAML text into `root`.
pub(super) fn read(name: &str, text: &str, _dir: &Path, _environment: &Environment, diagnostics: &Diagnostics, _root: &mut Element) {
    let _ = text;
    diagnostics.error("FLM0117", None, format!("{name}: YAML is not read yet"));
}
