//! Compiles the shim and tells the linker where libtorch lies, if the crate is built with libtorch at all.

fn main() {
    #[cfg(feature = "torch")]
    torch();
}

#[cfg(feature = "torch")]
fn torch() {
    for file in [
        "shim.h",
        "shim.cpp",
        "device/device.cpp",
        "group/group.cpp",
        "group/gloo_names",
        "operators/operators.cpp",
    ] {
        println!("cargo::rerun-if-changed=src/torch/{file}");
    }
    let Some(libtorch) = dtrp_build::link_libtorch() else {
        return;
    };
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        // What the files share.
        .include("src/torch")
        // In place of gloo's headers, which libtorch lacks.
        .include("src/torch/group/gloo_names")
        .includes(libtorch.include_folders())
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        // libtorch's own headers warn.
        .warnings(false)
        .files([
            "src/torch/shim.cpp",
            "src/torch/device/device.cpp",
            "src/torch/group/group.cpp",
            "src/torch/operators/operators.cpp",
        ])
        .compile("dtrp_shim");
}
