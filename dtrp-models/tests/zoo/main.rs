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
