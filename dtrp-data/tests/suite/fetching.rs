//! Downloads from a server in this process that answers, breaks off and lies as told.

use crate::support::{self, contains, message};
use dtrp_data::fetch::{FetchOptions, Remote, Source, fetch, fetch_source, sources};
use dtrp_data::{DataError, DataSpec, open};
use proptest::prelude::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does with one request.
#[derive(Clone, Copy)]
enum Answer {
    /// As it should be: the range asked for, or the whole.
    Good,
    /// Good, but the connection ends after so many bytes.
    Break(usize),
    /// The whole file, whatever was asked for.
    Whole,
    /// Whole, but ends after so many bytes.
    WholeBreak(usize),
    /// Another range than asked for.
    WrongRange,
    Status(u16),
    /// Bytes without end, and no word on how many.
    Endless,
    /// A length beyond all measure.
    Boast,
    /// A byte every so many milliseconds.
    Drip(u64),
}

/// Serves `body` to as many requests as there are answers and tells what was asked: path and range.
fn serve(body: Vec<u8>, answers: &[Answer]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/mirror", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, answers) = (Arc::clone(&asked), answers.to_vec());
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap())
                .lines()
                .map_while(Result::ok);
            let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_string();
            let headers = lines.take_while(|line| !line.is_empty());
            let range = headers
                .filter_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_string))
                .last();
            log.lock()
                .unwrap()
                .push(format!("{path} {}", range.as_deref().unwrap_or("all")));
            let start = range
                .and_then(|range| range.trim_end_matches('-').parse().ok())
                .unwrap_or(0);
            let total = body.len();
            let head = match answer {
                Answer::Endless | Answer::Drip(_) => "HTTP/1.1 200 X\r\nConnection: close\r\n\r\n",
                Answer::Boast => "HTTP/1.1 200 X\r\nContent-Length: 999999999999\r\n\r\n",
                _ => "",
            };
            let _ = stream.write_all(head.as_bytes());
            let (pause, bytes) = match answer {
                Answer::Drip(pause) => (pause, 1),
                _ => (0, 1 << 16),
            };
            while !head.is_empty() && stream.write_all(&vec![1; bytes]).is_ok() {
                std::thread::sleep(Duration::from_millis(pause));
            }
            let (status, start, most) = match answer {
                Answer::Endless | Answer::Boast | Answer::Drip(_) => continue,
                Answer::Status(status) => (status, total, 0),
                Answer::Whole => (200, 0, total),
                Answer::WholeBreak(most) => (200, 0, most),
                Answer::WrongRange => (206, start + 1, total),
                _ if start >= total && start > 0 => (416, total, 0),
                Answer::Good => (if start > 0 { 206 } else { 200 }, start, total),
                Answer::Break(most) => (if start > 0 { 206 } else { 200 }, start, most),
            };
            let range = match status {
                206 => format!("Content-Range: bytes {start}-{}/{total}\r\n", total - 1),
                416 => format!("Content-Range: bytes */{total}\r\n"),
                _ => String::new(),
            };
            let length = total - start;
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{range}Connection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body[start..][..most.min(length)]);
        }
    });
    (address, asked)
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn md5(bytes: &[u8]) -> &'static str {
    leak(support::md5(bytes))
}

fn source(name: &'static str, body: &[u8], folder: &'static str, archive: bool) -> Source {
    let files = Box::leak(Box::new([Remote {
        name,
        size: body.len() as u64,
        md5: md5(body),
    }]));
    Source {
        dataset: "test",
        base: "http://127.0.0.1:9",
        files,
        folder,
        archive,
    }
}

fn options(dir: &Path, from: String) -> FetchOptions {
    FetchOptions {
        from: Some(from),
        tries: 3,
        pause: Duration::from_millis(1),
        timeout: Duration::from_secs(5),
        ..FetchOptions::new(dir)
    }
}

fn body() -> Vec<u8> {
    (0..200_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect()
}

/// The file comes whole; `asked` is what the server was asked for.
fn check(answers: &[Answer], part: Option<usize>, asked: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("set");
    if let Some(part) = part {
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("data.gz.part"), &body()[..part]).unwrap();
    }
    let (address, log) = serve(body(), answers);
    let mut last = 0;
    let got = fetch_source(
        &source("data.gz", &body(), "set", false),
        &options(dir.path(), address),
        &mut |progress| {
            assert_eq!(progress.file, "data.gz");
            last = progress.done;
        },
    );
    assert_eq!(got.unwrap(), folder);
    assert_eq!(std::fs::read(folder.join("data.gz")).unwrap(), body());
    assert!(!folder.join("data.gz.part").exists());
    assert!(last == 200_000 || part == Some(200_000), "{last}");
    assert_eq!(
        *log.lock().unwrap(),
        asked
            .iter()
            .map(|range| format!("/mirror/data.gz {range}"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn downloads_are_continued_where_they_broke_off() {
    use Answer::*;
    check(&[Good], None, &["all"]);
    check(&[Break(70_000), Good], None, &["all", "70000-"]);
    check(
        &[Break(1), Break(9), Break(0), Break(90_000), Good],
        None,
        &["all", "1-", "10-", "10-", "90010-"],
    );
    // A part from an earlier run, short, whole, and longer than the file.
    check(&[Good], Some(150_000), &["150000-"]);
    check(&[Good], Some(200_000), &["200000-"]);
    // A server that knows no ranges, or gets them wrong.
    check(&[Break(5), Whole], None, &["all", "5-"]);
    check(&[WholeBreak(5), WholeBreak(50), Whole], None, &["all", "5-", "50-"]);
    check(&[Break(5), WrongRange, Good], None, &["all", "5-", "all"]);
    // A server that has trouble for a while.
    check(&[Status(503), Status(429), Good], None, &["all", "all", "all"]);
    check(&[Break(8), Status(500), Good], None, &["all", "8-", "8-"]);
}

#[test]
fn hopeless_downloads_end_with_a_clear_error() {
    use Answer::*;
    let fails = |answers: &[Answer], served: Vec<u8>| {
        let dir = tempfile::tempdir().unwrap();
        let (address, _) = serve(served, answers);
        let source = source("data.gz", &body(), "set", false);
        let error = fetch_source(&source, &options(dir.path(), address), &mut |_| {}).unwrap_err();
        (
            error,
            dir.path()
                .join("set/data.gz.part")
                .metadata()
                .map(|part| part.len())
                .ok(),
        )
    };
    let (error, _) = fails(&[Status(404)], body());
    contains(&error.to_string(), &["/mirror/data.gz", "404", "another address"]);
    let (error, kept) = fails(&[Break(100), Break(0), Break(0), Break(0)], body());
    contains(&error.to_string(), &["100 bytes are kept", "try again"]);
    assert_eq!(kept, Some(100));
    let (error, kept) = fails(&[Good], b"something else".to_vec());
    assert!(matches!(error, DataError::Checksum { .. }), "{error}");
    contains(&error.to_string(), &[md5(b"something else"), md5(&body())]);
    assert_eq!(kept, None);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let result = fetch("mnist", &options(dir.path(), format!("http://{nobody}")), &mut |_| {});
    contains(
        &message(result),
        &[&format!("cannot fetch http://{nobody}/train-images-idx3-ubyte.gz")],
    );
    let result = fetch("mnist", &options(dir.path(), "no address".to_string()), &mut |_| {});
    contains(&message(result), &["cannot fetch no address"]);
    contains(
        &message(fetch("cifar-10", &options(dir.path(), String::new()), &mut |_| {})),
        &["`cifar10`", "cifar100, mnist"],
    );
}

/// What is longer than the published file, or comes too slowly, is given up, and little of it is kept.
#[test]
fn endless_and_dripping_answers_are_cut_off() {
    let fails = |answers: &[Answer], part: usize| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("set/data.gz.part");
        std::fs::create_dir(dir.path().join("set")).unwrap();
        std::fs::write(&file, vec![7; part]).unwrap();
        let (address, _) = serve(body(), answers);
        let options = FetchOptions {
            timeout: Duration::from_millis(300),
            ..options(dir.path(), address)
        };
        let source = source("data.gz", &body(), "set", false);
        let error = fetch_source(&source, &options, &mut |_| {}).unwrap_err().to_string();
        (error, file.metadata().unwrap().len())
    };
    for answer in [Answer::Endless, Answer::Boast] {
        for part in [0, 900, 300_000] {
            let (error, kept) = fails(&[answer], part);
            contains(
                &error,
                &["/mirror/data.gz", "longer than the 200000 bytes", "another address"],
            );
            assert_eq!(kept, 0);
        }
    }
    let (error, kept) = fails(&[Answer::Drip(20); 3], 0);
    contains(&error, &["only", "bytes came in", "try again"]);
    assert!(kept < 100, "{kept}");
}

/// Links, pipes and files with a second name in a download's places are not written to.
#[test]
fn nothing_is_written_to_what_is_not_its_own() {
    type Put = fn(&Path, &Path);
    let link: Put = |victim, place| std::os::unix::fs::symlink(victim, place).unwrap();
    let second_name: Put = |victim, place| std::fs::hard_link(victim, place).unwrap();
    let dangling: Put = |victim, place| std::os::unix::fs::symlink(victim.with_extension("new"), place).unwrap();
    let pipe: Put = |_, place| {
        let place = std::ffi::CString::new(place.to_str().unwrap()).unwrap();
        // SAFETY: the path is a C string.
        assert_eq!(unsafe { libc::mkfifo(place.as_ptr(), 0o600) }, 0);
    };
    let folder: Put = |_, place| std::fs::create_dir(place).unwrap();
    for name in [".test.lock", "set/data.gz.part", "set/data.gz"] {
        for (what, put) in [
            ("a link", link),
            ("a link", dangling),
            ("a file with a second name", second_name),
            ("a pipe", pipe),
            ("a folder", folder),
        ] {
            let outer = tempfile::tempdir().unwrap();
            let (victim, dir) = (outer.path().join("victim"), outer.path().join("data"));
            std::fs::write(&victim, b"precious").unwrap();
            std::fs::create_dir_all(dir.join("set")).unwrap();
            put(&victim, &dir.join(name));
            let (address, _) = serve(body(), &[Answer::Good]);
            let source = source("data.gz", &body(), "set", false);
            let error = fetch_source(&source, &options(&dir, address), &mut |_| {}).unwrap_err();
            // At the file's own place these two are found when its checksum is to be computed.
            let what = if matches!(what, "a pipe" | "a folder") {
                &what[2..]
            } else {
                what
            };
            contains(&error.to_string(), &[name, what]);
            assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
            assert!(!victim.with_extension("new").exists());
        }
    }
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(packed);
    for (path, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        // Written by hand: the builder refuses paths that lead out of the folder.
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(if path.ends_with('/') {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// A small CIFAR-10 in an archive, with entries that must be left alone, becomes a set that opens.
#[test]
fn archives_are_unpacked_and_nothing_outside_the_folder_is_touched() {
    let record = [vec![3], vec![7; 3072]].concat();
    let mut entries: Vec<(&str, &[u8])> = vec![
        ("cifar-10-batches-bin/", b""),
        ("../evil", b"x"),
        ("cifar-10-batches-bin/../evil", b"x"),
        ("cifar-10-batches-bin/deep/evil", b"x"),
        ("other/evil", b"x"),
        ("./cifar-10-batches-bin/test_batch.bin", &record),
    ];
    let names = ["1", "2", "3", "4", "5"].map(|number| format!("cifar-10-batches-bin/data_batch_{number}.bin"));
    entries.extend(names.iter().map(|name| (name.as_str(), record.as_slice())));
    let body = archive(&entries);
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("data");
    // What a killed run left behind is no obstacle.
    std::fs::create_dir_all(inner.join("cifar-10-batches-bin.unpacking/junk")).unwrap();
    let (address, asked) = serve(body.clone(), &[Answer::Break(300), Answer::Good]);
    let source = source("cifar.tar.gz", &body, "cifar-10-batches-bin", true);
    for _ in 0..2 {
        // The second time there is nothing to do.
        let folder = fetch_source(&source, &options(&inner, address.clone()), &mut |_| {}).unwrap();
        assert_eq!(open(&DataSpec::in_dir("cifar10", folder)).unwrap().train.len(), 5);
    }
    assert_eq!(asked.lock().unwrap().len(), 2);
    let list = |path: &Path| {
        let names = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    assert_eq!(list(dir.path()), ["data"]);
    assert_eq!(list(&inner), [".test.lock", "cifar-10-batches-bin"]);
    assert_eq!(list(&inner.join("cifar-10-batches-bin")).len(), 6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A damaged archive whose checksum is right is unpacked or refused, and what appears is whole or nothing.
    #[test]
    fn any_archive_is_unpacked_or_refused(
        before: bool, cut in prop::option::of(0..3000usize),
        changes in prop::collection::vec((0..1600usize, any::<u8>()), 0..4),
    ) {
        let damage = |mut bytes: Vec<u8>| {
            bytes.truncate(cut.unwrap_or(usize::MAX));
            for (at, value) in &changes {
                if let Some(byte) = bytes.get_mut(*at) {
                    *byte = *value;
                }
            }
            bytes
        };
        let whole = archive(&[("set/a", &[1; 600]), ("set/b", &[2; 30])]);
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&whole[..]).read_to_end(&mut plain).unwrap();
        let body = if before {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(&damage(plain)).unwrap();
            packed.finish().unwrap()
        } else {
            damage(whole)
        };
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().join("data");
        std::fs::create_dir(&dir).unwrap();
        // It is there already, so nothing is downloaded.
        std::fs::write(dir.join("set.tar.gz"), &body).unwrap();
        let source = source("set.tar.gz", &body, "set", true);
        let nowhere = options(&dir, "http://127.0.0.1:9".to_string());
        let result = fetch_source(&source, &nowhere, &mut |_| panic!("a download"));
        prop_assert_eq!(result.is_ok(), dir.join("set").is_dir());
        prop_assert_eq!(std::fs::read_dir(outer.path()).unwrap().count(), 1);
    }
}

#[test]
fn two_at_once_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let lock = std::fs::File::create(dir.path().join(".test.lock")).unwrap();
    lock.lock().unwrap();
    let source = source("data.gz", &body(), "set", false);
    let result = fetch_source(
        &source,
        &options(dir.path(), "http://127.0.0.1:9".to_string()),
        &mut |_| {},
    );
    contains(&message(result), &["another process"]);
}

#[test]
fn sources_are_registered_sets_with_well_formed_checksums() {
    for source in sources() {
        assert!(dtrp_data::list().iter().any(|set| set.name == source.dataset));
        assert!(!source.archive || source.files.len() == 1);
        for file in source.files {
            assert!(source.base.starts_with("https://") && file.size > 4_000);
            assert!(file.md5.len() == 32 && file.md5.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')));
        }
    }
}
