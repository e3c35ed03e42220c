//! Tells the linker of this crate's tests where libtorch lies.

fn main() {
    dtrp_build::link_libtorch();
}
