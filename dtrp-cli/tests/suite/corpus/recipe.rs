//! How the files of a case are made, so that they need not be kept: whole ones, and what is done to them.
//!
//! ```text
//! make KIND PATH          a whole one: cifar10, cifar100, idx, idx-gz, images (folders), weights, plug-in
//! file PATH TEXT          a file with this text; \n \t \\ \xFF as usual
//! repeat PATH COUNT TEXT  this text so many times
//! sparse PATH BYTES       zeros that take no room
//! cut PATH BYTES          so many are left; a number below 0: so many are taken off the end
//! put PATH OFFSET TEXT    other bytes in the place of those there; an offset below 0 counts from the end
//! add PATH TEXT           more bytes at the end
//! replace PATH OLD NEW    one text by another, where it first stands
//! gzip PATH               the file compressed, in its place
//! gunzip PATH             and back
//! compile PATH SOURCE     a plug-in from C: of the examples, or of the case
//! copy FROM TO   move FROM TO   remove PATH   folder PATH   fifo PATH   link PATH TARGET
//! ```

use crate::{build, sets};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::LazyLock;

/// One line of a recipe.
pub(super) struct Step {
    verb: String,
    path: String,
    rest: String,
}

/// What is made once for all cases.
pub(super) struct Whole {
    pub(super) weights: Vec<u8>,
}

static PLUG_IN: LazyLock<Vec<u8>> = LazyLock::new(|| compiled(&build::examples().join("c-lookahead/lookahead.c")));

const VERBS: [&str; 17] = [
    "make", "file", "repeat", "sparse", "cut", "put", "add", "replace", "gzip", "gunzip", "compile", "copy", "move",
    "remove", "folder", "fifo", "link",
];

impl Step {
    /// From a line of the case `name`.
    pub(super) fn read(line: &str, name: &str) -> Self {
        let mut parts = line.splitn(3, ' ').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        let step = Self {
            verb: part(),
            path: part(),
            rest: part(),
        };
        let known = VERBS.contains(&step.verb.as_str()) && !step.path.is_empty();
        assert!(known, "{name}: what is `{line}`?");
        step
    }

    /// Does it, in `folder`.
    pub(super) fn execute(&self, folder: &Path, whole: &Whole) {
        let path = folder.join(&self.path);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).unwrap();
        }
        let number = |text: &str| text.parse::<i64>().unwrap_or_else(|_| panic!("`{text}` is no number"));
        let (first, last) = self.rest.split_once(' ').unwrap_or((&self.rest, ""));
        match self.verb.as_str() {
            "make" => make(&self.path, &folder.join(&self.rest), whole),
            "file" => fs::write(path, bytes(&self.rest)).unwrap(),
            "repeat" => fs::write(path, bytes(last).repeat(number(first) as usize)).unwrap(),
            "sparse" => File::create(path).unwrap().set_len(number(first) as u64).unwrap(),
            "cut" => change(&path, |all| {
                let length = from_end(number(first), all.len());
                all.truncate(length);
            }),
            "put" => change(&path, |all| {
                let (at, new) = (from_end(number(first), all.len()), bytes(last));
                all[at..at + new.len()].copy_from_slice(&new);
            }),
            "add" => change(&path, |all| all.extend(bytes(&self.rest))),
            "replace" => change(&path, |all| {
                let (old, new) = (bytes(first), bytes(last));
                let at = all.windows(old.len()).position(|part| part == old);
                let at = at.unwrap_or_else(|| panic!("{}: no `{first}`", self.path));
                all.splice(at..at + old.len(), new);
            }),
            "gzip" => change(&path, |all| *all = sets::gzip(all)),
            "gunzip" => change(&path, |all| {
                let packed = std::mem::take(all);
                flate2::read::GzDecoder::new(packed.as_slice())
                    .read_to_end(all)
                    .unwrap();
            }),
            "compile" => {
                let (own, example) = (folder.join(&self.rest), build::examples().join(&self.rest));
                fs::write(path, compiled(if own.exists() { &own } else { &example })).unwrap();
            }
            "copy" => _ = fs::copy(path, folder.join(&self.rest)).unwrap(),
            "move" => fs::rename(path, folder.join(&self.rest)).unwrap(),
            "remove" if path.is_dir() => fs::remove_dir_all(path).unwrap(),
            "remove" => fs::remove_file(path).unwrap(),
            "folder" => fs::create_dir_all(path).unwrap(),
            "link" => symlink(&self.rest, path).unwrap(),
            _ => {
                let name = CString::new(path.to_str().unwrap()).unwrap();
                // SAFETY: the name is a C string that lives until the call is over.
                assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
            }
        }
    }
}

fn make(kind: &str, path: &Path, whole: &Whole) {
    match kind {
        "cifar10" => sets::cifar10(path),
        "cifar100" => sets::cifar100(path),
        "idx" => sets::idx(path),
        "idx-gz" => sets::idx_gz(path),
        "images" => sets::images(path),
        "weights" => fs::write(path, &whole.weights).unwrap(),
        "plug-in" => fs::write(path, &*PLUG_IN).unwrap(),
        _ => panic!("what is `make {kind}`?"),
    }
}

fn compiled(source: &Path) -> Vec<u8> {
    let (_folder, library) = build::build_c(source);
    fs::read(library).unwrap()
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut all = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    change(&mut all);
    File::create(path).unwrap().write_all(&all).unwrap();
}

fn from_end(place: i64, length: usize) -> usize {
    if place < 0 {
        length - place.unsigned_abs() as usize
    } else {
        place as usize
    }
}

/// The bytes that a text stands for.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (kind, after) = rest.split_first().expect("something after \\");
        rest = after;
        bytes.push(match kind {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'x' => {
                let digits = std::str::from_utf8(&rest[..2]).unwrap();
                rest = &rest[2..];
                u8::from_str_radix(digits, 16).unwrap()
            }
            other => *other,
        });
    }
    bytes
}
