//! What can go wrong with data, and what to do about it.

use dtrp_text::{DidYouMean, OptionError, UnknownName};
use std::path::PathBuf;

/// An error of this crate: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// No data set, or no augmentation, has this name.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// An augmentation is known but cannot be used like this.
    #[error("augmentation `{text}`: {problem}")]
    Augment {
        /// The augmentation.
        text: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The data set has no such option, or the option cannot have this value.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// No folder is given, and the set needs one.
    #[error("data set `{dataset}`: `dir` {problem}")]
    Dir {
        /// The data set.
        dataset: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A folder is given for a set that has no files.
    #[error("data set `{0}`: `dir` is not for this set; remove it")]
    NeedsNoDir(
        /// The data set.
        String,
    ),
    /// A set made by a program cannot be made so.
    #[error("data set `{dataset}` {problem}")]
    Set {
        /// The data set.
        dataset: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A sample given by a program does not fit its set.
    #[error("data set `{dataset}`: sample {index} {problem} (samples count from 0)")]
    Sample {
        /// The data set.
        dataset: String,
        /// Which of the samples given, from 0.
        index: usize,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// An option of the loader makes no sense.
    #[error("the loader's option `{option}` {problem}")]
    Loader {
        /// The field of [`LoaderOptions`](crate::LoaderOptions).
        option: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A file or folder that the data set is made of is not there.
    #[error("data set `{dataset}`: {} is not there: {help}", .path.display())]
    Missing {
        /// The data set.
        dataset: String,
        /// The absent file or folder.
        path: PathBuf,
        /// What to do.
        help: String,
    },
    /// A file's content breaks its format.
    #[error("{}: byte {offset}: {problem}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in the file, in bytes from its start (of the unpacked content where the file is
        /// compressed).
        offset: u64,
        /// What is wrong and what to do.
        problem: String,
    },
    /// An image file that a set's images are not like.
    #[error("{}: the image {problem}", .path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: a verb that fits after "cannot".
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file that would keep whoever reads it waiting, perhaps for ever. It was none when the data set was opened.
    #[error(
        "{}: cannot read the file: it is a pipe, socket or device now, and was a file when the data set was opened: reading \
         it might never end; put the file back", .0.display()
    )]
    Waits(
        /// The file.
        PathBuf,
    ),
    /// There is nothing to download for this set.
    #[error("data set `{dataset}` cannot be fetched{}; these can: {valid}", DidYouMean(nearest.as_deref()))]
    NotFetchable {
        /// The set asked for.
        dataset: String,
        /// The name most like it of those that can be fetched, if one is near.
        nearest: Option<String>,
        /// The sets that can be fetched, separated by commas.
        valid: String,
    },
    /// A download did not work.
    #[error("cannot fetch {address}: {problem}")]
    Fetch {
        /// Where from.
        address: String,
        /// What happened and what to do.
        problem: String,
    },
    /// A download is complete but not what was published.
    #[error(
        "{address}: the MD5 of what came is {got}, the published one is {want}: \
         it was damaged on the way or is another file; it has been removed, \
         try again or name another address"
    )]
    Checksum {
        /// Where from.
        address: String,
        /// The published checksum, in hexadecimal digits.
        want: String,
        /// That of what came.
        got: String,
    },
    /// A sample was asked for that the set does not have.
    #[error("data set `{dataset}` has {len} samples; there is no sample {index} (they count from 0)")]
    Index {
        /// The data set.
        dataset: String,
        /// The sample asked for.
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// The caller's buffer does not have the size of an image.
    #[error("data set `{dataset}`: an image takes {want} bytes, the buffer has {got}")]
    Buffer {
        /// The data set.
        dataset: String,
        /// Bytes of one image: channels × height × width.
        want: usize,
        /// Bytes of the buffer.
        got: usize,
    },
    /// A data set's code panicked while the loader asked it for a sample.
    #[error("data set `{dataset}` panicked at sample {index}: {message}; this is a bug in the data set's code")]
    Panicked {
        /// The data set.
        dataset: String,
        /// The sample.
        index: usize,
        /// What the panic said.
        message: String,
    },
}

impl DataError {
    /// Whether what was asked for makes no sense, whatever files there are.
    pub fn is_of_request(&self) -> bool {
        matches!(
            self,
            Self::Unknown(_)
                | Self::Augment { .. }
                | Self::Option(_)
                | Self::NeedsNoDir(_)
                | Self::Set { .. }
                | Self::Loader { .. }
        )
    }
}
