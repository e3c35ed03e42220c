//! `tensorboard/events.out.tfevents.…`: the run for TensorBoard.
//!
//! What is written where stands in `docs/runs.md`. The form of the file is that of TensorFlow's `record_writer` and `event.proto`,
//! in `records`.

mod records;

use super::folder::Folder;
use super::growing::Growing;
use super::is_due;
use crate::error::Error;
use dtrp_train::{BoxError, EpochReport, Event, StepReport, Subscriber};
use records::{What, record};
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The folder of the files in a run's folder.
const FOLDER: &str = "tensorboard";

/// How the files' names begin.
const EVENTS: &str = "events.out.tfevents.";

/// Writes the events of a run.
pub(crate) struct TensorBoard {
    folder: Folder,
    every: u64,
    after: u64,
    config: String,
    /// From the start of training on.
    file: Option<Growing>,
}

impl TensorBoard {
    /// A file in this folder with every `every`-th step, as in `metrics.jsonl`, and the configuration as text. A run that is
    /// gone on with after `after` steps gets a further file, and TensorBoard is told to forget what it has of later ones; a new
    /// run has 0.
    pub(crate) fn new(folder: Folder, every: u64, after: u64, config: String) -> Self {
        Self {
            folder,
            every,
            after,
            config,
            file: None,
        }
    }

    fn start(&mut self) -> Result<(), Error> {
        let folder = self.folder.path().join(FOLDER);
        fs::create_dir_all(&folder).map_err(Error::file("make the folder", &folder))?;
        let path = folder.join(name(&folder));
        self.file = Some(Growing::create(&path, path.clone())?);
        self.write(0, &What::Version)?;
        if self.after > 0 {
            self.write(self.after + 1, &What::Resumed)?;
        }
        // Markdown: indented, it stands there as it is.
        let lines: Vec<_> = self.config.lines().map(|line| format!("    {line}")).collect();
        self.write(self.after, &What::Text("config", &lines.join("\n")))
    }

    fn scalars(&mut self, step: u64, values: &[(String, f64)]) -> Result<(), Error> {
        self.write(step, &What::Scalars(values))
    }

    fn write(&mut self, step: u64, what: &What) -> Result<(), Error> {
        match &mut self.file {
            Some(file) => file.append(&record(now(), step, what)),
            None => Ok(()),
        }
    }
}

impl Subscriber for TensorBoard {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        match event {
            Event::Started(_) => self.start()?,
            Event::Step(step) if is_due(step, self.every) => self.scalars(step.step, &of_step(step))?,
            Event::Epoch(epoch) => self.scalars(epoch.step, &of_epoch(epoch))?,
            _ => {}
        }
        Ok(())
    }
}

fn of_step(step: &StepReport) -> Vec<(String, f64)> {
    named([("loss/train", step.loss), ("learning_rate", step.lr)])
}

/// What was not measured has no point.
fn of_epoch(epoch: &EpochReport) -> Vec<(String, f64)> {
    let mut values = named([
        ("epoch", epoch.epoch as f64),
        ("loss/train_epoch", epoch.train_loss),
        ("loss/test", epoch.test_loss),
        ("accuracy/test", epoch.test_accuracy),
        ("images_per_second", epoch.images_per_second),
    ]);
    values.extend(
        epoch
            .peak_rss_bytes
            .map(|bytes| ("memory/peak_rss_bytes".to_owned(), bytes as f64)),
    );
    for (number, worker) in (1..).zip(&epoch.workers) {
        let of_worker = [
            ("busy_share", Some(worker.busy_share)),
            ("staleness_max", Some(worker.staleness_max.into())),
            ("stored_input_peak_bytes", Some(worker.stored_input_peak_bytes as f64)),
            ("prediction_gain", worker.prediction_gain),
        ];
        let measured = of_worker.into_iter().filter_map(|(name, value)| Some((name, value?)));
        values.extend(measured.map(|(name, value)| (format!("worker/{number}/{name}"), value)));
    }
    values
}

fn named<const N: usize>(values: [(&str, f64); N]) -> Vec<(String, f64)> {
    values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

/// `events.out.tfevents.<time>.<host>.<pid>`. TensorBoard reads the files in the order of their names, so a later one has a
/// later time, also within a second.
fn name(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let last = entries.filter_map(|entry| {
        let name = entry.file_name();
        let time = name.to_str()?.strip_prefix(EVENTS)?.split('.').next()?;
        time.parse::<u64>().ok()
    });
    let time = last.max().map_or(0, |last| last + 1).max(now() as u64);
    format!("{EVENTS}{time:010}.{}.{}", host(), std::process::id())
}

/// The machine's name, of characters that file systems do not mind.
fn host() -> String {
    let mut bytes = [0_u8; 256];
    // SAFETY: the length is that of the array, less one, so that the text ends in a zero.
    let found = unsafe { libc::gethostname(bytes.as_mut_ptr().cast(), bytes.len() - 1) };
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
    let name = String::from_utf8_lossy(&bytes[..end]);
    let plain = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' });
    match plain.collect::<String>() {
        name if found == 0 && !name.is_empty() => name,
        _ => "localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Claim, InUse};
    use std::process::Command;

    fn steps(folder: &Folder, after: u64, steps: std::ops::RangeInclusive<u64>, value: f64) {
        let mut board = TensorBoard::new(folder.clone(), 1, after, "a: 1\n".to_owned());
        board.start().unwrap();
        for step in steps {
            board.scalars(step, &named([("x", value)])).unwrap();
        }
    }

    #[test]
    fn a_later_file_comes_later() {
        let dir = tempfile::tempdir().unwrap();
        let names = [0, 1].map(|_| {
            let name = name(dir.path());
            fs::write(dir.path().join(&name), "").unwrap();
            name
        });
        assert!(names[0] < names[1], "{names:?}");
        assert!(!host().is_empty() && !host().contains(['.', '/']));
    }

    #[test]
    #[ignore = "needs Python packages: cargo xtask test --peers"]
    fn peers_forget_what_is_trained_again() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, ..) = Claim::new(dir.path(), "a", InUse::Number).unwrap().publish(1).unwrap();
        steps(&folder, 0, 1..=5, 1.0);
        steps(&folder, 3, 4..=6, 2.0);
        let program = "import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
run = EventAccumulator(sys.argv[1])
run.Reload()
print([(p.step, p.value) for p in run.Scalars('x')])";
        let python = std::env::var_os("DTRP_PEERS_PYTHON").expect("`cargo xtask test --peers` runs this test");
        let mut command = Command::new(python);
        command.args(["-c", program]).arg(folder.path().join(FOLDER));
        let output = command.output().unwrap();
        let expected = "[(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 2.0), (6, 2.0)]\n";
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
