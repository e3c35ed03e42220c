//! One file over HTTP, continued where it broke off.

use super::{FetchOptions, Progress, Remote, beside, place};
use crate::DataError;
use crate::files::{self, io};
use md5::{Digest, Md5};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::Instant;

/// Downloads `address` to `target` by way of `target.part`, and checks it.
pub(super) fn download(
    address: &str,
    target: &Path,
    remote: &Remote,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), DataError> {
    let part = beside(target, ".part");
    let mut file = place::open(&part)?;
    let there = file.metadata().map_err(io(&part, "look at the file"))?.len();
    if there > remote.size {
        file.set_len(0).map_err(io(&part, "write the file"))?;
    }
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // An answer may lead elsewhere, but not out of an encrypted connection.
        .https_only(address.starts_with("https://"))
        .timeout_resolve(Some(options.timeout))
        .timeout_connect(Some(options.timeout))
        .timeout_recv_response(Some(options.timeout))
        .timeout_per_read(Some(options.timeout))
        .user_agent(concat!("dtrp/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();

    // Tries end when so many in a row have brought no byte that was not there before.
    let (mut idle, mut most) = (0, 0);
    loop {
        let outcome = attempt(&agent, address, &mut file, &part, remote, options, progress)?;
        let done = file.metadata().map_err(io(&part, "look at the file"))?.len();
        let problem = match outcome {
            Attempt::Complete => break,
            // What trickles in is no reason to go on for ever.
            Attempt::Slow(problem) => problem,
            Attempt::Broken(problem) => {
                if done > most {
                    (idle, most) = (0, done);
                }
                problem
            }
        };
        idle += 1;
        if idle >= options.tries {
            let problem = format!("{problem}; {done} bytes are kept, try again to continue, or name another address");
            return Err(DataError::Fetch {
                address: address.to_string(),
                problem,
            });
        }
        thread::sleep(options.pause * 2u32.saturating_pow(idle - 1).min(64));
    }

    let got = md5(&part)?;
    if got != remote.md5 {
        fs::remove_file(&part).map_err(io(&part, "remove the file"))?;
        return Err(DataError::Checksum {
            address: address.to_string(),
            want: remote.md5.to_string(),
            got,
        });
    }
    fs::rename(&part, target).map_err(io(target, "put the file in place"))
}

/// Bytes beyond the published size before an answer is cut off: the checksum tells of smaller differences.
const SLACK: u64 = 1 << 16;

enum Attempt {
    Complete,
    /// What happened; another try may do better.
    Broken(String),
    /// As broken, because too little came.
    Slow(String),
}

/// One request, for what the file does not have yet.
fn attempt(
    agent: &ureq::Agent,
    address: &str,
    file: &mut File,
    part: &Path,
    remote: &Remote,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Attempt, DataError> {
    let write = "write the file";
    let mut done = file.seek(SeekFrom::End(0)).map_err(io(part, write))?;
    let mut request = agent.get(address);
    if done > 0 {
        request = request.header("Range", format!("bytes={done}-"));
    }
    let mut response = match request.call() {
        Ok(response) => response,
        Err(error) => return broken_or_hopeless(address, error),
    };
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let status = response.status().as_u16();
    let range = header("content-range").and_then(parse_range);
    let length = header("content-length").and_then(|length| length.parse::<u64>().ok());
    let total = match (status, range) {
        (206, Some((start, total))) if start == Some(done) => total,
        // The part is as long as the file: the checksum will tell whether it is the file.
        (416, Some((None, Some(total)))) if total == done => return Ok(Attempt::Complete),
        // The whole file, asked for or not.
        (200, _) => {
            (file.set_len(0).and_then(|()| file.rewind())).map_err(io(part, write))?;
            done = 0;
            length
        }
        // An answer that does not fit what is there: start anew.
        (206 | 416, _) => {
            file.set_len(0).map_err(io(part, write))?;
            return Ok(Attempt::Broken(format!(
                "the server answered {status} with a range that does not fit"
            )));
        }
        (408 | 429 | 500..=599, _) => {
            return Ok(Attempt::Broken(format!("the server answered {status}")));
        }
        _ => {
            let problem = format!("the server answered {status}; name another address, or get the file by hand");
            return Err(DataError::Fetch {
                address: address.to_string(),
                problem,
            });
        }
    };

    // Whatever is said and whatever comes, no more than was published.
    let most = remote.size + SLACK;
    let too_much = |file: &mut File| {
        file.set_len(0).map_err(io(part, write))?;
        Err(DataError::Fetch {
            address: address.to_string(),
            problem: format!(
                "the answer is longer than the {} bytes that were published: it is another file; nothing of it is \
                 kept, name another address",
                remote.size
            ),
        })
    };
    if total.is_some_and(|total| total > most) {
        return too_much(file);
    }
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    let (mut since, mut came) = (Instant::now(), 0);
    loop {
        progress(Progress {
            file: remote.name,
            done,
            total: Some(total.unwrap_or(remote.size)),
        });
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) if done + count as u64 > most => return too_much(file),
            Ok(count) => {
                file.write_all(&buffer[..count]).map_err(io(part, write))?;
                done += count as u64;
                came += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Ok(Attempt::Broken(format!(
                    "the connection broke after {done} bytes ({error})"
                )));
            }
        }
        let passed = since.elapsed();
        if passed >= options.timeout {
            if (came as f64) < options.least_rate as f64 * passed.as_secs_f64() {
                return Ok(Attempt::Slow(format!(
                    "only {came} bytes came in {} seconds, after which it was given up",
                    passed.as_secs()
                )));
            }
            (since, came) = (Instant::now(), 0);
        }
    }
    let total = total.unwrap_or(remote.size);
    Ok(if done < total {
        Attempt::Broken(format!("the connection ended after {done} of {total} bytes"))
    } else {
        Attempt::Complete
    })
}

/// A wrong address stays wrong; a network may come back.
fn broken_or_hopeless(address: &str, error: ureq::Error) -> Result<Attempt, DataError> {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TooManyRedirects => Err(DataError::Fetch {
            address: address.to_string(),
            problem: format!("{error}; check the address"),
        }),
        error => Ok(Attempt::Broken(error.to_string())),
    }
}

/// `bytes 5-9/10` is (5, 10), `bytes */10` is (none, 10), an unknown total is `*`.
fn parse_range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let start = match range.split_once('-') {
        Some((start, _)) => Some(start.trim().parse().ok()?),
        None => None,
    };
    Some((start, total.trim().parse().ok()))
}

/// A file's MD5 in hexadecimal digits.
pub(super) fn md5(path: &Path) -> Result<String, DataError> {
    let mut file = files::open(path).map_err(io(path, "open the file"))?;
    let (mut hash, mut buffer) = (Md5::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(io(path, "read the file"))? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::parse_range;
    use proptest::prelude::*;

    proptest! {
        /// Whatever a server says.
        #[test]
        fn any_range_is_read_or_refused(text in ".{0,40}", start: u64, end: u64, total: u64) {
            let _ = parse_range(&text);
            let _ = parse_range(&format!("bytes {text}"));
            let known = parse_range(&format!("bytes {start}-{end}/{total}"));
            prop_assert_eq!(known, Some((Some(start), Some(total))));
            prop_assert_eq!(parse_range(&format!("bytes {start}-{end}/*")), Some((Some(start), None)));
            prop_assert_eq!(parse_range(&format!("bytes */{total}")), Some((None, Some(total))));
        }
    }
}
