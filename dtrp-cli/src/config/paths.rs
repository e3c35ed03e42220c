//! The keys of a configuration that are paths.

use super::{Config, ConfigError};
use clap::builder::{PathBufValueParser, TypedValueParser};
use dtrp_text::{OptionKind, shortened};
use dtrp_train::Settings;
use serde_json::Value;
use std::env::home_dir;
use std::path::{Path, PathBuf};

/// As Linux and macOS have it, in bytes.
const LONGEST_PATH: usize = 1023;
/// Of a file or a folder, in bytes.
const LONGEST_NAME: usize = 255;

impl Config {
    /// Every key that is a path and has a value.
    fn paths(&mut self) -> impl Iterator<Item = (&'static str, &mut PathBuf)> {
        let Settings {
            data, model, method, ..
        } = &mut self.settings;
        let keys = [
            ("run.dir", Some(&mut self.program.run.dir)),
            ("data.dir", data.dir.as_mut()),
            ("model.init_from", model.init_from.as_mut()),
            ("method.program", method.program.as_mut()),
            ("method.costs", self.program.method.costs.as_mut()),
            ("method.predictor", method.predictor.0.plugin.as_mut()),
        ];
        keys.into_iter().filter_map(|(key, path)| Some((key, path?)))
    }

    /// Every key that names something to read, and its path.
    pub(crate) fn files(&mut self) -> impl Iterator<Item = (&'static str, &Path)> {
        let paths = self.paths().filter(|(key, _)| *key != "run.dir");
        paths.map(|(key, path)| (key, &**path))
    }

    /// The model's options that are paths, by their keys.
    pub(crate) fn files_of_model(&self) -> impl Iterator<Item = (String, &Path)> {
        let model = &self.settings.model;
        let declared = dtrp_models::find(&model.name).map_or(&[][..], |family| family.options);
        let paths = declared.iter().filter(|option| option.kind == OptionKind::Path);
        paths.filter_map(|option| {
            let path = model.options.get(option.name)?.as_str()?;
            Some((format!("model.{}", option.name), Path::new(path)))
        })
    }

    /// Puts the home folder in the place of a leading `~`.
    pub(super) fn expand_home(&mut self, origin: &dyn Fn(&str) -> String) -> Result<(), ConfigError> {
        for (key, path) in self.paths() {
            let expanded = expanded(path).and_then(of_usual_length);
            *path = expanded.map_err(|expected| ConfigError::Value {
                origin: origin(key),
                path: key.to_owned(),
                value: format!("`{}`", shortened(&path.to_string_lossy())),
                expected,
            })?;
        }
        self.expand_home_in_options(origin)
    }

    /// The same for the model's options that are paths.
    fn expand_home_in_options(&mut self, origin: &dyn Fn(&str) -> String) -> Result<(), ConfigError> {
        let model = &mut self.settings.model;
        // A family that does not exist is told of later.
        let declared = dtrp_models::find(&model.name).map_or(&[][..], |family| family.options);
        for option in declared.iter().filter(|option| option.kind == OptionKind::Path) {
            let Some(Value::String(path)) = model.options.get_mut(option.name) else {
                continue;
            };
            let expanded = expanded(Path::new(path)).and_then(of_usual_length);
            let key = format!("model.{}", option.name);
            let expanded = expanded.map_err(|expected| ConfigError::Value {
                origin: origin(&key),
                path: key,
                value: format!("`{}`", shortened(path)),
                expected,
            })?;
            // Of UTF-8 it is made.
            *path = expanded.to_string_lossy().into_owned();
        }
        Ok(())
    }

    /// The first key whose path is not UTF-8, so that no YAML can hold it exactly.
    pub(crate) fn not_utf8(&mut self) -> Option<&'static str> {
        let mut paths = self.paths();
        paths.find(|(_, path)| path.to_str().is_none()).map(|(key, _)| key)
    }

    /// Puts in what `moved` says of each path.
    pub(crate) fn follow(&mut self, moved: impl Fn(&str, &Path) -> Option<PathBuf>) {
        for (key, path) in self.paths() {
            if let Some(moved) = moved(key, path) {
                *path = moved;
            }
        }
    }
}

/// A path as it was typed, with the home folder for a leading `~/` that the shell has left alone.
pub(crate) fn path_argument() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| expanded(&path).map_err(|expected| format!("must be {expected}")))
}

/// `~` and `~/x` in the home folder, as a shell has them; other paths as they are.
///
/// # Errors
///
/// What would be right, where a path begins with `~` and cannot be expanded.
pub(crate) fn expanded(path: &Path) -> Result<PathBuf, String> {
    let Ok(rest) = path.strip_prefix("~") else {
        let first = path.components().next();
        let first = first.map(|first| first.as_os_str().to_string_lossy().into_owned());
        return match first.filter(|first| first.starts_with('~')) {
            Some(user) => Err(format!(
                "a path with `{user}` written out: it was not expanded, only `~/` is (a file of that name is `./{user}`)"
            )),
            None => Ok(path.to_owned()),
        };
    };
    match home_dir().filter(|home| !home.as_os_str().is_empty()) {
        Some(home) => Ok(home.join(rest)),
        None => Err("a path with `~` written out: it was not expanded, there is no HOME".to_owned()),
    }
}

/// The path, unless no system has one that is so long.
fn of_usual_length(path: PathBuf) -> Result<PathBuf, String> {
    let names = path.components().map(|name| name.as_os_str().len());
    if path.as_os_str().len() <= LONGEST_PATH && names.max().unwrap_or(0) <= LONGEST_NAME {
        return Ok(path);
    }
    Err(format!(
        "a path of at most {LONGEST_PATH} bytes, each name in it of at most {LONGEST_NAME}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_system_has_paths_so_long() {
        let path = |length: usize| of_usual_length("x".repeat(length).into());
        assert!(path(255).is_ok());
        assert!(path(256).unwrap_err().contains("at most 255"));
        assert!(of_usual_length("x/".repeat(600).into()).is_err());
    }

    #[test]
    fn the_home_folder_is_put_in() {
        let home = home_dir().unwrap();
        let path = |text: &str| expanded(Path::new(text));
        assert_eq!(path("~/a/b"), Ok(home.join("a/b")));
        assert_eq!(path("~").unwrap(), home.join(""));
        for same in ["a/~/b", "/~", "./~", "a~", ""] {
            assert_eq!(path(same), Ok(same.into()));
        }
        let error = path("~nobody/x").unwrap_err();
        assert!(error.contains("not expanded") && error.contains("./~nobody"), "{error}");
    }
}
