//! Links the program with libtorch, and remembers whether that has the libraries of CUDA.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(libtorch_cuda)");
    // Read back by `dtrp doctor`: a program built with the CUDA libraries must also have them loaded.
    if dtrp_build::link_libtorch().is_some_and(|libtorch| libtorch.has_cuda()) {
        println!("cargo::rustc-cfg=libtorch_cuda");
    }
}
