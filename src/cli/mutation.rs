//! Configurations with random damage, read and built whole: whatever comes of them, it comes quickly and without a panic.

use crate::config::tests::mutation::{Random, damage};
use crate::config::{self, Diagnostics, FileType, LoadOptions, System, dump, load_despite_faults, warn_unused};
use crate::pipeline;
use std::time::Duration;

/// How many texts are tried where `FLUMEN_MUTATIONS` does not say.
const ROUNDS: usize = 400;

/// The configurations that ship, and some of other kinds: they are damaged.
fn samples() -> Vec<String> {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/conf")).expect("is there");
    let mut paths: Vec<_> =
        folder.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ext| ext == "conf")).collect();
    paths.sort();
    let shipped = paths.iter().map(|path| std::fs::read_to_string(path).expect("is readable"));
    let others = [
        "<system>\n  workers 3\n  log_level \"#{ENV['L'] || use_default}\"\n  strict_config_value true\n  <log>\n    format json\n  </log>\n</system>\n\
         <worker 0-1>\n  <source>\n    @type sample\n    tag \"t.#{worker_id}\"\n    size 2\n  </source>\n</worker>\n<worker 2>\n  <match a.{b,c}.**>\n    @type null\n  </match>\n</worker>\n",
        "<match **>\n  type file\n  path /nowhere/${tag}.%Y\n  format ltsv\n  time_slice_format %Y%m%d%H\n  buffer_type memory\n  buffer_chunk_limit 8m\n  flush_interval 1m\n  utc\n  \
         include_tag_key true\n  <secondary>\n    type stdout\n  </secondary>\n</match>\n",
        "<source>\n  @type systemd\n  tag j\n  matches [{\"_SYSTEMD_UNIT\":\"docker.service\"}]\n  <storage>\n    path /nowhere\n  </storage>\n</source>\n<match **>\n  @type s3\n  s3_bucket b\n  \
         aws_sec_key k\n  <buffer tag,time>\n    timekey 1h\n  </buffer>\n  <format>\n    @type json\n  </format>\n</match>\n",
        "config:\n  - source:\n      $type: sample\n      tag: t\n      sample: !fluent/json {a: 1}\n  - label:\n      $name: '@X'\n      config:\n        - match:\n            $type: stdout\n            $tag: [a, b.*]\n            \
         buffer:\n              $arg: [tag, time]\n              timekey: 60\n",
    ];
    shipped.chain(others.into_iter().map(str::to_owned)).collect()
}

/// Reads and builds a text as a dry run does, and shows what there is to show.
fn try_out(text: &str, file_type: FileType, v0: bool) {
    let diagnostics = Diagnostics::new();
    let mut options = LoadOptions { file_type, v0, ..LoadOptions::for_text("test.conf", text) };
    // Damaged texts would otherwise run damaged commands.
    options.environment.trusted = false;
    if let Ok(mut root) = load_despite_faults(&options, &diagnostics)
        && let Ok(system) = System::of(&root, &diagnostics)
    {
        let built = pipeline::build(&mut root, &system, &diagnostics, None);
        drop(built);
        dump(&root);
        warn_unused(&root, &diagnostics);
    }
    config::render(&diagnostics);
}

/// What this thread has worked so far: waiting for a busy machine does not count.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes the time into what it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn damaged_configurations_are_read_and_built_without_panic_and_quickly() {
    let rounds = std::env::var("FLUMEN_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(ROUNDS);
    let samples = samples();
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    for round in 0..rounds {
        let mut text = samples[round % samples.len()].clone();
        for _ in 0..=random.below(8) {
            damage(&mut text, &mut random);
        }
        let start = cpu_time();
        match round / samples.len() % 4 {
            0 => try_out(&text, FileType::Yaml, false),
            1 => try_out(&text, FileType::Usual, true),
            _ => try_out(&text, FileType::Usual, false),
        }
        let taken = cpu_time().saturating_sub(start);
        assert!(taken < Duration::from_secs(1), "{text:?} took {taken:?}");
    }
}
