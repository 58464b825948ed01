//! `flumen check` and `--dry-run`: everything up to and including construction.

use super::{EXIT_CONFIG, Options, load};
use crate::config::Refused;
use crate::pipeline;
use std::process::ExitCode;

/// Reads and builds the configuration and says all that is wrong with it.
pub fn check(options: &Options) -> ExitCode {
    match check_quietly(options) {
        Ok(()) => {
            crate::info!("finished dry run mode");
            ExitCode::SUCCESS
        }
        Err(Refused) => ExitCode::from(EXIT_CONFIG),
    }
}

/// As [`check`], with nothing said where all is well but warnings.
pub fn check_quietly(options: &Options) -> Result<(), Refused> {
    load::load(options).map(|loaded| drop::<pipeline::Pipeline>(loaded.pipeline))
}
