//! From a line to a record: grok where it matches and where it does not, regexp, and JSON for comparison.

use super::harness::{EVENTS, measure};
use flumen::config::{Diagnostics, Element, LoadOptions, Refused, Span, System, load};
use flumen::event::Scratch;
use flumen::log::PluginLog;
use flumen::parser::{self, Parsed, Parser};
use flumen::plugin::{Context, Emitter, Host, Sink};
use std::hint::black_box;
use std::sync::Arc;

const PATTERNS: usize = 10;

/// Parsers ask it for nothing.
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

fn build(inside: &str) -> Box<dyn Parser> {
    let diagnostics = Diagnostics::new();
    let root = load(&LoadOptions::for_text("bench", &format!("<parse>\n{inside}\n</parse>\n")), &diagnostics).expect("syntax");
    let system = System::read(&Element::default(), &diagnostics).expect("defaults");
    let context = Context { diagnostics: &diagnostics, system: &system, id: "bench", log: &PluginLog::default(), host: &NoHost };
    parser::build(&root.children[0], &context).unwrap_or_else(|_| panic!("{:?}", diagnostics.findings()))
}

/// Parses all lines; each is to match, or none: then grok makes it a message, its only field.
fn parse(name: &str, inside: &str, lines: &[String], matches: bool) {
    let parser = build(inside);
    let size = lines.iter().map(String::len).sum::<usize>() / EVENTS;
    measure("parser", name, size, || {
        let scratch = Scratch::take();
        let scope = scratch.scope();
        let mut parsed = Parsed::default();
        for line in lines {
            parsed.clear();
            parser.parse(&scope, black_box(line.as_bytes()), &mut parsed).expect(line);
            assert_eq!(parsed.events[0].1.len() > 1, matches, "{line}");
        }
    });
}

fn lines(line: impl Fn(usize) -> String) -> Vec<String> {
    (0..EVENTS).map(line).collect()
}

fn apache(at: usize) -> String {
    format!(
        "192.168.{}.{} - frank [14/Nov/2023:22:{:02}:{:02} -0700] \"GET /cart/{at}.html HTTP/1.1\" 200 {} \"http://www.example.com/start.html\" \
         \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\"",
        at % 255,
        at * 7 % 255,
        at / 60 % 60,
        at % 60,
        at * 17 % 90_000 + 1000
    )
}

fn ruby(at: usize) -> String {
    let head = format!("I, [2019-12-10T19:{:02}:{:02}.{at:06} #1]  INFO -- : ", at / 60 % 60, at % 60);
    format!(
        "{head}service=ui | event=show_all_posts | request_id=8f3e1d5c-{at:06} | message='Successfully showed the home page with posts'"
    )
}

/// A line of one of several forms that begin with their number.
fn numbered(form: usize, at: usize) -> String {
    format!("kind{form} from=10.0.{}.{} took={}ms user=ada: what was done and to whom", at / 255, at % 255, at * 3)
}

/// Patterns for the lines of all forms.
fn all_forms() -> String {
    let section = |form| {
        format!(
            "<grok>\npattern ^kind{form} from=%{{IP:from}} took=%{{INT:took:integer}}ms user=%{{WORD:user}}: %{{GREEDYDATA:rest}}\n</grok>\n"
        )
    };
    format!("@type grok\n{}", (0..PATTERNS).map(section).collect::<String>())
}

/// All steps.
pub fn run() {
    let grok = |pattern: &str| format!("@type grok\ngrok_pattern {pattern}");
    parse("grok COMBINEDAPACHELOG", &grok("%{COMBINEDAPACHELOG}"), &lines(apache), true);
    let with_time = format!("{}\ntime_key timestamp\ntime_format %d/%b/%Y:%H:%M:%S %z", grok("%{COMBINEDAPACHELOG}"));
    parse("grok COMBINEDAPACHELOG, its time", &with_time, &lines(apache), true);
    parse("grok COMBINEDAPACHELOG, another line (prefilter)", &grok("%{COMBINEDAPACHELOG}"), &lines(|at| numbered(0, at)), false);
    let nearly = |at| apache(at).replace(" HTTP/1.1\" 200", " HTTP/1.1\" two");
    parse("grok COMBINEDAPACHELOG, fails late", &grok("%{COMBINEDAPACHELOG}"), &lines(nearly), false);
    parse("grok RUBY_LOGGER", &grok("%{RUBY_LOGGER}"), &lines(ruby), true);
    let message =
        "service=%{WORD:service} \\| event=%{WORD:event} \\| request_id=%{GREEDYDATA:request_id} \\| message='%{GREEDYDATA:message}'";
    parse("grok of a service's message", &grok(message), &lines(ruby), true);
    parse("grok, the first of 10 patterns matches", &all_forms(), &lines(|at| numbered(0, at)), true);
    parse("grok, the last of 10 patterns matches", &all_forms(), &lines(|at| numbered(PATTERNS - 1, at)), true);
    parse("grok, none of 10 patterns matches (prefilter)", &all_forms(), &lines(apache), false);
    let regexp = "@type regexp\nexpression /^kind(?<kind>\\d+) from=(?<from>[^ ]*) took=(?<took>\\d+)ms user=(?<user>\\w+): (?<rest>.*)$/";
    parse("regexp", regexp, &lines(|at| numbered(3, at)), true);
    parse("regexp, types", &format!("{regexp}\ntypes kind:integer,took:integer"), &lines(|at| numbered(3, at)), true);
    parse("apache2", "@type apache2", &lines(apache), true);
    let json = |at| format!(r#"{{"level":"info","message":"took \"{at}\"","service":"post","status":200,"took":{at}.25}}"#);
    parse("json, 5 keys", "@type json", &lines(json), true);
    let ltsv = |at| format!("level:info\tmessage:took {at}\tservice:post\tstatus:200\ttook:{at}.25");
    parse("ltsv, 5 keys", "@type ltsv", &lines(ltsv), true);
}
