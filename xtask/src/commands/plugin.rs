//! `cargo xtask plugin`: a predictor plug-in from the templates, built and checked.

use crate::cargo;
use crate::cli::{Language, Template};
use crate::context::Context;
use crate::error::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Writes a new project into the folder `path`, which must not exist; its last part is the name.
pub(crate) fn new(context: &Context, path: &Path, template: &Template) -> Result<()> {
    let name = project_name(path)?;
    let predictors = context.workspace.join("dtrp-predictors");
    let words = [
        ("{{name}}", name.clone()),
        ("{{library}}", name.replace('-', "_")),
        ("{{dtrp}}", predictors.display().to_string()),
        ("{{source}}", source(&predictors, template.git.as_deref())),
    ];
    fs::create_dir(path).map_err(Error::io(format!("make the folder {}", path.display())))?;
    for folder in template.folders() {
        copy(&predictors.join("templates").join(folder), path, &words)?;
    }
    if template.language == Language::Rust {
        // The versions of this workspace, so that nothing has to be looked up.
        let lock = context.workspace.join("examples/plugins/linear-rule/Cargo.lock");
        let reading = Error::io(format!("read {}", lock.display()));
        let text = fs::read_to_string(&lock).map_err(reading)?;
        let to = path.join("Cargo.lock");
        let writing = Error::io(format!("write {}", to.display()));
        fs::write(&to, text.replace("linear-rule", &name)).map_err(writing)?;
    }
    println!("{} is ready; build and check it with", path.display());
    println!("  cargo xtask plugin build {}", path.display());
    Ok(())
}

/// Where the SDK comes from, as a Cargo.toml says it.
fn source(predictors: &Path, git: Option<&str>) -> String {
    match git {
        Some(url) => format!("git = \"{url}\""),
        None => format!("path = \"{}\"", predictors.display()),
    }
}

/// Builds the project in the folder `path`, and checks the library.
pub(crate) fn build(context: &Context, path: &Path) -> Result<()> {
    // Cargo and make run in other folders.
    let path = &fs::canonicalize(path).map_err(Error::io(format!("find {}", path.display())))?;
    match Project::of(path)? {
        Project::Cargo => {
            let mut build = context.cargo();
            // A target folder of its own: the plug-in is no part of this workspace.
            build
                .args(["build", "--release", "--target-dir"])
                .arg(path.join("target"));
            build.arg("--manifest-path").arg(path.join("Cargo.toml"));
            cargo::run(&mut build)?;
        }
        Project::Make => {
            let mut make = context.command("make");
            make.arg("-C").arg(path);
            cargo::run(&mut make)?;
        }
    }
    check(context, path)
}

/// Runs `dtrp predictors check` on a library, or on the one that was built in a project's folder. Builds neither.
pub(crate) fn check(context: &Context, path: &Path) -> Result<()> {
    let path = &fs::canonicalize(path).map_err(Error::io(format!("find {}", path.display())))?;
    let library = if path.is_dir() {
        built_library(path)?
    } else {
        path.clone()
    };
    super::dtrp::run(context, &["predictors".into(), "check".into(), library.into()])
}

/// What builds a project.
enum Project {
    Cargo,
    Make,
}

impl Project {
    fn of(folder: &Path) -> Result<Self> {
        for (file, project) in [("Cargo.toml", Self::Cargo), ("Makefile", Self::Make)] {
            if folder.join(file).is_file() {
                return Ok(project);
            }
        }
        let folder = folder.display();
        Err(Error::Usage(format!(
            "{folder} holds neither a Cargo.toml nor a Makefile"
        )))
    }
}

/// The library that was built in a project's folder: the one with the folder's name, or the only one.
fn built_library(project: &Path) -> Result<PathBuf> {
    let folder = match Project::of(project)? {
        Project::Cargo => project.join("target/release"),
        Project::Make => project.to_owned(),
    };
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let is_library = |path: &PathBuf| path.extension().is_some_and(|e| e == "so");
    let libraries: Vec<_> = entries.map(|e| e.path()).filter(is_library).collect();
    let name = project.file_name().unwrap_or_default().to_string_lossy();
    let named = folder.join(format!("lib{}.so", name.replace('-', "_")));
    let shown = folder.display();
    match &libraries[..] {
        all if all.contains(&named) => Ok(named),
        [only] => Ok(only.clone()),
        [] => Err(Error::Usage(format!(
            "{shown} holds no library yet; `cargo xtask plugin build` makes one"
        ))),
        _ => Err(Error::Usage(format!(
            "{shown} holds several libraries; name the one to check"
        ))),
    }
}

/// The last part of the path: lower case, digits and hyphens.
fn project_name(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
        let text = format!("`{name}` is not a name such as my-rule: lower-case letters, digits and hyphens");
        return Err(Error::Usage(text));
    }
    Ok(name.to_owned())
}

/// Copies a folder of templates: `.in` goes from the names, the words are replaced in the text.
fn copy(from: &Path, to: &Path, words: &[(&str, String)]) -> Result<()> {
    let reading = || format!("read {}", from.display());
    for entry in fs::read_dir(from).map_err(Error::io(reading()))? {
        let source = entry.map_err(Error::io(reading()))?.path();
        let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if source.is_dir() {
            let folder = to.join(&name);
            fs::create_dir_all(&folder).map_err(Error::io(format!("make the folder {}", folder.display())))?;
            copy(&source, &folder, words)?;
            continue;
        }
        let name = name.strip_suffix(".in").unwrap_or(&name);
        let target: PathBuf = to.join(if name == "gitignore" { ".gitignore" } else { name });
        let text = fs::read_to_string(&source).map_err(Error::io(format!("read {}", source.display())))?;
        let text = words.iter().fold(text, |text, (word, by)| text.replace(word, by));
        fs::write(&target, text).map_err(Error::io(format!("write {}", target.display())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        assert_eq!(project_name(Path::new("a/my-rule2")).unwrap(), "my-rule2");
        for wrong in ["", "My-rule", "2fast", "my_rule", "a b", ".."] {
            assert!(project_name(Path::new(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn built_libraries_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("my-rule");
        let out = project.join("target/release");
        fs::create_dir_all(&out).unwrap();
        let says = || built_library(&project).unwrap_err().to_string();
        assert!(says().contains("neither a Cargo.toml nor a Makefile"));
        fs::write(project.join("Cargo.toml"), "").unwrap();
        assert!(says().contains("holds no library yet"));
        let library = |name: &str| {
            fs::write(out.join(name), "").unwrap();
            out.join(name)
        };
        library("libmine.d");
        let mine = library("libmine.so");
        assert_eq!(built_library(&project).unwrap(), mine);
        library("libother.so");
        assert!(says().contains("holds several libraries"));
        let named = library("libmy_rule.so");
        assert_eq!(built_library(&project).unwrap(), named);
    }

    #[test]
    fn templates_become_a_project() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let words = [
            ("{{name}}", "my-rule".to_owned()),
            ("{{library}}", "my_rule".to_owned()),
            ("{{dtrp}}", "/dtrp".to_owned()),
            (
                "{{source}}",
                source(Path::new("/dtrp"), Some("https://example.org/dtrp")),
            ),
        ];
        for (language, custom, file) in [
            (Language::Rust, false, "src/lib.rs"),
            (Language::Rust, true, "src/lib.rs"),
            (Language::C, true, "predictor.c"),
        ] {
            let template = Template {
                language,
                custom,
                git: None,
            };
            let to = folder.path().join(template.folders().concat());
            fs::create_dir(&to).unwrap();
            for folder in template.folders() {
                copy(&workspace.join("dtrp-predictors/templates").join(folder), &to, &words).unwrap();
            }
            if language == Language::Rust {
                let manifest = fs::read_to_string(to.join("Cargo.toml")).unwrap();
                assert_eq!(manifest.matches("{ git = \"https://example.org/dtrp\", ").count(), 2);
                let rule = fs::read_to_string(to.join(file)).unwrap();
                assert_eq!(rule.contains("Kind::Custom,"), custom);
            }
            for made in [file, ".gitignore", "README.md"] {
                let text = fs::read_to_string(to.join(made)).unwrap();
                assert!(!text.contains("{{"), "{made}");
            }
        }
    }
}
