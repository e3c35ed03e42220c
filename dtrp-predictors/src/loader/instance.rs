//! An instance of a plug-in as a [`Predictor`](crate::Predictor).

use super::{
    descriptor::Descriptor,
    exit::{Call, Inside},
    handshake::read_table,
    host::{HOST, clear_error, take_error},
    library::{DEFAULT_LIMIT, Library},
    limit::limited,
};
use crate::{
    Context, PluginError, PredictorError,
    abi::{self, status},
};
use std::{
    cell::RefCell,
    env,
    ffi::c_void,
    ptr::null,
    sync::{Mutex, PoisonError},
};

/// The first error that nobody could be told.
static UNTOLD: Mutex<Option<PluginError>> = Mutex::new(None);

/// Why a call failed after which no other came: `feedback` of the last probe, `destroy`. For the end of a program.
pub fn untold() -> Option<PluginError> {
    UNTOLD.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn cannot_tell(error: PluginError) {
    let mut untold = UNTOLD.lock().unwrap_or_else(PoisonError::into_inner);
    untold.get_or_insert(error);
}

/// An instance of a plug-in. Made by [`Library::create`].
#[derive(Debug)]
pub(crate) struct Loaded {
    library: &'static Library,
    pub(super) descriptor: &'static Descriptor,
    pub(super) table: abi::Predictor,
    /// Why a call that could not say so (`feedback`, `save`) failed: the next call says it.
    pending: RefCell<Option<PluginError>>,
    /// The call that panicked, and its message: the instance is only destroyed after this.
    panicked: RefCell<Option<(&'static str, String)>>,
}

// SAFETY: the interface lets an instance be used from any thread, one call at a time; `&mut self` and the lack of `Sync`
// ensure the latter.
unsafe impl Send for Loaded {}

impl Loaded {
    /// `id` is passed as it is, so that the conformance check can ask for one that does not exist.
    pub(crate) fn create(
        library: &'static Library,
        descriptor: &'static Descriptor,
        id: &str,
        options: &str,
    ) -> Result<Self, PredictorError> {
        let Some(create) = library.entry().create else {
            return Err(PluginError::MissingFunction {
                path: library.path().into(),
                function: "create",
            }
            .into());
        };
        let mut table = null();
        clear_error();
        let inside = Inside::of(at(library, descriptor, "create"));
        // SAFETY: the arguments are those that the header describes.
        let status = unsafe {
            create(
                &HOST,
                id.as_ptr().cast(),
                id.len(),
                options.as_ptr().cast(),
                options.len(),
                &raw mut table,
            )
        };
        drop(inside);
        if status == status::INVALID_OPTION {
            return Err(PluginError::Options {
                plugin: library.plugin(id),
                message: take_error(),
            }
            .into());
        }
        check(library, id, "create", status)?;
        // SAFETY: what `create` gave.
        let table = unsafe { read_table(library.path(), table) }?;
        Ok(Self {
            library,
            descriptor,
            table,
            pending: RefCell::default(),
            panicked: RefCell::default(),
        })
    }

    pub(crate) fn plugin(&self) -> String {
        self.library.plugin(&self.descriptor.id)
    }

    /// Runs one call of the table, unless the instance is broken.
    pub(super) fn call(&self, name: &'static str, call: impl FnOnce(*mut c_void) -> i32) -> Result<(), PluginError> {
        if let Some((call, message)) = &*self.panicked.borrow() {
            let (plugin, message) = (self.plugin(), message.clone());
            return Err(PluginError::Panicked { plugin, call, message });
        }
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        clear_error();
        let folder = env::current_dir().ok();
        let inside = Inside::of(at(self.library, self.descriptor, name));
        let status = call(self.table.data);
        drop(inside);
        if folder != env::current_dir().ok() {
            // What the run writes belongs where it began.
            let _ = folder.map(env::set_current_dir);
            return Err(self.contract(name, "it has changed the working directory of the program".into()));
        }
        let result = check(self.library, &self.descriptor.id, name, status);
        if let Err(PluginError::Panicked { call, message, .. }) = &result {
            self.panicked.replace(Some((call, message.clone())));
        }
        result
    }

    /// As [`call`](Self::call), for functions of the trait that cannot fail: the error waits for the next that can.
    pub(super) fn call_quietly(&self, name: &'static str, call: impl FnOnce(*mut c_void) -> i32) {
        if let Err(error) = self.call(name, call) {
            self.pending.replace(Some(error));
        }
    }

    /// The error that waits for the next call.
    pub(crate) fn settle(&self) -> Result<(), PluginError> {
        self.pending.take().map_or(Ok(()), Err)
    }

    pub(super) fn contract(&self, call: &'static str, reason: String) -> PluginError {
        let plugin = self.plugin();
        PluginError::Contract { plugin, call, reason }
    }

    pub(super) fn wrote(&self, call: &'static str, what: &'static str) -> PluginError {
        let plugin = self.plugin();
        PluginError::WroteInput { plugin, call, what }
    }

    /// As [`call`](Self::call), with a copy of the learning rates, since what a plug-in may only read is the run's.
    pub(super) fn call_in(
        &self,
        name: &'static str,
        context: &Context<'_>,
        call: impl FnOnce(*mut c_void, *const abi::Context) -> i32,
    ) -> Result<(), PluginError> {
        let mut rates = context.learning_rates.to_vec();
        let lent = abi::Context {
            learning_rates: rates.as_mut_ptr(),
            ..abi::context_to(context)
        };
        self.call(name, |data| call(data, &raw const lent))?;
        let bits = |rates: &[f64]| rates.iter().map(|rate| rate.to_bits()).collect::<Vec<_>>();
        if bits(std::hint::black_box(&rates)) == bits(context.learning_rates) {
            return Ok(());
        }
        Err(self.wrote(name, "the learning rates"))
    }
}

/// Where a call is.
fn at(library: &Library, descriptor: &'static Descriptor, call: &'static str) -> Call {
    Call {
        path: library.path(),
        id: Some(&descriptor.id),
        call,
    }
}

/// Turns a status into an error, with the text that the plug-in left.
fn check(library: &Library, id: &str, call: &'static str, status: i32) -> Result<(), PluginError> {
    let plugin = || library.plugin(id);
    match status {
        status::OK => Ok(()),
        status::PANIC => Err(PluginError::Panicked {
            plugin: plugin(),
            call,
            message: take_error(),
        }),
        _ => Err(PluginError::Failed {
            plugin: plugin(),
            call,
            status,
            message: take_error(),
        }),
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        if let Err(error) = self.settle() {
            cannot_tell(error);
        }
        let Some(destroy) = self.table.destroy else { return };
        let data = Data(self.table.data);
        let call = at(self.library, self.descriptor, "destroy");
        let work = move || {
            let Data(data) = { data };
            let _inside = Inside::of(call);
            // SAFETY: once, with the data of the table, and no call is running.
            unsafe { destroy(data) };
        };
        if limited(DEFAULT_LIMIT, work).is_none() {
            cannot_tell(PluginError::Timeout {
                plugin: self.plugin(),
                call: "destroy",
                limit: DEFAULT_LIMIT,
            });
        }
    }
}

/// What the functions of an instance work on, on its way to another thread.
struct Data(*mut c_void);

// SAFETY: as of `Loaded`.
unsafe impl Send for Data {}
