//! Workers in several processes, on one machine or many: how they meet, what they send each other, and how all end together.
//!
//! Processes meet in a store that rank 0 keeps ([`Store`], c10d's `TCPStore`), and send each other tensors over connections
//! of their own ([`Group`], c10d's `ProcessGroupGloo`). [`Peers`] is both, with the threads that look after them. The C++ side is
//! `group.cpp`; `gloo_names/` stands in for gloo's headers, which libtorch does not have.

mod carry;
mod control;
mod ferry;
mod ffi;
mod gather;
mod gloo;
mod hello;
mod member;
mod peers;
mod store;
mod wire;

pub use carry::{Carried, Parcel};
pub use gloo::{Device, Group, TransferError, Work};
pub use hello::{MeetError, Meeting};
pub use member::Member;
pub use peers::Peers;
pub use store::{Store, StoreError};
pub use wire::WireError;
