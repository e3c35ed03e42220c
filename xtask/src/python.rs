//! Starting python3 so that it imports nothing from the current folder: a `pip.py`, `zipfile.py` or `torch/` that happens to
//! lie there is no part of the user's Python.
//!
//! With `-m` and `-c` Python looks in the current folder first, and an empty part of `PYTHONPATH`, as
//! `PYTHONPATH=$PYTHONPATH:/more` leaves it, means the same. `-I` would forbid that, and lose what the user has: a pip in
//! their own site-packages or on their `PYTHONPATH`. `-P` would do, and came with Python 3.11. The current folder stays what it
//! is, since pip's settings (`--find-links ./wheels`) and pyenv's choice of a Python follow it.

use crate::context::Context;
use std::env::{join_paths, split_paths};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Takes the current folder from what `-c` searches, before anything is imported (`sys` is built in).
const ELSEWHERE: &str = "import sys; sys.path[:] = [place for place in sys.path if place]\n";

/// A script that needs Python's own library alone.
pub(crate) fn isolated(context: &Context, python: impl AsRef<OsStr>, script: &str) -> Command {
    let mut command = context.command(python);
    command.args(["-I", "-c", script]);
    command
}

/// A script that imports what the user has installed for this Python.
pub(crate) fn with_packages(context: &Context, python: impl AsRef<OsStr>, script: &str) -> Command {
    let mut command = start(context, python);
    command.arg("-c").arg(format!("{ELSEWHERE}{script}"));
    command
}

/// A module that the user has installed for this Python, as `-m` runs it.
pub(crate) fn module(context: &Context, python: impl AsRef<OsStr>, name: &str) -> Command {
    let script = format!("import runpy; runpy.run_module('{name}', run_name='__main__', alter_sys=True)");
    with_packages(context, python, &script)
}

/// A script in a file, which may import the files beside it and what is installed.
pub(crate) fn file(context: &Context, python: impl AsRef<OsStr>, file: &Path) -> Command {
    let mut command = start(context, python);
    command.arg(file);
    command
}

/// Python with the parts of `PYTHONPATH` that are full paths: the others follow the current folder.
fn start(context: &Context, python: impl AsRef<OsStr>) -> Command {
    const SEARCHED: &str = "PYTHONPATH";
    let mut command = context.command(python);
    if let Some(places) = context.var(SEARCHED) {
        let full = split_paths(places).filter(|place| place.is_absolute());
        match join_paths(full) {
            Ok(full) if !full.is_empty() => command.env(SEARCHED, full),
            _ => command.env_remove(SEARCHED),
        };
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Modules that would print their names when imported from the current folder.
    const TRAPS: [&str; 5] = ["pip", "runpy", "zipfile", "torch", "sitecustomize"];

    struct Place {
        folder: tempfile::TempDir,
        context: Context,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in TRAPS {
                let trap = folder.path().join(format!("{name}.py"));
                fs::write(trap, format!("print('{name} of the current folder', flush=True)\n")).unwrap();
            }
            let mut context = Context::from_process().unwrap();
            context.env.remove(OsStr::new("PYTHONPATH"));
            context.env.remove(OsStr::new("PYTHONNOUSERSITE"));
            Self { folder, context }
        }

        /// All that the command prints in the folder of traps.
        fn says(&self, mut command: Command) -> String {
            let output = command.current_dir(self.folder.path()).output().unwrap();
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        }

        /// A folder with a package `pip` that is the user's.
        fn with_pip(&self, folder: &Path) {
            fs::create_dir_all(folder.join("pip")).unwrap();
            fs::write(folder.join("pip/__init__.py"), "").unwrap();
            fs::write(
                folder.join("pip/__main__.py"),
                "import sys; print('the user\\'s pip', sys.argv[1:])",
            )
            .unwrap();
        }
    }

    #[test]
    fn nothing_of_the_current_folder_is_imported() {
        let place = Place::new();
        // They are traps indeed.
        let mut plain = place.context.command("python3");
        plain.args(["-c", "import pip, zipfile"]);
        assert!(place.says(plain).contains("pip of the current folder"));
        for search in [None, Some(""), Some(":"), Some(".:./"), Some("::/nowhere")] {
            let context = match search {
                Some(search) => place.context.with_var("PYTHONPATH", search),
                None => place.context.clone(),
            };
            let scripts = place.folder.path().join("scripts");
            fs::create_dir_all(&scripts).unwrap();
            fs::write(scripts.join("beside.py"), "BESIDE = 'beside'").unwrap();
            let script = scripts.join("run.py");
            fs::write(&script, "import zipfile, beside; print(beside.BESIDE)").unwrap();
            let find = "import importlib.util, runpy, zipfile; print(importlib.util.find_spec('torch'))";
            for command in [
                isolated(&context, "python3", "import zipfile; print('isolated')"),
                with_packages(&context, "python3", find),
                module(&context, "python3", "pip"),
                file(&context, "python3", &script),
            ] {
                let what = format!("{search:?}: {command:?}");
                let said = place.says(command);
                assert!(!said.contains("current folder"), "{what} says {said}");
                assert!(
                    !said.contains(&place.folder.path().display().to_string()),
                    "{what} says {said}"
                );
            }
            assert_eq!(place.says(file(&context, "python3", &script)), "beside\n");
        }
    }

    #[test]
    fn a_pip_of_the_users_own_is_found() {
        let place = Place::new();
        let check = |context: &Context| {
            let mut pip = module(context, "python3", "pip");
            pip.args(["download", "x y"]);
            assert_eq!(place.says(pip), "the user's pip ['download', 'x y']\n");
        };
        // Where PYTHONPATH says.
        let site = tempfile::tempdir().unwrap();
        place.with_pip(site.path());
        let search = join_paths([Path::new(""), site.path()]).unwrap();
        check(&place.context.with_var("PYTHONPATH", search));
        // In the user's site-packages, where this Python has such a folder (one of a virtual environment has none).
        let base = tempfile::tempdir().unwrap();
        let context = place.context.with_var("PYTHONUSERBASE", base.path());
        let ask = "import site; print(site.getusersitepackages() if site.ENABLE_USER_SITE is not False else '')";
        let folder = place.says(with_packages(&context, "python3", ask));
        if folder.trim().is_empty() {
            println!("skipped: this Python takes no packages from a user's folder");
        } else {
            place.with_pip(Path::new(folder.trim()));
            check(&context);
        }
    }
}
