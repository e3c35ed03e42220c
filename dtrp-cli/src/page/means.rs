//! Means over seeds, and whether groups differ from the first.

use super::escape;
use super::html::{note, section, table};
use super::tables::UNKNOWN;
use crate::history::{Group, Paired, Spread, probability};
use dtrp_text::units::rate;
use dtrp_train::{End, Summary};

/// A number of a summary, and how it is written.
type Column = (fn(&Summary) -> Option<f64>, fn(f64) -> String);

const ACCURACY: Column = (|summary| summary.final_test_accuracy, percent);
const BEST: Column = (|summary| summary.best_test_accuracy, percent);
const LOSS: Column = (|summary| summary.final_train_loss, |loss| format!("{loss:.4}"));
const SPEED: Column = (|summary| summary.images_per_second, rate);

fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

/// A row for each group, where one of them has several runs that were trained to their end.
pub(super) fn means(out: &mut String, groups: &[Group<'_>]) {
    let Some(first) = groups.first() else { return };
    if !groups.iter().any(|group| finished(group).nth(1).is_some()) {
        return;
    }
    section(out, "means", "Means over the seeds");
    let test = |column: Column, group: &Group<'_>| Paired::of(&numbers(column, first), &numbers(column, group));
    let tested = groups.iter().skip(1).any(|group| test(ACCURACY, group).is_some());
    let mut head = vec!["runs", "seeds", "test accuracy", "best", "train loss", "images/s"];
    if tested {
        head.splice(3..3, ["difference", "p"]);
    }
    let rows = groups.iter().enumerate().map(|(index, group)| {
        let unknown = || UNKNOWN.to_owned();
        let spread = |column: Column, unit: &str| {
            let numbers: Vec<_> = numbers(column, group).into_iter().map(|(_, number)| number).collect();
            spread(&numbers, column.1).map_or_else(unknown, |text| text + unit)
        };
        let mut row = vec![
            escape(&group.name),
            finished(group).count().to_string(),
            spread(ACCURACY, " %"),
        ];
        if tested {
            let test = test(ACCURACY, group).filter(|_| index > 0);
            let difference = |test: &Paired| format!("{:+.2}", 100.0 * test.mean_difference);
            row.push(test.as_ref().map_or_else(unknown, difference));
            row.push(
                test.and_then(|test| test.p)
                    .map_or_else(unknown, |p| escape(&probability(p))),
            );
        }
        row.extend([spread(BEST, " %"), spread(LOSS, ""), spread(SPEED, "")]);
        row
    });
    table(out, &head, &rows.collect::<Vec<_>>(), 1);
    note(
        out,
        "Mean ± standard deviation (n − 1) over the runs that were trained to their end.",
    );
    if tested {
        note(
            out,
            &format!(
                "p: paired t-test of the test accuracy against {} over the same seeds, two-sided; difference: in percentage points.",
                first.name
            ),
        );
    }
    out.push_str("</section>\n");
}

/// The runs that were trained to their end, with their seeds.
fn finished<'a>(group: &'a Group<'_>) -> impl Iterator<Item = (u64, &'a Summary)> {
    let summaries = group.runs.iter().filter_map(|run| run.summary.as_ref());
    let finished = summaries.filter(|summary| summary.end == End::Finished);
    finished.map(|summary| (summary.seed, summary))
}

fn numbers((number, _): Column, group: &Group<'_>) -> Vec<(u64, f64)> {
    let numbers = finished(group).filter_map(|(seed, summary)| Some((seed, number(summary)?)));
    numbers.collect()
}

/// `0.0123 ± 0.0004`, or the mean alone.
fn spread(numbers: &[f64], written: fn(f64) -> String) -> Option<String> {
    let Spread { mean, deviation, .. } = Spread::of(numbers)?;
    Some(match deviation {
        Some(deviation) => format!("{} ± {}", written(mean), written(deviation)),
        None => written(mean),
    })
}
