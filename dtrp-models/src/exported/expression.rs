//! Sizes that depend on how many samples a batch has.

/// A whole number that may depend on the number of samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Number(i64),
    Batch,
    Sum(Vec<Expression>),
    Product(Vec<Expression>),
    Quotient(Box<Expression>, Box<Expression>),
    Remainder(Box<Expression>, Box<Expression>),
    Largest(Vec<Expression>),
    Smallest(Vec<Expression>),
}

use Expression::{Batch, Largest, Number, Product, Quotient, Remainder, Smallest, Sum};

impl Expression {
    /// Its value for this many samples; nothing where it has none, such as a quotient by 0.
    pub(super) fn at(&self, batch: i64) -> Option<i64> {
        let all = |parts: &[Self]| parts.iter().map(|part| part.at(batch)).collect::<Option<Vec<i64>>>();
        match self {
            Number(number) => Some(*number),
            Batch => Some(batch),
            Sum(parts) => all(parts)?.into_iter().try_fold(0i64, i64::checked_add),
            Product(parts) => all(parts)?.into_iter().try_fold(1i64, i64::checked_mul),
            Quotient(a, b) => floor(a.at(batch)?, b.at(batch)?).map(|(quotient, _)| quotient),
            Remainder(a, b) => floor(a.at(batch)?, b.at(batch)?).map(|(_, remainder)| remainder),
            Largest(parts) => all(parts)?.into_iter().max(),
            Smallest(parts) => all(parts)?.into_iter().min(),
        }
    }

    /// Whether it depends on the number of samples.
    pub(super) fn varies(&self) -> bool {
        match self {
            Number(_) => false,
            Batch => true,
            Sum(parts) | Product(parts) | Largest(parts) | Smallest(parts) => parts.iter().any(Self::varies),
            Quotient(a, b) | Remainder(a, b) => a.varies() || b.varies(),
        }
    }

    /// The number of samples for which it has this value, where it is as easily told as from a multiple.
    pub(super) fn solve(&self, value: i64) -> Option<i64> {
        match self {
            Batch => Some(value),
            Product(parts) => match &parts[..] {
                [Number(n), Batch] | [Batch, Number(n)] if *n != 0 && value % n == 0 => Some(value / n),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether [`solve`](Self::solve) can tell.
    pub(super) fn tells(&self) -> bool {
        match self {
            Batch => true,
            Product(parts) => matches!(&parts[..], [Number(n), Batch] | [Batch, Number(n)] if *n != 0),
            _ => false,
        }
    }

    /// Reads what SymPy writes, as a formula (`64*s77`, `(s77//2)`) or as a tree (`Mul(Integer(64), Symbol('s77'))`). The only
    /// symbol is `batch`.
    pub(super) fn read(text: &str, batch: &str) -> Result<Self, String> {
        let mut reader = Reader {
            rest: text,
            batch,
            depth: 0,
        };
        let read = reader.sum().and_then(|expression| match reader.peek() {
            None => Ok(expression),
            Some(_) => Err(format!("`{}` is not expected", reader.rest)),
        });
        read.map_err(|problem| format!("the size `{}` cannot be read: {problem}", dtrp_text::shortened(text)))
    }
}

/// Quotient and remainder, rounded down as Python does.
fn floor(a: i64, b: i64) -> Option<(i64, i64)> {
    let (quotient, remainder) = (a.checked_div(b)?, a.checked_rem(b)?);
    let down = remainder != 0 && (remainder < 0) != (b < 0);
    Some(if down {
        (quotient - 1, remainder + b)
    } else {
        (quotient, remainder)
    })
}

/// No formula of a size is nested so deep.
const DEEPEST: usize = 64;

struct Reader<'a> {
    rest: &'a str,
    batch: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, sign: &str) -> bool {
        self.peek();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut parts = vec![self.product()?];
        loop {
            if self.take("+") {
                parts.push(self.product()?);
            } else if self.take("-") {
                parts.push(Product(vec![Number(-1), self.product()?]));
            } else {
                return Ok(alone(parts, Sum));
            }
        }
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut parts = vec![self.factor()?];
        loop {
            if self.rest.trim_start().starts_with("**") {
                return Err("it has a power".to_owned());
            }
            if self.take("*") {
                parts.push(self.factor()?);
            } else if self.take("//") {
                let before = alone(std::mem::take(&mut parts), Product);
                parts.push(Quotient(Box::new(before), Box::new(self.factor()?)));
            } else if self.take("%") {
                let before = alone(std::mem::take(&mut parts), Product);
                parts.push(Remainder(Box::new(before), Box::new(self.factor()?)));
            } else {
                return Ok(alone(parts, Product));
            }
        }
    }

    fn factor(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        let factor = if self.depth > DEEPEST {
            Err("it is nested too deep".to_owned())
        } else {
            self.single()
        };
        self.depth -= 1;
        factor
    }

    fn single(&mut self) -> Result<Expression, String> {
        if self.take("(") {
            let inner = self.sum()?;
            return if self.take(")") {
                Ok(inner)
            } else {
                Err("a parenthesis is not closed".to_owned())
            };
        }
        if self.take("-") {
            return Ok(Product(vec![Number(-1), self.factor()?]));
        }
        let end = self
            .rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.parse().map(Number).map_err(|_| format!("`{word}` is no number"));
        }
        if !self.take("(") {
            return self.symbol(word);
        }
        if word == "Symbol" {
            let name = self.rest.trim_start_matches(['\'', '"']);
            let end = name.find(['\'', '"']).ok_or("a symbol without a name")?;
            let (name, rest) = name.split_at(end);
            let close = rest.find(')').ok_or("a parenthesis is not closed")?;
            self.rest = &rest[close + 1..];
            return self.symbol(name);
        }
        let mut arguments = vec![self.sum()?];
        while self.take(",") {
            arguments.push(self.sum()?);
        }
        if !self.take(")") {
            return Err("a parenthesis is not closed".to_owned());
        }
        match (word, &mut arguments[..]) {
            ("Integer", [Number(number)]) => Ok(Number(*number)),
            ("Integer", [Product(parts)]) => Ok(Product(std::mem::take(parts))),
            ("Add", _) => Ok(alone(arguments, Sum)),
            ("Mul", _) => Ok(alone(arguments, Product)),
            ("Max" | "max", _) => Ok(Largest(arguments)),
            ("Min" | "min", _) => Ok(Smallest(arguments)),
            ("FloorDiv" | "CleanDiv", [a, b]) => Ok(Quotient(Box::new(a.clone()), Box::new(b.clone()))),
            ("Mod" | "PythonMod", [a, b]) => Ok(Remainder(Box::new(a.clone()), Box::new(b.clone()))),
            _ => Err(format!("`{word}` is not known")),
        }
    }

    fn symbol(&self, name: &str) -> Result<Expression, String> {
        if name == self.batch {
            return Ok(Batch);
        }
        Err(format!(
            "`{name}` is another size than that of the batch, which alone may vary: export with `dynamic_shapes=({{0: \
             Dim(\"batch\", min=2)}},)`"
        ))
    }
}

fn alone(mut parts: Vec<Expression>, all: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.len() {
        1 => parts.remove(0),
        _ => all(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_and_trees() {
        for (text, at_6) in [
            ("s77", 6),
            ("64*s77", 384),
            ("s77*49", 294),
            ("(s77//4)", 1),
            ("s77 % 4 + 1", 3),
            ("-s77 + 2*(s77 - 1)", 4),
            ("Symbol('s77', positive=True, integer=True)", 6),
            ("Mul(Integer(12), Symbol('s77', positive=True, integer=True))", 72),
            ("Add(Integer(-1), FloorDiv(Symbol('s77', integer=True), Integer(4)))", 0),
            ("Max(Integer(1), Mod(Symbol('s77'), Integer(4)))", 2),
            ("(-7)//2", -4),
        ] {
            assert_eq!(Expression::read(text, "s77").map(|e| e.at(6)), Ok(Some(at_6)), "{text}");
        }
        assert_eq!(Expression::read("s77//0", "s77").unwrap().at(2), None);
        let windows = Expression::read("Mul(Integer(64), Symbol('s77'))", "s77").unwrap();
        assert_eq!((windows.solve(128), windows.solve(65)), (Some(2), None));
        assert!(windows.varies() && windows.tells());
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (text, says) in [
            ("s78*2", "`s78` is another size"),
            ("Symbol('s12')", "`s12`"),
            ("s77**2", "power"),
            ("sqrt(s77)", "`sqrt` is not known"),
            ("(s77", "not closed"),
            ("s77)", "`)` is not expected"),
            (&"(".repeat(100_000), "nested too deep"),
            (&"-".repeat(100_000), "nested too deep"),
            (&"Add(".repeat(100_000), "nested too deep"),
            ("", "``"),
            ("99999999999999999999", "no number"),
        ] {
            let error = Expression::read(text, "s77").unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
