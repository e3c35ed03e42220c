//! Small sets to test with.

use dtrp_data::{DataError, Dataset, ImageShape, Normalization};
use md5::{Digest, Md5};
use std::sync::Arc;

/// `len` images; pixel (index, position) and the label are known functions.
pub(crate) struct Counting {
    pub(crate) len: usize,
    pub(crate) shape: ImageShape,
    pub(crate) fail_at: Option<usize>,
    pub(crate) panic_at: Option<usize>,
    pub(crate) pause: std::time::Duration,
}

impl Counting {
    pub(crate) fn new(len: usize) -> Self {
        Self {
            len,
            shape: ImageShape::new(2, 5, 4),
            fail_at: None,
            panic_at: None,
            pause: std::time::Duration::ZERO,
        }
    }

    pub(crate) fn pixel(index: usize, position: usize) -> u8 {
        (index * 31 + position * 7 + 1) as u8
    }
}

impl Dataset for Counting {
    fn name(&self) -> &str {
        "counting"
    }
    fn len(&self) -> usize {
        self.len
    }
    fn shape(&self) -> ImageShape {
        self.shape
    }
    fn classes(&self) -> usize {
        3
    }
    fn normalization(&self) -> Normalization {
        Normalization::new(&vec![0.5; self.shape.channels], &vec![0.25; self.shape.channels])
    }
    fn get(&self, index: usize, image: &mut [u8]) -> Result<u32, DataError> {
        std::thread::sleep(self.pause);
        if self.fail_at == Some(index) {
            return Err(DataError::Missing {
                dataset: "counting".into(),
                path: "one/file".into(),
                help: "made to fail".into(),
            });
        }
        assert!(self.panic_at != Some(index), "made to panic");
        for (position, pixel) in image.iter_mut().enumerate() {
            *pixel = Self::pixel(index, position);
        }
        Ok((index % 3) as u32)
    }
}

/// All images and labels of a set.
pub(crate) fn all(set: &Arc<dyn Dataset>) -> Vec<(Vec<u8>, u32)> {
    let get = |index| {
        let mut image = vec![0; set.shape().len()];
        let label = set.get(index, &mut image).expect("a sample");
        (image, label)
    };
    (0..set.len()).map(get).collect()
}

/// The message of an error.
pub(crate) fn message<T>(result: Result<T, DataError>) -> String {
    match result {
        Ok(_) => panic!("no error"),
        Err(error) => error.to_string(),
    }
}

/// Checks that each part is in the text.
pub(crate) fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

/// MD5 in hexadecimal digits.
pub(crate) fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
