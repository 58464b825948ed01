//! Logical workers: which sections belong to which, by `<worker N>` and `<worker N-M>`.
//!
//! Fluentd's workers are processes that share listening sockets. One process serves all cores here, so workers only matter where a
//! configuration gives them different sections. What stands outside of `<worker>` is in each of them, but for the sources: those are in
//! the first, because Fluentd leaves open which worker takes a connection.

use crate::config::{Diagnostics, Element, Refused, dump};

/// The sections of one worker, in the order in which Fluentd sees them.
pub struct Worker<'e> {
    /// From 0.
    pub id: i64,
    /// `<source>`, `<filter>`, `<match>` and `<label>` sections.
    pub sections: Vec<&'e Element>,
}

/// Inputs that one worker only can run, with Fluentd's classes.
const SINGLE_PROCESS: [(&str, &str); 2] = [("tail", "Fluent::Plugin::TailInput"), ("unix", "Fluent::Plugin::UnixInput")];

const ALLOWED: [&str; 4] = ["source", "match", "filter", "label"];

/// Divides a configuration. Without `<worker>` sections there is one worker, however many are asked for.
pub fn divide<'e>(root: &'e Element, workers: i64, diagnostics: &Diagnostics) -> Result<Vec<Worker<'e>>, Refused> {
    let own = |with_sources: bool| {
        root.children.iter().filter(move |child| ALLOWED.contains(&child.name.as_str()) && (with_sources || child.name != "source"))
    };
    if workers > 1 {
        refuse_single_process(root, diagnostics)?;
    }
    let divisions = root.sections("worker");
    if divisions.is_empty() {
        return Ok(vec![Worker { id: 0, sections: own(true).collect() }]);
    }
    let mut divided: Vec<Worker<'e>> = (0..workers).map(|id| Worker { id, sections: own(id == 0).collect() }).collect();
    let mut taken = Vec::new();
    let mut result = Ok(());
    for division in divisions {
        let ids = match ids(division, workers, &mut taken) {
            Ok(ids) => ids,
            Err(message) => {
                result = Err(diagnostics.error("FLM0415", Some(division.span), message));
                continue;
            }
        };
        if let Some(other) = division.children.iter().find(|child| !ALLOWED.contains(&child.name.as_str())) {
            let message = format!("<worker> section cannot have <{}> directive", other.name);
            result = Err(diagnostics.error("FLM0416", Some(other.span), message));
        }
        for worker in divided.iter_mut().filter(|worker| ids.contains(&worker.id)) {
            worker.sections.extend(division.children.iter());
        }
    }
    result.map(|()| divided)
}

/// Divides a configuration that each worker evaluates by itself; `roots` holds the evaluations. A source that is the same for all workers is
/// in the first only; one that differs, as by its port, is in each.
pub fn divide_each<'e>(roots: &'e [Element], workers: i64, diagnostics: &Diagnostics) -> Result<Vec<Worker<'e>>, Refused> {
    let sources = |root: &'e Element| root.children.iter().filter(|child| child.name == "source");
    let mut divided = Vec::new();
    for (id, root) in roots.iter().enumerate() {
        let own = divide(root, workers, diagnostics)?;
        // Without <worker> sections there is one division, which is every worker's.
        let at = id.min(own.len().saturating_sub(1));
        let Some(mut worker) = own.into_iter().nth(at) else { continue };
        worker.id = id as i64;
        if id > 0 {
            worker.sections.retain(|section| !sources(root).any(|source| std::ptr::eq(source, *section)));
            let mut firsts = sources(&roots[0]).map(dump);
            worker.sections.extend(sources(root).filter(|source| firsts.next().is_none_or(|first| first != dump(source))));
        }
        divided.push(worker);
    }
    Ok(divided)
}

/// Refuses inputs outside of `<worker>` that Fluentd cannot run in several processes at once.
fn refuse_single_process(root: &Element, diagnostics: &Diagnostics) -> Result<(), Refused> {
    let mut result = Ok(());
    for source in root.children.iter().filter(|child| child.name == "source") {
        let Some((name, class)) = SINGLE_PROCESS.iter().find(|(name, _)| source.plugin_type() == Some(name)) else { continue };
        let message = format!("Plugin '{name}' does not support multi workers configuration ({class})");
        result = Err(diagnostics.error("FLM0412", Some(source.span), message));
    }
    result
}

/// The workers that a section names, in Fluentd's words where it names them wrongly. Ranges must not overlap.
fn ids(division: &Element, workers: i64, taken: &mut Vec<i64>) -> Result<Vec<i64>, String> {
    let argument = division.arg.as_str();
    if argument.is_empty() {
        return Err("Missing worker id on <worker> directive".to_owned());
    }
    let allowed = |id: i64| {
        let last = workers - 1;
        let message = format!("worker id {id} specified by <worker> directive is not allowed. Available worker id is between 0 and {last}");
        if (0..workers).contains(&id) { Ok(id) } else { Err(message) }
    };
    // As Ruby splits: nothing behind the last dash is no part.
    let parts: Vec<&str> = argument.trim_end_matches('-').split('-').collect();
    let [first, last] = parts.as_slice() else { return Ok(vec![allowed(number(argument))?]) };
    let (first, last) = (number(first), number(last));
    if first > last {
        return Err(format!(
            "greater first_worker_id<{first}> than last_worker_id<{last}> specified by <worker> directive is not allowed. \
             Available multi worker assign syntax is <smaller_worker_id>-<greater_worker_id>"
        ));
    }
    allowed(first)?;
    allowed(last)?;
    for id in first..=last {
        if taken.contains(&id) {
            let free: Vec<i64> = (0..workers).filter(|id| !taken.contains(id)).collect();
            return Err(format!(
                "specified worker_id<{id}> collisions is detected on <worker> directive. Available worker id(s): {free:?}"
            ));
        }
        taken.push(id);
    }
    Ok((first..=last).collect())
}

/// As Ruby's `to_i`: the digits at the start, or 0.
fn number(text: &str) -> i64 {
    let text = text.trim_start();
    let end = text.char_indices().find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && *c == '-'))).map_or(text.len(), |(at, _)| at);
    text[..end].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Span;

    fn section(name: &str, arg: &str, children: Vec<Element>) -> Element {
        let mut element = Element::new(name, arg, Span::default());
        element.children = children;
        element
    }

    fn shape(root: &Element, workers: i64) -> Result<Vec<String>, String> {
        let diagnostics = Diagnostics::new();
        let divided = divide(root, workers, &diagnostics).map_err(|_| diagnostics.findings()[0].message.clone())?;
        Ok(divided.iter().map(|worker| worker.sections.iter().map(|s| format!("{}{} ", s.name, s.arg)).collect()).collect())
    }

    #[test]
    fn sections_go_to_their_workers() {
        let inner = |name: &str| vec![section("match", name, vec![])];
        let root = section(
            "ROOT",
            "",
            vec![
                section("source", "", vec![]),
                section("worker", "1", inner("one")),
                section("worker", "0-1", inner("both")),
                section("match", "all", vec![]),
            ],
        );
        assert_eq!(shape(&root, 2).unwrap(), ["source matchall matchboth ", "matchall matchone matchboth "]);
        let plain = section("ROOT", "", inner("x"));
        assert_eq!(shape(&plain, 4).unwrap(), ["matchx "]);
    }

    #[test]
    fn evaluations_are_divided_by_what_differs_in_them() {
        let source = |port: &str| {
            let mut source = section("source", "", vec![]);
            source.set("port", port, Span::default());
            source
        };
        let root = |port: &str| section("ROOT", "", vec![source("1"), source(port), section("match", "all", vec![])]);
        let roots = [root("10"), root("11")];
        let divided = divide_each(&roots, 2, &Diagnostics::new()).unwrap();
        let ports = |worker: &Worker<'_>| worker.sections.iter().filter_map(|section| section.text("port")).collect::<Vec<_>>().join(" ");
        assert_eq!(divided.iter().map(ports).collect::<Vec<_>>(), ["1 10", "11"]);
        assert!(divided.iter().all(|worker| worker.sections.iter().any(|section| section.name == "match")));
        assert_eq!(divided[1].id, 1);
    }

    #[test]
    fn wrong_workers_are_refused_in_fluentds_words() {
        let refused = |arg: &str| shape(&section("ROOT", "", vec![section("worker", arg, vec![])]), 2).unwrap_err();
        assert!(refused("").contains("Missing worker id"));
        assert!(
            refused("2").contains("worker id 2 specified by <worker> directive is not allowed. Available worker id is between 0 and 1")
        );
        assert!(shape(&section("ROOT", "", vec![section("worker", "1-", vec![])]), 2).is_ok());
        assert!(refused("1-0").contains("greater first_worker_id<1> than last_worker_id<0>"));
        let system = section("ROOT", "", vec![section("worker", "0", vec![section("system", "", vec![])])]);
        assert!(shape(&system, 2).unwrap_err().contains("<worker> section cannot have <system> directive"));
        let twice = section("ROOT", "", vec![section("worker", "0-1", vec![]), section("worker", "1-1", vec![])]);
        assert!(shape(&twice, 2).unwrap_err().contains("collisions is detected"));
    }
}
