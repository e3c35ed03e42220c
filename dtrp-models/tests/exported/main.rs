//! Networks that PyTorch has exported, compared with PyTorch.

mod peers;
mod refused;
mod run;
mod toys;
