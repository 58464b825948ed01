//! Configurations with random damage, read, built, checked, explained and laid out: whatever comes of them, it comes quickly, without a panic, and in
//! bounded memory.

use crate::check::explain::{Picture, Plan, explain, graph};
use crate::check::render::{Format, render};
use crate::check::{Settings, Target, check};
use crate::config::format::format;
use crate::config::tests::mutation::{Random, damage};
use crate::config::{self, Diagnostics, FileType, LoadOptions, System, dump, load_despite_faults, warn_unused};
use crate::pipeline;
use std::time::Duration;

/// How many texts are tried where `FLUMEN_MUTATIONS` does not say.
const ROUNDS: usize = 400;

/// What the tests of this process may have had at once in memory when the damaged configurations are through.
const MOST_MEMORY_KIB: u64 = 1 << 20;

/// The configurations that ship, those of real shape, and some of other kinds: they are damaged.
fn samples() -> Vec<String> {
    let folders = [concat!(env!("CARGO_MANIFEST_DIR"), "/conf"), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("is there").flatten());
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ext| ext == "conf")).collect();
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

/// All that the tools for configurations do with one.
fn look_at(text: &str, file_type: FileType, v0: bool, target: Target) {
    let mut options = LoadOptions { file_type, v0, ..LoadOptions::for_text("test.conf", text) };
    options.environment.trusted = false;
    let report = check(&options, &Settings { files: false, target, ..Settings::default() });
    for format in [Format::Human, Format::Json, Format::Sarif, Format::Github] {
        render(std::slice::from_ref(&report), format, true);
    }
    if let Ok(plan) = Plan::read(&options, Diagnostics::new()) {
        graph(&plan, Picture::Mermaid);
        graph(&plan, Picture::Dot);
        drop(explain(&plan, "kubernetes.var.log", Some(r#"{"log":"a\u0000b","level":"error","n":1.5}"#)));
    }
    if let Ok(first) = format("test.conf", text, &Diagnostics::new()) {
        let second = format("test.conf", &first, &Diagnostics::new()).ok();
        assert_eq!(second.as_deref(), Some(first.as_str()), "laid out twice from {text:?}");
    }
}

/// The most memory that this process has had, in KiB; 0 where the system does not say.
fn most_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What this thread has worked so far: waiting for a busy machine does not count.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes the time into what it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn damaged_configurations_are_handled_without_panic_quickly_and_in_bounded_memory() {
    let rounds = std::env::var("FLUMEN_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(ROUNDS);
    let samples = samples();
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let mut text = samples[random.below(samples.len())].clone();
        for _ in 0..=random.below(8) {
            damage(&mut text, &mut random);
        }
        let (file_type, v0) = match round % 4 {
            0 => (FileType::Yaml, false),
            1 => (FileType::Usual, true),
            _ => (FileType::Usual, false),
        };
        for step in 0..3 {
            let start = cpu_time();
            match step {
                0 => try_out(&text, file_type, v0),
                1 => look_at(&text, file_type, v0, Target::Fluentd),
                _ => look_at(&text, file_type, v0, Target::Either),
            }
            let taken = cpu_time().saturating_sub(start);
            assert!(taken < Duration::from_secs(1), "{text:?} took {taken:?}");
            slowest = slowest.max(taken);
        }
    }
    let memory = most_memory_kib();
    assert!(memory < MOST_MEMORY_KIB, "{memory} KiB");
    println!("{rounds} damaged configurations: the slowest took {slowest:?} of processor time, at most {memory} KiB");
}
