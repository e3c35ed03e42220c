//! The archive that `torch.export.save` writes: a zip whose entries lie in one folder. It is read in place; nothing is unpacked
//! to the disk, and what an entry claims of its size is not believed.

use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::{CompressionMethod, ZipArchive};

/// All that is read of an archive may come to this many times its own size: JSON shrinks to a tenth, weights hardly at all.
const MOST_GROWTH: u64 = 32;
/// Or to this many bytes, of a small one.
const SMALL: u64 = 64 << 20;

/// How to make a file that can be read.
pub(super) const EXPORT: &str = "write it with PyTorch 2.9 or newer: \
     `torch.export.save(torch.export.export(net.train(), (x,), dynamic_shapes=({0: Dim(\"batch\", min=2)},)), \"net.pt2\")`";

/// An archive, open.
pub(super) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    /// The folder in it that everything lies in, with its slash.
    folder: String,
    /// Bytes that may still be read of it.
    left: u64,
    most: u64,
}

impl Archive {
    /// Opens it and reads the list of its entries.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
        // Opening a pipe would wait for whoever writes into it.
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err("is not a file: name the .pt2 file that `torch.export.save` has written".to_owned());
        }
        let file = File::open(path).map_err(unreadable)?;
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| {
            format!("is no .pt2 archive, or not whole ({error}): copy or download it again, or {EXPORT}")
        })?;
        for index in 0..zip.len() {
            let entry = zip
                .by_index_raw(index)
                .map_err(|error| format!("is damaged: {error}"))?;
            if entry.enclosed_name().is_none() || entry.name().contains('\\') {
                return Err(format!(
                    "has an entry `{}`, whose path leaves the archive: no exporter writes that, and nothing of it is read",
                    dtrp_text::shortened(entry.name())
                ));
            }
        }
        let folder = folder(&zip)?;
        let most = metadata.len().saturating_mul(MOST_GROWTH).max(SMALL);
        let mut archive = Self {
            zip,
            folder,
            left: most,
            most,
        };
        let order = archive.read("byteorder")?;
        if order.trim_ascii() != b"little" || cfg!(target_endian = "big") {
            return Err("holds numbers in another order of bytes than little-endian, which cannot be read".to_owned());
        }
        Ok(archive)
    }

    /// The folder that everything lies in, with its slash.
    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// The names of the entries in that folder.
    pub(super) fn names(&self) -> Vec<String> {
        let own = |name: &str| name.strip_prefix(&self.folder).map(str::to_owned);
        let names = self.zip.file_names().filter_map(own);
        names.filter(|name| !name.is_empty() && !name.ends_with('/')).collect()
    }

    /// The whole of an entry.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let full = format!("{}{name}", self.folder);
        let damaged = |what: String| format!("is damaged: entry `{full}` {what}; copy or download it again");
        let Some(index) = self.zip.index_for_name(&full) else {
            return Err(format!("is no .pt2 archive, or not whole: it lacks `{full}`; {EXPORT}"));
        };
        let entry = self
            .zip
            .by_index_raw(index)
            .map_err(|error| damaged(error.to_string()))?;
        let (method, checksum, left) = (entry.compression(), entry.crc32(), self.left);
        let mut bytes = Vec::new();
        let done = match method {
            CompressionMethod::STORE => entry.take(left + 1).read_to_end(&mut bytes),
            CompressionMethod::DEFLATE => DeflateDecoder::new(entry).take(left + 1).read_to_end(&mut bytes),
            _ => return Err(damaged("is neither stored nor deflated".to_owned())),
        };
        done.map_err(|error| damaged(format!("cannot be read ({error})")))?;
        let length = bytes.len() as u64;
        if length > left {
            return Err(format!(
                "unpacks to more than {}, which no network in a file of its size does: it is damaged, or made to fill memory",
                dtrp_text::units::bytes(self.most)
            ));
        }
        self.left -= length;
        let mut crc = Crc::new();
        crc.update(&bytes);
        if crc.sum() != checksum {
            return Err(damaged("has another checksum than it should".to_owned()));
        }
        Ok(bytes)
    }
}

/// The folder that everything lies in.
fn folder(zip: &ZipArchive<BufReader<File>>) -> Result<String, String> {
    const MODEL: &str = "models/model.json";
    let mut found = zip.file_names().filter_map(|name| name.strip_suffix(MODEL));
    if let Some(folder) = found.next() {
        return Ok(folder.to_owned());
    }
    let has = |end: &str| zip.file_names().any(|name| name.ends_with(end));
    Err(if has("serialized_exported_program.json") {
        format!("was exported by an older PyTorch, in a form that is no longer written; {EXPORT}")
    } else if has("data.pkl") {
        format!("holds pickled weights, as `torch.save` writes them, without the network's graph; {EXPORT}")
    } else {
        format!("is a zip archive, but no exported network: it lacks `{MODEL}`; {EXPORT}")
    })
}
