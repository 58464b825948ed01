//! Codes of case files, which `flumen test` reads, and of what `flumen convert` cannot do.

use super::{Code, row};

#[rustfmt::skip]
pub(super) const CODES: &[Code] = &[
    row("FLM0901", "a case file that is no YAML", "The file cannot be read as one YAML document in which no key is there twice.", "cases:\n  - name: one\n   input: []"),
    row("FLM0902", "a case that is not written as expected", "A case has a name, a list of steps as 'input', and as 'expect' a map of outputs and the events that they get. flumen test --help shows one.", "cases:\n  - name: one\n    input:\n      - tag: app.web\n        recrod: {log: x}"),
    row("FLM0903", "a place that the configuration does not have", "Cases name outputs by their @id, by the beginning of their section (match app.**), by FILE:LINE, by their @type where only one has it, or all of them by 'tag PATTERN'; and sources by @id, FILE:LINE or @type.", "expect:\n  elasticsaerch:\n    - tag: app.web"),
    row("FLM0904", "a configuration that cannot be tested", "Outputs are stood in for, whatever they are. A filter that is known and not run here would change what comes behind it, and nobody knows how.", "<filter **>\n  @type kubernetes_metadata\n</filter>"),
    row("FLM0911", "something that cannot be carried over", "The other language has no way to say it: YAML has each key once and includes YAML only, the version 0 syntax has no quotes and no embedded Ruby.", "@include parts/*.conf"),
    row("FLM0912", "something that stays in its old form", "It works as it is, and has no modern form that surely means the same here; or the other language can say it in a way that only Flumen reads.", "<match a>\n  @type file\n  path /tmp/a\n  time_slice_format \"#{ENV['SLICE']}\"\n</match>"),
    row("FLM0913", "a conversion that would change the meaning", "What was written was read again and is not the same configuration: it is refused. This is a fault of the converter.", "<match a>\n  @type stdout\n</match>"),
];
