//! `metrics.jsonl` read back.

use crate::error::Error;
use crate::run::Line;
use dtrp_text::read_text;
use dtrp_train::{EpochReport, StepReport};
use std::path::Path;

/// The steps and the epochs, each in order. Of a run that has not `ended` the last line may be half: it is left out.
pub(super) fn read(path: &Path, ended: bool) -> Result<(Vec<StepReport>, Vec<EpochReport>), Error> {
    let text = read_text(path).map_err(Error::read(path))?;
    let (mut steps, mut epochs): (Vec<StepReport>, Vec<EpochReport>) = Default::default();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if !ended && !line.ends_with('\n') {
            break;
        }
        let wrong = |what: String| Error::BadData(format!("{}:{number}: damaged: {what}", path.display()));
        let line = serde_json::from_str(line.trim_end()).map_err(|error| wrong(error.to_string()))?;
        // A run that was resumed trains some batches again: what was told of them before no longer holds.
        match line {
            Line::Step(step) => {
                steps.truncate(steps.partition_point(|earlier| earlier.step < step.step));
                steps.push(step);
            }
            Line::Epoch(epoch) => {
                epochs.truncate(epochs.partition_point(|earlier| earlier.epoch < epoch.epoch));
                epochs.push(epoch);
            }
        }
    }
    Ok((steps, epochs))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: &str = r#"{"event":"step","step":1,"epoch":1,"loss":2.5,"lr":0.1,"seconds":0.5}"#;

    fn of(text: &str, ended: bool) -> Result<usize, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, text).unwrap();
        read(&path, ended)
            .map(|(steps, _)| steps.len())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn damage_is_told_with_its_line() {
        let next = STEP.replace("\"step\":1", "\"step\":2");
        assert_eq!(of(&format!("{STEP}\n{next}\n"), true), Ok(2));
        assert_eq!(of("", true), Ok(0));
        let half = format!("{STEP}\n{}", &next[..20]);
        assert_eq!(of(&half, false), Ok(1));
        for bad in [half, format!("{STEP}\n{{}}\n"), format!("{STEP}\n\n")] {
            let error = of(&bad, true).unwrap_err();
            assert!(error.contains("metrics.jsonl:2: damaged: "), "{error}");
        }
    }

    #[test]
    fn what_is_trained_again_counts_once() {
        let step = |step: u64| STEP.replace("\"step\":1", &format!("\"step\":{step}"));
        let lines = [1, 2, 3, 4, 3, 5].map(step).join("\n");
        assert_eq!(of(&format!("{lines}\n"), true), Ok(4));
    }
}
