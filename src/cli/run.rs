//! Running: what `flumen` without a subcommand does.

use super::load::{self, Loaded};
use super::{EXIT_CONFIG, EXIT_RUN, Options};
use crate::pipeline::Predecessor;
use crate::supervisor::{self, Dump, Next, Settings};
use std::process::ExitCode;
use std::sync::Arc;

/// Loads the configuration and runs it until a signal says stop.
pub fn run(options: &Options) -> ExitCode {
    let Ok(loaded) = load::load(options) else { return ExitCode::from(EXIT_CONFIG) };
    if let Some(mask) = options.umask.or(loaded.system.umask.as_ref().map(|mask| mask.0)) {
        // SAFETY: umask changes one number of this process and cannot fail.
        unsafe { libc::umask(mask as libc::mode_t) };
    }
    let settings = settings_of(&loaded);
    let options = options.clone();
    let loader = move |before: &Predecessor| {
        let loaded = load::reload(&options, before)?;
        let (settings, log) = (settings_of(&loaded), loaded.log);
        // A log file that cannot be opened has been said; lines go on to where they went before.
        let commit = move || {
            let _ = log.apply(true);
        };
        Ok(Next { pipeline: loaded.pipeline, settings, commit: Box::new(commit) })
    };
    match supervisor::serve(loaded.pipeline, settings, Arc::new(loader)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            crate::error!("unexpected error error={:?}", format!("{error:#}"));
            ExitCode::from(EXIT_RUN)
        }
    }
}

/// What the supervisor has to know of a configuration.
fn settings_of(loaded: &Loaded) -> Settings {
    Settings {
        log: loaded.log.path.clone(),
        threads: loaded.system.threads.map(|threads| threads as usize),
        shutdown_timeout: loaded.system.shutdown_timeout.duration(),
        rpc: loaded.rpc.clone(),
        dump: Dump { text: loaded.dump.as_str().into(), is_open: loaded.system.enable_get_dump == Some(true) },
    }
}
