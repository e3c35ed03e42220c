//! Rust code as tokens, as far as names need them: no comments, no contents of text but the text itself.

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An identifier or keyword.
    Word(&'a str),
    /// A text, with what stands between its quotes.
    Text(&'a str),
    /// `::`
    Colons,
    /// Anything else that is no blank.
    Sign(char),
}

/// The tokens of `code`, each with the number of its line, from 1.
pub(super) fn tokens(code: &str) -> Vec<(usize, Token<'_>)> {
    let mut reader = Reader { code, at: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some(token) = reader.next() {
        tokens.push(token);
    }
    tokens
}

struct Reader<'a> {
    code: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.code[self.at..]
    }

    /// Passes `length` bytes and returns them.
    fn take(&mut self, length: usize) -> &'a str {
        let taken = &self.rest()[..length];
        self.line += taken.matches('\n').count();
        self.at += length;
        taken
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        self.take(rest.find(|c| !is_part(c)).unwrap_or(rest.len()))
    }

    /// Passes everything up to the end of the first `end`, and returns what stands before it.
    fn take_through(&mut self, end: &str) -> &'a str {
        let rest = self.rest();
        let length = rest.find(end).unwrap_or(rest.len());
        let taken = self.take(length);
        self.take(end.len().min(self.rest().len()));
        taken
    }

    fn next(&mut self) -> Option<(usize, Token<'a>)> {
        loop {
            self.take_while(char::is_whitespace);
            let rest = self.rest();
            if rest.starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if rest.starts_with("/*") {
                self.comment();
            } else {
                break;
            }
        }
        let rest = self.rest();
        let (line, first) = (self.line, rest.chars().next()?);
        let token = if is_word(first) {
            let word = self.take_while(is_word);
            let rest = self.rest();
            let hashes = rest.len() - rest.trim_start_matches('#').len();
            if matches!(word, "r" | "br" | "cr") && rest[hashes..].starts_with('"') {
                self.take(hashes + 1);
                Token::Text(self.take_through(&format!("\"{}", "#".repeat(hashes))))
            } else {
                Token::Word(word)
            }
        } else if first == '"' {
            self.take(1);
            Token::Text(self.text())
        } else if first == '\'' {
            self.quote();
            return self.next();
        } else if rest.starts_with("::") {
            self.take(2);
            Token::Colons
        } else {
            self.take(first.len_utf8());
            Token::Sign(first)
        };
        Some((line, token))
    }

    /// A comment between `/*` and `*/`, which may hold others.
    fn comment(&mut self) {
        let mut depth = 0;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.take(2);
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.take(2);
            } else {
                let Some(c) = rest.chars().next() else { return };
                self.take(c.len_utf8());
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// The rest of a text whose first quote has passed.
    fn text(&mut self) -> &'a str {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.find(|c| {
            let is_end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            is_end
        });
        let text = self.take(end.unwrap_or(rest.len()));
        self.take(1.min(self.rest().len()));
        text
    }

    /// A character such as `'{'`, or the quote of a lifetime.
    fn quote(&mut self) {
        self.take(1);
        let rest = self.rest();
        let mut next = rest.chars();
        let (first, second) = (next.next(), next.next());
        if first == Some('\\') {
            // What is escaped may be a quote itself.
            self.take(1 + second.map_or(0, char::len_utf8));
            self.take_through("'");
        } else if second == Some('\'') {
            self.take(first.map_or(0, char::len_utf8) + 1);
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_texts_and_characters() {
        let code = "a // b\n/* c /* d */ e */ \"f \\\" g\" r#\"h \" i\"# 'j' '\\'' '\"' &'k x::l!";
        let told: Vec<_> = tokens(code).into_iter().map(|(_, token)| token).collect();
        use Token::{Colons, Sign, Text, Word};
        let wanted = [
            Word("a"),
            Text("f \\\" g"),
            Text("h \" i"),
            Sign('&'),
            Word("k"),
            Word("x"),
            Colons,
            Word("l"),
            Sign('!'),
        ];
        assert_eq!(told, wanted);
        let lines: Vec<_> = tokens("a\n\"b\nc\"\nd").into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 2, 4]);
    }
}
