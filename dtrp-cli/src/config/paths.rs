//! The keys of a configuration that are paths.

use super::{Config, ConfigError};
use clap::builder::{PathBufValueParser, TypedValueParser};
use dtrp_train::Settings;
use std::env::home_dir;
use std::path::{Path, PathBuf};

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

    /// Puts the home folder in the place of a leading `~`.
    pub(super) fn expand_home(&mut self, origin: &dyn Fn(&str) -> String) -> Result<(), ConfigError> {
        for (key, path) in self.paths() {
            *path = expanded(path).map_err(|expected| ConfigError::Value {
                origin: origin(key),
                path: key.to_owned(),
                value: format!("`{}`", path.display()),
                expected,
            })?;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

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
