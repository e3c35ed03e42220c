//! What came of the runs of one variant.

use crate::commands::runs::{Finished, Outcome};
use crate::error::Failure;
use crate::history::{Paired, Spread};
use dtrp_train::{End, Summary};
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
pub(super) type Number = fn(&Summary) -> Option<f64>;

/// Of which mean, deviation and test are told, by their names in a summary.
pub(super) const TESTED: [(&str, Number); 4] = [
    (ACCURACY, |summary| summary.final_test_accuracy),
    ("best_test_accuracy", |summary| summary.best_test_accuracy),
    ("final_train_loss", |summary| summary.final_train_loss),
    ("images_per_second", |summary| summary.images_per_second),
];

/// Of which the table has the test.
pub(super) const ACCURACY: &str = "final_test_accuracy";

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
    pub(super) fn finished(&self) -> impl Iterator<Item = (u64, &Summary)> {
        let summaries = self.ended().map(|(seed, run)| (seed, &run.summary));
        summaries.filter(|(_, summary)| summary.end == End::Finished)
    }

    /// A number of those, with their seeds.
    pub(super) fn numbers(&self, number: Number) -> Vec<(u64, f64)> {
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
    pub(super) fn end(&self) -> String {
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
    pub(super) fn json(&self, first: Option<&Row>) -> Value {
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
