//! Making the run's folder: no two runs share one, an earlier run is kept, and nothing else is touched.
//!
//! A run *claims* its name under a lock on the folder that the runs' folders are in, fills a hidden folder, and renames it:
//! what has its name is whole, and nobody else's. Once it has, its own lock on `metrics.jsonl` says that the run goes on;
//! others only look at that lock and never take it.

use super::metrics::{METRICS, Metrics};
use super::{CONFIG, COSTS, SUMMARY};
use crate::error::Error;
use dtrp_text::write_whole;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The folder of one run.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Goes on in the folder of a run, from after the batch `told` and the epoch `epochs`.
    ///
    /// # Errors
    ///
    /// [`Error::FolderInUse`] where it is still going on, [`Error::File`].
    pub(crate) fn reopen(path: &Path, log_every: u64, told: u64, epochs: u64) -> Result<(Self, Metrics), Error> {
        let metrics = Metrics::reopen(path, log_every, told, epochs)?;
        let summary = path.join(SUMMARY);
        match fs::remove_file(&summary) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file("remove", &summary)(error)),
            _ => Ok((Self { path: path.to_owned() }, metrics)),
        }
    }

    /// Writes a file of the folder: it appears whole or not at all.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        write_whole(&path, content.as_bytes()).map_err(Error::file("write", &path))
    }
}

/// What is done where a run of the name is still going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InUse {
    /// The new one is `NAME-2`, or the next that is free.
    Number,
    /// The new one does not start.
    Refuse,
}

/// A name that is ours, and the hidden folder that will have it. Dropped before it is [published](Self::publish), it leaves
/// nothing behind.
#[derive(Debug)]
pub(crate) struct Claim {
    dir: PathBuf,
    name: String,
    hidden: PathBuf,
    /// Where the run that has the name now will be.
    earlier: Option<PathBuf>,
    /// Held for as long as the claim stands. Some file systems have no locks; there the renaming alone must do.
    _lock: Option<File>,
}

impl Claim {
    /// Claims `name` in `dir`, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::FolderInUse`] as `in_use` says, [`Error::NotARun`] where what has the name is not a run's, [`Error::File`].
    pub(crate) fn new(dir: &Path, name: &str, in_use: InUse) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(Error::file("make the folder", dir))?;
        let lock = lock(dir)?;
        if lock.is_some() {
            remove_abandoned(dir);
        }
        let (name, earlier) = choose(dir, name, in_use)?;
        let hidden = dir.join(format!(".{name}.{}{HIDDEN}", std::process::id()));
        fs::create_dir(&hidden).map_err(Error::file("make the folder", &hidden))?;
        Ok(Self {
            dir: dir.to_owned(),
            name,
            hidden,
            earlier,
            _lock: lock,
        })
    }

    /// The name that the folder will have.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where a file of the earlier run, which has the name now, will be found.
    pub(crate) fn moved(&self, path: &Path) -> Option<PathBuf> {
        let earlier = self.earlier.as_ref()?;
        let path = path.canonicalize().ok()?;
        let old = self.path().canonicalize().ok()?;
        Some(earlier.join(path.strip_prefix(old).ok()?))
    }

    /// Writes a file that the folder has from the start.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<(), Error> {
        let hidden = self.hidden.join(name);
        write_whole(&hidden, content.as_bytes()).map_err(Error::file("write", &self.path().join(name)))
    }

    /// Moves the earlier run away, and gives the folder its name. Returns it with its metrics, and where the earlier run is.
    pub(crate) fn publish(self, log_every: u64) -> Result<(Folder, Metrics, Option<PathBuf>), Error> {
        let path = self.path();
        let metrics = Metrics::create(&self.hidden, &path, log_every)?;
        if let Some(earlier) = &self.earlier {
            fs::rename(&path, earlier).map_err(Error::file("move the earlier run away", &path))?;
        }
        if let Err(error) = fs::rename(&self.hidden, &path) {
            if let Some(earlier) = &self.earlier {
                let _ = fs::rename(earlier, &path);
            }
            return Err(Error::file("make the folder", &path)(error));
        }
        let earlier = self.earlier.clone();
        Ok((Folder { path }, metrics, earlier))
    }

    fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Where it has its name this finds nothing.
        remove_hidden(&self.hidden);
    }
}

/// How the hidden folders' names end.
const HIDDEN: &str = ".dtrp-new";

/// The longest that one run waits for others to be made.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes the lock of the folder that the runs' folders are in.
fn lock(dir: &Path) -> Result<Option<File>, Error> {
    let Ok(file) = File::open(dir) else {
        return Ok(None);
    };
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => sleep(Duration::from_millis(5)),
            Err(TryLockError::WouldBlock) => {
                let message = "another run is being made there and does not come to an end";
                return Err(Error::file("lock the folder", dir)(std::io::Error::new(
                    ErrorKind::TimedOut,
                    message,
                )));
            }
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}

/// Removes what programs left that were killed while they made a folder: they did so under the lock that is ours now.
fn remove_abandoned(dir: &Path) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(HIDDEN) {
            remove_hidden(&entry.path());
        }
    }
}

/// Removes a hidden folder with the files that it can have, and nothing else.
fn remove_hidden(folder: &Path) {
    for file in [CONFIG, COSTS, METRICS] {
        let _ = fs::remove_file(folder.join(file));
    }
    let _ = fs::remove_dir(folder);
}

/// The name that a new run gets, and where the run is to go that has it now.
fn choose(dir: &Path, name: &str, in_use: InUse) -> Result<(String, Option<PathBuf>), Error> {
    let path = dir.join(name);
    match Found::at(&path) {
        Found::Nothing => Ok((name.to_owned(), None)),
        Found::Run if !goes_on(&path) => {
            let free = numbered(dir, name, '.', 1, |path| path.symlink_metadata().is_err());
            Ok((name.to_owned(), Some(dir.join(free))))
        }
        Found::Run if in_use == InUse::Refuse => Err(Error::FolderInUse(path)),
        Found::Run => {
            let free = |path: &Path| matches!(Found::at(path), Found::Nothing);
            Ok((numbered(dir, name, '-', 2, free), None))
        }
        Found::Other => Err(Error::NotARun(path)),
    }
}

/// The first of the name's numbers, from `first`, that is free.
fn numbered(dir: &Path, name: &str, mark: char, first: u64, free: impl Fn(&Path) -> bool) -> String {
    let mut number = first;
    loop {
        let name = format!("{name}{mark}{number}");
        if free(&dir.join(&name)) {
            return name;
        }
        number += 1;
    }
}

/// What has a name.
enum Found {
    /// Nothing, or an empty folder, in whose place the new one comes.
    Nothing,
    /// A folder that a run has made.
    Run,
    Other,
}

impl Found {
    fn at(path: &Path) -> Self {
        // A link is somebody's own, wherever it leads.
        let Ok(found) = path.symlink_metadata() else {
            return Found::Nothing;
        };
        if !found.is_dir() {
            return Found::Other;
        }
        let is_file = |name: &str| path.join(name).symlink_metadata().is_ok_and(|found| found.is_file());
        let is_empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        if is_file(CONFIG) && is_file(METRICS) {
            Found::Run
        } else if is_empty() {
            Found::Nothing
        } else {
            Found::Other
        }
    }
}

/// A run that goes on holds a lock on its metrics. A shared lock finds that out without being in anybody's way.
pub(crate) fn goes_on(folder: &Path) -> bool {
    let Ok(metrics) = File::open(folder.join(METRICS)) else {
        return false;
    };
    matches!(metrics.try_lock_shared(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole run's folder with this in its configuration, and the lock that says that it goes on.
    fn make(dir: &Path, name: &str, config: &str) -> Result<(Folder, Metrics, Option<PathBuf>), Error> {
        let claim = Claim::new(dir, name, InUse::Number)?;
        claim.write(CONFIG, config)?;
        claim.publish(1)
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn earlier_runs_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        for run in 0..3 {
            let (_, _, moved) = make(dir.path(), "a", &run.to_string()).unwrap();
            let expected = (run > 0).then(|| dir.path().join(format!("a.{run}")));
            assert_eq!(moved, expected);
        }
        let read = |name: &str| fs::read_to_string(dir.path().join(name).join(CONFIG)).unwrap();
        assert_eq!([read("a.1"), read("a.2"), read("a")], ["0", "1", "2"]);
        assert_eq!(names(dir.path()), ["a", "a.1", "a.2"]);
        assert_eq!(names(&dir.path().join("a")), [CONFIG, METRICS]);
    }

    #[test]
    fn a_run_that_goes_on_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (_, metrics, _) = make(dir.path(), "a", "first").unwrap();
        let error = Claim::new(dir.path(), "a", InUse::Refuse).unwrap_err();
        assert!(matches!(error, Error::FolderInUse(_)), "{error}");
        assert_eq!(names(dir.path()), ["a"]);
        let (second, held, moved) = make(dir.path(), "a", "second").unwrap();
        assert_eq!((second.path(), moved), (dir.path().join("a-2").as_path(), None));
        let (third, ..) = make(dir.path(), "a", "third").unwrap();
        assert_eq!(third.path(), dir.path().join("a-3"));
        drop((metrics, held));
        let (again, _, moved) = make(dir.path(), "a", "fourth").unwrap();
        assert_eq!(again.path(), dir.path().join("a"));
        assert_eq!(moved, Some(dir.path().join("a.1")));
    }

    #[test]
    fn looking_at_a_run_takes_no_lock_away() {
        let dir = tempfile::tempdir().unwrap();
        drop(make(dir.path(), "a", "").unwrap());
        let folder = dir.path().join("a");
        // However many look, a run that has just ended does not seem to go on.
        let lookers: Vec<_> = (0..8)
            .map(|_| {
                let folder = folder.clone();
                std::thread::spawn(move || (0..200).any(|_| goes_on(&folder)))
            })
            .collect();
        assert!(lookers.into_iter().all(|looker| !looker.join().unwrap()));
    }

    #[test]
    fn only_runs_are_moved() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        fs::create_dir(place("src")).unwrap();
        fs::write(place("src/main.rs"), "").unwrap();
        fs::write(place("file"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", place("link")).unwrap();
        let before = names(dir.path());
        for name in ["src", "file", "link"] {
            let error = Claim::new(dir.path(), name, InUse::Number).unwrap_err();
            assert!(matches!(error, Error::NotARun(_)), "{name}: {error}");
            assert_eq!(error.exit_code(), 9);
        }
        assert_eq!(names(dir.path()), before);
        // An empty folder holds nothing that could be lost.
        fs::create_dir(place("empty")).unwrap();
        let (folder, ..) = make(dir.path(), "empty", "").unwrap();
        assert_eq!(folder.path(), place("empty"));
    }

    #[test]
    fn what_is_not_published_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let claim = Claim::new(dir.path(), "a", InUse::Number).unwrap();
        claim.write(CONFIG, "x").unwrap();
        assert_eq!(names(dir.path()).len(), 1);
        // As if it had been killed: the next one clears up.
        std::mem::forget(claim);
        let abandoned = dir.path().join(format!(".b.1{HIDDEN}"));
        fs::create_dir(&abandoned).unwrap();
        fs::write(abandoned.join(CONFIG), "x").unwrap();
        remove_abandoned(dir.path());
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn files_of_the_earlier_run_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        drop(make(dir.path(), "a", "").unwrap());
        let claim = Claim::new(dir.path(), "a", InUse::Number).unwrap();
        let moved = claim.moved(&dir.path().join("a/config.yaml"));
        assert_eq!(moved, Some(dir.path().join("a.1/config.yaml")));
        assert_eq!(claim.moved(dir.path()), None);
        assert_eq!(claim.moved(Path::new("nowhere")), None);
    }

    #[test]
    fn many_at_once_have_folders_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let threads: Vec<_> = (0..8)
            .map(|run| {
                let dir = dir.path().to_owned();
                std::thread::spawn(move || make(&dir, &format!("run{}", run % 2), &run.to_string()).unwrap())
            })
            .collect();
        let made: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        for (run, (folder, ..)) in made.iter().enumerate() {
            let config = fs::read_to_string(folder.path().join(CONFIG)).unwrap();
            assert_eq!(config, run.to_string());
        }
        assert_eq!(names(dir.path()).len(), 8);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Claim::new(&file, "a", InUse::Number).unwrap_err();
        assert_eq!(error.exit_code(), 9, "{error}");
    }
}
