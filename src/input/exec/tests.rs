//! Commands in, events out.

use super::build;
use crate::config::{Diagnostics, Element, LoadOptions, Refused, Span, System, load};
use crate::event::json::{Style, write_record};
use crate::event::{Batch, Scope, Tag};
use crate::log::PluginLog;
use crate::metrics::InputCounters;
use crate::net::Loops;
use crate::plugin::{Context, EmitError, Emitter, Host, Limit, Route, Sink, Stop};
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct NoHost;

impl Host for NoHost {
    fn build_output(&self, _: &Element) -> Result<Arc<dyn Sink>, Refused> {
        Err(Refused)
    }
    fn emitter(&self, _: Option<&str>, _: Span) -> Result<Emitter, Refused> {
        Err(Refused)
    }
    fn errors(&self) -> Emitter {
        Emitter::default()
    }
    fn own_router(&self) -> Emitter {
        Emitter::default()
    }
}

/// What was emitted: tag, second, record.
#[derive(Default)]
struct Collect(Mutex<Vec<String>>);

impl Route for Collect {
    fn emit<'a>(&self, scope: &Scope<'a>, tag: &Tag, mut batch: Batch<'a>) -> Result<(), EmitError> {
        for event in batch.events_mut(scope).iter() {
            let mut record = Vec::new();
            write_record(&event.record, Style::Oj, &mut record);
            self.0.lock().unwrap().push(format!("{tag} {} {}", event.time.sec, String::from_utf8_lossy(&record)));
        }
        Ok(())
    }
    fn reject<'a>(&self, _: &Scope<'a>) {}
    fn limits(&self, _: Option<&Tag>, _: &mut Vec<Arc<Limit>>) {}
}

fn built(lines: &str) -> Result<Box<dyn crate::input::Input>, String> {
    let diagnostics = Diagnostics::new();
    let root = load(&LoadOptions::for_text("test", &format!("<source>\n@type exec\n{lines}\n</source>\n")), &diagnostics).expect("syntax");
    let system = System::read(&Element::new("system", "", Span::default()), &diagnostics).expect("defaults");
    let context = Context { diagnostics: &diagnostics, system: &system, id: "test", log: &PluginLog::default(), host: &NoHost };
    build(root.sections("source")[0], &context)
        .map_err(|_| diagnostics.findings().into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("; "))
}

/// The first `count` events of an input, and what it counted as none.
fn events(lines: &str, count: usize) -> (Vec<String>, u64) {
    let input = built(lines).expect("valid");
    let collect = Arc::new(Collect::default());
    let counters = Arc::new(InputCounters::default());
    let emitter = Emitter::default().counted(Arc::clone(&counters), false);
    let route: Arc<dyn Route> = Arc::clone(&collect) as Arc<dyn Route>;
    emitter.lead_to(Arc::downgrade(&route));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (stopper, stop) = Stop::new();
        let running = input.run(emitter, Arc::new(Loops::start(1).unwrap()), stop);
        let enough = async {
            while collect.0.lock().unwrap().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // Whatever follows the last event would show, for a command that has ended.
            tokio::time::sleep(Duration::from_millis(100)).await;
            stopper.send(true).unwrap();
        };
        let both = async { tokio::join!(running, enough) };
        tokio::time::timeout(Duration::from_secs(30), both).await.expect("in time").0.expect("it runs");
    });
    let found = collect.0.lock().unwrap().clone();
    (found, counters.invalid_messages.get())
}

#[test]
fn lines_become_events() {
    let lines = "tag t\ncommand printf '1\\ta\\n2\\tb\\n'\n<parse>\nkeys time,x\ntime_key time\n</parse>";
    assert_eq!(events(lines, 2), (vec!["t 1 {\"x\":\"a\"}".to_owned(), "t 2 {\"x\":\"b\"}".to_owned()], 0));
    let lines = "tag t\ncommand printf 'k=1\\nno\\nk=2'\n<parse>\n@type regexp\nexpression /^k=(?<k>.)$/\n</parse>";
    let (found, invalid) = events(lines, 2);
    assert!(found[0].ends_with("{\"k\":\"1\"}") && found[1].ends_with("{\"k\":\"2\"}"), "{found:?}");
    assert_eq!((found.len(), invalid), (2, 1));
}

#[test]
fn documents_may_name_their_tag_and_time() {
    let lines = "tag t\ncommand printf '{\"to\":\"u\",\"at\":7,\"time\":\\n9}\\n{\"a\":1}'\n<parse>\n@type json\n</parse>\n\
                 <extract>\ntag_key to\ntime_key at\n</extract>";
    let (found, invalid) = events(lines, 2);
    assert_eq!((found[0].as_str(), invalid), ("u 7 {\"time\":9}", 0), "no field is the time by itself");
    assert!(found[1].starts_with("t ") && found[1].ends_with(" {\"a\":1}"), "{found:?}");
}

#[test]
fn a_command_is_run_again_and_ended_with_the_input() {
    let lines = "tag t\nrun_interval 0.05\ncommand echo x\n<parse>\n@type none\n</parse>";
    assert!(events(lines, 3).0.len() >= 3);
    let lines = "tag t\nconnect_mode read_with_stderr\ncommand echo x >&2; sleep 600\n<parse>\n@type none\n</parse>";
    let began = tokio::time::Instant::now();
    assert_eq!(events(lines, 1).0.len(), 1);
    assert!(began.elapsed() < Duration::from_secs(10), "the command was ended");
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |lines: &str| built(lines).err().expect("is refused");
    assert!(refused("command a\n<parse>\n@type none\n</parse>").contains("'tag' or 'tag_key' option is required on exec input"));
    assert!(refused("tag t\ncommand a\nencoding euc-jp\n<parse>\n@type none\n</parse>").contains("encoding euc-jp is not supported"));
    assert!(refused("tag t\n<parse>\n@type none\n</parse>").contains("'command' parameter is required"));
    assert!(refused("tag t\ncommand a").contains("keys"), "the parser is tsv");
}
