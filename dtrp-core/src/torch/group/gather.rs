//! What all processes have, brought to rank 0.

use super::carry::{CarryError, Parcel, Route};
use super::control::Note;
use super::gloo::TransferError;
use super::peers::Peers;
use super::store::StoreError;
use super::wire::What;
use crate::engine::PeerFailure;
use crate::schedule::Unit;
use std::time::{Duration, Instant};
use tch::Tensor;

/// Under which tensors are gathered; far from those of workers.
const GATHER: i32 = i32::MAX - 1;
/// Between two looks whether there is a verdict.
const LOOK: Duration = Duration::from_millis(10);

impl Peers {
    /// Brings tensors in host memory, by name, to rank 0: its own, then those of the others, by rank. Nothing comes to the others. All processes call this at the same place between
    /// their programs.
    ///
    /// # Errors
    ///
    /// The failure with which the run has ended, as [`run`](Self::run).
    pub fn gather(&self, own: Vec<(String, Tensor)>) -> Result<Option<Vec<(String, Tensor)>>, PeerFailure> {
        let number = self.next_program();
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        let route = |peer| Route {
            group: self.group().clone(),
            what: What::Up,
            program: number,
            own: self.rank(),
            peer,
            tag: GATHER,
        };
        if self.rank() > 0 {
            let sent = self.send_named(&route(0), number, own);
            return sent.map(|()| None).map_err(|error| self.failed(0, error));
        }
        let mut all = own;
        for peer in 1..self.members().len() {
            let received = self.receive_named(&route(peer), number);
            all.extend(received.map_err(|error| self.failed(peer, error))?);
        }
        Ok(Some(all))
    }

    fn send_named(&self, route: &Route, number: u64, own: Vec<(String, Tensor)>) -> Result<(), GatherError> {
        let (names, tensors): (Vec<_>, Vec<_>) = own.into_iter().unzip();
        let names = serde_json::to_vec(&names).unwrap_or_default();
        self.store().set(&key(number, self.rank()), &names)?;
        let parcel = Parcel {
            tensors: tensors.into_iter().map(Some).collect(),
            share: 1.0,
            parts: 1,
        };
        Ok(route.send(Unit { batch: 0, micro: 0 }, &parcel)?)
    }

    fn receive_named(&self, route: &Route, number: u64) -> Result<Vec<(String, Tensor)>, GatherError> {
        let message = route.receive()?;
        // They were written before the tensors were sent.
        let names = self.store().get(&key(number, route.peer))?;
        let names: Option<Vec<String>> = serde_json::from_slice(&names).ok();
        let tensors: Option<Vec<Tensor>> = message.and_then(|(_, parcel)| parcel.tensors.into_iter().collect());
        match names.zip(tensors) {
            Some((names, tensors)) if names.len() == tensors.len() => Ok(names.into_iter().zip(tensors).collect()),
            _ => Err(GatherError::Names),
        }
    }

    /// The failure that counts, after this one.
    fn failed(&self, peer: usize, error: GatherError) -> PeerFailure {
        let note = match &error {
            GatherError::Carry(CarryError::Transfer(TransferError::Failed(_))) => Some(Note::Gone(peer)),
            GatherError::Carry(CarryError::Transfer(TransferError::Aborted)) => None,
            GatherError::Store(_) => Some(Note::Gone(0)),
            other => Some(Note::Unreadable(peer, other.to_string())),
        };
        self.tell(note);
        let begin = Instant::now();
        loop {
            if let Some(failure) = self.failure() {
                self.part(&failure);
                return failure;
            }
            if begin.elapsed() > self.patience() {
                return self.own_failure(error.to_string());
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Why tensors did not come.
#[derive(Debug, thiserror::Error)]
enum GatherError {
    #[error(transparent)]
    Carry(#[from] CarryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("tensors have come without their names")]
    Names,
}

fn key(number: u64, rank: usize) -> String {
    format!("gather/{number}/{rank}")
}
