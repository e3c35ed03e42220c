//! How the program ends.
//!
//! Usually by returning from `main`. Where code of a plug-in has run, or a thread has never come back from what it was doing,
//! what usually comes last may hang or crash: then the process ends at once, when all is written.

use crate::error::of_predictor;
use crate::progress;
use dtrp_predictors::loader;
use std::io::Write;
use std::process::ExitCode;

/// Ends the program with this exit code, or with another where a plug-in has failed in a call after which no other came.
pub(crate) fn with(code: u8) -> ExitCode {
    let code = match loader::untold() {
        Some(error) if code == 0 => {
            let error = of_predictor(error.into(), true);
            progress::last_error(&error.to_string(), error.exit_code());
            error.exit_code()
        }
        _ => code,
    };
    // Whoever reads it may have stopped reading.
    let _ = std::io::stdout().flush();
    if loader::touched() || dtrp_train::left_behind() {
        loader::end(code.into());
    }
    loader::ending();
    ExitCode::from(code)
}
