//! What fuzzing starts from: files of the tests and of the corpus of bad inputs, and small right ones.

use crate::context::Context;
use crate::error::{Error, Result};
use std::fs;
use std::path::Path;

/// Folders whose files are seeds of a target.
const COPIED: [(&str, &[&str]); 4] = [
    ("programs", &["dtrp-cli/tests/corpus/programs"]),
    ("images", &["dtrp-data/tests/images"]),
    ("costs", &["dtrp-cli/tests/corpus/costs"]),
    ("configuration", &["dtrp-cli/tests/corpus/config", "configs"]),
];

const PROGRAM: &str = "\
dtrp-program 1
method mine
order eager
modules 2
batches 1
micro-batches 1
worker 1
  F1@0+0 >Y1
  R1@0 <D1 B1@0 U1@1
worker 2
  <Y1 G1@0 B1@0 >D1 U1@1
";

const COSTS: &str = "\
batch_size: 128
blocks:
  - {name: stem, forward_ns: 900000, backward_ns: 1700000, input_bytes: 1572864, activation_bytes: 25165824}
  - {name: head, forward_ns: 20000, backward_ns: 30000, input_bytes: 32768, parameter_bytes: 2600}
";

const JSON: &str = r#"{"format":1,"method":"mine","order":"synchronous","modules":1,"batches":1,"workers":[[
 {"op":"G","batch":1,"version":0},{"op":"B","batch":1,"version":0},{"op":"U","batch":1,"version":1}]]}"#;

/// Ten bytes of labels, compressed.
const LABELS_GZ: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\x63\x60\xe0\x60\x64\x60\x60\x60\
    \x62\xe6\x04\x00\x7e\x47\x6d\xc7\x0a\x00\x00\x00";

/// Puts the seeds of a target where it begins.
pub(super) fn write(context: &Context, target: &str) -> Result<()> {
    let folder = context.workspace.join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).map_err(Error::io(format!("make {}", folder.display())))?;
    let copied = COPIED.iter().filter(|(name, _)| *name == target);
    for from in copied.flat_map(|(_, folders)| folders.iter()) {
        copy(&context.workspace.join(from), &folder)?;
    }
    for (index, bytes) in made(target).iter().enumerate() {
        let path = folder.join(format!("made-{index}"));
        fs::write(&path, bytes).map_err(Error::io(format!("write {}", path.display())))?;
    }
    Ok(())
}

/// Copies the files of a folder, and of those in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let reading = || Error::io(format!("read {}", from.display()));
    for entry in fs::read_dir(from).map_err(reading())? {
        let path = entry.map_err(reading())?.path();
        if path.is_dir() {
            copy(&path, to)?;
        } else if let Some(name) = path.file_name() {
            fs::copy(&path, to.join(name)).map_err(Error::io(format!("copy {}", path.display())))?;
        }
    }
    Ok(())
}

/// Small right inputs. The first byte of those of data sets says which file the rest is.
fn made(target: &str) -> Vec<Vec<u8>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let file = |first: u8, rest: &[u8]| [&[first], rest].concat();
    match target {
        "programs" => texts(&[PROGRAM, JSON]),
        "costs" => texts(&[COSTS]),
        "options" => texts(&[
            r#"{"shape": [3, 8, 8], "classes": 10, "resize": 256}"#,
            r#"{"name": "decayed", "options": {"rho": 0.5}}"#,
            r#"{"plugin": "x.so", "id": "a"}"#,
            "crop-flip",
            "flip,crop:1",
        ]),
        "configuration" => texts(&[
            "run: {max_steps: 7}\n=====\nmodel.name=vgg\n",
            "=====\nmethod={name: bp, modules: 2}\n=====\ndata.augment=none\n",
            "=====\nmethod.cuts=[3, 6],[2, 5],auto\n=====\nmodel={name: tiny},'vgg'\n",
        ]),
        "idx" => {
            let images = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3][..], &[7; 12]].concat();
            let labels = [0, 0, 8, 1, 0, 0, 0, 2, 3, 9];
            vec![
                file(8, &images),
                file(9, &labels),
                file(2, &images),
                file(3, &labels),
                file(13, LABELS_GZ),
            ]
        }
        "cifar" => vec![
            file(8, &[1; 3073]),
            file(9, &[1; 3074]),
            file(12, "name\n".repeat(10).as_bytes()),
            file(13, "name\n".repeat(100).as_bytes()),
        ],
        "descriptors" => {
            let text = |letter: u8| [&[5][..], &[letter; 5]].concat();
            let one = |letter: u8| [vec![0], text(letter).repeat(6), vec![0; 16]].concat();
            vec![
                [vec![0, 0, 1], one(b'a')].concat(),
                [vec![0, 0, 2], one(b'a'), one(b'b')].concat(),
            ]
        }
        "weights" => {
            let header = br#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"F8_E4M3","shape":[0],"data_offsets":[24,24]}}"#;
            vec![[&(header.len() as u64).to_le_bytes()[..], header, &[0; 24]].concat()]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for target in super::super::TARGETS {
            let copied = COPIED.iter().filter(|(name, _)| *name == target.name);
            let folders: Vec<_> = copied.flat_map(|(_, folders)| folders.iter()).collect();
            assert!(!folders.is_empty() || !made(target.name).is_empty(), "{}", target.name);
            assert!(
                folders.iter().all(|folder| workspace.join(folder).is_dir()),
                "{folders:?}"
            );
        }
    }
}
