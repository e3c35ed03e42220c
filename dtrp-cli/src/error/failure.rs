//! Runs in processes of their own that have no result, and who ended them.

use super::Error;
use serde::Serialize;
use signal_hook::low_level::signal_name;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Why a run has no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// Of the process; null where the system ended it.
    pub(crate) exit_code: Option<u8>,
    /// That ended it.
    pub(crate) signal: Option<i32>,
    /// What it said, where that has not been shown.
    pub(crate) message: Option<String>,
}

impl Failure {
    /// From how the process ended.
    pub(crate) fn of(status: ExitStatus, message: Option<String>) -> Self {
        Self {
            exit_code: status.code().and_then(|code| u8::try_from(code).ok()),
            signal: status.signal(),
            message,
        }
    }

    /// Of a configuration that cannot be run.
    pub(crate) fn before(error: &Error) -> Self {
        Self {
            exit_code: Some(error.exit_code()),
            signal: None,
            message: Some(error.to_string()),
        }
    }

    /// The error that it is for the whole command, of the run `name`.
    pub(crate) fn of_run(&self, name: &str) -> Error {
        Error::Variant {
            name: name.to_owned(),
            failure: self.clone(),
        }
    }

    /// The exit code for it.
    pub(crate) fn code(&self) -> u8 {
        self.exit_code.unwrap_or(Error::WORKER)
    }

    /// What was said, and by whom.
    pub(crate) fn told(&self) -> String {
        let Some(signal) = self.signal else {
            let message = self.message.as_ref();
            let message = message.map_or("; see above".to_owned(), |message| format!(": {message}"));
            return format!("{self}{message}");
        };
        if signal == libc::SIGKILL {
            return format!("was {self}: not by dtrp; the system does that where memory runs out (`dmesg` tells)");
        }
        format!("was {self}: not by dtrp")
    }
}

impl fmt::Display for Failure {
    /// For a cell of a table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.exit_code, self.signal) {
            (_, Some(signal)) => {
                let name = signal_name(signal).map_or(String::new(), |name| format!(" {name}"));
                write!(f, "killed (signal {signal}{name})")
            }
            (code, None) => write!(f, "failed (exit code {})", code.unwrap_or(Error::WORKER)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ended_a_run_is_told() {
        let failure = |exit_code, signal| Failure {
            exit_code,
            signal,
            message: None,
        };
        assert_eq!(failure(Some(9), None).told(), "failed (exit code 9); see above");
        let killed = failure(None, Some(9));
        assert!(killed.told().starts_with("was killed (signal 9 SIGKILL): not by dtrp"));
        assert_eq!((killed.code(), killed.of_run("a").exit_code()), (10, 10));
        let crashed = failure(None, Some(11));
        assert_eq!(crashed.to_string(), "killed (signal 11 SIGSEGV)");
    }
}
