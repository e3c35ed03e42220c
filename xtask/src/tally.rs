//! How many tests passed and failed, read from what the test runners print.

use std::fmt;

/// Tests seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed or took too long.
    pub(crate) failed: u64,
}

impl Tally {
    /// Adds another tally.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Counts what one line reports: `test result: ok. 3 passed; 0 failed; …` of `cargo test` (one a program), or
    /// `Summary [ 0.1s] 3 tests run: 2 passed, 1 failed, 0 skipped` of nextest (one a run).
    pub(crate) fn read_line(&mut self, line: &str) {
        let line = without_colours(line);
        // At the start of the line only: nextest repeats the output of a failed test, indented.
        let counts = if let Some(rest) = line.strip_prefix("test result: ") {
            rest
        } else if line.trim_start().starts_with("Summary [")
            && let Some((_, rest)) = line.split_once(" run: ")
        {
            rest
        } else {
            return;
        };
        // "ok. 3 passed", "2 passed (1 slow)", "1 timed out": a number, then what it counts.
        for part in counts.split([',', ';', '.', '(', ')']) {
            let Some((number, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what.trim() {
                "passed" => self.passed += number,
                "failed" | "timed out" | "exec failed" => self.failed += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The text without terminal escape sequences such as `ESC [ 1 ; 3 2 m`.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(0, |at| at + 1);
        text.push_str(&part[end..]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_runners() {
        let check = |line: &str, passed, failed| {
            let mut tally = Tally::default();
            tally.read_line(line);
            assert_eq!(tally, Tally { passed, failed }, "{line}");
        };
        check(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; finished in 0.0s",
            12,
            0,
        );
        check(
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; finished in 1.5s",
            1,
            2,
        );
        check(
            "     Summary [   0.012s] 3 tests run: 3 passed (1 slow), 4 skipped",
            3,
            0,
        );
        check(
            "     Summary [  60.1s] 9/10 tests run: 6 passed, 2 failed, 1 timed out, 0 skipped",
            6,
            3,
        );
        check(
            "\x1b[32;1m     Summary\x1b[0m [   0.1s] \x1b[1m1\x1b[0m test run: \x1b[1m1\x1b[0m \x1b[32;1mpassed\x1b[0m, 0 skipped",
            1,
            0,
        );
        check(
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; finished in 0.00s",
            0,
            0,
        );
        check("a test printed: 5 passed, 3 failed", 0, 0);
    }
}
