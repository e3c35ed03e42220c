//! What is printed of a run.

use dtrp_text::Table;
use dtrp_text::units::{bytes, count, percent, rate, thousands};
use dtrp_train::Summary;
use std::fmt::Write as _;
use std::path::Path;

/// The names of a module's blocks in a short form: `stem .. layer2.1 (5)`.
pub(crate) fn blocks(names: &[String]) -> String {
    match names {
        [] => "-".to_owned(),
        [only] => only.clone(),
        [first, .., last] => format!("{first} .. {last} ({})", names.len()),
    }
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
    let mut table = Table::new(2);
    table.row([
        "worker",
        "blocks",
        "parameters",
        "busy",
        "stored inputs",
        "staleness",
        "prediction gain",
    ]);
    for (number, worker) in (1..).zip(&summary.workers) {
        table.row([
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
    text.push_str(&table.to_string());
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
