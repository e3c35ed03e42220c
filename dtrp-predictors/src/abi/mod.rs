//! The plug-in interface as `include/dtrp_predictor.h` states it, mirrored in Rust.
//!
//! The header is the contract and says what every function must do, on which thread, and who owns what. The mirrors
//! here have the same names without the prefix. Sizes and offsets are asserted at compile time ([`layout`]), and a test
//! compiles the header as C11 and C++17 and compares it with them.

mod convert;
pub mod layout;
mod types;

pub(crate) use convert::{NativeTensor, context_from, inputs_to, probe_from, read_text, views_from};
#[cfg(feature = "host")]
pub(crate) use convert::{context_to, gpu_views_to, inputs_from, probe_to, slice_out, views_to};
pub use types::*;

/// The major version of the interface that this crate speaks; must be equal on both sides.
pub const MAJOR: u32 = 1;
/// The minor version; may differ.
pub const MINOR: u32 = 0;
/// What the exported symbol begins with.
pub const MAGIC: [u8; 8] = *b"DTRPPRED";
/// The name of the exported symbol.
pub const SYMBOL: &str = "dtrp_predictor_entry";

/// What functions return.
pub mod status {
    /// Success.
    pub const OK: i32 = 0;
    /// Anything without a number of its own.
    pub const ERROR: i32 = 1;
    /// `create`: an option that does not exist, or a value it cannot have.
    pub const INVALID_OPTION: i32 = 2;
    /// `create`: no such id.
    pub const UNKNOWN_PREDICTOR: i32 = 3;
    /// A device, number type or optimizer that it cannot work with.
    pub const UNSUPPORTED: i32 = 4;
    /// `load`: bytes that `save` did not write.
    pub const INVALID_STATE: i32 = 5;
    /// A panic or exception was caught.
    pub const PANIC: i32 = 6;
}

/// Values of [`Rule::kind`] and [`Descriptor::kind`].
pub mod kind {
    /// The host applies coefficients.
    pub const LINEAR: u32 = 0;
    /// The host calls `predict`.
    pub const CUSTOM: u32 = 1;
}

/// Bits of [`Descriptor::devices`], and values of [`Device::kind`].
pub mod device {
    /// Host memory.
    pub const CPU: u32 = 1;
    /// A CUDA device.
    pub const CUDA: u32 = 2;
}

/// Bits of [`Descriptor::dtypes`].
pub mod dtype {
    /// `float`.
    pub const F32: u32 = 1;
    /// `double`.
    pub const F64: u32 = 2;
}

/// Bits of [`Predictor::inputs`].
pub mod inputs {
    /// d.
    pub const DIRECTION: u32 = 1;
    /// g.
    pub const GRADIENT: u32 = 2;
    /// Δ.
    pub const DISPLACEMENT: u32 = 4;
}

/// Values of [`Context::optimizer`].
pub mod optimizer {
    /// SGD.
    pub const SGD: u32 = 0;
    /// Adam or AdamW.
    pub const ADAM: u32 = 1;
}

/// Reads a struct that says its own size, no further than that size: what is not there is zero.
///
/// # Safety
///
/// `source` is null or points to a `u64` struct size and as many readable bytes as it says, aligned for a `u64`.
pub(crate) unsafe fn read_within<T: Versioned>(source: *const T) -> Option<T> {
    if source.is_null() || !source.cast::<u64>().is_aligned() {
        return None;
    }
    // SAFETY: the caller promises a readable size, and the alignment was checked.
    let size = unsafe { source.cast::<u64>().read() };
    let known = usize::try_from(size).unwrap_or(usize::MAX).min(size_of::<T>());
    let mut copy = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: `known` bytes are readable by the caller's promise and fit into T; all of T is initialised, and any prefix
    // of a T followed by zeros is a T, as its `Versioned` states.
    unsafe {
        std::ptr::copy_nonoverlapping(source.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), known);
        Some(copy.assume_init())
    }
}

/// A struct of the interface that begins with its own size in bytes.
///
/// # Safety
///
/// The type is `repr(C)`, begins with a `u64`, has no padding, and every bit pattern that is a whole number of fields
/// followed by zeros is a value of it.
pub unsafe trait Versioned: Copy {}

// SAFETY: `repr(C)`, made of integers, floats, raw pointers and optional function pointers, without padding; see `layout`.
unsafe impl Versioned for Context {}
// SAFETY: as above.
unsafe impl Versioned for Views {}
// SAFETY: as above.
unsafe impl Versioned for Rule {}
// SAFETY: as above.
unsafe impl Versioned for Probe {}
// SAFETY: as above.
unsafe impl Versioned for Host {}
// SAFETY: as above.
unsafe impl Versioned for Predictor {}
// SAFETY: as above.
unsafe impl Versioned for Descriptor {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A later minor version of [`Probe`].
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Later {
        probe: Probe,
        added: f64,
    }

    // SAFETY: as `Probe`, with one more float.
    unsafe impl Versioned for Later {}

    #[test]
    fn reads_shorter_and_longer_structs_within_their_size() {
        let now = Probe {
            struct_size: size_of::<Probe>() as u64,
            horizon: 3,
            error_norm2: 5.0,
            ..Probe::default()
        };
        let later = Later {
            probe: Probe {
                struct_size: size_of::<Later>() as u64,
                ..now
            },
            added: 7.0,
        };
        // SAFETY: both say their true size; the pointer to a `Probe` is read as the longer struct within that size.
        let (read_later, read_now) = unsafe {
            (
                read_within((&raw const now).cast::<Later>()),
                read_within((&raw const later).cast::<Probe>()),
            )
        };
        let (read_later, read_now) = (read_later.expect("not null"), read_now.expect("not null"));
        assert_eq!(
            (read_later.probe.horizon, read_later.probe.error_norm2, read_later.added),
            (3, 5.0, 0.0)
        );
        assert_eq!((read_now.horizon, read_now.error_norm2), (3, 5.0));

        // A size in the middle of the struct, in memory that ends there.
        let short: Box<[u64]> = Box::new([24, 9, 1.5f64.to_bits()]);
        // SAFETY: three words are readable, as the first of them says.
        let read = unsafe { read_within(short.as_ptr().cast::<Probe>()) }.expect("not null");
        assert_eq!(
            (read.horizon, read.realised_dot_direction, read.error_norm2),
            (9, 1.5, 0.0)
        );
        // SAFETY: null is allowed.
        assert!(unsafe { read_within(std::ptr::null::<Probe>()) }.is_none());
    }
}
