//! Whether a plug-in does what the interface asks: what `dtrp predictors check` runs.
//!
//! For each predictor of a library, over both families of optimizers, the number types it declares, several lengths,
//! horizons and updates:
//!
//! | check | what must hold |
//! |---|---|
//! | `create` | it can be made with the given options |
//! | `in time` | no call hangs |
//! | `calls succeed` | no panic, no broken contract, at least one family of optimizers is accepted |
//! | `output` | all of it is written, and nothing around it (guard zones) |
//! | `finite` | finite inputs give a finite forecast |
//! | `inputs` | nothing that it may only read has changed (checksums) |
//! | `horizon 0` | gives the weights, bit for bit |
//! | `same bytes` | the same calls give the same bytes |
//! | `save and load` | a restored instance goes on with the same bytes |
//! | `wrong options` | an unknown option, broken JSON and an unknown id are refused, and it says why |
//! | `threads` | many instances in several threads at once give the same bytes as one alone |

mod play;
mod report;

use self::play::{FailedCheck, Subject};
pub use self::report::{Check, CheckOutcome, CheckedPredictor, ConformanceReport};
use crate::{
    PluginError, UnknownName, abi,
    error::KIND,
    loader::{DEFAULT_LIMIT, Descriptor, Library, limit::limited},
};
use serde_json::Value;
use std::{path::Path, sync::Arc, thread, time::Duration};

/// How a check is run.
#[derive(Debug, Clone)]
pub struct ConformanceSettings {
    /// How long loading and each check may take.
    pub limit: Duration,
    /// Only the predictor of this id.
    pub only: Option<String>,
    /// Options that predictors are made with; null for none.
    pub options: Value,
}

impl Default for ConformanceSettings {
    /// Every predictor, without options, [`DEFAULT_LIMIT`].
    fn default() -> Self {
        Self {
            limit: DEFAULT_LIMIT,
            only: None,
            options: Value::Null,
        }
    }
}

/// Checks the library at `path`. What cannot be loaded is reported, not returned as an error.
///
/// Runs code of the library in this process: one that crashes takes the process with it. A check that hangs leaves its
/// thread behind.
pub fn check(path: &Path) -> ConformanceReport {
    check_with(path, &ConformanceSettings::default())
}

/// As [`check`], with settings.
pub fn check_with(path: &Path, settings: &ConformanceSettings) -> ConformanceReport {
    match Library::open_within(path, settings.limit) {
        Ok(library) => check_library(library, settings),
        Err(error) => ConformanceReport::unloadable(path, error),
    }
}

/// Checks a plug-in that is part of this program: what the tests of a plug-in call with [`entry!`](crate::entry).
pub fn check_entry(entry: &'static abi::Entry) -> ConformanceReport {
    match Library::linked(entry) {
        Ok(library) => check_library(library, &ConformanceSettings::default()),
        Err(error) => ConformanceReport::unloadable(Path::new("(linked)"), error),
    }
}

fn check_library(library: &'static Library, settings: &ConformanceSettings) -> ConformanceReport {
    let mut report = ConformanceReport::of(library);
    let wanted = |descriptor: &&Descriptor| settings.only.as_ref().is_none_or(|id| *id == descriptor.id);
    for descriptor in library.descriptors().iter().filter(wanted) {
        let checks = check_predictor(library, descriptor, settings);
        report.predictors.push(CheckedPredictor {
            descriptor: descriptor.clone(),
            checks,
        });
    }
    if report.predictors.is_empty() {
        let ids = library.descriptors().iter().map(|descriptor| descriptor.id.as_str());
        let unknown = UnknownName::new(KIND, settings.only.as_deref().unwrap_or_default(), ids);
        let path = library.path().into();
        report.error = Some(PluginError::UnknownId { path, unknown }.into());
    }
    report
}

/// The check that fails when a call hangs.
const LATE: &str = "in time";

/// The checks that one play of the script can fail, in the order in which they are reported.
const OF_A_PLAY: [&str; 6] = [LATE, "calls succeed", "output", "finite", "inputs", "horizon 0"];
/// Those that come after it.
const AFTERWARDS: [&str; 4] = ["same bytes", "save and load", "wrong options", "threads"];

const THREADS: usize = 4;

fn check_predictor(
    library: &'static Library,
    descriptor: &'static Descriptor,
    settings: &ConformanceSettings,
) -> Vec<Check> {
    let options = if settings.options.is_null() {
        String::new()
    } else {
        settings.options.to_string()
    };
    let subject = Subject {
        library,
        descriptor,
        options: Arc::from(options),
    };
    let mut checks = Vec::new();
    let within = |work: fn(&Subject) -> Result<Vec<u64>, FailedCheck>| {
        let subject = subject.clone();
        let late = FailedCheck::new(LATE, format!("it has not come back after {:?}", settings.limit));
        limited(settings.limit, move || work(&subject)).unwrap_or(Err(late))
    };

    if let Err(problem) = within(|subject| subject.instance().map(|_| Vec::new()).map_err(FailedCheck::of_create)) {
        checks.push(Check::failed(problem.check, problem.message));
        return checks;
    }
    checks.push(Check::passed("create"));

    let script = match within(play::script) {
        Ok(bytes) => bytes,
        Err(FailedCheck { check, message }) => {
            // A failure ends the play, so that the others may or may not hold.
            let rest = OF_A_PLAY.iter().chain(&AFTERWARDS).filter(|name| **name != check);
            checks.push(Check::failed(check, message));
            checks.extend(rest.map(|name| Check::skipped(name, format!("not reached, since `{check}` failed"))));
            return checks;
        }
    };
    checks.extend(OF_A_PLAY.map(Check::passed));

    let outcome = |name, result: Result<Vec<u64>, FailedCheck>, expected: Option<&[u64]>| match result {
        Err(problem) => Check::failed(name, problem.message),
        Ok(bytes) if expected.is_some_and(|expected| expected != bytes) => {
            Check::failed(name, "the forecasts differ in their bits".into())
        }
        Ok(_) => Check::passed(name),
    };
    // Whatever hangs once is not asked again.
    let rest = [
        ("same bytes", play::script as fn(&Subject) -> _, Some(&script[..])),
        ("save and load", play::interrupted, None),
        ("wrong options", play::wrong_options, None),
        ("threads", together, Some(&script)),
    ];
    let mut hung = false;
    for (name, work, expected) in rest {
        if hung {
            checks.push(Check::skipped(name, "not reached, since a call hangs".into()));
            continue;
        }
        let result = within(work);
        hung = matches!(&result, Err(problem) if problem.check == LATE);
        checks.push(outcome(name, result, expected));
    }
    checks
}

/// The script in several threads at once.
fn together(subject: &Subject) -> Result<Vec<u64>, FailedCheck> {
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let subject = subject.clone();
            thread::spawn(move || play::script(&subject))
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        let bytes = thread
            .join()
            .map_err(|_| FailedCheck::new("threads", "a thread panicked".into()))??;
        if all.is_empty() {
            all = bytes;
        } else if all != bytes {
            return Err(FailedCheck::new("threads", "the forecasts differ in their bits".into()));
        }
    }
    Ok(all)
}
