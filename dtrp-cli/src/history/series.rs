//! Numbers over time, of one run or as mean and deviation over the seeds of a group.

use super::{Group, History};
use dtrp_text::words;
use dtrp_train::{EpochReport, StepReport};
use std::collections::BTreeMap;

/// What the horizontal axis of a curve is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Step,
    Epoch,
    Seconds,
}

words!(Axis, "axis", [Step "step", Epoch "epoch", Seconds "seconds"]);

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) mean: f64,
    /// Of the sample (n − 1), where there are at least two runs.
    pub(crate) deviation: Option<f64>,
    /// Runs that have it.
    pub(crate) runs: usize,
}

/// A number of each step or each epoch, over a group's runs.
pub(crate) enum Of<'f> {
    Steps(&'f dyn Fn(&StepReport) -> Option<f64>),
    Epochs(&'f dyn Fn(&EpochReport) -> Option<f64>),
}

impl Of<'_> {
    /// By step or epoch, which all runs of a group have in common: where on the axis, and the number.
    fn of(&self, run: &History, axis: Axis) -> Vec<(u64, f64, f64)> {
        let per_epoch = run.batches_per_epoch();
        let position = |step: u64, epoch: Option<u64>, seconds: f64| match (axis, epoch) {
            (Axis::Step, _) => Some(step as f64),
            (Axis::Seconds, _) => Some(seconds),
            (Axis::Epoch, Some(epoch)) => Some(epoch as f64),
            (Axis::Epoch, None) => per_epoch.map(|batches| step as f64 / batches),
        };
        match self {
            Of::Steps(number) => {
                let points = run.steps.iter().filter_map(|step| {
                    let x = position(step.step, None, step.seconds)?;
                    Some((step.step, x, number(step)?))
                });
                points.collect()
            }
            Of::Epochs(number) => {
                let points = run.epochs.iter().filter_map(|epoch| {
                    let x = position(epoch.step, Some(epoch.epoch), epoch.seconds)?;
                    Some((epoch.epoch, x, number(epoch)?))
                });
                points.collect()
            }
        }
    }
}

/// At each step or epoch that a run of the group has, the mean over the runs that have it.
pub(crate) fn mean_of(group: &Group<'_>, of: &Of<'_>, axis: Axis) -> Vec<Point> {
    let mut at: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    for run in &group.runs {
        for (key, x, number) in of.of(run, axis) {
            // The loss of a run that diverges; nothing could be drawn of it.
            if number.is_finite() {
                at.entry(key).or_default().push((x, number));
            }
        }
    }
    at.into_values().map(|values| point(&values)).collect()
}

impl Point {
    /// Mean and deviation of numbers that have no place on an axis; `None` where there are none.
    pub(crate) fn over(numbers: &[f64]) -> Option<Self> {
        let values: Vec<_> = numbers.iter().map(|number| (0.0, *number)).collect();
        (!values.is_empty()).then(|| point(&values))
    }
}

/// Mean and deviation of numbers, each with its place on the axis.
fn point(values: &[(f64, f64)]) -> Point {
    let count = values.len() as f64;
    let mean = values.iter().map(|(_, number)| number).sum::<f64>() / count;
    let squares: f64 = values.iter().map(|(_, number)| (number - mean).powi(2)).sum();
    Point {
        x: values.iter().map(|(x, _)| x).sum::<f64>() / count,
        mean,
        deviation: (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
        runs: values.len(),
    }
}

/// At most so many points: neighbours are averaged, their deviations too.
pub(crate) fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    let size = points.len().div_ceil(most.max(1)).max(1);
    if size == 1 {
        return points.to_vec();
    }
    let mean = |points: &[Point], of: &dyn Fn(&Point) -> Option<f64>| {
        let numbers: Option<Vec<f64>> = points.iter().map(of).collect();
        numbers.map(|numbers| numbers.iter().sum::<f64>() / numbers.len() as f64)
    };
    let one = |chunk: &[Point]| Point {
        x: mean(chunk, &|p| Some(p.x)).unwrap_or_default(),
        mean: mean(chunk, &|p| Some(p.mean)).unwrap_or_default(),
        deviation: mean(chunk, &|p| p.deviation),
        runs: chunk[0].runs,
    };
    points.chunks(size).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::groups;
    use super::super::tests::run;
    use super::*;

    #[test]
    fn mean_and_deviation_are_the_plain_ones() {
        let runs = [
            run("a1", 1, &[3.0, 2.0, 1.0]),
            run("a2", 2, &[5.0, 2.5]),
            run("a3", 3, &[1.0, f64::NAN]),
        ];
        let groups = groups(&runs);
        assert_eq!(groups.len(), 1);
        let points = mean_of(&groups[0], &Of::Epochs(&|epoch| Some(epoch.train_loss)), Axis::Seconds);
        // 3, 5, 1: mean 3, squares 0 + 4 + 4; seconds 1, 2, 3.
        let first = Point {
            x: 2.0,
            mean: 3.0,
            deviation: Some(2.0),
            runs: 3,
        };
        assert_eq!(points[0], first);
        assert_eq!((points[1].mean, points[1].runs, points[1].x), (2.25, 2, 3.0));
        let deviation = (2.0 * 0.25_f64.powi(2)).sqrt();
        assert!((points[1].deviation.unwrap() - deviation).abs() < 1e-15);
        assert_eq!((points[2].mean, points[2].deviation, points[2].runs), (1.0, None, 1));
    }

    #[test]
    fn steps_have_their_place_on_every_axis() {
        let runs = [run("a", 1, &[3.0, 2.0, 1.0])];
        let groups = groups(&runs);
        let x = |axis| {
            let points = mean_of(&groups[0], &Of::Steps(&|step| Some(step.loss)), axis);
            points.iter().map(|point| point.x).collect::<Vec<_>>()
        };
        assert_eq!(x(Axis::Step), [1.0, 2.0, 3.0]);
        assert_eq!(x(Axis::Epoch), [0.5, 1.0, 1.5]);
        assert_eq!(x(Axis::Seconds), [0.0, 1.0, 2.0]);
    }

    #[test]
    fn thinning_keeps_the_mean() {
        let at = |x: f64| Point {
            x,
            mean: x * x,
            deviation: None,
            runs: 1,
        };
        let points: Vec<_> = (0..10).map(|x| at(f64::from(x))).collect();
        assert_eq!(thinned(&points, 10), points);
        let thin = thinned(&points, 5);
        assert_eq!((thin.len(), thin[1].x, thin[1].mean), (5, 2.5, 6.5));
    }
}
