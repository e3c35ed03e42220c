//! Which libtorch is found, and that it is fetched once.

use super::{FORCE, House, want};
use crate::context::Context;
use crate::libtorch::{Flavor, Request, cache};
use std::path::Path;

#[test]
fn provisions_once_and_then_does_nothing() {
    let house = House::new();
    let ready = house.set_up(Request::default()).unwrap();
    assert_eq!(
        (ready.flavor, ready.unchanged, ready.switched),
        (Flavor::Cpu, false, false)
    );
    assert_eq!(ready.folder, house.path("cache/libtorch-cpu"));
    assert_eq!(ready.variable, house.context.link());
    assert_eq!(house.context.link().read_link().unwrap(), ready.folder);
    let read = |name: &str| std::fs::read_to_string(ready.folder.join(name)).unwrap();
    assert_eq!(read("build-version"), "2.11.0\n");
    assert_eq!(read("lib/libtorch.so"), "content of torch/lib/libtorch_cpu.so");
    assert!(!ready.folder.join("lib/libtorch_python.so").exists());
    assert_eq!(house.cached(), ["libtorch-cpu", "setup.lock"]);
    assert!(house.set_up(Request::default()).unwrap().unchanged);
    assert_eq!(house.pip_calls(), 1);
    // The link alone is gone: the cache serves.
    std::fs::remove_file(house.context.link()).unwrap();
    assert!(!house.set_up(Request::default()).unwrap().unchanged);
    assert_eq!(house.pip_calls(), 1);
    house.set_up(FORCE).unwrap();
    assert_eq!(house.pip_calls(), 2);
    assert_eq!(house.cached(), ["libtorch-cpu", "setup.lock"]);
}

#[test]
fn pip_is_told_the_exact_wheel() {
    let house = House::new();
    house.set_up(Request::default()).unwrap();
    let calls = std::fs::read_to_string(house.path("fake/calls")).unwrap();
    let tags = "--platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64";
    assert!(calls.starts_with("download -q --no-input"), "{calls}");
    for part in [
        "--no-deps --only-binary=:all:",
        "--python-version 3.12",
        tags,
        " tiny==1.0\n",
    ] {
        assert!(calls.contains(part), "{part} in {calls}");
    }
}

#[test]
fn the_kind_asked_for_stays_until_another_is_asked_for() {
    let house = House::new();
    house.set_up(Request::default()).unwrap();
    let check = |request, flavor, switched| {
        let ready = house.set_up(request).unwrap();
        assert_eq!((ready.flavor, ready.switched), (flavor, switched));
    };
    check(want(Flavor::Cuda), Flavor::Cuda, true);
    check(want(Flavor::Cuda), Flavor::Cuda, false);
    check(Request::default(), Flavor::Cuda, false);
    check(FORCE, Flavor::Cuda, false);
    check(want(Flavor::Cpu), Flavor::Cpu, true);
    assert_eq!(house.pip_calls(), 3);
}

#[test]
fn the_users_own_folder_wins() {
    let house = House::new();
    let folder = house.set_up(Request::default()).unwrap().folder;
    let own = house.path("own");
    std::fs::rename(&folder, &own).unwrap();
    let with = |value: &Path| House {
        root: house.root.clone(),
        _owner: None,
        context: house.context.with_var("LIBTORCH", value),
        catalogue: house.catalogue.clone(),
    };
    let ready = with(&own).set_up(Request::default()).unwrap();
    assert_eq!((&ready.folder, &ready.variable), (&own, &own));
    assert_eq!(house.context.link().read_link().unwrap(), own);
    // The value that .cargo/config.toml sets is not the user's.
    let ready = with(&house.context.link()).set_up(Request::default()).unwrap();
    assert!(ready.unchanged);
    let check = |value: &Path, request, text: &str| {
        let text = format!("error: LIBTORCH is set to {}, and {text}\n", value.display());
        let error = with(value).set_up(request).unwrap_err().to_string();
        assert!(error.starts_with(&text), "{error}");
    };
    let default = Request::default();
    check(&house.path("gone"), default, "there is no such folder");
    check(Path::new("lib"), default, "that is not a full path");
    let none = "it has no lib/libtorch.so and no lib/libtorch_cpu.so";
    check(&house.path("fake"), default, none);
    let no_cuda = "it has no lib/libtorch_cuda.so, which --cuda asks for";
    check(&own, want(Flavor::Cuda), no_cuda);
    std::fs::write(own.join("build-version"), "2.9.1+cpu").unwrap();
    check(&own, default, "it is version 2.9.1+cpu, where 2.11.0 is needed");
    std::fs::remove_file(own.join("build-version")).unwrap();
    // A folder that states no version is taken at its word; a Python package states it elsewhere.
    assert!(with(&own).set_up(default).is_ok());
    std::fs::write(own.join("version.py"), "x\n__version__ = '2.8.0+cpu'\n").unwrap();
    check(&own, default, "it is version 2.8.0+cpu, where 2.11.0 is needed");
}

#[test]
fn pytorch_of_python() {
    let mut house = House::new();
    house.context = house.context.with_var("LIBTORCH_USE_PYTORCH", "1");
    let site = house.path("site");
    house.context = house.context.with_var("PYTHONPATH", &site);
    let install = |version: &str| {
        let _ = std::fs::remove_dir_all(&site);
        for folder in ["torch/lib", "torch/include/torch", "torch-x.dist-info"] {
            std::fs::create_dir_all(site.join(folder)).unwrap();
        }
        let write = |file: &str, text: String| std::fs::write(site.join(file), text).unwrap();
        write(
            "torch/__init__.py",
            "raise Exception('importing takes too long')".into(),
        );
        write("torch/lib/libtorch_cpu.so", String::new());
        let about = format!("Metadata-Version: 2.1\nName: torch\nVersion: {version}\n");
        write("torch-x.dist-info/METADATA", about);
    };
    install("2.11.0+cu130");
    let ready = house.set_up(Request::default()).unwrap();
    assert_eq!((ready.folder, house.pip_calls()), (site.join("torch"), 0));
    install("2.10.0");
    assert_eq!(
        house.error(Request::default()),
        "error: LIBTORCH_USE_PYTORCH is set, and ROOT/bin/python3 has PyTorch 2.10.0, where 2.11.0 is needed\n  \
         what to do: install it (`python3 -m pip install torch==2.11.0`), or unset LIBTORCH_USE_PYTORCH to let \
         `cargo xtask setup` provide libtorch"
    );
}

#[test]
fn the_cache_is_where_the_environment_says() {
    let house = House::new();
    let check = |context: &Context, folder: &str| {
        assert_eq!(cache::folder(context).unwrap(), Path::new(folder));
    };
    let mut context = house.context.with_var("HOME", "/h").with_var("XDG_CACHE_HOME", "/x");
    check(&context.with_var("DTRP_CACHE_DIR", "/d"), "/d");
    context.env.remove(std::ffi::OsStr::new("DTRP_CACHE_DIR"));
    check(&context, "/x/dtrp");
    check(&context.with_var("XDG_CACHE_HOME", ""), "/h/.cache/dtrp");
}
