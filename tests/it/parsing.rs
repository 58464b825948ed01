//! What parsers make of lines, from the configuration on.

use crate::support::{Daemon, FORWARD_SOURCE, Sender};

#[test]
fn of_many_patterns_the_first_that_matches_reads_a_line() {
    // More than are ruled out by one look at a line, some without a text that all their matches contain, and some that match what others do.
    let patterns: Vec<String> = (0..30)
        .map(|number| match number {
            12 => "^%{WORD:word}$".to_owned(),
            29 => "seen by all %{INT:n}".to_owned(),
            _ => format!("^only_{number}_here %{{WORD:word}}"),
        })
        .collect();
    let sections: String =
        patterns.iter().enumerate().map(|(number, pattern)| format!("<grok>\nname p{number}\npattern {pattern}\n</grok>\n")).collect();
    let parse = format!("<parse>\n@type grok\ngrok_name_key name\n{sections}</parse>\n");
    let config = [
        FORWARD_SOURCE,
        &format!("<filter t>\n@type parser\nkey_name log\n{parse}</filter>\n<match t>\n@type stdout\n</match>\n<match **>\n@type null\n</match>\n"),
    ]
    .concat();
    let daemon = Daemon::start(&config);
    let mut sender = Sender::connect(daemon.port("FORWARD_PORT"));
    let lines = [
        ("only_0_here x", "p0"),
        ("only_7_here x", "p7"),
        ("only_8_here x", "p8"),
        ("only_28_here x", "p28"),
        ("word", "p12"),
        ("not only_3_here but seen by all 7", "p29"),
        ("not only_3_here and not only_17_here", "-"),
        ("", "-"),
    ];
    lines.iter().for_each(|(line, _)| sender.event("t", &format!("{{\"log\":\"{line}\"}}")));
    let events = daemon.wait_for_events(lines.len());
    let found: Vec<&str> = events.iter().map(|event| event.record["name"].as_str().unwrap_or("-")).collect();
    assert_eq!(found, lines.map(|(_, name)| name));
}
