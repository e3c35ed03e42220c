//! How a message looks between two processes: a header of fixed size, from which the receiver knows how long the description
//! is that follows, and from that how many bytes each tensor has.
//!
//! | word | header |
//! |---|---|
//! | 0 | `dtrp`, and the version of the format |
//! | 1 | what follows: 1 an activation, 2 a gradient, 3 nothing more of this program |
//! | 2 | number of the program within the run |
//! | 3, 4 | batch and micro-batch |
//! | 5, 6 | into how many parts the batch is split, and the unit's share of it (the bits of a double) |
//! | 7 | rank of the sender |
//! | 8, 9 | tensors, and words of the description |
//! | 10-15 | 0 |
//!
//! The description says of each tensor: 0 if there is none; else 1, element type, dimensions, sizes, strides, and how many
//! elements after a 64-byte boundary it begins. All words are 64 bits, as the processors of both sides have them.

use crate::schedule::Unit;
use crate::torch::saved::Lying;
use tch::Kind;

/// Words of a header.
pub(super) const WORDS: usize = 16;
/// `dtrp`, and the version of the format.
const MARK: i64 = 0x6474_7270 << 32;
/// The version of the format.
pub(super) const VERSION: i64 = 1;
/// More tensors cross no cut.
const MOST_TENSORS: i64 = 1 << 16;
/// More words describe none.
const MOST_WORDS: i64 = 1 << 20;
/// libtorch has no more.
const MOST_DIMENSIONS: i64 = 64;

/// Element types by number; the numbers are those of libtorch's `ScalarType`.
const KINDS: [(i64, Kind); 12] = [
    (0, Kind::Uint8),
    (1, Kind::Int8),
    (2, Kind::Int16),
    (3, Kind::Int),
    (4, Kind::Int64),
    (5, Kind::Half),
    (6, Kind::Float),
    (7, Kind::Double),
    (9, Kind::ComplexFloat),
    (10, Kind::ComplexDouble),
    (11, Kind::Bool),
    (15, Kind::BFloat16),
];

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// An activation, on its way up.
    Up,
    /// A gradient, on its way down.
    Down,
    /// Nothing more comes of this program.
    End,
}

/// What stands before a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Header {
    /// What the message is.
    pub(super) what: What,
    /// Number of the program within the run.
    pub(super) program: u64,
    /// The sender.
    pub(super) rank: usize,
    /// The unit.
    pub(super) unit: Unit,
    /// Into how many parts its batch is split.
    pub(super) parts: u16,
    /// Its share of the batch.
    pub(super) share: f64,
    /// How many tensors there are.
    pub(super) tensors: usize,
    /// Words of the description.
    pub(super) words: usize,
}

/// A tensor, without its elements.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    pub(super) kind: Kind,
    pub(super) lying: Lying,
}

/// Why what came is no message of ours.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Another program speaks.
    #[error("it does not begin as a message of dtrp does, but with {0:#018x}")]
    NotOurs(i64),
    /// Another dtrp does.
    #[error("its format is of version {found}, that of this dtrp is {VERSION}: run the same dtrp everywhere")]
    Version {
        /// The version.
        found: i64,
    },
    /// A number that can be none of this field.
    #[error("{field} is {found}")]
    Field {
        /// The field.
        field: &'static str,
        /// The number.
        found: i64,
    },
    /// The description is not as long as it should be.
    #[error("the description of its tensors {0}")]
    Description(&'static str),
    /// A tensor that cannot be.
    #[error("tensor {index} {why}")]
    Tensor {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        why: String,
    },
}

impl Header {
    pub(super) fn to_words(self) -> [i64; WORDS] {
        let mut words = [0; WORDS];
        words[0] = MARK | VERSION;
        words[1] = match self.what {
            What::Up => 1,
            What::Down => 2,
            What::End => 3,
        };
        words[2] = self.program as i64;
        words[3] = self.unit.batch.into();
        words[4] = self.unit.micro.into();
        words[5] = self.parts.into();
        words[6] = self.share.to_bits() as i64;
        words[7] = self.rank as i64;
        words[8] = self.tensors as i64;
        words[9] = self.words as i64;
        words
    }

    pub(super) fn from_words(words: &[i64; WORDS]) -> Result<Self, WireError> {
        if words[0] >> 32 != MARK >> 32 {
            return Err(WireError::NotOurs(words[0]));
        }
        let found = words[0] & 0xffff_ffff;
        if found != VERSION {
            return Err(WireError::Version { found });
        }
        let what = match words[1] {
            1 => What::Up,
            2 => What::Down,
            3 => What::End,
            found => return Err(field("what it is", found)),
        };
        let share = f64::from_bits(words[6] as u64);
        if !share.is_finite() || share < 0.0 {
            return Err(field("the unit's share (as bits)", words[6]));
        }
        if let Some(found) = words[10..].iter().find(|word| **word != 0) {
            return Err(field("a word that is to be 0", *found));
        }
        let number = |name, index: usize, most: i64| match words[index] {
            found if (0..=most).contains(&found) => Ok(found),
            found => Err(field(name, found)),
        };
        Ok(Self {
            what,
            program: number("the number of the program", 2, i64::MAX)? as u64,
            unit: Unit {
                batch: number("the batch", 3, u32::MAX.into())? as u32,
                micro: number("the micro-batch", 4, u16::MAX.into())? as u16,
            },
            parts: number("the number of parts", 5, u16::MAX.into())? as u16,
            share,
            rank: number("the sender's rank", 7, i32::MAX.into())? as usize,
            tensors: number("the number of tensors", 8, MOST_TENSORS)? as usize,
            words: number("the length of the description", 9, MOST_WORDS)? as usize,
        })
    }
}

/// The words that describe tensors; `None` for one that is not there.
pub(super) fn describe(forms: &[Option<Form>]) -> Result<Vec<i64>, WireError> {
    let mut words = Vec::new();
    for (index, form) in forms.iter().enumerate() {
        let Some(Form { kind, lying }) = form else {
            words.push(0);
            continue;
        };
        let number = KINDS.iter().find(|(_, known)| known == kind).map(|(number, _)| *number);
        let number = number.ok_or_else(|| wrong(index, format!("is of type {kind:?}, which cannot be sent")))?;
        words.extend([1, number, lying.size.len() as i64]);
        words.extend(&lying.size);
        words.extend(&lying.stride);
        words.push(lying.offset);
    }
    Ok(words)
}

/// The tensors that are described. None is larger than what memory can be asked for.
pub(super) fn described(words: &[i64], tensors: usize) -> Result<Vec<Option<Form>>, WireError> {
    const SHORT: WireError = WireError::Description("ends too early");
    let mut rest = words;
    let mut take = |count: usize| -> Result<&[i64], WireError> {
        let (taken, left) = rest.split_at_checked(count).ok_or(SHORT)?;
        rest = left;
        Ok(taken)
    };
    let mut forms = Vec::new();
    for index in 0..tensors {
        match take(1)?[0] {
            0 => {
                forms.push(None);
                continue;
            }
            1 => {}
            found => return Err(wrong(index, format!("is neither there nor not: {found}"))),
        }
        let (kind, dimensions) = match take(2)? {
            [kind, dimensions] => (*kind, *dimensions),
            _ => return Err(SHORT),
        };
        let known = KINDS.iter().find(|(number, _)| *number == kind);
        let kind = known
            .ok_or_else(|| wrong(index, format!("is of an unknown type, {kind}")))?
            .1;
        if !(0..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(wrong(index, format!("has {dimensions} dimensions")));
        }
        let dimensions = dimensions as usize;
        let lying = Lying {
            size: take(dimensions)?.to_vec(),
            stride: take(dimensions)?.to_vec(),
            offset: take(1)?[0],
        };
        if bytes(&lying, kind).is_none() {
            let Lying { size, stride, offset } = lying;
            let why = format!("cannot lie as it is said to: sizes {size:?}, strides {stride:?}, from {offset} on");
            return Err(wrong(index, why));
        }
        forms.push(Some(Form { kind, lying }));
    }
    if !rest.is_empty() {
        return Err(WireError::Description("is longer than its tensors"));
    }
    Ok(forms)
}

/// Bytes under it, and `None` where it has more elements, or more bytes, than can be.
fn bytes(lying: &Lying, kind: Kind) -> Option<i64> {
    let element = i64::try_from(kind.elt_size_in_bytes()).ok()?;
    // Elements that are nowhere in memory are counted too.
    let elements = lying.size.iter().try_fold(1i64, |all, size| all.checked_mul(*size))?;
    elements.checked_mul(element)?;
    lying.extent()?.checked_mul(element)
}

fn field(field: &'static str, found: i64) -> WireError {
    WireError::Field { field, found }
}

fn wrong(index: usize, why: String) -> WireError {
    WireError::Tensor { index, why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: Header = Header {
        what: What::Up,
        program: 3,
        rank: 1,
        unit: Unit { batch: 7, micro: 2 },
        parts: 4,
        share: 0.25,
        tensors: 1,
        words: 12,
    };

    fn form(kind: Kind, size: &[i64], stride: &[i64], offset: i64) -> Option<Form> {
        let (size, stride) = (size.to_vec(), stride.to_vec());
        let lying = Lying { size, stride, offset };
        Some(Form { kind, lying })
    }

    #[test]
    fn headers_are_read_back() {
        for what in [What::Up, What::Down, What::End] {
            let header = Header { what, ..HEADER };
            assert_eq!(Header::from_words(&header.to_words()), Ok(header));
        }
    }

    #[test]
    fn garbage_in_a_header_is_named() {
        let told = |index: usize, word: i64| {
            let mut words = HEADER.to_words();
            words[index] = word;
            Header::from_words(&words).unwrap_err().to_string()
        };
        assert_eq!(
            told(0, i64::from_le_bytes(*b"GET / HT")),
            "it does not begin as a message of dtrp does, but with 0x5448202f20544547"
        );
        assert!(told(0, MARK | 9).starts_with("its format is of version 9, that of this dtrp is 1"));
        for (index, word, wanted) in [
            (1, 0, "what it is is 0"),
            (2, -1, "the number of the program is -1"),
            (3, 1 << 32, "the batch is 4294967296"),
            (4, 70_000, "the micro-batch is 70000"),
            (5, -3, "the number of parts is -3"),
            (6, f64::NAN.to_bits() as i64, "the unit's share (as bits) is "),
            (6, (-1.0f64).to_bits() as i64, "the unit's share (as bits) is "),
            (7, i64::MAX, "the sender's rank is "),
            (8, 1 << 17, "the number of tensors is 131072"),
            (9, i64::MIN, "the length of the description is "),
            (15, 1, "a word that is to be 0 is 1"),
        ] {
            let told = told(index, word);
            assert!(told.starts_with(wanted), "word {index}: {told}");
        }
    }

    #[test]
    fn descriptions_that_make_no_sense_are_refused() {
        let good = describe(&[form(Kind::Float, &[2, 3], &[3, 1], 0), None]).unwrap();
        let told = |words: &[i64], tensors| described(words, tensors).unwrap_err().to_string();
        assert_eq!(told(&good, 3), "the description of its tensors ends too early");
        assert_eq!(told(&good[..4], 2), "the description of its tensors ends too early");
        assert_eq!(
            told(&good, 1),
            "the description of its tensors is longer than its tensors"
        );
        for (index, word, wanted) in [
            (0, 2, "tensor 0 is neither there nor not: 2"),
            (1, 99, "tensor 0 is of an unknown type, 99"),
            (2, -1, "tensor 0 has -1 dimensions"),
            (2, i64::MAX, "tensor 0 has 9223372036854775807 dimensions"),
            (3, -2, "tensor 0 cannot lie as it is said to: sizes [-2, 3]"),
            (3, i64::MAX, "tensor 0 cannot lie"),
            (5, -3, "tensor 0 cannot lie"),
            (5, i64::MAX / 2, "tensor 0 cannot lie"),
            (7, 64, "tensor 0 cannot lie"),
        ] {
            let mut words = good.clone();
            words[index] = word;
            let told = told(&words, 2);
            assert!(told.starts_with(wanted), "word {index}: {told}");
        }
        let quantised = describe(&[form(Kind::QInt8, &[], &[], 0)]).unwrap_err();
        assert!(
            quantised.to_string().contains("QInt8, which cannot be sent"),
            "{quantised}"
        );
    }

    proptest! {
        #[test]
        fn descriptions_are_read_back(
            tensors in proptest::collection::vec(
                proptest::option::of((
                    proptest::sample::select(KINDS.map(|(_, kind)| kind).to_vec()),
                    proptest::collection::vec((0i64..9, 0i64..200), 0..6),
                    0i64..64,
                )),
                0..6,
            )
        ) {
            let forms: Vec<_> = tensors
                .into_iter()
                .map(|tensor| tensor.and_then(|(kind, places, offset)| {
                    let (size, stride): (Vec<_>, Vec<_>) = places.into_iter().unzip();
                    form(kind, &size, &stride, offset)
                }))
                .collect();
            let words = describe(&forms).unwrap();
            prop_assert_eq!(described(&words, forms.len()), Ok(forms));
        }

        #[test]
        fn any_words_are_a_message_or_an_error(words: [i64; WORDS], long in proptest::collection::vec(-2i64..20, 0..40), n in 0usize..6) {
            let _ = Header::from_words(&words);
            let mut ours = words;
            ours[0] = MARK | VERSION;
            let _ = Header::from_words(&ours);
            let _ = described(&words, n);
            let _ = described(&long, n);
        }
    }
}
