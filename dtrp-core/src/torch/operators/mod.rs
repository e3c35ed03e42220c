//! Any operator of libtorch, by name. What it takes and returns, and what it changes, is known from its schema.

mod call;
mod signature;

pub use call::{Returned, Value};
pub use signature::{Argument, Signature};

use super::TorchError;
use super::shim::{check, text};
use std::ffi::{CString, c_char, c_void};
use std::ptr::null_mut;

unsafe extern "C" {
    fn dtrp_operator_find(name: *const c_char, overload: *const c_char, found: *mut *mut c_void) -> *mut c_char;
    fn dtrp_operator_free(operator: *mut c_void);
    fn dtrp_operator_schema(operator: *const c_void, text: *mut *mut c_char) -> *mut c_char;
}

/// An operator of libtorch, looked up once. It can be called from any thread.
#[derive(Debug)]
pub struct Operator {
    handle: Handle,
    name: String,
    signature: Signature,
}

#[derive(Debug)]
struct Handle(*mut c_void);

// SAFETY: it names an entry of libtorch's table of operators, which any thread may read and call; nothing in it changes.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: made by `dtrp_operator_find`, and nobody else has it.
        unsafe { dtrp_operator_free(self.0) }
    }
}

impl Operator {
    /// The operator `name`, such as `aten::add`, of this overload, such as `Tensor`; the one without a name is the empty one.
    /// `None` where this libtorch has none of these names.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn find(name: &str, overload: &str) -> Result<Option<Self>, TorchError> {
        let (Ok(c_name), Ok(c_overload)) = (CString::new(name), CString::new(overload)) else {
            return Ok(None);
        };
        let mut found = null_mut();
        // SAFETY: two strings that end in NUL, and room for a pointer.
        check("looking up an operator", unsafe {
            dtrp_operator_find(c_name.as_ptr(), c_overload.as_ptr(), &raw mut found)
        })?;
        if found.is_null() {
            return Ok(None);
        }
        let handle = Handle(found);
        let mut schema = null_mut();
        // SAFETY: a live handle, and room for a pointer.
        check("reading an operator's schema", unsafe {
            dtrp_operator_schema(handle.0, &raw mut schema)
        })?;
        let signature = Signature::read(&text(schema));
        let name = match overload {
            "" => name.to_owned(),
            _ => format!("{name}.{overload}"),
        };
        Ok(Some(Self {
            handle,
            name,
            signature,
        }))
    }

    /// Its name with that of its overload: `aten::add.Tensor`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it takes and returns.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }
}
