//! What may differ between the settings of a checkpoint and those that it is gone on with.

use crate::settings::Settings;
use serde_json::Value;
use std::fmt;

/// A setting that has another value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    pub(crate) key: String,
    theirs: Value,
    ours: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {} and is {} now", self.key, self.theirs, self.ours)
    }
}

/// How a checkpoint is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// With everything in it: what follows is what would have followed.
    Whole,
    /// Weights, statistics and the optimizer's state; the batches in flight are trained again.
    Weights,
}

/// The settings that differ, by what they mean.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Differences {
    /// With these it would be another run.
    pub(crate) refused: Vec<Difference>,
    /// With these the pipeline is another one.
    pub(crate) pipeline: Vec<Difference>,
    /// These hold from here on.
    pub(crate) changed: Vec<Difference>,
}

/// What a setting means for who goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Refused,
    Pipeline,
    Changed,
    /// It does not change what is computed.
    Silent,
}

/// What the keys that begin so mean; the first that fits. All others hold from here on.
const KINDS: [(&str, Kind); 30] = [
    ("run.seed", Kind::Refused),
    ("run.dtype", Kind::Refused),
    ("run.device", Kind::Silent),
    ("run.threads_per_worker", Kind::Silent),
    ("run.executor", Kind::Silent),
    ("run.watchdog_seconds", Kind::Silent),
    ("run.trace", Kind::Silent),
    ("data.dir", Kind::Silent),
    ("data.threads", Kind::Silent),
    ("data.prefetch", Kind::Silent),
    ("data.test_limit", Kind::Changed),
    ("data", Kind::Refused),
    ("model.init_from", Kind::Silent),
    ("model.init_sha256", Kind::Silent),
    ("model", Kind::Refused),
    ("method.name", Kind::Pipeline),
    ("method.modules", Kind::Pipeline),
    ("method.order", Kind::Pipeline),
    ("method.cuts", Kind::Pipeline),
    ("method.recompute", Kind::Pipeline),
    ("method.predictor", Kind::Pipeline),
    ("method.micro_batches", Kind::Pipeline),
    ("method.accumulate", Kind::Pipeline),
    ("method.program", Kind::Pipeline),
    ("method.auxiliary", Kind::Pipeline),
    ("method.memory_budget", Kind::Silent),
    ("method.costs", Kind::Silent),
    ("method.batch_compensation", Kind::Silent),
    ("optimizer.name", Kind::Refused),
    ("checkpoint", Kind::Silent),
];

fn kind_of(key: &str) -> Kind {
    let begins = |start: &str| {
        key.strip_prefix(start)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let found = KINDS.iter().find(|(start, _)| begins(start));
    found.map_or(Kind::Changed, |(_, kind)| *kind)
}

impl Differences {
    /// Between the settings of a checkpoint and those of now.
    pub(crate) fn of(theirs: &Settings, ours: &Settings) -> Self {
        let tree = |settings: &Settings| serde_json::to_value(settings).unwrap_or(Value::Null);
        let mut all = Vec::new();
        walk("", &tree(theirs), &tree(ours), &mut all);
        let mut differences = Self::default();
        for difference in all {
            match kind_of(&difference.key) {
                Kind::Refused => differences.refused.push(difference),
                Kind::Pipeline => differences.pipeline.push(difference),
                Kind::Changed => differences.changed.push(difference),
                Kind::Silent => {}
            }
        }
        differences
    }

    /// How the checkpoint is taken up with them.
    pub(crate) fn taken(&self) -> Taken {
        if self.pipeline.is_empty() {
            Taken::Whole
        } else {
            Taken::Weights
        }
    }
}

fn walk(path: &str, theirs: &Value, ours: &Value, all: &mut Vec<Difference>) {
    if let (Value::Object(a), Value::Object(b)) = (theirs, ours) {
        let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
        keys.dedup();
        for key in keys {
            let here = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            let of = |section: &serde_json::Map<String, Value>| section.get(key).cloned().unwrap_or(Value::Null);
            walk(&here, &of(a), &of(b), all);
        }
    } else if theirs != ours {
        all.push(Difference {
            key: path.to_owned(),
            theirs: theirs.clone(),
            ours: ours.clone(),
        });
    }
}

/// As a list in a sentence.
pub(crate) fn listed(differences: &[Difference]) -> String {
    let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::CheckpointSettings;

    #[test]
    fn what_differs_is_told_apart() {
        let theirs = Settings::default();
        assert_eq!(Differences::of(&theirs, &theirs), Differences::default());
        let mut ours = theirs.clone();
        ours.run.epochs += 1;
        ours.run.watchdog_seconds = 5.0;
        ours.checkpoint = CheckpointSettings::off();
        ours.data.batch_size = 7;
        ours.method.modules = 3;
        ours.model.options.insert("depth".to_owned(), 8.into());
        let differences = Differences::of(&theirs, &ours);
        let keys = |list: &[Difference]| list.iter().map(|d| d.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&differences.refused), ["data.batch_size", "model.depth"]);
        assert_eq!(keys(&differences.pipeline), ["method.modules"]);
        assert_eq!(listed(&differences.changed), "run.epochs was 40 and is 41 now");
        assert_eq!(differences.taken(), Taken::Weights);
    }
}
