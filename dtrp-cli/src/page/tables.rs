//! The tables of the page.

use super::escape;
use super::html::{note, section, table};
use crate::error::Error;
use crate::history::{Group, History, State, differences};
use dtrp_text::units::{bytes, count, percent, rate, thousands};
use dtrp_train::EpochReport;
use std::fmt::Write as _;

pub(super) const UNKNOWN: &str = "–";

/// Every run in a line.
pub(super) fn runs(out: &mut String, groups: &[Group<'_>]) {
    section(out, "runs", "Runs");
    let head = [
        "run",
        "state",
        "method",
        "predictor",
        "workers",
        "seed",
        "epochs",
        "steps",
        "test accuracy",
        "best",
        "train loss",
        "images/s",
        "seconds",
    ];
    let rows: Vec<_> = groups
        .iter()
        .flat_map(|group| &group.runs)
        .map(|run| row(run))
        .collect();
    table(out, &head, &rows, 4);
    let broken = |run: &&History| run.state == State::Broken;
    if groups.iter().flat_map(|group| &group.runs).any(broken) {
        note(
            out,
            "broken off: there is no summary, and nobody holds the lock on the metrics. The run was killed, or goes on where file \
             systems have no locks.",
        );
    }
    out.push_str("</section>\n");
}

fn row(run: &History) -> Vec<String> {
    let unknown = || UNKNOWN.to_owned();
    let (settings, summary, last) = (&run.config.settings, run.summary.as_ref(), run.epochs.last());
    let method = match settings.method.order {
        Some(order) => format!("{} ({order})", settings.method.name),
        None => settings.method.name.clone(),
    };
    let predicts = |epoch: &EpochReport| epoch.workers.iter().any(|worker| worker.prediction_gain.is_some());
    let predictor = match summary {
        Some(summary) => summary.predictor.clone(),
        None => last
            .filter(|epoch| predicts(epoch))
            .map(|_| settings.method.predictor.0.name.clone()),
    };
    let accuracies = run.epochs.iter().map(|epoch| epoch.test_accuracy);
    let best = accuracies.fold(None, |best: Option<f64>, one| {
        Some(best.map_or(one, |best| best.max(one)))
    });
    let per_second = summary.and_then(|summary| summary.images_per_second);
    let per_second = per_second.or(last.map(|epoch| epoch.images_per_second));
    let seconds = summary.map(|summary| summary.wall_seconds);
    let seconds = seconds.or(run.steps.last().map(|step| step.seconds));
    let steps = summary
        .map(|summary| summary.steps)
        .or(run.steps.last().map(|step| step.step));
    let word = run.state.word();
    vec![
        format!(
            "<b title=\"{}\">{}</b>",
            escape(&run.folder.display().to_string()),
            escape(&run.name)
        ),
        format!("<span class=\"state {}\">{word}</span>", word.replace(' ', "-")),
        escape(&method),
        predictor.map_or_else(unknown, |name| escape(&name)),
        settings.method.modules.to_string(),
        settings.run.seed.to_string(),
        format!(
            "{} of {}",
            last.map_or(0, |epoch| epoch.epoch),
            thousands(settings.run.epochs)
        ),
        steps.map_or_else(unknown, thousands),
        percent(last.map(|epoch| epoch.test_accuracy), 2),
        percent(best, 2),
        last.map_or_else(unknown, |epoch| format!("{:.4}", epoch.train_loss)),
        per_second.map_or_else(unknown, rate),
        seconds.map_or_else(unknown, |seconds| format!("{seconds:.1}")),
    ]
}

/// What differs between the groups, and every configuration whole.
pub(super) fn configurations(out: &mut String, groups: &[Group<'_>]) -> Result<(), Error> {
    section(out, "configurations", "Configurations");
    if groups.len() > 1 {
        let found = differences(groups);
        if found.is_empty() {
            note(out, "They do not differ.");
        } else {
            let names: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
            let head: Vec<_> = std::iter::once("key").chain(names).collect();
            let cell = |value: Option<String>| value.map_or_else(|| UNKNOWN.to_owned(), |value| escape(&value));
            let rows = found.into_iter().map(|difference| {
                let key = format!("<code>{}</code>", escape(&difference.key));
                std::iter::once(key)
                    .chain(difference.values.into_iter().map(cell))
                    .collect()
            });
            table(out, &head, &rows.collect::<Vec<_>>(), groups.len() + 1);
        }
    }
    for run in groups.iter().flat_map(|group| &group.runs) {
        let (name, text) = (escape(&run.name), run.config.to_yaml()?);
        let _ = writeln!(
            out,
            "<details id=\"config-{name}\"><summary>config.yaml of {name}</summary><pre>{}</pre></details>",
            escape(&text)
        );
    }
    out.push_str("</section>\n");
    Ok(())
}

/// On what the runs ran.
pub(super) fn environment(out: &mut String, groups: &[Group<'_>]) {
    section(out, "environment", "Environment");
    let head = [
        "run",
        "dtrp",
        "began",
        "processor",
        "system",
        "devices",
        "libtorch",
        "processors",
        "threads per worker",
        "peak memory",
    ];
    let row = |run: &History| {
        let unknown = || UNKNOWN.to_owned();
        let summary = run.summary.as_ref();
        let place = summary.and_then(|summary| summary.environment.as_ref());
        let mut devices: Vec<&str> = summary
            .iter()
            .flat_map(|s| &s.workers)
            .map(|worker| worker.device.as_str())
            .collect();
        devices.dedup();
        let text = |text: Option<&String>| text.map_or_else(unknown, |text| escape(text));
        vec![
            escape(&run.name),
            text(summary.map(|summary| &summary.dtrp_version)),
            text(place.map(|place| &place.started)),
            text(place.and_then(|place| place.cpu.as_ref())),
            text(place.and_then(|place| place.system.as_ref())),
            text(Some(devices.join(", ")).filter(|devices| !devices.is_empty()).as_ref()),
            text(place.and_then(|place| place.libtorch.as_ref())),
            place
                .and_then(|place| place.cpus)
                .map_or_else(unknown, |cpus| cpus.to_string()),
            run.config.settings.run.threads_per_worker.to_string(),
            summary
                .and_then(|summary| summary.peak_rss_bytes)
                .map_or_else(unknown, bytes),
        ]
    };
    let all = || groups.iter().flat_map(|group| &group.runs);
    table(out, &head, &all().map(|run| row(run)).collect::<Vec<_>>(), 7);
    let silent = all()
        .filter(|run| run.summary.as_ref().is_none_or(|summary| summary.environment.is_none()))
        .count();
    if silent > 0 {
        let runs = count(silent as u64, "run has", "runs have");
        note(
            out,
            &format!(
                "{runs} not recorded this: it stands in the summary of a run that has ended, from this version on."
            ),
        );
    }
    out.push_str("</section>\n");
}
