//! The project's Rust files.

use crate::error::{Error, Result};
use std::fs;
use std::path::Path;

/// A file of the project.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// From the workspace's folder, with `/` between the parts.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The part that is built into the product: the text before the module of tests.
    pub(super) fn product(&self) -> &str {
        let mut from = 0;
        while let Some(at) = self.text[from..].find("#[cfg(test)]\nmod ") {
            let at = from + at;
            if at == 0 || self.text.as_bytes()[at - 1] == b'\n' {
                return &self.text[..at];
            }
            from = at + 1;
        }
        &self.text
    }

    /// Whether the file is a module of tests in a crate of the product.
    pub(super) fn is_test(&self) -> bool {
        let (_, below) = self.path.split_once("/src/").unwrap_or_default();
        below == "tests.rs" || below.ends_with("/tests.rs") || below.contains("tests/")
    }

    /// The path of the file's module below `src/`: `["torch", "stage"]` for `src/torch/stage/mod.rs`, nothing for `src/lib.rs`.
    pub(super) fn module(&self) -> Vec<&str> {
        let (_, below) = self.path.split_once("src/").unwrap_or_default();
        let mut parts: Vec<_> = below.trim_end_matches(".rs").split('/').collect();
        if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
            parts.pop();
        }
        parts
    }
}

/// All Rust files below `root`, sorted, but for what was built and what is hidden.
pub(super) fn all(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    gather(root, "", &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn gather(root: &Path, folder: &str, sources: &mut Vec<Source>) -> Result<()> {
    let here = root.join(folder);
    let unreadable = |path: &Path| Error::io(format!("read {}", path.display()));
    for entry in fs::read_dir(&here).map_err(unreadable(&here))? {
        let entry = entry.map_err(unreadable(&here))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        let kind = entry.file_type().map_err(unreadable(&here))?;
        if kind.is_dir() && name != "target" && !name.starts_with('.') {
            gather(root, &path, sources)?;
        } else if kind.is_file() && name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).map_err(unreadable(&entry.path()))?;
            sources.push(Source { path, text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_tests() {
        let module = |path: &str| Source::new(path, "").module().join("::");
        assert_eq!(module("dtrp-core/src/lib.rs"), "");
        assert_eq!(module("dtrp-core/src/words.rs"), "words");
        assert_eq!(module("dtrp-core/src/torch/stage/mod.rs"), "torch::stage");
        assert_eq!(module("dtrp-core/src/torch/stage/loss.rs"), "torch::stage::loss");
        let source = Source::new("a/src/b.rs", "use x;\n\n#[cfg(test)]\nmod tests {\n use tch;\n}\n");
        assert_eq!(source.product(), "use x;\n\n");
        assert!(Source::new("a/src/config/tests.rs", "").is_test());
    }

    #[test]
    fn what_was_built_is_not_ours() {
        let root = tempfile::tempdir().unwrap();
        for file in ["a/src/lib.rs", "target/x.rs", ".git/x.rs", "a/README.md"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "fn f() {}\n").unwrap();
        }
        let found = all(root.path()).unwrap();
        assert_eq!(
            found.iter().map(|source| &*source.path).collect::<Vec<_>>(),
            ["a/src/lib.rs"]
        );
    }
}
