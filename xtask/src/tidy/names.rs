//! What a file names: paths, written out from the crate's root, and macros.

use super::sources::Source;
use super::tokens::{Token, tokens};
use std::collections::HashMap;

/// A name in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The line, from 1.
    pub(super) line: usize,
    /// `std::time::Instant`, `crate::torch::Arena`, `println!`, or a text with its quotes.
    pub(super) path: String,
    /// Whether it stands in a `use` or `extern crate`.
    pub(super) is_import: bool,
}

impl Name {
    /// Whether this is `wanted`, or something in it.
    pub(super) fn is_in(&self, wanted: &str) -> bool {
        self.path
            .strip_prefix(wanted)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

/// All names in what the file adds to the product. Groups in braces are taken apart, names that were imported are written
/// out, and `self` and `super` are what they stand for.
pub(super) fn names(source: &Source) -> Vec<Name> {
    let tokens = tokens(source.product());
    let mut reader = Reader {
        tokens: &tokens,
        found: Vec::new(),
    };
    reader.read();
    let module = source.module();
    let mut imported = HashMap::new();
    for found in reader.found.iter_mut().filter(|found| found.imports) {
        found.path = rooted(&found.path, &module);
        if let Some(name) = found.alias.or(found.path.last().copied()) {
            imported.insert(name, found.path.clone());
        }
    }
    let names = reader.found.into_iter().map(|found| {
        let mut path = found.path;
        if !found.imports {
            path = match imported.get(path[0]) {
                Some(whole) => [whole.as_slice(), &path[1..]].concat(),
                None => rooted(&path, &module),
            };
        }
        Name {
            line: found.line,
            is_import: found.imports,
            path: path.join("::") + if found.is_macro { "!" } else { "" },
        }
    });
    let texts = tokens.iter().filter_map(|(line, token)| match token {
        Token::Text(text) => Some(Name {
            line: *line,
            is_import: false,
            path: format!("\"{text}\""),
        }),
        _ => None,
    });
    names.chain(texts).collect()
}

/// A path as it is written, in a file whose module is `module`, from the crate's root.
fn rooted<'a>(path: &[&'a str], module: &[&'a str]) -> Vec<&'a str> {
    let ups = path.iter().take_while(|part| **part == "super").count();
    match path {
        ["self", rest @ ..] => [&["crate"], module, rest].concat(),
        ["super", ..] => {
            let above = &module[..module.len().saturating_sub(ups)];
            [&["crate"], above, &path[ups..]].concat()
        }
        _ => path.to_vec(),
    }
}

/// A path as it is written.
#[derive(Debug)]
struct Found<'a> {
    line: usize,
    path: Vec<&'a str>,
    /// Whether it stands in a `use` or `extern crate`.
    imports: bool,
    alias: Option<&'a str>,
    is_macro: bool,
}

struct Reader<'t, 'a> {
    tokens: &'t [(usize, Token<'a>)],
    found: Vec<Found<'a>>,
}

impl<'a> Reader<'_, 'a> {
    fn token(&self, at: usize) -> Option<Token<'a>> {
        self.tokens.get(at).map(|(_, token)| *token)
    }

    fn read(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            let before = |steps: usize| at.checked_sub(steps).and_then(|at| self.token(at));
            let imports = before(1) == Some(Token::Word("use"))
                || (before(1), before(2)) == (Some(Token::Word("crate")), Some(Token::Word("extern")));
            // What follows a dot is a field or a method.
            let is_start = matches!(self.token(at), Some(Token::Word(_))) && before(1) != Some(Token::Sign('.'));
            at = if is_start { self.path(&[], at, imports) } else { at + 1 };
        }
    }

    /// Reads the path or the group that begins at `at`, below `above`, and returns where it ends.
    fn path(&mut self, above: &[&'a str], mut at: usize, imports: bool) -> usize {
        let mut path = above.to_vec();
        let line = self.tokens[at].0;
        while let Some(Token::Word(word)) = self.token(at) {
            // In a group, `self` is the group's own name.
            if word != "self" || path.is_empty() {
                path.push(word);
            }
            at += 1;
            if self.token(at) != Some(Token::Colons) {
                break;
            }
            at += 1;
            if self.token(at) == Some(Token::Sign('{')) {
                return self.group(&path, at + 1, imports);
            }
        }
        if self.token(at) == Some(Token::Sign('*')) {
            at += 1;
        }
        let mut alias = None;
        if let (true, Some(Token::Word("as")), Some(Token::Word(name))) = (imports, self.token(at), self.token(at + 1))
        {
            alias = Some(name);
            at += 2;
        }
        let opens = matches!(self.token(at + 1), Some(Token::Sign('(' | '[' | '{')));
        let is_macro = self.token(at) == Some(Token::Sign('!')) && opens;
        if imports || is_macro || path.len() > 1 {
            self.found.push(Found {
                line,
                path,
                imports,
                alias,
                is_macro,
            });
        }
        at
    }

    fn group(&mut self, above: &[&'a str], mut at: usize, imports: bool) -> usize {
        loop {
            match self.token(at) {
                Some(Token::Word(_)) => at = self.path(above, at, imports),
                Some(Token::Sign('}')) | None => return at + 1,
                Some(Token::Sign('*')) => {
                    let (line, path) = (self.tokens[at].0, above.to_vec());
                    self.found.push(Found {
                        line,
                        path,
                        imports,
                        alias: None,
                        is_macro: false,
                    });
                    at += 1;
                }
                Some(_) => at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let source = Source::new("dtrp-core/src/torch/stage/loss.rs", text);
        names(&source).into_iter().map(|name| name.path).collect()
    }

    #[test]
    fn imports_are_taken_apart() {
        let text = "use a::{b::{C, D as E}, f::*, g::{self, H}};\npub use tch;\nextern crate torch_sys;\n";
        let wanted = ["a::b::C", "a::b::D", "a::f", "a::g", "a::g::H", "tch", "torch_sys"];
        assert_eq!(told(text), wanted);
    }

    #[test]
    fn names_are_written_out() {
        let text = "use crate::schedule;\nuse x::Y as Z;\nfn f() { schedule::methods::g(); Z::h() }\n";
        assert_eq!(told(text)[2..], ["crate::schedule::methods::g", "x::Y::h"]);
        let text = "use super::network::Arena;\nuse super::super::engine;\nuse self::deep::X;\n";
        let wanted = [
            "crate::torch::stage::network::Arena",
            "crate::torch::engine",
            "crate::torch::stage::loss::deep::X",
        ];
        assert_eq!(told(text), wanted);
    }

    #[test]
    fn calls_macros_and_texts() {
        let text =
            "fn f() { println!(\"tch::x {}\", a != b); x.tch().std::<u8>(); tracing::warn!(\"bp\") } // std::time";
        assert_eq!(told(text), ["println!", "tracing::warn!", "\"tch::x {}\"", "\"bp\""]);
    }

    #[test]
    fn whole_parts_are_compared() {
        let name = |path: &str| Name {
            line: 1,
            is_import: true,
            path: path.to_owned(),
        };
        assert!(name("tch").is_in("tch") && name("tch::Tensor").is_in("tch"));
        assert!(!name("tchotchke::x").is_in("tch") && !name("crate::torchlight").is_in("crate::torch"));
    }
}
