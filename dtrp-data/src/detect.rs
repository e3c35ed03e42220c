//! Which set a folder holds.

use crate::datasets::{cifar, idx};
use crate::{DataError, DataSpec};
use std::path::Path;

/// The set that a folder looks like, from the names in it.
///
/// MNIST and Fashion-MNIST have the same file names: this says `fashion-mnist` if the folder's path
/// does, else `mnist`.
///
/// # Errors
///
/// [`DataError::Missing`] if the folder is not there or looks like none.
pub fn detect(dir: &Path) -> Result<DataSpec, DataError> {
    let has = |folders: &[&str], test: &dyn Fn(&Path) -> bool| {
        test(dir) || folders.iter().any(|folder| test(&dir.join(folder)))
    };
    let cifar = |layout: &cifar::CifarLayout| {
        has(&[layout.folder], &|folder| {
            layout.files().any(|file| folder.join(file).exists())
        })
    };
    let name = if cifar(&cifar::CIFAR10) {
        "cifar10"
    } else if has(idx::FASHION_MNIST.folders, &idx::has_any) && {
        let path = dir.to_string_lossy().to_lowercase();
        path.contains("fashion")
            || idx::FASHION_MNIST
                .folders
                .iter()
                .any(|folder| idx::has_any(&dir.join(folder)))
    } {
        "fashion-mnist"
    } else if has(idx::MNIST.folders, &idx::has_any) {
        "mnist"
    } else if dir.join("train").is_dir() {
        "image-folder"
    } else if cifar(&cifar::CIFAR100) {
        "cifar100"
    } else {
        return Err(DataError::Missing {
            dataset: "any".to_string(),
            path: dir.to_path_buf(),
            help: "no folder with the files of a known set; name one, and the set if need be".to_string(),
        });
    };
    Ok(DataSpec::in_dir(name, dir))
}
