//! Counting what is worth telling of images.

use crate::image_file::Remarks;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Images with each remark.
#[derive(Default)]
pub(super) struct Counts {
    turned: AtomicUsize,
    left_over: AtomicUsize,
    clipped: AtomicUsize,
}

impl Counts {
    pub(super) fn add(&self, remarks: Remarks) {
        let count = |counter: &AtomicUsize, yes| counter.fetch_add(usize::from(yes), Ordering::Relaxed);
        count(&self.turned, remarks.turned);
        count(&self.left_over, remarks.left_over);
        count(&self.clipped, remarks.clipped);
    }

    pub(super) fn notes(&self, part: &str) -> Vec<String> {
        let texts = [
            (
                &self.turned,
                "an orientation in the EXIF data, which is not applied, as in torchvision's ImageFolder",
            ),
            (
                &self.left_over,
                "bytes left over after compressed data, which can be a sign of damage; the pixels are those of libjpeg-turbo",
            ),
            (
                &self.clipped,
                "one channel of 16 bits with levels above 255, which become 255, as in Pillow; convert to 8 bits to keep them",
            ),
        ];
        let counts = texts.map(|(counter, text)| (counter.load(Ordering::Relaxed), text));
        let notes = counts.into_iter().filter(|(count, _)| *count > 0);
        notes
            .map(|(count, text)| format!("{part}: images with {text}: {count}"))
            .collect()
    }
}
