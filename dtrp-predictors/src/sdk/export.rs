//! The functions behind the exported symbol: which predictors there are, and how one is made.

use super::calls::{Instance, guard};
use crate::{
    Definition, Description, Kind, OptionError, OptionProblem, Options, Predictor, PredictorError, UnknownName,
    abi::{self, device, dtype, kind, status},
    error::KIND,
    schema,
};
use serde_json::Value;
use std::{
    ffi::c_char,
    ptr::{null, null_mut},
    sync::OnceLock,
};

/// One predictor of a plug-in.
pub struct Export {
    description: Description,
    build: fn(&Options<'_>) -> Result<Box<dyn Predictor>, PredictorError>,
    descriptor: OnceLock<Shared>,
}

/// A descriptor whose strings live as long as the process.
struct Shared(abi::Descriptor);

// SAFETY: the pointers lead to strings that live as long as the process and are never written.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Export {
    /// The export of `P`.
    pub const fn of<P: Definition>() -> Self {
        Self {
            description: P::DESCRIPTION,
            build: |options| Ok(Box::new(P::build(options)?)),
            descriptor: OnceLock::new(),
        }
    }

    /// `dtrp_entry.descriptor`: null for an index that does not exist.
    pub fn descriptor(exports: &'static [Self], index: u32) -> *const abi::Descriptor {
        exports.get(index as usize).map_or(null(), |export| {
            &raw const export
                .descriptor
                .get_or_init(|| Shared(describe(&export.description)))
                .0
        })
    }

    /// `dtrp_entry.create`.
    ///
    /// # Safety
    ///
    /// The arguments are those that the header describes.
    pub unsafe fn create(
        exports: &'static [Self],
        host: *const abi::Host,
        id: *const c_char,
        id_size: usize,
        options: *const c_char,
        options_size: usize,
        predictor: *mut *const abi::Predictor,
    ) -> i32 {
        // SAFETY: the host passes itself, or null.
        let host = unsafe { abi::read_within(host) };
        // SAFETY: the host passes texts of these sizes.
        let (id, options) = unsafe { (abi::read_text(id, id_size), abi::read_text(options, options_size)) };
        let set_error = host.and_then(|host| host.set_error);
        let mut unknown = false;
        let mut instance = null_mut();
        let result = guard(set_error, || {
            let Some(export) = exports.iter().find(|export| export.description.name == id) else {
                unknown = true;
                let names = exports.iter().map(|export| export.description.name);
                return Err(UnknownName::new(KIND, &id, names).into());
            };
            let options = match options.trim() {
                "" => Value::Null,
                text => serde_json::from_str(text).map_err(|error| OptionError {
                    kind: KIND,
                    owner: id.clone(),
                    option: "options".into(),
                    problem: Box::new(OptionProblem::Value {
                        value: text.into(),
                        nearest: None,
                        expected: format!("JSON ({error})"),
                    }),
                })?,
            };
            let options = Options::new(KIND, export.description.name, export.description.options, &options)?;
            instance = Instance::leak((export.build)(&options)?, export.description.kind, set_error);
            Ok(())
        });
        if result == status::OK {
            // SAFETY: the header says that this is where the instance goes; `leak` gave a valid one.
            unsafe { *predictor = &raw const (*instance).table };
        }
        if unknown { status::UNKNOWN_PREDICTOR } else { result }
    }
}

fn describe(description: &Description) -> abi::Descriptor {
    let &Description {
        name,
        version,
        summary,
        formula,
        licence,
        kind,
        options,
    } = description;
    // Once for each predictor of the library; lives as long as the process.
    let schema: &'static str = schema(options).to_string().leak();
    let linear = kind == Kind::Linear;
    abi::Descriptor {
        struct_size: size_of::<abi::Descriptor>() as u64,
        id: abi::Text::of(name),
        version: abi::Text::of(version),
        description: abi::Text::of(summary),
        formula: abi::Text::of(formula),
        licence: abi::Text::of(licence),
        options_schema: abi::Text::of(schema),
        kind: if linear { kind::LINEAR } else { kind::CUSTOM },
        devices: if linear {
            device::CPU | device::CUDA
        } else {
            device::CPU
        },
        dtypes: dtype::F32 | dtype::F64,
        reserved: 0,
    }
}
