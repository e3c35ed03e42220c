//! `cargo xtask setup` where files of the current folder have the names of Python's modules.

use std::fs;
use std::process::Command;

/// Names of modules that pip, the unpacking and the search for PyTorch import.
const TRAPS: [&str; 6] = ["pip", "runpy", "zipfile", "csv", "sitecustomize", "torch"];

/// Nothing of the current folder is executed, whatever `PYTHONPATH` says of it.
#[test]
fn set_up_executes_nothing_of_the_current_folder() {
    for (variable, value, said) in [
        // Without an index pip fails at once, and says so: it is pip indeed.
        ("PIP_NO_INDEX", "1", "No matching distribution found for torch"),
        ("LIBTORCH_USE_PYTORCH", "1", "has "),
    ] {
        for search in [None, Some(":/nowhere"), Some(".")] {
            let root = tempfile::tempdir().unwrap();
            let (here, trace) = (root.path().join("here"), root.path().join("trace"));
            fs::create_dir(&here).unwrap();
            for name in TRAPS {
                let trap = format!("open({:?}, 'a').write('{name} ')\n", trace.display().to_string());
                fs::write(here.join(format!("{name}.py")), trap).unwrap();
            }
            let mut setup = Command::new(env!("CARGO_BIN_EXE_xtask"));
            setup
                .arg("setup")
                .current_dir(&here)
                // A workspace of its own.
                .env("CARGO_MANIFEST_DIR", root.path().join("xtask"))
                .env("DTRP_CACHE_DIR", root.path().join("cache"))
                .env(variable, value);
            for name in ["LIBTORCH", "LIBTORCH_USE_PYTORCH", "PIP_FIND_LINKS", "PYTHONPATH"] {
                if name != variable {
                    setup.env_remove(name);
                }
            }
            if let Some(search) = search {
                setup.env("PYTHONPATH", search);
            }
            let output = setup.output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            let executed = fs::read_to_string(&trace).unwrap_or_default();
            assert_eq!(executed, "", "{variable}, {search:?}: {error}");
            if !output.status.success() {
                assert!(error.contains(said), "{variable}, {search:?}: {error}");
            }
            assert!(
                !error.contains(&here.display().to_string()),
                "{variable}, {search:?}: {error}"
            );
        }
    }
}
