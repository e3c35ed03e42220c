//! Tells the linker where libtorch lies, and to keep it even where it believes that nothing of it is used.
//!
//! The libraries of CUDA register themselves when they are loaded; no symbol of them is named anywhere. A linker that
//! drops what nobody names would drop CUDA without a word, so `--no-as-needed` stands before them.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rustc-check-cfg=cfg(libtorch_cuda)");
    let Some(root) = std::env::var_os("LIBTORCH").map(PathBuf::from) else {
        println!("cargo::error=LIBTORCH is not set: run `cargo xtask setup` once, or set it to a libtorch 2.11 folder");
        return;
    };
    let lib = root.join("lib");
    // Read back by `dtrp doctor`: a program built with the CUDA libraries must also have them loaded.
    if lib.join("libtorch_cuda.so").exists() {
        println!("cargo::rustc-cfg=libtorch_cuda");
    }
    println!("cargo::rerun-if-changed={}", lib.display());
    println!("cargo::rustc-link-search=native={}", lib.display());
    let link = |argument: &str| println!("cargo::rustc-link-arg={argument}");
    link(&format!("-Wl,-rpath,{}", lib.display()));
    link("-Wl,--no-as-needed");
    if lib.join("libtorch_cuda.so").exists() {
        link("-ltorch_cuda");
    }
    link("-ltorch");
}
