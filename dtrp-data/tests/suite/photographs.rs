//! Photographs of many cameras, against Pillow's pixels. They lie in packages of others, not here: `tests/photographs/collect.py`
//! gathers them, and says how to run this.

use crate::decoding::decode;
use crate::support::md5;
use dtrp_data::ImageShape;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder that `collect.py` has made.
const FOLDER: &str = "DTRP_PHOTOGRAPHS";

/// A folder is not 500 photographs because it was named so.
const LEAST: usize = 500;

/// Every photograph has Pillow's pixels, but for those that `refused.txt` lists with the reason.
#[test]
fn photographs_have_the_pixels_of_pillow() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        println!("skipped: set {FOLDER} to a folder made by tests/photographs/collect.py");
        return;
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/photographs");
    let reasons = fs::read_to_string(here.join("refused.txt")).unwrap();
    let reasons: HashMap<&str, &str> = reasons
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .collect();
    let expected = fs::read_to_string(folder.join("expected.txt")).unwrap();
    let (mut equal, mut refused, mut of_cameras) = (0, 0, 0);
    let mut makers = BTreeMap::<&str, usize>::new();
    let mut wrong = Vec::new();
    for line in expected.lines() {
        let [name, size, color, grey, maker, package] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        if maker != "-" {
            of_cameras += 1;
            *makers.entry(maker).or_default() += 1;
        }
        match pixels(&folder.join(name), size) {
            Ok(hashes) if hashes == [color, grey] => equal += 1,
            Ok(hashes) => wrong.push(format!("{name} of {package}: {hashes:?}, where Pillow says {line}")),
            Err(problem) => {
                let known = reasons.get(name.trim_end_matches(".jpg"));
                if size == "refused" || known.is_some_and(|reason| problem.contains(reason)) {
                    refused += 1;
                    println!("refused: {name} of {package}: {problem}");
                } else {
                    wrong.push(format!("{name} of {package} is refused: {problem}"));
                }
            }
        }
    }
    let all = expected.lines().count();
    println!(
        "{all} JPEG files, {of_cameras} with one of {} makers of cameras:",
        makers.len()
    );
    println!(
        "  {equal} equal to Pillow's pixels, {refused} refused with reason, {} wrong",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all >= LEAST, "{all} files are too few");
}

/// The hashes of the pixels in colour and in grey, planes one after the other, or why there are none.
fn pixels(path: &Path, size: &str) -> Result<[String; 2], String> {
    let file = fs::read(path).unwrap();
    // Where Pillow refuses the file there is no size to ask for.
    let (width, height) = size.split_once('x').unwrap_or(("8", "8"));
    let [width, height] = [width, height].map(|side| side.parse().unwrap());
    let hash = |channels| {
        let image = decode(&file, "photograph.jpg", ImageShape::new(channels, height, width));
        image.map(|image| md5(&image)).map_err(|error| error.to_string())
    };
    Ok([hash(3)?, hash(1)?])
}
