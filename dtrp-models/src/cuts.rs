//! Where a network is cut into modules.

use crate::ModelError;
use crate::registry::Network;
use dtrp_text::UnknownName;
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

/// The blocks of each of `modules` modules, module 1 first. Each of `cuts` is the name of the block with which the module above
/// it begins: one of `blocks`.
///
/// # Errors
///
/// [`ModelError::TooManyModules`] when there are fewer blocks than modules, or no modules; [`ModelError::Unknown`] where there is
/// no such block; [`ModelError::Places`] when the cuts are not one fewer than the modules, do not ascend, or leave a module without
/// blocks.
pub fn split_before(blocks: &[&str], modules: usize, cuts: &[String]) -> Result<Vec<Range<usize>>, ModelError> {
    fits(blocks.len(), modules)?;
    let below = |cut: &String| {
        let found = blocks.iter().position(|block| block == cut);
        found.ok_or_else(|| UnknownName::new(PLACE, cut, blocks.iter().skip(1).copied()))
    };
    let numbers = cuts.iter().map(below).collect::<Result<Vec<_>, _>>()?;
    split_at(blocks.len(), modules, &numbers).map_err(|error| match error {
        ModelError::Cuts { .. } => ModelError::Places {
            cuts: cuts.to_vec(),
            modules,
        },
        other => other,
    })
}

/// What a place is called in messages.
const PLACE: &str = "cut";

impl Network {
    /// Where it can be cut, by the name of the block, or of the part of one, with which the module above begins.
    pub fn places(&self) -> Vec<&str> {
        let blocks = self.blocks.iter();
        let places = blocks.flat_map(|block| {
            let parts = block.parts.iter().skip(1).map(|part| part.name.as_str());
            std::iter::once(block.name.as_str()).chain(parts)
        });
        places.skip(1).collect()
    }

    /// The same network with blocks cut at those of these [places](Self::places) that lie inside one. It computes the same, and
    /// starts with the same weights.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unknown`] for a place that there is not.
    pub fn cut_inside(self, places: &[String]) -> Result<Self, ModelError> {
        let known = self.places();
        if let Some(unknown) = places.iter().find(|place| !known.contains(&place.as_str())) {
            return Err(UnknownName::new(PLACE, unknown, known).into());
        }
        let blocks = self.blocks.into_iter().enumerate();
        let blocks = blocks.flat_map(|(number, block)| {
            let pieces = block.cut_before(places).into_iter();
            pieces.map(move |piece| piece.numbered(number))
        });
        Ok(Self {
            blocks: blocks.collect(),
            ..self
        })
    }

    /// The same network cut inside its blocks wherever it can be.
    #[must_use]
    pub fn in_pieces(self) -> Self {
        let places: Vec<String> = self.places().into_iter().map(str::to_owned).collect();
        let whole = self.clone();
        self.cut_inside(&places).unwrap_or(whole)
    }
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
