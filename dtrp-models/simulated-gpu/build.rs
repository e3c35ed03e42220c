//! Compiles the simulation, unless libtorch has real GPUs: then it would be in their way.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(simulated)");
    println!("cargo::rerun-if-changed=src/simulation.cpp");
    let Some(libtorch) = dtrp_build::find_libtorch() else {
        return;
    };
    if libtorch.has_cuda() {
        return;
    }
    println!("cargo::rustc-cfg=simulated");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .includes(libtorch.include_folders())
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        // libtorch's own headers warn.
        .warnings(false)
        .cargo_metadata(false)
        .file("src/simulation.cpp")
        .compile("dtrp_simulated_gpu");
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    println!("cargo::rustc-link-search=native={out}");
    println!("cargo::rustc-link-search=native={}", libtorch.lib_folder().display());
    // What it registers with libtorch has no name that anybody refers to.
    println!("cargo::rustc-link-lib=static:+whole-archive=dtrp_simulated_gpu");
    println!("cargo::rustc-link-lib=torch_cpu");
    println!("cargo::rustc-link-lib=c10");
    println!("cargo::rustc-link-lib=stdc++");
}
