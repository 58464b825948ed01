//! Codes of case files, which `flumen test` reads.

use super::{Code, row};

#[rustfmt::skip]
pub(super) const CODES: &[Code] = &[
    row("FLM0901", "a case file that is no YAML", "The file cannot be read as one YAML document in which no key is there twice.", "cases:\n  - name: one\n   input: []"),
    row("FLM0902", "a case that is not written as expected", "A case has a name, a list of steps as 'input', and as 'expect' a map of outputs and the events that they get. flumen test --help shows one.", "cases:\n  - name: one\n    input:\n      - tag: app.web\n        recrod: {log: x}"),
    row("FLM0903", "a place that the configuration does not have", "Cases name outputs by their @id, by the beginning of their section (match app.**), by FILE:LINE, by their @type where only one has it, or all of them by 'tag PATTERN'; and sources by @id, FILE:LINE or @type.", "expect:\n  elasticsaerch:\n    - tag: app.web"),
    row("FLM0904", "a configuration that cannot be tested", "Outputs are stood in for, whatever they are. A filter that is known and not run here would change what comes behind it, and nobody knows how.", "<filter **>\n  @type kubernetes_metadata\n</filter>"),
];
