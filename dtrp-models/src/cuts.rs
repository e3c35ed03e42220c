//! Where a network is cut into modules.

use crate::ModelError;
use std::ops::Range;

/// The blocks of each of `modules` modules, module 1 first: as many in each as in every other; where that does not come out
/// even, the last ones have one more, because the last does not recompute.
///
/// # Errors
///
/// [`ModelError::TooManyModules`] when there are fewer blocks than modules, or no modules.
pub fn split_evenly(blocks: usize, modules: usize) -> Result<Vec<Range<usize>>, ModelError> {
    fits(blocks, modules)?;
    let end = |k: usize| k * blocks / modules;
    Ok((0..modules).map(|k| end(k)..end(k + 1)).collect())
}

/// The blocks of each of `modules` modules, module 1 first. `cuts` are set by hand: for each the number of blocks below it.
///
/// # Errors
///
/// [`ModelError::TooManyModules`] when there are fewer blocks than modules, or no modules; [`ModelError::Cuts`] when the
/// cuts are not one fewer than the modules, do not ascend, or leave a module without blocks.
pub fn split_at(blocks: usize, modules: usize, cuts: &[usize]) -> Result<Vec<Range<usize>>, ModelError> {
    fits(blocks, modules)?;
    let starts = || std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([blocks]);
    let ranges: Vec<_> = starts().zip(ends).map(|(start, end)| start..end).collect();
    if ranges.len() != modules || ranges.iter().any(Range::is_empty) {
        return Err(ModelError::Cuts {
            cuts: cuts.to_vec(),
            modules,
            blocks,
        });
    }
    Ok(ranges)
}

fn fits(blocks: usize, modules: usize) -> Result<(), ModelError> {
    if modules == 0 || modules > blocks {
        return Err(ModelError::TooManyModules { blocks, modules });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(blocks: usize, modules: usize) -> Vec<usize> {
        split_evenly(blocks, modules)
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
        for modules in [0, 5] {
            assert!(matches!(
                split_evenly(4, modules),
                Err(ModelError::TooManyModules { .. })
            ));
        }
    }

    #[test]
    fn cuts_by_hand() {
        assert_eq!(split_at(11, 3, &[2, 7]).unwrap(), [0..2, 2..7, 7..11]);
        for wrong in [vec![], vec![0, 3], vec![3, 3], vec![7, 2], vec![2, 11], vec![1, 2, 3]] {
            assert!(matches!(split_at(11, 3, &wrong), Err(ModelError::Cuts { .. })));
        }
        assert!(matches!(
            split_at(2, 3, &[1, 2]),
            Err(ModelError::TooManyModules { .. })
        ));
    }
}
