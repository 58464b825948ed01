//! What is refused, and what is warned about.

use super::rig::findings;

fn refused(inside: &str) -> String {
    findings(inside).into_iter().next().unwrap_or_else(|| panic!("nothing was found in {inside:?}"))
}

#[test]
fn contradictions_are_refused_in_the_usual_words() {
    let cases = [
        ("<buffer time>\n</buffer>", "<buffer ...> argument includes 'time', but timekey is not configured"),
        ("<buffer time>\ntimekey 0\n</buffer>", "timekey should be greater than 0. current timekey: 0.0"),
        ("<buffer time>\ntimekey 1h\ntimekey_zone JST\n</buffer>", "Unsupported timezone 'JST'"),
        (
            "<buffer>\nflush_mode immediate\nflush_interval 1s\n</buffer>",
            "'flush_interval' can't be specified when 'flush_mode' is not 'interval' explicitly: 'immediate'",
        ),
        (
            "<buffer time>\ntimekey 1h\nflush_interval 1s\n</buffer>",
            "'flush_interval' is ignored because default 'flush_mode' is not 'interval': 'lazy'",
        ),
        ("<buffer tag,a,b,c>\n</buffer>", "many chunk keys specified, and it may cause too many chunks on your system."),
        ("<buffer \"a b\">\n</buffer>", "chunk_keys specification includes invalid char"),
        ("<buffer $['a']>\n</buffer>", "in chunk_keys: in chunk_keys: bracket notation is not allowed"),
        ("<buffer>\n@type disk\n</buffer>", "Unknown buffer plugin 'disk'"),
        ("<buffer>\n@type file\n</buffer>", "buffer path is not configured. specify 'path' in <buffer>"),
        (
            "<buffer>\n@type file\npath /tmp/x\nfsync sometimes\n</buffer>",
            "fsync: valid options are always,interval,never but got sometimes",
        ),
        ("<buffer>\nfsync always\n</buffer>", "parameter 'fsync' in <buffer> is not used: the buffer is in memory"),
        ("<buffer>\nflush_mode sometimes\n</buffer>", "flush_mode: valid options are default,lazy,interval,immediate but got sometimes"),
        ("<buffer>\n</buffer>\n<buffer>\n</buffer>", "'<buffer>' section cannot be written twice or more"),
        (
            "<buffer>\nflush_at_shutdown false\n</buffer>",
            "'flush_at_shutdown' is false, and buffer plugin 'memory' is not persistent buffer.",
        ),
        ("<buffer>\nflush_thread_count 0\n</buffer>", "flush_thread_count 0 is out of range"),
        ("<secondary>\n@type null\n<buffer>\n</buffer>\n</secondary>", "<secondary> section cannot have <buffer> section"),
        ("<secondary>\n@type nowhere\n</secondary>", "Unknown output plugin 'nowhere'"),
        ("<buffer>\nretry_forever true\n</buffer>\n<secondary>\n@type null\n</secondary>", "<secondary> with 'retry_forever'"),
    ];
    for (inside, expected) in cases {
        let message = refused(inside);
        assert!(message.starts_with(expected), "{inside:?} gave {message:?}");
    }
}

#[test]
fn usual_sections_are_taken_without_a_word() {
    for inside in [
        "",
        "<buffer>\n</buffer>",
        "<buffer []>\n</buffer>",
        "<buffer tag, time, $.a.b>\ntimekey 1h\ntimekey_wait 10m\ntimekey_zone +09:00\n</buffer>",
        "<buffer user,$.m.id>\n@type memory\nflush_mode interval\nflush_interval 0.1\nretry_type periodic\ncompress gzip\n</buffer>",
        "<buffer>\nchunk_limit_size 8m\nqueue_limit_length 4\noverflow_action drop_oldest_chunk\nretry_max_interval 30\n</buffer>",
        "<buffer time>\ntimekey 1d\ntimekey_zone Asia/Tokyo\n</buffer>",
    ] {
        assert_eq!(findings(inside), Vec::<String>::new(), "{inside:?}");
    }
}
