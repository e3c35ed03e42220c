//! What came of a comparison, as a table and as JSON.

use super::statistics::{Paired, Spread};
use crate::commands::runs::{Finished, Outcome, mean, of_workers};
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
    /// With each of them; `None` as long as it has not come to its end.
    pub(super) runs: Vec<Option<Outcome>>,
    /// Why it cannot be trained at all.
    pub(super) fault: Option<Failure>,
}

/// A number of a summary.
type Number = fn(&Summary) -> Option<f64>;

/// Of which mean, deviation and test are told, by their names in a summary.
const TESTED: [(&str, Number); 4] = [
    (ACCURACY, |summary| summary.final_test_accuracy),
    ("best_test_accuracy", |summary| summary.best_test_accuracy),
    ("final_train_loss", |summary| summary.final_train_loss),
    ("images_per_second", |summary| summary.images_per_second),
];

/// Of which the table has the test.
const ACCURACY: &str = "final_test_accuracy";

impl Row {
    /// Those that have a summary, with their seeds.
    pub(super) fn ended(&self) -> impl Iterator<Item = (u64, &Finished)> {
        let runs = self.seeds.iter().zip(&self.runs);
        runs.filter_map(|(seed, run)| match run {
            Some(Outcome::Ended(finished)) => Some((*seed, finished.as_ref())),
            _ => None,
        })
    }

    /// Whether anything came of it.
    pub(super) fn has_runs(&self) -> bool {
        self.runs.iter().any(Option::is_some)
    }

    /// Those that were trained to their end.
    fn finished(&self) -> impl Iterator<Item = (u64, &Summary)> {
        let summaries = self.ended().map(|(seed, run)| (seed, &run.summary));
        summaries.filter(|(_, summary)| summary.end == End::Finished)
    }

    /// A number of those, with their seeds.
    fn numbers(&self, number: Number) -> Vec<(u64, f64)> {
        let numbers = self.finished();
        numbers
            .filter_map(|(seed, summary)| Some((seed, number(summary)?)))
            .collect()
    }

    /// Seeds that were not come to.
    pub(super) fn missing(&self) -> Vec<u64> {
        if self.fault.is_some() {
            return Vec::new();
        }
        let runs = self.seeds.iter().zip(&self.runs);
        runs.filter(|(_, run)| run.is_none()).map(|(seed, _)| *seed).collect()
    }

    /// The first run without a result.
    pub(super) fn failure(&self) -> Option<&Failure> {
        let failed = || {
            self.runs.iter().find_map(|run| match run {
                Some(Outcome::Failed(failure)) => Some(failure),
                _ => None,
            })
        };
        self.fault.as_ref().or_else(failed)
    }

    /// `finished`, `diverged`, `failed (exit code 5)`; with several seeds how often.
    fn end(&self) -> String {
        if let Some(fault) = &self.fault {
            return fault.to_string();
        }
        let mut ends: Vec<(String, usize)> = Vec::new();
        let missing = self.missing().into_iter().map(|_| "missing".to_owned());
        let runs = self.runs.iter().flatten().map(|run| match run {
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

    /// `first` is what it is tested against, nothing for the first itself.
    fn json(&self, first: Option<&Row>) -> Value {
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
            if let Some(Outcome::Failed(why)) = run {
                failed.push(failure(*seed, why));
            }
        }
        json!({
            "variant": self.name,
            "runs": self.ended().map(|(_, run)| &run.summary).collect::<Vec<_>>(),
            "failed": failed,
            "missing": self.missing(),
            "statistics": named(|number| {
                let numbers: Vec<_> = self.numbers(number).into_iter().map(|(_, number)| number).collect();
                json!(Spread::of(&numbers))
            }),
            "paired": first.map(|first| named(|number| {
                json!(Paired::of(&first.numbers(number), &self.numbers(number)))
            })),
        })
    }
}

/// An object of something for each number that is tested.
fn named(of: impl Fn(Number) -> Value) -> Value {
    TESTED
        .iter()
        .map(|(name, number)| ((*name).to_owned(), of(*number)))
        .collect()
}

/// Mean of a number over the seeds; `None` if a run lacks it.
fn over_seeds<T>(runs: &[T], number: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let numbers = runs.iter().map(number).collect::<Option<Vec<_>>>()?;
    mean(&numbers)
}

/// Mean, and deviation where there is one: `0.0123 ± 0.0004`; `None` if a run lacks the number.
fn spread(runs: &[&Summary], number: Number, written: fn(f64) -> String) -> Option<String> {
    let numbers = runs.iter().map(|run| number(run)).collect::<Option<Vec<_>>>()?;
    let Spread { mean, deviation, .. } = Spread::of(&numbers)?;
    Some(match deviation {
        Some(deviation) => format!("{} ± {}", written(mean), written(deviation)),
        None => written(mean),
    })
}

/// A row for each variant, its numbers the means over the runs that were trained to their end, of some with the deviation of
/// the sample. How the others ended has a column where there are any, and so has the test against the first variant.
pub(super) fn table(rows: &[Row]) -> Table {
    let all_finished = rows.iter().all(|row| row.finished().count() == row.seeds.len());
    let tested = is_tested(rows);
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
    let test = |p: String| tested.then_some(p);
    let mut head: Vec<_> = head.map(str::to_owned).into();
    head.extend(end("end".to_owned()));
    if tested {
        head.insert(3, "p".to_owned());
    }
    table.row(head);
    for (index, row) in rows.iter().enumerate() {
        let summaries: Vec<_> = row.finished().map(|(_, summary)| summary).collect();
        let top = |number: Number| over_seeds(&summaries, |s| number(s));
        let workers = |number: fn(&WorkerSummary) -> Option<f64>, together: fn(&[f64]) -> Option<f64>| {
            over_seeds(&summaries, |summary| together(&of_workers(summary, number)))
        };
        let most = |numbers: &[f64]| numbers.iter().copied().reduce(f64::max);
        let sum = |numbers: &[f64]| Some(numbers.iter().sum());
        let dash = || "-".to_owned();
        let accuracy = spread(
            &summaries,
            |s| s.final_test_accuracy,
            |share| format!("{:.2}", 100.0 * share),
        );
        let loss = spread(&summaries, |s| s.final_train_loss, |loss| format!("{loss:.4}"));
        let p = (index > 0).then(|| paired(&rows[0], row)?.p).flatten();
        let mut cells = vec![
            row.name.clone(),
            top(|s| Some(s.modules as f64)).map_or_else(dash, |k| k.to_string()),
            accuracy.map_or_else(dash, |accuracy| format!("{accuracy} %")),
        ];
        cells.extend(test(p.map_or_else(dash, probability)));
        cells.extend([
            loss.unwrap_or_else(dash),
            spread(&summaries, |s| s.images_per_second, rate).unwrap_or_else(dash),
            percent(workers(|w| w.busy_share, mean), 0),
            workers(|w| Some(w.staleness_max.into()), most).map_or_else(dash, |s| s.to_string()),
            workers(|w| Some(w.stored_input_peak_bytes as f64), sum).map_or_else(dash, |b| bytes(b as u64)),
            top(|s| s.peak_rss_bytes.map(|b| b as f64)).map_or_else(dash, |b| bytes(b as u64)),
            workers(|w| w.prediction_gain, mean).map_or_else(dash, |gain| format!("{gain:.3}")),
        ]);
        cells.extend(end(row.end()));
        table.row(cells);
    }
    table
}

/// The test of a row's accuracy against that of the first.
fn paired(first: &Row, row: &Row) -> Option<Paired> {
    let (_, accuracy) = TESTED.iter().find(|(name, _)| *name == ACCURACY)?;
    Paired::of(&first.numbers(*accuracy), &row.numbers(*accuracy))
}

/// Whether two seeds of some variant have a counterpart in the first.
fn is_tested(rows: &[Row]) -> bool {
    rows.iter().skip(1).any(|row| paired(&rows[0], row).is_some())
}

/// `0.031`, `<0.001`
fn probability(p: f64) -> String {
    if p < 0.001 {
        "<0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// What the columns mean, below the table.
pub(super) fn told(rows: &[Row]) -> String {
    let mut text = String::new();
    if rows.iter().any(|row| row.finished().nth(1).is_some()) {
        text.push_str("\nmean ± standard deviation (n − 1) over the seeds\n");
    }
    if let Some(first) = rows.first().filter(|_| is_tested(rows)) {
        text.push_str(&format!(
            "p: paired t-test of the test accuracy against `{}` over the same seeds, two-sided\n",
            first.name
        ));
    }
    text
}

/// Everything that was measured.
pub(super) fn json(rows: &[Row]) -> String {
    let row = |(index, row): (usize, &Row)| row.json(rows.first().filter(|_| index > 0));
    to_json(&rows.iter().enumerate().map(row).collect::<Vec<_>>())
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
        let some = row(vec![Some(Outcome::Failed(failure.clone())), None, None], None);
        assert_eq!(some.end(), "1 failed (exit code 9), 2 missing");
        assert_eq!(some.missing(), [2, 3]);
        let none = row(vec![None, None, None], Some(failure));
        assert_eq!(none.end(), "failed (exit code 9)");
        assert!(none.missing().is_empty());
        assert_eq!(none.json(None)["failed"][2]["seed"], 3);
        let text = table(&[some, none]).to_string();
        assert!(text.lines().next().unwrap().ends_with("end"), "{text}");
    }
}
