//! `summary.json`: how the run ended, written even where that is a full disk.

use super::folder::Folder;
use dtrp_text::to_json;
use dtrp_train::{BoxError, Event, Subscriber, Summary};
use std::fs;
use std::path::PathBuf;

/// The name of the summary in a run's folder.
pub(crate) const SUMMARY: &str = "summary.json";

/// Room on the disk that is kept for the summary.
const RESERVE: &str = ".reserve";

/// Writes the summary when the run has ended, whatever else of the folder could be written.
pub(crate) struct SummaryFile {
    folder: Folder,
    reserve: PathBuf,
}

impl SummaryFile {
    /// In this folder, of a run on so many modules.
    pub(crate) fn new(folder: Folder, modules: usize) -> Self {
        let reserve = folder.path().join(RESERVE);
        // Far more than the summary needs. Where there is no room, the first file that matters will say so.
        let _ = fs::write(&reserve, vec![b' '; 16_384 + 2_048 * modules]);
        Self { folder, reserve }
    }

    fn give_back(&self) {
        let _ = fs::remove_file(&self.reserve);
    }
}

impl Subscriber for SummaryFile {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        if let Event::Ended(summary) = event {
            self.give_back();
            let name = self.folder.path().file_name();
            let summary = Summary {
                name: name.map(|name| name.to_string_lossy().into_owned()),
                ..Summary::clone(summary)
            };
            self.folder.write(SUMMARY, &to_json(&summary))?;
        }
        Ok(())
    }
}

impl Drop for SummaryFile {
    fn drop(&mut self) {
        self.give_back();
    }
}
