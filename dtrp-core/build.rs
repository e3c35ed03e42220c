//! Compiles the shim and tells the linker where libtorch lies, if the crate is built with libtorch at all.

fn main() {
    #[cfg(feature = "torch")]
    torch();
}

#[cfg(feature = "torch")]
fn torch() {
    use std::path::PathBuf;

    println!("cargo::rerun-if-env-changed=LIBTORCH");
    for file in ["shim.h", "shim.cpp", "device/device.cpp"] {
        println!("cargo::rerun-if-changed=src/torch/{file}");
    }
    let Some(root) = std::env::var_os("LIBTORCH").map(PathBuf::from) else {
        println!("cargo::error=LIBTORCH is not set: run `cargo xtask setup` once, or set it to a libtorch 2.11 folder");
        return;
    };
    if !root.join("include").is_dir() {
        let root = root.display();
        println!("cargo::error=no libtorch in {root} (no include/ there): run `cargo xtask setup` once");
        return;
    }
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        // What both files share.
        .include("src/torch")
        .include(root.join("include"))
        .include(root.join("include/torch/csrc/api/include"))
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        // libtorch's own headers warn.
        .warnings(false)
        .files(["src/torch/shim.cpp", "src/torch/device/device.cpp"])
        .compile("dtrp_shim");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", root.join("lib").display());
}
