//! Links the program with libtorch, the libraries of CUDA included.

fn main() {
    dtrp_build::link_libtorch();
}
