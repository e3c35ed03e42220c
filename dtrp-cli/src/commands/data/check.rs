//! `dtrp data check`.

use crate::config::path_argument;
use crate::error::Error;
use crate::output::{self, Format};
use clap::Args;
use dtrp_data::{DataProblem, DataReport, DataSpec, DatasetInfo, PartReport};
use dtrp_text::units::{count, thousands};
use dtrp_text::{Table, to_json};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

/// `dtrp data check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The folder, as data.dir would have it
    #[arg(value_parser = path_argument())]
    dir: PathBuf,
    /// The data set in it [default: what the names of its files look like]
    #[arg(long)]
    name: Option<String>,
    /// Threads that decode images [default: one for each processor]
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl Check {
    pub(super) fn run(&self) -> Result<(), Error> {
        let spec = match &self.name {
            Some(name) => DataSpec::in_dir(name, &self.dir),
            None => dtrp_data::detect(&self.dir)?,
        };
        let set = dtrp_data::find(&spec.name)?;
        let threads = self.threads.or_else(|| available_parallelism().ok());
        let report = dtrp_data::check(&spec, threads.map_or(1, NonZeroUsize::get))?;
        match self.format {
            Format::Table => output::print(&output::wrapped(&self.text(set, &report)))?,
            Format::Json => output::print(&to_json(&self.json(set, &report)))?,
        }
        match report.problems.len() {
            0 => Ok(()),
            problems => Err(Error::BadData(format!(
                "{}: {} with the files, see above",
                self.dir.display(),
                count(problems as u64, "problem", "problems")
            ))),
        }
    }

    fn text(&self, set: &DatasetInfo, report: &DataReport) -> String {
        let files = count(report.files as u64, "file", "files");
        let mut text = format!("{} in {}: {files}\n", set.name, self.dir.display());
        if let [train, test] = report.parts.as_slice() {
            let _ = write!(text, "\n{}\n{}", classes(train, test), pixels(train));
        }
        for note in notes(set, report) {
            let _ = write!(text, "\nnote: {note}\n");
        }
        text.push('\n');
        match report.problems.len() {
            0 => text.push_str("no problems\n"),
            problems => text.push_str(&(count(problems as u64, "problem", "problems") + "\n")),
        }
        for problem in &report.problems {
            let _ = writeln!(text, "  {problem}");
        }
        text
    }

    fn json(&self, set: &DatasetInfo, report: &DataReport) -> Value {
        let problem = |problem: &DataProblem| {
            json!({
                "path": problem.path.to_string_lossy(),
                "offset": problem.offset,
                "problem": problem.problem,
            })
        };
        let part = |part: &PartReport| {
            let classes = part.classes.iter();
            let classes: Map<_, _> = classes.map(|(c, n)| (c.clone(), (*n).into())).collect();
            let value = json!({
                "samples": part.samples,
                "classes": classes,
                "mean": part.mean,
                "std": part.std,
            });
            (part.name.to_owned(), value)
        };
        json!({
            "name": set.name,
            "dir": self.dir.to_string_lossy(),
            "files": report.files,
            "parts": report.parts.iter().map(part).collect::<Map<_, _>>(),
            "notes": notes(set, report),
            "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
        })
    }
}

/// How many samples each class has.
fn classes(train: &PartReport, test: &PartReport) -> String {
    let mut table = Table::new(1);
    table.row(["class", "train", "test"]);
    let mut row = |name: &str, train: usize, test: usize| {
        let [train, test] = [train, test].map(|samples| thousands(samples as u64));
        table.row([name.to_owned(), train, test]);
    };
    for ((name, train), (_, test)) in train.classes.iter().zip(&test.classes) {
        row(name, *train, *test);
    }
    row("(all)", train.samples, test.samples);
    output::fitted(&table)
}

/// The distribution of each channel.
fn pixels(train: &PartReport) -> String {
    let list = |values: &[f64]| {
        let values: Vec<_> = values.iter().map(|value| format!("{value:.4}")).collect();
        values.join(", ")
    };
    format!(
        "training pixels, from 0 to 1: mean {}; standard deviation {}\n",
        list(&train.mean),
        list(&train.std)
    )
}

/// What is worth knowing though it breaks no rule.
fn notes(set: &DatasetInfo, report: &DataReport) -> Vec<String> {
    let mut notes = report.notes.clone();
    if let (Some([train, test]), [a, b]) = (set.samples, report.parts.as_slice())
        && report.problems.is_empty()
        && [train, test] != [a.samples, b.samples]
    {
        let [train, test] = [train, test].map(|samples| thousands(samples as u64));
        notes.push(format!(
            "the published set has {train} training and {test} test images; \
             if this should be it and not a part of it, get it again"
        ));
    }
    for part in &report.parts {
        let counts = || part.classes.iter().map(|(_, images)| *images);
        let (Some(least), Some(most)) = (counts().min(), counts().max()) else {
            continue;
        };
        if part.name == "train" && most >= 10 * least.max(1) {
            notes.push(format!(
                "the classes are far from balanced: from {} to {} training images",
                thousands(least as u64),
                thousands(most as u64)
            ));
        }
    }
    notes
}
