//! Processes that send each other tensors (c10d's `ProcessGroupGloo`).

use super::ffi::{self, Handle, checked};
use super::store::{Store, millis};
use crate::torch::shim::CTensor;
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tch::Tensor;

/// Nobody waits shorter: a wait that ends by its limit closes all connections of the group. Who looks after the run ends waits
/// with [`Group::abort`].
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Where a process can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// At this address.
    Address(String),
    /// At the address of this network interface.
    Interface(String),
}

/// Why a transfer did not end as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// It was [aborted](Group::abort).
    #[error("the transfer was aborted")]
    Aborted,
    /// In gloo's words: mostly that the other process is gone.
    #[error("{0}")]
    Failed(String),
}

/// Processes that are connected with each other. Clones share it.
#[derive(Debug, Clone)]
pub struct Group {
    // Before the group itself: what it still holds goes first.
    under_way: Arc<Mutex<UnderWay>>,
    handle: Arc<Handle>,
}

#[derive(Debug, Default)]
struct UnderWay {
    aborted: bool,
    works: HashMap<u64, Arc<Handle>>,
    next: u64,
}

impl Group {
    /// Connects rank `rank` of `size` with all others, which do the same, within `timeout`.
    ///
    /// # Errors
    ///
    /// In gloo's words: they cannot be reached, or `device` is not of this machine.
    pub fn new(store: &Store, rank: usize, size: usize, device: &Device, timeout: Duration) -> Result<Self, String> {
        let (name, named) = match device {
            Device::Address(address) => (address, 0),
            Device::Interface(interface) => (interface, 1),
        };
        let nul = |_| "a name has a NUL in it".to_owned();
        let name = CString::new(name.as_str()).map_err(nul)?;
        let prefix = CString::new(format!("{}/gloo", store.prefix())).map_err(nul)?;
        let (rank, size) = (number(rank)?, number(size)?);
        // SAFETY: a live store and NUL-terminated texts.
        let handle = Handle::new(ffi::dtrp_group_free, |out| unsafe {
            let timeout = millis(timeout);
            ffi::dtrp_group(
                store.raw(),
                prefix.as_ptr(),
                rank,
                size,
                name.as_ptr(),
                named,
                timeout,
                out,
            )
        })?;
        Ok(Self {
            handle: Arc::new(handle),
            under_way: Arc::default(),
        })
    }

    /// Begins to send a contiguous tensor to another rank, which receives it under the same tag. Under one tag tensors come in the order in which
    /// they were sent.
    ///
    /// # Errors
    ///
    /// [`TransferError`].
    pub fn send(&self, tensor: &Tensor, peer: usize, tag: i32) -> Result<Work, TransferError> {
        self.begin(ffi::dtrp_group_send, tensor, peer, tag)
    }

    /// Begins to receive into a contiguous tensor, which must have as many bytes as the one that is sent.
    ///
    /// # Errors
    ///
    /// [`TransferError`].
    pub fn receive(&self, tensor: &mut Tensor, peer: usize, tag: i32) -> Result<Work, TransferError> {
        self.begin(ffi::dtrp_group_receive, tensor, peer, tag)
    }

    /// Ends all that is under way and all that would begin. From any thread.
    pub fn abort(&self) {
        let mut under_way = self.under_way();
        under_way.aborted = true;
        for work in under_way.works.values() {
            abort(work);
        }
    }

    fn begin(
        &self,
        call: unsafe extern "C" fn(*mut c_void, *const CTensor, c_int, c_int, *mut *mut c_void) -> *mut c_char,
        tensor: &Tensor,
        peer: usize,
        tag: i32,
    ) -> Result<Work, TransferError> {
        let peer = number(peer).map_err(TransferError::Failed)?;
        let mut under_way = self.under_way();
        if under_way.aborted {
            return Err(TransferError::Aborted);
        }
        // SAFETY: a live group, and a live tensor, which the work keeps.
        let handle = Handle::new(ffi::dtrp_work_free, |out| unsafe {
            call(self.handle.raw(), tensor.as_ptr().cast(), peer, tag, out)
        });
        let handle = Arc::new(handle.map_err(TransferError::Failed)?);
        let id = under_way.next;
        under_way.next += 1;
        under_way.works.insert(id, Arc::clone(&handle));
        drop(under_way);
        Ok(Work {
            handle,
            id,
            ended: false,
            group: self.clone(),
        })
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transfer that has begun. It holds its tensor; when it is dropped before it is [done](Self::wait), it is aborted.
#[derive(Debug)]
#[must_use = "a transfer that is dropped is aborted"]
pub struct Work {
    handle: Arc<Handle>,
    id: u64,
    ended: bool,
    group: Group,
}

impl Work {
    /// Waits until it is done.
    ///
    /// # Errors
    ///
    /// [`TransferError`].
    pub fn wait(mut self) -> Result<(), TransferError> {
        let mut whole = 0;
        // SAFETY: a live work, and a place for the answer.
        let error = unsafe { ffi::dtrp_work_wait(self.handle.raw(), millis(FOREVER), &raw mut whole) };
        self.ended = true;
        checked(error).map_err(TransferError::Failed)?;
        if whole == 0 {
            return Err(TransferError::Aborted);
        }
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.ended {
            abort(&self.handle);
        }
        self.group.under_way().works.remove(&self.id);
    }
}

fn abort(work: &Handle) {
    // SAFETY: a live work. What it says is that it had ended before.
    let _ = checked(unsafe { ffi::dtrp_work_abort(work.raw()) });
}

fn number(number: usize) -> Result<c_int, String> {
    c_int::try_from(number).map_err(|_| format!("there are no {number} processes"))
}
