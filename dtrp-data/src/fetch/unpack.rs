//! Taking a set's folder out of a `.tar.gz`.

use super::beside;
use crate::DataError;
use crate::files::io;
use std::fs::{self, File};
use std::io::{BufReader, copy};
use std::path::{Component, Path};

/// Unpacks the plain files `FOLDER/NAME` of the archive to `folder`, whose last part is FOLDER.
///
/// Nothing else of the archive is touched: no deeper or upper folder, no link. The folder appears
/// when it is whole.
pub(super) fn unpack(archive: &Path, folder: &Path) -> Result<(), DataError> {
    let staging = beside(folder, ".unpacking");
    if staging.exists() {
        fs::remove_dir_all(&staging).map_err(io(&staging, "remove the folder"))?;
    }
    fs::create_dir_all(&staging).map_err(io(&staging, "make the folder"))?;
    let read = || io(archive, "unpack the file");
    let file = BufReader::new(File::open(archive).map_err(read())?);
    let mut unpacked = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in unpacked.entries().map_err(read())? {
        let mut entry = entry.map_err(read())?;
        let path = entry.path().map_err(read())?.into_owned();
        let parts: Vec<_> = path.components().filter(|part| *part != Component::CurDir).collect();
        if let [Component::Normal(outer), Component::Normal(name)] = parts[..]
            && Some(outer) == folder.file_name()
            && entry.header().entry_type().is_file()
        {
            let target = staging.join(name);
            let mut file = File::create(&target).map_err(io(&target, "write the file"))?;
            copy(&mut entry, &mut file).map_err(io(&target, "unpack the file"))?;
        }
    }
    fs::rename(&staging, folder).map_err(io(folder, "put the folder in place"))
}
