//! The Rust side of `group.cpp`.

use crate::torch::shim::{CTensor, text};
use dtrp_text::without_frames;
use std::ffi::{CStr, c_char, c_int, c_void};

unsafe extern "C" {
    pub(super) fn dtrp_store(
        host: *const c_char,
        port: u16,
        listener: c_int,
        timeout: i64,
        out: *mut *mut c_void,
    ) -> *mut c_char;
    pub(super) fn dtrp_store_clone(store: *mut c_void, timeout: i64, out: *mut *mut c_void) -> *mut c_char;
    pub(super) fn dtrp_store_free(store: *mut c_void);
    pub(super) fn dtrp_store_set(store: *mut c_void, key: *const c_char, data: *const u8, size: usize) -> *mut c_char;
    pub(super) fn dtrp_store_get(
        store: *mut c_void,
        key: *const c_char,
        data: *mut *mut c_char,
        size: *mut usize,
    ) -> *mut c_char;
    pub(super) fn dtrp_store_check(store: *mut c_void, key: *const c_char, there: *mut c_int) -> *mut c_char;
    pub(super) fn dtrp_store_claim(
        store: *mut c_void,
        key: *const c_char,
        wanted: *const u8,
        wanted_size: usize,
        data: *mut *mut c_char,
        size: *mut usize,
    ) -> *mut c_char;
    pub(super) fn dtrp_group(
        store: *mut c_void,
        prefix: *const c_char,
        rank: c_int,
        size: c_int,
        device: *const c_char,
        named: c_int,
        timeout: i64,
        out: *mut *mut c_void,
    ) -> *mut c_char;
    pub(super) fn dtrp_group_free(group: *mut c_void);
    pub(super) fn dtrp_group_send(
        group: *mut c_void,
        tensor: *const CTensor,
        peer: c_int,
        tag: c_int,
        out: *mut *mut c_void,
    ) -> *mut c_char;
    pub(super) fn dtrp_group_receive(
        group: *mut c_void,
        tensor: *const CTensor,
        peer: c_int,
        tag: c_int,
        out: *mut *mut c_void,
    ) -> *mut c_char;
    pub(super) fn dtrp_work_wait(work: *mut c_void, timeout: i64, whole: *mut c_int) -> *mut c_char;
    pub(super) fn dtrp_work_abort(work: *mut c_void) -> *mut c_char;
    pub(super) fn dtrp_work_free(work: *mut c_void);
    fn dtrp_group_version() -> *const c_char;
    fn dtrp_free(text: *mut c_char);
}

/// An object of C++ that may be used from several threads, and is freed with this function.
#[derive(Debug)]
pub(super) struct Handle {
    raw: *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
}

// SAFETY: c10d's stores, groups and works may be used from any thread, from several at once too: stores take a lock for every
// call, and a work may be aborted while another thread waits for it.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// What a function of the shim makes.
    pub(super) fn new(
        free: unsafe extern "C" fn(*mut c_void),
        make: impl FnOnce(*mut *mut c_void) -> *mut c_char,
    ) -> Result<Self, String> {
        let mut raw = std::ptr::null_mut();
        checked(make(&raw mut raw))?;
        Ok(Self { raw, free })
    }

    pub(super) fn raw(&self) -> *mut c_void {
        self.raw
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: made by the function that belongs to `free`, and nobody else has it.
        unsafe { (self.free)(self.raw) }
    }
}

/// libtorch's message, in one line and without its C++ stack.
pub(super) fn checked(error: *mut c_char) -> Result<(), String> {
    if error.is_null() {
        return Ok(());
    }
    let message = text(error);
    Err(without_frames(&message)
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned())
}

/// Bytes that a function of the shim gives.
pub(super) fn bytes(call: impl FnOnce(*mut *mut c_char, *mut usize) -> *mut c_char) -> Result<Vec<u8>, String> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    checked(call(&raw mut data, &raw mut size))?;
    // SAFETY: the shim has given `size` bytes, which are ours.
    unsafe {
        let value = std::slice::from_raw_parts(data.cast::<u8>(), size).to_vec();
        dtrp_free(data);
        Ok(value)
    }
}

/// The version of libtorch.
pub(super) fn version() -> String {
    // SAFETY: a constant of the shim.
    unsafe { CStr::from_ptr(dtrp_group_version()) }
        .to_string_lossy()
        .into_owned()
}
