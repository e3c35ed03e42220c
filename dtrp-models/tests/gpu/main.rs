//! Training on GPUs: on simulated ones where libtorch has none, which find races between streams; else on real ones.

#[path = "../training/run.rs"]
#[allow(
    dead_code,
    clippy::allow_attributes,
    reason = "shared with the tests on the CPU"
)]
mod run;
mod streams;
