//! What is printed on stdout, and how numbers are written for people.

use crate::run::Summary;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// Writes to stdout. Whoever reads it may stop reading (`| head`).
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// `1,234,567`
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate to three digits or so: `0.52`, `83.1`, `1,234`.
pub(crate) fn rate(number: f64) -> String {
    match number {
        n if n >= 100.0 => thousands(n.round() as u64),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

/// `12.3 MB`
pub(crate) fn bytes(number: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (number as f64, 0);
    while value >= 999.5 && unit + 1 < units.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    let decimals = usize::from(unit > 0 && value < 99.95);
    format!("{value:.decimals$} {}", units[unit])
}

/// `97.50 %`, or a dash.
pub(crate) fn percent(share: Option<f64>, decimals: usize) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.decimals$} %", 100.0 * share))
}

/// `1 epoch`, `2 epochs`
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// The names of a module's blocks in a short form: `stem .. layer2.1 (5)`.
pub(crate) fn blocks(names: &[String]) -> String {
    match names {
        [] => "-".to_owned(),
        [only] => only.clone(),
        [first, .., last] => format!("{first} .. {last} ({})", names.len()),
    }
}

/// A table: left-aligned first column, right-aligned others, two blanks between.
pub(crate) fn table(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let _ = match column < left {
                true => write!(line, "{gap}{cell:<width$}"),
                false => write!(line, "{gap}{cell:>width$}"),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A table for a page: left-aligned first column, right-aligned others.
pub(crate) fn markdown(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if index == 0 {
            let _ = writeln!(text, "|---|{}", "--:|".repeat(row.len() - 1));
        }
    }
    text
}

/// What a run did and where the results lie.
pub(crate) fn run(summary: &Summary, folder: &Path) -> String {
    let mut text = String::new();
    let predictor = summary.predictor.as_ref();
    let predictor = predictor.map_or(String::new(), |name| format!(", predictor {name}"));
    let _ = writeln!(
        text,
        "{} ({}{predictor}), {}: {} with {} parameters on {}\n",
        summary.method,
        summary.order,
        count(summary.modules as u64, "module", "modules"),
        summary.model,
        thousands(summary.parameters as u64),
        summary.data,
    );
    let per_second = summary.images_per_second.map_or("-".to_owned(), rate);
    let loss = summary.final_train_loss;
    let rows = [
        (
            "test accuracy",
            percent(summary.final_test_accuracy, 2),
            format!("best {}", percent(summary.best_test_accuracy, 2)),
        ),
        (
            "train loss",
            loss.map_or("-".to_owned(), |loss| format!("{loss:.4}")),
            String::new(),
        ),
        (
            "images per second",
            per_second,
            format!(
                "training; {} of it waiting for data",
                percent(summary.loader_wait_share, 1)
            ),
        ),
        (
            "steps",
            thousands(summary.steps),
            format!("in {}", count(summary.epochs, "epoch", "epochs")),
        ),
        (
            "seconds",
            format!("{:.1}", summary.wall_seconds),
            format!("of them {:.1} training", summary.train_seconds),
        ),
        (
            "peak memory",
            summary.peak_rss_bytes.map_or("-".to_owned(), bytes),
            String::new(),
        ),
    ];
    for (what, value, more) in rows {
        let more = if more.is_empty() { more } else { format!("  ({more})") };
        let _ = writeln!(text, "{what:<18} {value:>10}{more}");
    }
    if let Some(done) = &summary.batch_compensation {
        let _ = writeln!(
            text,
            "batch compensation: workers were {} busy with batches of {}, {} with batches of {} at a rate of {}",
            percent(Some(done.utilisation_before), 0),
            done.base_batch_size,
            percent(done.utilisation_after, 0),
            done.batch_size,
            done.lr,
        );
    }
    text.push('\n');
    let head = [
        "worker",
        "blocks",
        "parameters",
        "busy",
        "stored inputs",
        "staleness",
        "prediction gain",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (number, worker) in (1..).zip(&summary.workers) {
        rows.push(vec![
            format!("{number}"),
            blocks(&worker.blocks),
            thousands(worker.parameters as u64),
            percent(worker.busy_share, 0),
            bytes(worker.stored_input_peak_bytes),
            worker.staleness_max.to_string(),
            worker
                .prediction_gain
                .map_or("-".to_owned(), |gain| format!("{gain:.3}")),
        ]);
    }
    text.push_str(&table(&rows, 2));
    if summary.predictor.is_some() {
        text.push_str("(prediction gain: 1 is no better than no prediction, 0 is perfect)\n");
    }
    let _ = writeln!(text, "\nresults in {}: {}", folder.display(), files(folder).join(", "));
    text
}

/// The names of a folder's files, in order.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(
            [0, 999, 1000, 1234567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([0.5234, 83.14, 1234.5].map(rate), ["0.52", "83.1", "1,235"]);
        assert_eq!(
            [0, 999, 1000, 123_456, 999_600, 12_345_678].map(bytes),
            ["0 B", "999 B", "1.0 kB", "123 kB", "1.0 MB", "12.3 MB"]
        );
        assert_eq!(percent(Some(0.97504), 2), "97.50 %");
        assert_eq!(percent(None, 2), "-");
    }

    #[test]
    fn tables_align() {
        let rows = [["a", "b"], ["long", "12"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows, 1), "a      b\nlong  12\n");
    }
}
