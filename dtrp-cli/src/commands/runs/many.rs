//! Several runs, some of them at once.

use super::asked::{ASKED, Asked, Earlier, identity};
use super::child::{Child, LOOK_EVERY, Stderr};
use super::files::Marks;
use super::{Finished, Outcome, Runs};
use crate::error::{Error, Failure};
use crate::progress::{self, Lines};
use crate::run::{Line, METRICS};
use dtrp_text::units::percent;
use dtrp_train::TrainError;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread;

/// A run that is to be trained.
#[derive(Debug)]
pub(crate) struct Job {
    /// For people: `bp, seed 1`.
    pub(crate) name: String,
    /// Of its folder.
    pub(crate) folder: String,
    /// Further keys.
    pub(crate) sets: Vec<String>,
    pub(crate) asked: Asked,
}

/// A run that goes on.
struct Running<'a> {
    index: usize,
    job: &'a Job,
    child: Child,
    folder: PathBuf,
    /// The folder that had the name before.
    before: Option<(u64, u64)>,
    /// Whether the folder is this run's by now.
    begun: bool,
}

impl Runs<'_> {
    /// Trains all, `at_once` of them at a time, and returns what came of each: `None` where it was not come to, or was ended
    /// because the program is to stop. With `resume`, runs of a comparison before this one that have a result are not trained
    /// again, and those that were broken off go on.
    ///
    /// # Errors
    ///
    /// [`TrainError::Stopped`] beside the outcomes if the program was asked to stop, and there are runs without one.
    pub(crate) fn train_all(
        &self,
        jobs: &[Job],
        at_once: usize,
        resume: bool,
    ) -> (Vec<Option<Outcome>>, Result<(), Error>) {
        let mut outcomes: Vec<Option<Outcome>> = jobs.iter().map(|_| None).collect();
        let mut waiting = jobs.iter().enumerate();
        let mut running: Vec<Running<'_>> = Vec::new();
        let mut shown = Lines::new();
        loop {
            while running.len() < at_once
                && !self.stop.requested()
                && let Some((index, job)) = waiting.next()
            {
                match self.begin(index, job, resume) {
                    Ok(Begun::Runs(run)) => running.push(run),
                    Ok(Begun::Has(outcome)) => outcomes[index] = Some(outcome),
                    Err(error) => outcomes[index] = Some(self.failed(job, &error)),
                }
            }
            if running.is_empty() {
                break;
            }
            let mut still = Vec::new();
            for mut run in running {
                run.look();
                match run.child.ended(&self.stop) {
                    Ok(None) => still.push(run),
                    Ok(Some(status)) => {
                        run.look();
                        outcomes[run.index] = self.outcome(run.job, status);
                    }
                    Err(error) => outcomes[run.index] = Some(self.failed(run.job, &error)),
                }
            }
            running = still;
            shown.show(|| running.iter().map(Running::line).collect());
            thread::sleep(LOOK_EVERY);
        }
        shown.clear();
        let stopped = self.stop.requested() && outcomes.iter().any(Option::is_none);
        let result = if stopped {
            Err(Error::Train(TrainError::Stopped(String::new())))
        } else {
            Ok(())
        };
        (outcomes, result)
    }

    /// For the files that these runs name.
    pub(crate) fn marks(&self) -> Marks {
        Marks::new(self.dir)
    }

    /// What was trained before is of use only as long as it was trained on the same files.
    ///
    /// # Errors
    ///
    /// [`Error::Fit`], with the first run of which that is not so.
    pub(crate) fn same_files(&self, jobs: &[Job]) -> Result<(), Error> {
        for job in jobs {
            let folder = self.dir.join(&job.folder);
            if let Earlier::Changed(key) = job.asked.earlier(&folder) {
                let (folder, name) = (folder.display(), &job.name);
                return Err(Error::Fit(format!(
                    "{folder}: what {key} names has changed since {name} was trained: put back what was there (its mark stands \
                     in {ASKED}), or leave out --resume to train everything anew"
                )));
            }
        }
        Ok(())
    }

    fn begin<'a>(&self, index: usize, job: &'a Job, resume: bool) -> Result<Begun<'a>, Error> {
        let folder = self.dir.join(&job.folder);
        let name = &job.name;
        let earlier = if resume {
            job.asked.earlier(&folder)
        } else {
            Earlier::Nothing
        };
        let goes_on = match earlier {
            Earlier::Ended(summary) => {
                let summary = *summary;
                tracing::info!("{name}: {} before, in {}", summary.end, folder.display());
                return Ok(Begun::Has(Outcome::Ended(Box::new(Finished { folder, summary }))));
            }
            Earlier::Begun => {
                tracing::info!("{name}, from where it was broken off");
                true
            }
            Earlier::Other | Earlier::Changed(_) => {
                let folder = folder.display();
                tracing::info!("{name}: what is in {folder} was asked for otherwise, and is moved away");
                false
            }
            Earlier::Nothing => {
                tracing::info!("{name}");
                false
            }
        };
        let mut command = self.training(&job.folder, &job.sets)?;
        if goes_on {
            command.args(["--resume", "auto"]);
        }
        // What it says must not tear the lines that show how far the runs are.
        let stderr = if progress::can_redraw() {
            Stderr::Passed
        } else {
            Stderr::Shared
        };
        let before = identity(&folder);
        Ok(Begun::Runs(Running {
            index,
            job,
            child: Child::start(&mut command, stderr)?,
            before,
            begun: goes_on,
            folder,
        }))
    }

    /// What came of a run that has ended; `None` if it was ended because all are to stop.
    fn outcome(&self, job: &Job, status: ExitStatus) -> Option<Outcome> {
        let outcome = match status.code() {
            Some(0) => self.finished(&job.folder),
            Some(code) if code == i32::from(Error::DIVERGED) => self.finished(&job.folder),
            _ if self.stop.requested() => return None,
            _ => Ok(Outcome::Failed(Failure::of(status, None))),
        };
        match outcome {
            Ok(Outcome::Failed(failure)) => {
                tracing::warn!("{}", failure.of_run(&job.name));
                Some(Outcome::Failed(failure))
            }
            Ok(Outcome::Ended(run)) => {
                let accuracy = percent(run.summary.final_test_accuracy, 2);
                tracing::info!("{}: {}, test accuracy {accuracy}", job.name, run.summary.end);
                Some(Outcome::Ended(run))
            }
            Err(error) => Some(self.failed(job, &error)),
        }
    }

    /// A run that cannot be started or read does not take the others with it.
    fn failed(&self, job: &Job, error: &Error) -> Outcome {
        let failure = Failure::before(error);
        tracing::warn!("{}", failure.of_run(&job.name));
        Outcome::Failed(failure)
    }
}

enum Begun<'a> {
    Runs(Running<'a>),
    /// It has a result already.
    Has(Outcome),
}

impl Running<'_> {
    /// Looks whether its folder is there, and keeps in it what it was asked to be: only then is it sure that nobody takes an
    /// earlier run of the name for this one.
    fn look(&mut self) {
        let now = identity(&self.folder);
        if now.is_some() && now != self.before {
            self.job.asked.keep(&self.folder);
            self.before = now;
            self.begun = true;
        }
    }

    /// How far it is.
    fn line(&self) -> String {
        let line = if self.begun { last_line(&self.folder) } else { None };
        let name = &self.job.name;
        match line {
            Some(Line::Step(step)) => {
                format!(
                    "{name}  epoch {}  step {}  loss {:.4}",
                    step.epoch, step.step, step.loss
                )
            }
            Some(Line::Epoch(epoch)) => {
                let accuracy = percent(Some(epoch.test_accuracy), 2);
                let (step, loss) = (epoch.step, epoch.train_loss);
                format!(
                    "{name}  epoch {}  step {step}  loss {loss:.4}  accuracy {accuracy}",
                    epoch.epoch
                )
            }
            None => format!("{name}  begins"),
        }
    }
}

/// The last whole line of its metrics.
fn last_line(folder: &Path) -> Option<Line> {
    const ENOUGH: u64 = 1 << 16;
    let mut file = File::open(folder.join(METRICS)).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(ENOUGH))).ok()?;
    let mut bytes = Vec::new();
    file.take(2 * ENOUGH).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let (whole, _) = text.rsplit_once('\n')?;
    serde_json::from_str(whole.lines().next_back()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(last_line(folder.path()).is_none());
        let step =
            |step: u64| format!(r#"{{"event":"step","step":{step},"epoch":1,"loss":2.5,"lr":0.1,"seconds":0.5}}"#);
        let text = format!("{}\n{}\n{{\"event\":", step(1), step(2));
        std::fs::write(folder.path().join(METRICS), text).unwrap();
        assert!(matches!(last_line(folder.path()), Some(Line::Step(step)) if step.step == 2));
    }
}
