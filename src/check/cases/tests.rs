//! Case files that are damaged: something is always said, and nothing breaks.

use super::*;
use std::cell::Cell;

const FILE: &str = r#"# A comment.
config: a.conf
env: {A: b, C: "d"}
now: 2024-05-01T12:00:00Z
cases:
  - &one
    name: first
    input:
      - {tag: app.web, record: {log: '{"a":1}', n: [1, 2.5, null, {x: yes}]}, time: 12.25}
      - tag: a
        records:
          - b: "c\n"
      - source: dummy
        lines: |
          one
          two
      - expect: {out: [], others: ignore}
    expect:
      out:
        - tag: app.web
          contains: {log: !regexp '/^x/', n: !any , z: !absent }
        - record: {}
          error: abc
      '@ERROR': {order: any, events: []}
      dropped: 2
  - name: second
    input: {advance: 5s}
    expect: null
"#;

fn order(folder: &Path) -> Order {
    let config = folder.join("a.conf");
    std::fs::write(&config, "<source>\n  @type dummy\n  tag t\n</source>\n<match **>\n  @type stdout\n  @id out\n</match>\n").unwrap();
    Order { config: Some(config), ..Order::default() }
}

#[test]
fn mutated_case_files_are_read_or_refused_and_updates_are_read_again() {
    let folder = std::env::temp_dir().join(format!("flumen-cases-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let order = order(&folder);
    assert!(!test("a", FILE, &order).faults.has_errors(), "{:?}", test("a", FILE, &order).faults);
    let pieces = ["{", "}", "[", "]", ":", "- ", "\n", " ", "'", "\"", "!x ", "&a ", "*one", "|", "#", "0", "\u{e9}", ", ", "  "];
    // The same in each run, so that a failure can be looked into.
    let state = Cell::new(0x2545_f491_4f6c_dd1du64);
    let pick = |below: usize| {
        state.set(state.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
        ((state.get() >> 33) % below as u64) as usize
    };
    let mut updated = 0;
    for _ in 0..400 {
        let mut text = FILE.to_owned();
        for _ in 0..=pick(3) {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = places[pick(places.len())];
            match pick(3) {
                0 => drop(text.remove(at)),
                1 => text.insert_str(at, pieces[pick(pieces.len())]),
                _ => {
                    let end = places[pick(places.len())].clamp(at, text.len().min(at + 40));
                    let end = (end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
                    text.replace_range(at..end, "");
                }
            }
        }
        let tested = test("a", &text, &order);
        if let Some(new) = tested.updated {
            updated += 1;
            // What was written is read again, though it may mean something else where aliases are.
            let again = test("a", &new, &order);
            assert!(!again.faults.has_errors() || text.contains('*'), "{text}\n---\n{new}\n{:?}", again.faults);
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(updated > 50, "only {updated}");
}

#[test]
fn nodes_know_where_they_stand() {
    let text = "a: b  # c\nq: 'x''y'  # 'c'\nd: \"z\\\"\" # \"\nlist:\n  - one\n  - {k: 'v'}  # d\nflow: [1, 2] # [e]\nblock: |\n  text\nt: !regexp '/^x/'  # c\nu: !any\nv: &w ['x']  # d\nlast: {}\n";
    let diagnostics = Diagnostics::new();
    let root = yaml::read(text, diagnostics.add_source("x", text), &diagnostics).unwrap();
    let shown = |key: &str| {
        let span = root.get(key).unwrap().span;
        &text[span.start as usize..span.end as usize]
    };
    assert_eq!(
        ["a", "q", "d", "list", "flow", "t", "u", "v", "last"].map(shown),
        ["b", "'x''y'", "\"z\\\"\"", "- one\n  - {k: 'v'}", "[1, 2]", "!regexp '/^x/'", "!any", "&w ['x']", "{}"]
    );
    assert!(shown("block").ends_with("text\n") || shown("block").ends_with("text"));
}
