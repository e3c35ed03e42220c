//! Where a network is cut into modules.

use crate::ModelError;
use std::ops::Range;

/// How the blocks are shared out among the modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cuts {
    /// As many blocks in each module as in every other; where that does not come out even, the last ones have one more,
    /// because the last does not recompute.
    Even,
    /// By hand: for each cut the number of blocks below it.
    At(Vec<usize>),
}

/// The blocks of each module.
///
/// # Errors
///
/// [`ModelError::TooManyModules`] when there are fewer blocks than modules, [`ModelError::Cuts`] when cuts given by hand do
/// not fit.
pub fn split(blocks: usize, modules: usize, cuts: &Cuts) -> Result<Vec<Range<usize>>, ModelError> {
    if modules == 0 || modules > blocks {
        return Err(ModelError::TooManyModules { blocks, modules });
    }
    let ends: Vec<usize> = match cuts {
        Cuts::Even => (1..=modules).map(|k| k * blocks / modules).collect(),
        Cuts::At(at) => at.iter().copied().chain([blocks]).collect(),
    };
    let starts = || std::iter::once(0).chain(ends.iter().copied());
    if ends.len() != modules || starts().zip(&ends).any(|(start, end)| start >= *end) {
        return Err(ModelError::Cuts {
            cuts: ends[..ends.len() - 1].to_vec(),
            modules,
            blocks,
        });
    }
    Ok(starts().zip(ends.iter()).map(|(start, end)| start..*end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(blocks: usize, modules: usize) -> Vec<usize> {
        split(blocks, modules, &Cuts::Even)
            .unwrap()
            .into_iter()
            .map(|r| r.len())
            .collect()
    }

    #[test]
    fn even_cuts_give_the_rest_to_the_end() {
        assert_eq!(sizes(11, 1), [11]);
        assert_eq!(sizes(11, 2), [5, 6]);
        assert_eq!(sizes(11, 4), [2, 3, 3, 3]);
        assert_eq!(sizes(4, 4), [1; 4]);
        assert!(matches!(
            split(4, 5, &Cuts::Even),
            Err(ModelError::TooManyModules { .. })
        ));
    }

    #[test]
    fn cuts_by_hand() {
        assert_eq!(split(11, 3, &Cuts::At(vec![2, 7])).unwrap(), [0..2, 2..7, 7..11]);
        for wrong in [vec![], vec![0, 3], vec![3, 3], vec![7, 2], vec![2, 11], vec![1, 2, 3]] {
            assert!(matches!(split(11, 3, &Cuts::At(wrong)), Err(ModelError::Cuts { .. })));
        }
    }
}
