//! The files of a run's folder that are written whole while it goes on: schedule, trace, weights.

use super::first_slots;
use super::folder::Folder;
use crate::error::Error;
use dtrp_train::{BoxError, Event, ProgramRun, Subscriber};

/// The file of the weights.
pub(crate) const WEIGHTS: &str = "weights.safetensors";

/// The file of the times at which the first program's actions ran.
pub(crate) const TRACE: &str = "trace.json";

/// Writes them as they come.
pub(crate) struct Files {
    folder: Folder,
    traced: bool,
}

impl Files {
    /// In this folder.
    pub(crate) fn new(folder: Folder) -> Self {
        Self { folder, traced: false }
    }

    /// What the first program did; it stands for the others.
    fn trace(&mut self, run: &ProgramRun) -> Result<(), Error> {
        if std::mem::replace(&mut self.traced, true) {
            return Ok(());
        }
        let executed = run.trace.to_program(&run.program);
        self.folder.write("trace.txt", &first_slots(&executed))?;
        if let Some(timeline) = run.trace.timeline(&run.program) {
            self.folder.write(TRACE, &timeline.to_chrome())?;
            self.folder.write("trace.svg", &timeline.to_svg())?;
        }
        Ok(())
    }
}

impl Subscriber for Files {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        match event {
            Event::Started(started) => self.folder.write("schedule.txt", &first_slots(&started.program))?,
            Event::Program(run) => self.trace(run)?,
            // After every epoch, so that whatever happens later, those of the last whole epoch are kept.
            Event::Weights(snapshot) => snapshot.save(self.folder.path().join(WEIGHTS)).map_err(Error::from)?,
            _ => {}
        }
        Ok(())
    }
}
