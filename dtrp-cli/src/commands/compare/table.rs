//! What came of a comparison, as a table and as JSON.

use super::row::{ACCURACY, Number, Row, TESTED};
use crate::commands::runs::{mean, of_workers};
use crate::history::{Paired, Spread, probability};
use dtrp_text::units::{bytes, percent, rate};
use dtrp_text::{Table, to_json};
use dtrp_train::{Summary, WorkerSummary};

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
    use crate::commands::runs::Outcome;
    use crate::error::Failure;

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
