//! What cannot be used: one clear error each.

use super::toys::file;
use dtrp_models::exported::Exported;
use dtrp_models::{ModelInput, build, option_values};
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::{Read, Write};
use std::path::Path;
use zip::ZipArchive;

fn error(path: &Path) -> String {
    error_of(path, None)
}

fn error_of(path: &Path, output: Option<usize>) -> String {
    Exported::open(path, output)
        .err()
        .map_or_else(|| "it can be read".to_owned(), |error| error.to_string())
}

#[test]
fn networks_that_cannot_be_trained() {
    for (name, says) in [
        (
            "noise.pt2",
            &["`randn_like`", "aten::randn_like", "make.py:", "draws random numbers"][..],
        ),
        (
            "two.pt2",
            &[
                "gives 2 tensors",
                "`output`",
                "0: `linear`, [batch, 2]; 1: `linear_1`, [batch, 3]",
            ],
        ),
        ("reading.pt2", &["reads the buffer `scale`", "make.py:"]),
        ("evaluation.pt2", &["exported for evaluation", "net.train()", "`bn`"]),
        ("fixed.pt2", &["exactly 2", "dynamic"]),
        ("inputs.pt2", &["takes 2 inputs"]),
        ("missing.pt2", &["cannot be read"]),
    ] {
        let output = (name == "evaluation.pt2").then_some(0);
        let error = error_of(&file(name), output);
        for says in says {
            assert!(error.contains(says), "{name}: {error}");
        }
    }
    let second = Exported::open(&file("two.pt2"), Some(1)).unwrap();
    assert_eq!(second.input().unwrap().classes, 3);
    let third = Exported::open(&file("two.pt2"), Some(2)).err().unwrap().to_string();
    assert!(third.contains("no output 2"), "{third}");
}

#[test]
fn data_that_does_not_fit() {
    let fits = ModelInput {
        channels: 3,
        height: 8,
        width: 8,
        classes: 5,
    };
    let path = file("toy.pt2");
    let options = option_values([("file", path.to_str().unwrap().into())]);
    assert_eq!(build("exported", &options, &fits).unwrap().blocks.len(), 5);
    let grey = ModelInput { channels: 1, ..fits };
    let error = build("exported", &options, &grey).err().unwrap().to_string();
    assert!(
        error.contains("exported for 3 x 8 x 8, and the data has 1 x 8 x 8"),
        "{error}"
    );
    // Its last layer can have another number of rows, but not where that is no linear layer.
    let more = ModelInput { classes: 10, ..fits };
    let network = build("exported", &options, &more).unwrap();
    assert_eq!(network.describe(&more).unwrap().last().unwrap().output_shape(), [10]);
    let small = ModelInput {
        height: 2,
        width: 2,
        ..more
    };
    let path = file("functional.pt2");
    let options = option_values([("file", path.to_str().unwrap().into())]);
    let error = build("exported", &options, &small).err().unwrap().to_string();
    assert!(
        error.contains("gives 2 numbers for each, but the data has 10 classes"),
        "{error}"
    );
    let error = build("exported", &option_values([]), &fits).err().unwrap().to_string();
    assert!(error.contains("option `file` is missing"), "{error}");
}

/// An entry of an archive: its name, its content, and whether it is compressed.
type Entry = (String, Vec<u8>, bool);

/// The toy's entries.
fn entries() -> Vec<Entry> {
    let mut zip = ZipArchive::new(std::fs::File::open(file("toy.pt2")).unwrap()).unwrap();
    let count = zip.len();
    let entry = |index: usize| {
        let mut entry = zip.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.name().to_owned(), content, false)
    };
    (0..count).map(entry).collect()
}

/// An archive of these entries, by hand: no writer would write some of them.
fn archive(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content, deflated) in entries {
        let mut crc = Crc::new();
        crc.update(content);
        let packed = if *deflated {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        } else {
            content.clone()
        };
        let at = bytes.len() as u32;
        let mut common = Vec::new();
        for number in [20u16, 0, if *deflated { 8 } else { 0 }, 0, 33] {
            common.extend(number.to_le_bytes());
        }
        for number in [crc.sum(), packed.len() as u32, content.len() as u32] {
            common.extend(number.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend([0; 2]);
        bytes.extend(name.as_bytes());
        bytes.extend(packed);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 12]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (at, count) = (bytes.len() as u32, (entries.len() as u16).to_le_bytes());
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count, count].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(at.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

/// The toy with its JSON changed.
fn with_json(from: &str, to: &str) -> Vec<u8> {
    let mut entries = entries();
    for (name, content, _) in &mut entries {
        if name.ends_with("model.json") {
            let text = String::from_utf8(content.clone()).unwrap();
            assert!(text.contains(from), "{from}");
            *content = text.replace(from, to).into_bytes();
        }
    }
    archive(&entries)
}

fn with_entry(end: &str, change: impl FnMut(&mut Entry)) -> Vec<u8> {
    let mut entries = entries();
    entries
        .iter_mut()
        .filter(|(name, _, _)| name.ends_with(end))
        .for_each(change);
    archive(&entries)
}

#[test]
fn damaged_archives() {
    let folder = tempfile::tempdir().unwrap();
    let whole = archive(&entries());
    let read = std::fs::read(file("toy.pt2")).unwrap();
    let without = |end: &str| {
        archive(
            &entries()
                .into_iter()
                .filter(|(name, _, _)| !name.ends_with(end))
                .collect::<Vec<_>>(),
        )
    };
    let bomb = with_entry("model.json", |entry| (entry.1, entry.2) = (vec![b' '; 65 << 20], true));
    assert!(bomb.len() < 1 << 20);
    let mut flipped = read.clone();
    flipped[200] ^= 1;
    for (name, bytes, says) in [
        ("whole", whole, "it can be read"),
        ("truncated", read[..read.len() / 2].to_vec(), "not whole"),
        ("empty", Vec::new(), "no .pt2 archive"),
        ("text", b"a network".to_vec(), "no .pt2 archive"),
        ("flipped", flipped, "damaged"),
        ("bomb", bomb, "unpacks to more than"),
        (
            "deflated",
            with_entry("model.json", |entry| entry.2 = true),
            "it can be read",
        ),
        (
            "leaves",
            with_entry("byteorder", |entry| entry.0 = "../../out".to_owned()),
            "path leaves the archive",
        ),
        (
            "absolute",
            with_entry("byteorder", |entry| entry.0 = "/out".to_owned()),
            "byteorder",
        ),
        (
            "leads out",
            with_entry("model_weights_config.json", |entry| {
                let text = String::from_utf8(entry.1.clone()).unwrap();
                entry.1 = text.replace("weight_0", "../models/model.json").into_bytes();
            }),
            "outside the archive",
        ),
        (
            "short",
            with_entry("weights/weight_0", |entry| entry.1.truncate(5)),
            "has 5 bytes, too few",
        ),
        (
            "not JSON",
            with_entry("model.json", |entry| entry.1.truncate(900)),
            "makes no sense",
        ),
        ("no graph", without("model.json"), "no exported network"),
        ("no weights", without("weights/weight_0"), "lacks"),
        (
            "big",
            with_entry("byteorder", |entry| entry.1 = b"big".to_vec()),
            "order of bytes",
        ),
        (
            "newer",
            with_json("\"major\": 8", "\"major\": 9"),
            "only version 8 can be read",
        ),
        (
            "operator",
            with_json("torch.ops.aten.gelu.default", "torch.ops.aten.gelo.default"),
            "no operator `aten::gelo`",
        ),
        (
            "python",
            with_json("torch.ops.aten.gelu.default", "_operator.gelu"),
            "no operator of libtorch",
        ),
        (
            "argument",
            with_json("\"name\": \"padding\"", "\"name\": \"pading\""),
            "an argument `pading`",
        ),
        (
            "order",
            with_json(
                "\"as_tensor\": {\"name\": \"conv2d\"}",
                "\"as_tensor\": {\"name\": \"later\"}",
            ),
            "later",
        ),
    ] {
        let path = folder.path().join("net.pt2");
        std::fs::write(&path, bytes).unwrap();
        let error = error(&path);
        assert!(error.contains(says), "{name}: {error}");
        assert!(error.len() < 800, "{name}: {error}");
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is unpacked"
    );
    assert!(error(folder.path()).contains("is not a file"));
}

/// JSON in which something else stands somewhere makes an error or a network, but never a panic.
#[test]
fn changed_json_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pt2");
    let pieces = [
        "",
        "0",
        "-1",
        "99999999999999999999",
        "null",
        "\"x\"",
        "[]",
        "{}",
        "true",
        "(",
        "\"s77\"",
        "4294967296",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    let mut whole = 0;
    for _ in 0..400 {
        let file = ["model.json", "model_weights_config.json"][next(2)];
        let bytes = with_entry(file, |entry| {
            let text = String::from_utf8(entry.1.clone()).unwrap();
            // A number, a word or a name is replaced, or two values change places.
            let tokens: Vec<(usize, &str)> = text.match_indices(|c: char| c == '"' || c.is_ascii_digit()).collect();
            let (at, token) = tokens[next(tokens.len())];
            let end = if token == "\"" {
                text[at + 1..].find('"').map_or(text.len(), |end| at + end + 2)
            } else {
                at + text[at..].find(|c: char| !c.is_ascii_digit()).unwrap_or(1)
            };
            let new = pieces[next(pieces.len())];
            entry.1 = [&text[..at], new, &text[end..]].concat().into_bytes();
        });
        std::fs::write(&path, bytes).unwrap();
        if let Ok(network) = Exported::open(&path, None) {
            whole += 1;
            let _ = network.input();
            let possible = network.places().iter().filter(|place| place.problem.is_none());
            let possible: Vec<usize> = possible.map(|place| place.below).collect();
            assert_eq!(network.blocks(&possible).unwrap().len(), possible.len() + 1);
            assert!(!network.natural_blocks().is_empty());
        }
    }
    assert!((20..380).contains(&whole), "{whole}");
}
