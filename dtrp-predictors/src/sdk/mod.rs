//! What turns a [`Definition`](crate::Definition) into a plug-in.
//!
//! A plug-in is a crate of type `cdylib` that depends on this one with `default-features = false`, implements
//! [`Predictor`](crate::Predictor) and [`Definition`](crate::Definition) for its types, and says
//! [`export_predictor!`](crate::export_predictor)`(MyType)` once. Panics inside its functions are caught and reported
//! to the host, unless the plug-in is built with `panic = "abort"`.

mod calls;
mod export;

pub use export::Export;

/// Exports predictors from a `cdylib`: `export_predictor!(First, Second);`, once in a crate.
///
/// Each type must implement [`Definition`](crate::Definition). What the macro makes is the symbol
/// `dtrp_predictor_entry` of `include/dtrp_predictor.h`.
#[macro_export]
macro_rules! export_predictor {
    ($($predictor:ty),+ $(,)?) => {
        /// What a host looks for in this library.
        // SAFETY: the name is reserved for this by the interface, and a crate exports once.
        #[unsafe(no_mangle)]
        #[expect(non_upper_case_globals, reason = "the name is given by the interface")]
        pub static dtrp_predictor_entry: $crate::abi::Entry = $crate::entry!($($predictor),+);
    };
}

/// The entry that [`export_predictor!`](crate::export_predictor) would export, as a value: for tests that try the
/// types of a plug-in through the C interface without building a library.
///
/// ```
/// # use dtrp_predictors::{abi, builtin::{Damped, Momentum}};
/// static ENTRY: abi::Entry = dtrp_predictors::entry!(Damped, Momentum);
/// # #[cfg(feature = "host")]
/// assert!(dtrp_predictors::conformance::check_entry(&ENTRY).passed());
/// ```
#[macro_export]
macro_rules! entry {
    ($($predictor:ty),+ $(,)?) => {{
        const COUNT: usize = [$(stringify!($predictor)),+].len();
        static EXPORTS: [$crate::sdk::Export; COUNT] = [$($crate::sdk::Export::of::<$predictor>()),+];

        extern "C" fn count() -> u32 {
            COUNT as u32
        }
        extern "C" fn descriptor(index: u32) -> *const $crate::abi::Descriptor {
            $crate::sdk::Export::descriptor(&EXPORTS, index)
        }
        unsafe extern "C" fn create(
            host: *const $crate::abi::Host,
            id: *const ::std::ffi::c_char,
            id_size: usize,
            options: *const ::std::ffi::c_char,
            options_size: usize,
            predictor: *mut *const $crate::abi::Predictor,
        ) -> i32 {
            // SAFETY: the arguments are passed on as they came.
            unsafe { $crate::sdk::Export::create(&EXPORTS, host, id, id_size, options, options_size, predictor) }
        }

        $crate::abi::Entry {
            magic: $crate::abi::MAGIC,
            abi_major: $crate::abi::MAJOR,
            abi_minor: $crate::abi::MINOR,
            struct_size: size_of::<$crate::abi::Entry>() as u64,
            count: Some(count),
            descriptor: Some(descriptor),
            create: Some(create),
        }
    }};
}
