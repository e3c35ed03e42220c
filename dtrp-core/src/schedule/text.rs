//! The text form of a program: a version line, a header, and each worker's actions, one line a slot.
//!
//! ```text
//! dtrp-program 1
//! method dtrp
//! order lockstep
//! modules 2
//! batches 1
//! micro-batches 1
//! worker 1
//!   F1@0+0 >Y1
//!   R1@0 <D1 B1@0 U1@1
//! worker 2
//!   <Y1 G1@0 B1@0 >D1 U1@1
//! ```
//!
//! `#` starts a comment that runs to the end of its line. White space only separates.

use super::action::Action;
use super::program::{Order, Program};
use super::slots::Slots;
use std::fmt;
use std::str::FromStr;

/// The version of the text form that this build reads and writes.
pub(super) const VERSION: u32 = 1;

/// The most workers that a text may name: far more than any program has, few enough to allocate.
pub(super) const MOST_WORKERS: u32 = 1 << 20;

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "dtrp-program {VERSION}")?;
        writeln!(f, "method {}", self.method)?;
        writeln!(f, "order {}", self.order)?;
        writeln!(f, "modules {}", self.modules())?;
        writeln!(f, "batches {}", self.batches)?;
        writeln!(f, "micro-batches {}", self.micro_batches)?;
        let slots = Slots::of(self);
        for (k, actions) in (1..).zip(&self.workers) {
            write!(f, "worker {k}")?;
            let mut slot = 0;
            for (index, action) in actions.iter().enumerate() {
                let separator = if slots.slot(k, index) == slot { " " } else { "\n  " };
                slot = slots.slot(k, index);
                write!(f, "{separator}{action}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Why a text is not a program: the line, the column, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}\n{excerpt}")]
pub struct TextError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what is expected.
    pub message: String,
    /// The line, with an arrow under the place.
    pub excerpt: String,
}

/// A word of the text and where it stands. (Counting the characters before every word of a long line would take a time that
/// grows with the square of its length, so that is left to whoever reports an error.)
#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    line: usize,
    /// Bytes of its line before it.
    offset: usize,
}

struct Reader<'a> {
    text: &'a str,
    words: std::vec::IntoIter<Word<'a>>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let mut words = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            let code = content.split('#').next().unwrap_or("");
            for word in code.split_whitespace() {
                // `word` is a part of `code`, so its distance from the start is its byte offset.
                let offset = word.as_ptr() as usize - code.as_ptr() as usize;
                words.push(Word {
                    text: word,
                    line,
                    offset,
                });
            }
        }
        Self {
            text,
            words: words.into_iter(),
        }
    }

    fn error(&self, at: Option<Word<'_>>, message: impl Into<String>) -> TextError {
        let (line, column) = match at {
            Some(word) => {
                let content = self.text.lines().nth(word.line - 1).unwrap_or("");
                (word.line, 1 + content.get(..word.offset).unwrap_or("").chars().count())
            }
            None => (
                self.text.lines().count().max(1),
                1 + self.text.lines().last().map_or(0, |l| l.chars().count()),
            ),
        };
        // A line can be long: show the part around the place.
        let content: Vec<char> = self.text.lines().nth(line - 1).unwrap_or("").chars().collect();
        let from = column.saturating_sub(40).min(content.len());
        let shown: String = content[from..content.len().min(from + 100)].iter().collect();
        let arrow = " ".repeat((column - 1).saturating_sub(from));
        TextError {
            line,
            column,
            message: message.into(),
            excerpt: format!("  {shown}\n  {arrow}^"),
        }
    }

    /// Reads `key value`.
    fn field(&mut self, key: &str) -> Result<Word<'a>, TextError> {
        let word = self.words.next();
        match word {
            Some(word) if word.text == key => {}
            _ => return Err(self.error(word, format!("expected `{key}` and its value"))),
        }
        let value = self.words.next();
        value.ok_or_else(|| self.error(None, format!("expected the value of `{key}`")))
    }

    fn number<T: FromStr>(&mut self, key: &str) -> Result<(T, Word<'a>), TextError> {
        let word = self.field(key)?;
        let digits = word.text.bytes().all(|b| b.is_ascii_digit());
        match word.text.parse() {
            Ok(number) if digits => Ok((number, word)),
            _ => Err(self.error(
                Some(word),
                format!("`{key}` must be a whole number that is not too large"),
            )),
        }
    }
}

impl FromStr for Program {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut reader = Reader::new(text);
        let (version, at) = reader.number::<u32>("dtrp-program")?;
        if version != VERSION {
            let message = format!("this is version {version} of the text form; this build reads version {VERSION}");
            return Err(reader.error(Some(at), message));
        }
        let method = reader.field("method")?.text.to_owned();
        let order = reader.field("order")?;
        let order = order
            .text
            .parse::<Order>()
            .map_err(|e| reader.error(Some(order), e.to_string()))?;
        let (modules, at) = reader.number::<u32>("modules")?;
        if modules == 0 || modules > MOST_WORKERS {
            return Err(reader.error(Some(at), format!("`modules` must be from 1 to {MOST_WORKERS}")));
        }
        let (batches, _) = reader.number("batches")?;
        let (micro_batches, at) = reader.number("micro-batches")?;
        if micro_batches == 0 {
            return Err(reader.error(Some(at), "`micro-batches` must be at least 1"));
        }
        let mut workers = Vec::new();
        for k in 1..=modules {
            let (number, at) = reader.number::<u32>("worker")?;
            if number != k {
                return Err(reader.error(Some(at), format!("expected worker {k} here")));
            }
            let mut actions = Vec::new();
            while let Some(word) = reader.words.as_slice().first().copied().filter(|w| w.text != "worker") {
                reader.words.next();
                let action = word.text.parse::<Action>();
                actions.push(action.map_err(|e| reader.error(Some(word), e.to_string()))?);
            }
            workers.push(actions);
        }
        if let Some(word) = reader.words.next() {
            return Err(reader.error(Some(word), format!("there are only {modules} workers")));
        }
        Ok(Program {
            method,
            order,
            batches,
            micro_batches,
            workers,
        })
    }
}
