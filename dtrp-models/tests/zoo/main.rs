//! The model zoo against PyTorch, the published tables, and its own rules.

mod auxiliary;
mod costs;
mod dropout;
mod large;
mod layers;
mod local;
mod options;
mod places;
mod python;
mod small;
mod torch;
mod training;

use dtrp_models::{Family, list};

/// The families that can be built without a file.
fn built_in() -> impl Iterator<Item = &'static Family> {
    list().into_iter().filter(|family| family.name != "exported")
}
