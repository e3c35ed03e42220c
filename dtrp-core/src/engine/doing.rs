//! What a stage is busy with inside an action.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Says what a stage is busy with inside an action, where that is code that may never come back: reading data, a predictor
/// of a third party. The stage sets it, and whoever looks after the run reads it when nothing happens any more. Clones share
/// it.
#[derive(Debug, Clone, Default)]
pub struct Doing(Arc<Mutex<Option<What>>>);

/// What, and whose: `in rule of`, `predictor x`.
#[derive(Debug, Clone)]
struct What {
    what: &'static str,
    whose: Option<Arc<str>>,
}

impl Doing {
    /// Says so for as long as the result lives: `{what} {whose}`.
    pub fn now(&self, what: &'static str, whose: Option<&Arc<str>>) -> Busy {
        let whose = whose.cloned();
        self.set(Some(What { what, whose }));
        Busy(self.clone())
    }

    fn set(&self, what: Option<What>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }
}

impl fmt::Display for Doing {
    /// In brackets, after a space; nothing where there is nothing to say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match what {
            None => Ok(()),
            Some(What { what, whose: None }) => write!(f, " ({what})"),
            Some(What {
                what,
                whose: Some(whose),
            }) => write!(f, " ({what} {whose})"),
        }
    }
}

/// The stage is busy with it until this is dropped.
#[derive(Debug)]
pub struct Busy(Doing);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set(None);
    }
}
