//! The progress of downloads.

use super::screen::{can_redraw, screen};
use super::{PLAIN_EVERY, QUIET, log};
use dtrp_text::units::bytes;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What is shown of the file that is being downloaded: a bar on a terminal, plain lines elsewhere.
pub(crate) struct Download {
    file: String,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Download {
    /// Nothing to show yet.
    pub(crate) fn new() -> Self {
        Self {
            file: String::new(),
            bar: None,
            told: Instant::now(),
        }
    }

    /// So many bytes of a file are there.
    pub(crate) fn show(&mut self, file: &str, done: u64, total: Option<u64>) {
        if QUIET.load(Ordering::Relaxed) {
            return;
        }
        if self.file != file {
            self.start(file);
        } else if self.bar.is_none() && self.told.elapsed() < PLAIN_EVERY {
            return;
        }
        match &self.bar {
            Some(bar) => {
                bar.set_length(total.unwrap_or(done));
                bar.set_position(done);
            }
            None => {
                self.told = Instant::now();
                let of = total.map_or(String::new(), |total| format!(" of {}", bytes(total)));
                let text = format!("{file}: {}{of}", bytes(done));
                let fields = json!({ "event": "download", "file": file, "bytes": done, "total": total });
                log::line_with(&text, fields);
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn start(&mut self, file: &str) {
        self.finish();
        self.file = file.to_owned();
        if !can_redraw() {
            return;
        }
        let bar = ProgressBar::new(0);
        let template = "{bytes}/{total_bytes} {bytes_per_sec} {eta} {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(self.file.clone());
        self.bar = Some(screen().add(bar));
    }
}
