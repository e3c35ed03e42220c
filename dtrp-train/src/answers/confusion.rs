//! Which class is taken for which.

use serde::Serialize;

/// How often samples of one class were taken for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Confusion {
    /// A row for each true class.
    rows: Vec<Vec<u64>>,
}

impl Confusion {
    /// From pairs of true class and answer, both below `classes`.
    pub(super) fn new(classes: usize, pairs: impl Iterator<Item = [usize; 2]>) -> Self {
        let mut rows = vec![vec![0; classes]; classes];
        for [truth, answer] in pairs {
            if let Some(count) = rows.get_mut(truth).and_then(|row| row.get_mut(answer)) {
                *count += 1;
            }
        }
        Self { rows }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.rows.len()
    }

    /// A row for each true class, in it how many of its samples were taken for each class.
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.rows
    }

    /// Samples of class `truth` that were taken for class `answer`; 0 for classes that there are not.
    pub fn at(&self, truth: usize, answer: usize) -> u64 {
        self.rows
            .get(truth)
            .and_then(|row| row.get(answer))
            .copied()
            .unwrap_or(0)
    }

    /// Samples of a class.
    pub fn samples(&self, class: usize) -> u64 {
        self.rows.get(class).map_or(0, |row| row.iter().sum())
    }

    /// Samples that were taken for a class.
    pub fn answers(&self, class: usize) -> u64 {
        self.rows.iter().filter_map(|row| row.get(class)).sum()
    }

    /// The share of a class's samples that were answered rightly (recall); `None` where it has none.
    pub fn accuracy(&self, class: usize) -> Option<f64> {
        share(self.at(class, class), self.samples(class))
    }

    /// The share of the samples taken for a class that are of it; `None` where none was.
    pub fn precision(&self, class: usize) -> Option<f64> {
        share(self.at(class, class), self.answers(class))
    }

    /// The class that samples of `class` are most often taken for by mistake, and how often.
    pub fn most_confused(&self, class: usize) -> Option<(usize, u64)> {
        let row = self.rows.get(class)?.iter().copied().enumerate();
        // The first of those that are equal.
        let wrong = row.filter(|(answer, count)| *answer != class && *count > 0).rev();
        wrong.max_by_key(|(_, count)| *count)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_classes() {
        let pairs = [[0, 0], [0, 1], [0, 2], [0, 0], [1, 1], [2, 1], [9, 0]];
        let confusion = Confusion::new(4, pairs.into_iter());
        assert_eq!(confusion.rows()[0], [2, 1, 1, 0]);
        assert_eq!((confusion.accuracy(0), confusion.precision(0)), (Some(0.5), Some(1.0)));
        assert_eq!(
            (confusion.accuracy(1), confusion.precision(1)),
            (Some(1.0), Some(1.0 / 3.0))
        );
        assert_eq!((confusion.accuracy(3), confusion.precision(3)), (None, None));
        assert_eq!(
            (confusion.most_confused(0), confusion.most_confused(1)),
            (Some((1, 1)), None)
        );
    }
}
