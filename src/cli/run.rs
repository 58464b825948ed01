//! Running: what `flumen` without a subcommand does.

use super::{EXIT_CONFIG, EXIT_RUN, Options, load};
use crate::supervisor::{self, Settings};
use std::process::ExitCode;

/// Loads the configuration and runs it until a signal says stop.
pub fn run(options: &Options) -> ExitCode {
    let Ok(loaded) = load::load(options) else { return ExitCode::from(EXIT_CONFIG) };
    if let Some(mask) = options.umask.or(loaded.system.umask.map(|mask| mask.0)) {
        // SAFETY: umask changes one number of this process and cannot fail.
        unsafe { libc::umask(mask as libc::mode_t) };
    }
    let settings = Settings { log: options.log.clone(), threads: None };
    match supervisor::serve(loaded.pipeline, &settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            crate::error!("unexpected error error={:?}", format!("{error:#}"));
            ExitCode::from(EXIT_RUN)
        }
    }
}
