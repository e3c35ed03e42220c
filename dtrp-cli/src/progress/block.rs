//! Some lines at the end of a terminal that are written anew.
//!
//! They are written over the old ones in one call, without clearing anything first, so nothing flickers. Where the terminal has
//! become narrower meanwhile, old lines have been broken there, and the room that they take now is what is written over. (The
//! bars of `indicatif` clear before they draw, and know only the room that lines took when they were drawn.)

use std::fmt::Write;

/// The lines that stand there.
#[derive(Debug)]
pub(super) struct Block {
    lines: Vec<String>,
}

impl Block {
    /// No lines.
    pub(super) const fn new() -> Self {
        Self { lines: Vec::new() }
    }

    /// What has to be sent so that these lines stand there instead, in a terminal of `width` columns.
    pub(super) fn replace(&mut self, lines: Vec<String>, width: usize) -> String {
        let mut out = self.to_start(width);
        for (index, line) in lines.iter().enumerate() {
            // What is left of an older line goes.
            let _ = write!(out, "{}{line}\x1b[K", if index > 0 { "\r\n" } else { "" });
        }
        if self.height(width) > lines.len() {
            out.push_str("\x1b[J");
        }
        self.lines = lines;
        out
    }

    /// What has to be sent so that other text can stand in their place, and the lines, to be put back behind it.
    pub(super) fn take(&mut self, width: usize) -> (String, Vec<String>) {
        if self.lines.is_empty() {
            return (String::new(), Vec::new());
        }
        let out = self.to_start(width) + "\x1b[J";
        (out, std::mem::take(&mut self.lines))
    }

    /// To the first column of the first line.
    fn to_start(&self, width: usize) -> String {
        match self.height(width) {
            0 => String::new(),
            1 => "\r".to_owned(),
            height => format!("\r\x1b[{}A", height - 1),
        }
    }

    /// Rows that the lines take now.
    fn height(&self, width: usize) -> usize {
        let rows = |line: &String| line.chars().count().div_ceil(width.max(1)).max(1);
        self.lines.iter().map(rows).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn lines_are_written_over() {
        let mut block = Block::new();
        assert_eq!(block.replace(lines(&["aaaa", "b"]), 10), "aaaa\x1b[K\r\nb\x1b[K");
        assert_eq!(block.replace(lines(&["cc", "d"]), 10), "\r\x1b[1Acc\x1b[K\r\nd\x1b[K");
        assert_eq!(block.replace(lines(&["e"]), 10), "\r\x1b[1Ae\x1b[K\x1b[J");
        assert_eq!(block.take(10), ("\r\x1b[J".to_owned(), lines(&["e"])));
        assert_eq!(block.take(10), (String::new(), lines(&[])));
    }

    #[test]
    fn lines_that_were_broken_are_written_over_as_a_whole() {
        let mut block = Block::new();
        block.replace(lines(&["aaaaaaaa", "bbb"]), 10);
        // Of 4 columns: aaaa aaaa bbb.
        assert_eq!(
            block.replace(lines(&["cc", "dd"]), 4),
            "\r\x1b[2Acc\x1b[K\r\ndd\x1b[K\x1b[J"
        );
    }
}
