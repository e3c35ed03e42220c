//! What a run's metrics are written as besides `metrics.jsonl`, read back by small readers of the test's own.

use crate::support::Place;
use serde_json::{Number, Value};
use std::collections::BTreeMap;
use std::fs;

const BOTH: &str = "logging={csv: true, tensorboard: true}";

/// A field of a protobuf message.
#[derive(Debug, Clone, PartialEq)]
enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

impl Field {
    fn number(&self) -> u64 {
        match self {
            Field::Number(number) => *number,
            Field::Bytes(_) => panic!("{self:?}"),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Field::Bytes(bytes) => bytes,
            Field::Number(_) => panic!("{self:?}"),
        }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap()
    }
}

/// The fields of a message with their numbers.
fn message(mut bytes: &[u8]) -> Vec<(u64, Field)> {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(count);
        *bytes = rest;
        taken
    }
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for at in 0.. {
            let byte = take(bytes, 1)[0];
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => Field::Number(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            5 => Field::Number(u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap()).into()),
            2 => {
                let length = varint(&mut bytes);
                Field::Bytes(take(&mut bytes, length as usize).to_vec())
            }
            kind => panic!("no wire type {kind}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

fn field(fields: &[(u64, Field)], number: u64) -> Option<&Field> {
    fields.iter().find(|(own, _)| *own == number).map(|(_, field)| field)
}

/// CRC-32C bit by bit, and masked as in record files.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
        }
    }
    let crc = !crc;
    crc.rotate_left(17).wrapping_add(0xa282_ead8)
}

/// The messages of a file of records, whose checksums must be right.
pub(crate) fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let number = |from: usize| u32::from_le_bytes(bytes[from..from + 4].try_into().unwrap());
        let length = number(0) as usize;
        assert_eq!((number(4), number(8)), (0, checksum(&bytes[..8])));
        let message = &bytes[12..12 + length];
        assert_eq!(number(12 + length), checksum(message));
        messages.push(message.to_vec());
        bytes = &bytes[16 + length..];
    }
    messages
}

/// The only file for TensorBoard of a run.
pub(crate) fn events_file(place: &Place, run: &str) -> Vec<u8> {
    let folder = place.file("runs").join(run).join("tensorboard");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let name = file.file_name().into_string().unwrap();
    let parts: Vec<_> = name.split('.').collect();
    let ["events", "out", "tfevents", time, _host, pid] = parts[..] else {
        panic!("{name}")
    };
    assert!(
        time.len() == 10 && time.parse::<u64>().is_ok() && pid.parse::<u32>().is_ok(),
        "{name}"
    );
    fs::read(file.path()).unwrap()
}

type Points = BTreeMap<String, Vec<(u64, f32)>>;

/// The scalars by tag, and the texts.
fn read(file: &[u8]) -> (Points, BTreeMap<String, String>) {
    let events: Vec<_> = records(file).iter().map(|event| message(event)).collect();
    assert_eq!(field(&events[0], 3).unwrap().text(), "brain.Event:2");
    let (mut points, mut texts) = (Points::new(), BTreeMap::new());
    for event in &events {
        let time = f64::from_bits(field(event, 1).unwrap().number());
        assert!(time > 1.7e9, "{time}");
        let step = field(event, 2).unwrap().number();
        let Some(summary) = field(event, 5) else { continue };
        for (_, value) in message(summary.bytes()) {
            let value = message(value.bytes());
            let tag = field(&value, 1).unwrap().text().to_owned();
            match field(&value, 2) {
                Some(number) => {
                    let number = f32::from_bits(u32::try_from(number.number()).unwrap());
                    points.entry(tag).or_default().push((step, number));
                }
                None => {
                    let tensor = message(field(&value, 8).unwrap().bytes());
                    texts.insert(tag, field(&tensor, 8).unwrap().text().to_owned());
                }
            }
        }
    }
    (points, texts)
}

/// Every tag of a run.
pub(crate) fn tags(place: &Place, run: &str) -> Vec<String> {
    let (points, texts) = read(&events_file(place, run));
    points.into_keys().chain(texts.into_keys()).collect()
}

#[test]
fn tensorboard_has_the_values_of_the_metrics() {
    let place = Place::new();
    place.tiny("a", &[BOTH, "method.modules=3", "run.log_every=3"]);
    let (mut points, texts) = read(&events_file(&place, "a"));
    let lines = texts["config"].lines().map(|line| line.strip_prefix("    ").unwrap());
    assert_eq!(lines.collect::<Vec<_>>().join("\n") + "\n", place.read("a/config.yaml"));
    let mut check = |kind: &str, tag: &str, path: &str| {
        let events = place.events("a", kind);
        let expected = events.iter().filter_map(|event| {
            let value = event.pointer(path).unwrap().as_f64()?;
            Some((event["step"].as_u64().unwrap(), value as f32))
        });
        let expected: Vec<_> = expected.collect();
        assert_eq!(points.remove(tag).unwrap_or_default(), expected, "{tag}");
    };
    check("step", "loss/train", "/loss");
    check("step", "learning_rate", "/lr");
    for (tag, path) in [
        ("epoch", "/epoch"),
        ("loss/train_epoch", "/train_loss"),
        ("loss/test", "/test_loss"),
        ("accuracy/test", "/test_accuracy"),
        ("images_per_second", "/images_per_second"),
        ("memory/peak_rss_bytes", "/peak_rss_bytes"),
    ] {
        check("epoch", tag, path);
    }
    for worker in 1..=3 {
        for name in [
            "busy_share",
            "staleness_max",
            "stored_input_peak_bytes",
            "prediction_gain",
        ] {
            let path = format!("/workers/{}/{name}", worker - 1);
            check("epoch", &format!("worker/{worker}/{name}"), &path);
        }
    }
    assert!(points.is_empty(), "{points:?}");
}

/// A table as a map of columns for each row, an empty cell as null.
fn table(text: &str) -> Vec<BTreeMap<String, Value>> {
    let mut lines = text.lines();
    let header: Vec<_> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        assert_eq!(cells.len(), header.len(), "{line}");
        let value = |cell: &str| match cell {
            "" => Value::Null,
            cell => Value::Number(cell.parse::<Number>().unwrap()),
        };
        header
            .iter()
            .zip(cells)
            .map(|(name, cell)| ((*name).to_owned(), value(cell)))
            .collect()
    };
    lines.map(row).collect()
}

#[test]
fn tables_have_the_values_of_the_metrics() {
    let place = Place::new();
    place.tiny("a", &[BOTH, "run.log_every=2"]);
    for (file, kind) in [("steps.csv", "step"), ("epochs.csv", "epoch")] {
        let text = place.read(&format!("a/{file}"));
        assert!(text.ends_with('\n'));
        let expected = place.events("a", kind).into_iter().map(|event| {
            let mut row = BTreeMap::new();
            for (name, value) in event.as_object().unwrap() {
                match value {
                    Value::Array(workers) => {
                        for (index, worker) in workers.iter().enumerate() {
                            for (field, value) in worker.as_object().unwrap() {
                                row.insert(format!("worker{}_{field}", index + 1), value.clone());
                            }
                        }
                    }
                    value if name != "event" => drop(row.insert(name.clone(), value.clone())),
                    _ => {}
                }
            }
            row
        });
        assert_eq!(table(&text), expected.collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn they_are_written_where_they_are_asked_for() {
    let place = Place::new();
    place.tiny("a", &[]);
    place.tiny("b", &["logging.csv=true"]);
    place.tiny("c", &["logging.tensorboard=true"]);
    let has = |path: &str| place.file("runs").join(path).exists();
    let there = ["a", "b", "c"].map(|run| [has(&format!("{run}/epochs.csv")), has(&format!("{run}/tensorboard"))]);
    assert_eq!(there, [[false, false], [true, false], [false, true]]);
    // The keys are no part of the usual name.
    let ran = place.train(&[&["run.epochs=1"], crate::support::TINY, &[BOTH]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        !ran.stdout.contains("-true") && !ran.stdout.contains("-csv"),
        "{}",
        ran.stdout
    );
}
