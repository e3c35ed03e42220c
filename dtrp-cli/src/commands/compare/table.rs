//! What came of a comparison, as a table and as JSON.

use crate::commands::runs::{Outcome, mean, of_workers};
use crate::error::Failure;
use dtrp_text::units::{bytes, percent, rate};
use dtrp_text::{Table, to_json};
use dtrp_train::{End, Summary, WorkerSummary};
use serde_json::{Value, json};

/// The runs of a variant so far.
pub(super) struct Row {
    pub(super) name: String,
    /// That it is to be trained with.
    pub(super) seeds: Vec<u64>,
    /// Of the first seeds, in order.
    pub(super) runs: Vec<Outcome>,
    /// Why it cannot be trained at all.
    pub(super) fault: Option<Failure>,
}

impl Row {
    fn summaries(&self) -> Vec<&Summary> {
        let runs = self.runs.iter();
        let ended = runs.filter_map(|run| match run {
            Outcome::Ended(finished) => Some(&finished.summary),
            Outcome::Failed(_) => None,
        });
        ended.collect()
    }

    /// Those that were trained to their end.
    fn finished(&self) -> Vec<&Summary> {
        let mut summaries = self.summaries();
        summaries.retain(|summary| summary.end == End::Finished);
        summaries
    }

    /// Seeds that were not come to.
    pub(super) fn missing(&self) -> &[u64] {
        if self.fault.is_some() {
            return &[];
        }
        &self.seeds[self.runs.len()..]
    }

    /// The first run without a result.
    pub(super) fn failure(&self) -> Option<&Failure> {
        let failed = |run| match run {
            &Outcome::Failed(ref failure) => Some(failure),
            Outcome::Ended(_) => None,
        };
        self.fault.as_ref().or_else(|| self.runs.iter().find_map(failed))
    }

    /// `finished`, `diverged`, `failed (exit code 5)`; with several seeds how often.
    fn end(&self) -> String {
        if let Some(fault) = &self.fault {
            return fault.to_string();
        }
        let mut ends: Vec<(String, usize)> = Vec::new();
        let missing = self.missing().iter().map(|_| "missing".to_owned());
        let runs = self.runs.iter().map(|run| match run {
            Outcome::Ended(finished) => finished.summary.end.to_string(),
            Outcome::Failed(failure) => failure.to_string(),
        });
        for end in runs.chain(missing) {
            match ends.iter_mut().find(|(other, _)| *other == end) {
                Some((_, count)) => *count += 1,
                None => ends.push((end, 1)),
            }
        }
        if let [(end, _)] = ends.as_slice() {
            return end.clone();
        }
        let ends: Vec<_> = ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
        ends.join(", ")
    }

    fn json(&self) -> Value {
        let failure = |seed: u64, failure: &Failure| {
            let mut object = json!(failure);
            object["seed"] = seed.into();
            object
        };
        let mut failed: Vec<Value> = Vec::new();
        if let Some(fault) = &self.fault {
            failed.extend(self.seeds.iter().map(|seed| failure(*seed, fault)));
        }
        for (seed, run) in self.seeds.iter().zip(&self.runs) {
            if let Outcome::Failed(why) = run {
                failed.push(failure(*seed, why));
            }
        }
        json!({
            "variant": self.name,
            "runs": self.summaries(),
            "failed": failed,
            "missing": self.missing(),
        })
    }
}

/// Mean of a number over the seeds; `None` if a run lacks it.
fn over_seeds<T>(runs: &[T], number: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let numbers = runs.iter().map(number).collect::<Option<Vec<_>>>()?;
    mean(&numbers)
}

/// A row for each variant, its numbers the means over the runs that were trained to their end. How the others ended has a
/// column where there are any.
pub(super) fn table(rows: &[Row]) -> Table {
    let all_finished = rows.iter().all(|row| row.finished().len() == row.seeds.len());
    let mut table = Table::new(1);
    let head = [
        "variant",
        "K",
        "test accuracy",
        "train loss",
        "images/s",
        "busy",
        "staleness",
        "stored inputs",
        "peak memory",
        "prediction error",
    ];
    let end = |end: String| (!all_finished).then_some(end);
    table.row(head.map(str::to_owned).into_iter().chain(end("end".to_owned())));
    for row in rows {
        let summaries = row.finished();
        let top = |number: fn(&Summary) -> Option<f64>| over_seeds(&summaries, |s| number(s));
        let workers = |number: fn(&WorkerSummary) -> Option<f64>, together: fn(&[f64]) -> Option<f64>| {
            over_seeds(&summaries, |summary| together(&of_workers(summary, number)))
        };
        let most = |numbers: &[f64]| numbers.iter().copied().reduce(f64::max);
        let sum = |numbers: &[f64]| Some(numbers.iter().sum());
        let dash = || "-".to_owned();
        let cells = [
            row.name.clone(),
            top(|s| Some(s.modules as f64)).map_or_else(dash, |k| k.to_string()),
            percent(top(|s| s.final_test_accuracy), 2),
            top(|s| s.final_train_loss).map_or_else(dash, |loss| format!("{loss:.4}")),
            top(|s| s.images_per_second).map_or_else(dash, rate),
            percent(workers(|w| w.busy_share, mean), 0),
            workers(|w| Some(w.staleness_max.into()), most).map_or_else(dash, |s| s.to_string()),
            workers(|w| Some(w.stored_input_peak_bytes as f64), sum).map_or_else(dash, |b| bytes(b as u64)),
            top(|s| s.peak_rss_bytes.map(|b| b as f64)).map_or_else(dash, |b| bytes(b as u64)),
            workers(|w| w.prediction_gain, mean).map_or_else(dash, |gain| format!("{gain:.3}")),
        ];
        table.row(cells.into_iter().chain(end(row.end())));
    }
    table
}

/// Everything that was measured.
pub(super) fn json(rows: &[Row]) -> String {
    to_json(&rows.iter().map(Row::json).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_need_every_run() {
        let runs = [(1.0, Some(3.0)), (2.0, None)];
        assert_eq!(over_seeds(&runs, |run| Some(run.0)), Some(1.5));
        assert_eq!(over_seeds(&runs, |run| run.1), None);
    }

    #[test]
    fn what_has_no_result_is_told() {
        let failure = Failure {
            exit_code: Some(9),
            signal: None,
            message: None,
        };
        let row = |runs, fault| Row {
            name: "a".to_owned(),
            seeds: vec![1, 2, 3],
            runs,
            fault,
        };
        let some = row(vec![Outcome::Failed(failure.clone())], None);
        assert_eq!(some.end(), "1 failed (exit code 9), 2 missing");
        assert_eq!(some.missing(), [2, 3]);
        let none = row(Vec::new(), Some(failure));
        assert_eq!(none.end(), "failed (exit code 9)");
        assert!(none.missing().is_empty());
        assert_eq!(none.json()["failed"][2]["seed"], 3);
        let text = table(&[some, none]).to_string();
        assert!(text.lines().next().unwrap().ends_with("end"), "{text}");
    }
}
