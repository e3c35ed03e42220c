//! The built-ins through the C interface, and what the handshake accepts and refuses.
#![cfg(feature = "host")]

use dtrp_predictors::{
    Context, Inputs, OptimizerState, Predictor, Probe, Rule, Spec, Views,
    abi::{self, Entry},
    builtin::{Adam, AdamW, Adaptive, Damped, Decayed, Difference, Momentum, None},
    conformance, create, describe, list,
    loader::Library,
};
use proptest::prelude::*;
use serde_json::{Value, json};

static ALL: Entry = dtrp_predictors::entry!(Adam, AdamW, Adaptive, Damped, Decayed, Difference, Momentum, None);

fn options(name: &str, rho: f64) -> Value {
    match name {
        "none" => Value::Null,
        "decayed" => json!({ "rho": rho, "last_gradient": true }),
        _ => json!({ "rho": rho }),
    }
}

fn bits(rule: Rule) -> [u64; 4] {
    let Rule::Linear(c) = rule else {
        panic!("built-ins are linear")
    };
    [c.weights, c.direction, c.gradient, c.displacement].map(f64::to_bits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Directly and through the interface: rule, forecast, feedback and state agree in every bit.
    #[test]
    fn every_built_in_is_bit_equal(
        rates in prop::collection::vec(1e-4..0.3, 0..9),
        (momentum, nesterov, weight_decay) in (0.0..0.99, any::<bool>(), 0.0..0.01),
        update in 0u64..1000,
        rho in 0.0..1.0,
        numbers in prop::collection::vec((-2f32..2.0, -2f32..2.0, -2f32..2.0, -2f32..2.0), 1..40),
        probe in (-4.0..4.0, 0.01..4.0),
    ) {
        let library = Library::linked(&ALL).expect("a plug-in");
        prop_assert_eq!(library.descriptors().len(), list().len());
        for Inner { name, description, .. } in all() {
            let optimizer = match name {
                "adam" | "adamw" => OptimizerState::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay, decoupled: true },
                _ => OptimizerState::Sgd { momentum, nesterov, weight_decay },
            };
            let options = options(name, rho);
            let mut direct = create(&Spec::named(name).with(options.clone())).expect("a built-in");
            let mut through = library.create(name, &options).expect("a built-in");
            prop_assert_eq!(through.name(), direct.name());
            prop_assert_eq!(through.inputs(), direct.inputs());
            prop_assert_eq!(through.wants_feedback(), direct.wants_feedback());
            prop_assert_eq!(through.wants_observe(), direct.wants_observe());
            prop_assert_eq!(&library.descriptors().iter().find(|d| d.id == name).expect("there").description, description);

            let probe = Probe { horizon: 2, realised_dot_direction: probe.0, direction_norm2: probe.1, ..Probe::default() };
            direct.feedback(&probe);
            through.feedback(&probe);
            prop_assert_eq!(direct.save(), through.save());
            let mut restored = library.create(name, &options).expect("a built-in");
            restored.load(&direct.save()).expect("the same state");

            let context = Context { module: 2, modules: 5, update, learning_rates: &rates, optimizer };
            let expected = bits(direct.rule(&context).expect("a rule"));
            prop_assert_eq!(expected, bits(through.rule(&context).expect("a rule")), "{}", name);
            prop_assert_eq!(expected, bits(restored.rule(&context).expect("a rule")), "{}", name);

            let column = |pick: fn(&(f32, f32, f32, f32)) -> f32| numbers.iter().map(pick).collect::<Vec<_>>();
            let (w, d, g, x) = (column(|n| n.0), column(|n| n.1), column(|n| n.2), column(|n| n.3));
            let views = Views { weights: &w, direction: Some(&d), gradient: Some(&g), displacement: Some(&x) };
            let forecast = |predictor: &mut Box<dyn Predictor>| {
                let mut out = vec![f32::NAN; w.len()];
                predictor.forecast(&context, views, &mut out).expect("a forecast");
                out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            prop_assert_eq!(forecast(&mut direct), forecast(&mut through), "{}", name);
        }
    }
}

struct Inner {
    name: &'static str,
    description: &'static str,
}

fn all() -> impl Iterator<Item = Inner> {
    list().into_iter().map(|d| Inner {
        name: d.name,
        description: describe(d.name).expect("listed").summary,
    })
}

#[test]
fn the_built_ins_conform() {
    let report = conformance::check_entry(&ALL);
    assert!(report.passed(), "{report}");
    assert_eq!(report.predictors.len(), 8);
}

#[test]
fn errors_cross_with_their_words() {
    let library = Library::linked(&ALL).expect("a plug-in");
    assert_eq!(Library::describe(&ALL).expect("a plug-in"), library.descriptors());
    let sgd = OptimizerState::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    let context = Context {
        module: 1,
        modules: 2,
        update: 3,
        learning_rates: &[0.1],
        optimizer: sgd,
    };
    for (result, says) in [
        (
            library.create("momentun", &Value::Null).map(drop),
            "unknown predictor `momentun` (did you mean `momentum`?); the predictors are adam, adamw,",
        ),
        (
            library.create("", &Value::Null).map(drop),
            "unknown predictor ``; the predictors are adam",
        ),
        (
            library.create("decayed", &json!({ "roh": 1 })).map(drop),
            "`decayed` of (linked) refuses its options: predictor `decayed` has no option `roh` (did you mean `rho`?)",
        ),
        (
            library
                .create("adam", &Value::Null)
                .and_then(|mut p| p.rule(&context).map(drop)),
            "`adam` of (linked) failed in `rule` (status 4): predictor `adam` needs adam or adamw",
        ),
        (
            library
                .create("adaptive", &Value::Null)
                .and_then(|mut p| p.load(&[1, 2])),
            "`adaptive` of (linked) refuses the saved state: the saved state of predictor `adaptive` cannot be used: it has 2 bytes, not 17",
        ),
    ] {
        let error = result.expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(
        library.create("none", &Value::Null).expect("a built-in").inputs(),
        Inputs::default()
    );
}

/// `Entry` with other numbers in its header.
fn entry_with(change: impl FnOnce(&mut Entry)) -> &'static Entry {
    let mut entry = ALL;
    change(&mut entry);
    Box::leak(Box::new(entry))
}

#[test]
fn the_handshake() {
    for (entry, says) in [
        (
            entry_with(|e| e.magic = *b"CLAPCLAP"),
            "its entry begins with \"CLAPCLAP\", not \"DTRPPRED\"",
        ),
        (
            entry_with(|e| e.abi_major = 7),
            "speaks version 7 of the interface, this program version 1",
        ),
        (
            entry_with(|e| e.struct_size = 24),
            "has a dtrp_entry of 24 bytes, but the least is 48",
        ),
        (entry_with(|e| e.create = Option::None), "lacks the function `create`"),
    ] {
        let error = Library::linked(entry).expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
        // What is only described is described by the same rules.
        assert_eq!(Library::describe(entry).expect_err(says).to_string(), error);
    }
    // Another minor version, older or newer, is no obstacle.
    for minor in [0, 1, 99] {
        Library::linked(entry_with(|e| e.abi_minor = minor)).expect("a plug-in");
    }
}

/// An entry of a later minor version: longer, with a function that this program does not know.
#[repr(C)]
struct Later {
    entry: Entry,
    added: Option<unsafe extern "C" fn() -> u32>,
}

#[test]
fn a_longer_entry_is_read_as_far_as_it_is_known() {
    let size = size_of::<Later>() as u64;
    let later = Box::leak(Box::new(Later {
        entry: Entry {
            abi_minor: 1,
            struct_size: size,
            ..ALL
        },
        added: Option::None,
    }));
    assert!(later.added.is_none());
    let report = conformance::check_entry(&later.entry);
    assert!(report.passed(), "{report}");
    assert_eq!(report.abi, Some((1, 1)));
}

mod first_version {
    //! A plug-in whose structs end where the first version of the interface had them: no `observe`, `feedback`, `save`
    //! and `load`. Behind each lies what would crash if it were read as a function.

    use super::{Entry, abi};
    use std::{ffi::c_void, mem::offset_of, ptr::null_mut};

    const SIZE: usize = offset_of!(abi::Predictor, observe);

    #[repr(C)]
    struct Short {
        table: [u8; SIZE],
        garbage: [u8; 64],
    }

    unsafe extern "C" fn destroy(_: *mut c_void) {}

    unsafe extern "C" fn rule(_: *mut c_void, context: *const abi::Context, out: *mut abi::Rule) -> i32 {
        // SAFETY: the host passes both.
        unsafe {
            if (*context).horizon > 0 {
                (*out).weights = 0.5;
            }
        }
        abi::status::OK
    }

    unsafe extern "C" fn create(
        _: *const abi::Host,
        id: *const std::ffi::c_char,
        size: usize,
        _: *const std::ffi::c_char,
        _: usize,
        out: *mut *const abi::Predictor,
    ) -> i32 {
        assert!(!id.is_null() && size == 5);
        let table = abi::Predictor {
            struct_size: SIZE as u64,
            data: null_mut(),
            inputs: 0,
            reserved: 0,
            destroy: Some(destroy),
            rule: Some(rule),
            predict: None,
            observe: None,
            feedback: None,
            save: None,
            load: None,
        };
        // Aligned as the table is.
        let short = Box::leak(vec![0u64; size_of::<Short>() / 8].into_boxed_slice())
            .as_mut_ptr()
            .cast::<Short>();
        // SAFETY: `short` is as large as a `Short`, and the table at least as large as what is copied of it.
        unsafe {
            (&raw mut (*short).garbage).write([0xAB; 64]);
            std::ptr::copy_nonoverlapping((&raw const table).cast::<u8>(), short.cast::<u8>(), SIZE);
            *out = short.cast();
        }
        abi::status::OK
    }

    extern "C" fn count() -> u32 {
        1
    }

    extern "C" fn descriptor(_: u32) -> *const abi::Descriptor {
        let text = abi::Text::of;
        Box::leak(Box::new(abi::Descriptor {
            struct_size: size_of::<abi::Descriptor>() as u64,
            id: text("short"),
            version: text("1"),
            description: text("halves"),
            formula: text(""),
            licence: text("MIT"),
            options_schema: text(""),
            kind: abi::kind::LINEAR,
            devices: 0,
            dtypes: 0,
            reserved: 0,
        }))
    }

    pub(super) static ENTRY: Entry = Entry {
        magic: abi::MAGIC,
        abi_major: abi::MAJOR,
        abi_minor: 0,
        struct_size: size_of::<Entry>() as u64,
        count: Some(count),
        descriptor: Some(descriptor),
        create: Some(create),
    };
}

#[test]
fn a_shorter_table_is_read_within_its_size() {
    let library = Library::linked(&first_version::ENTRY).expect("a plug-in");
    let mut predictor = library.create("short", &Value::Null).expect("a predictor");
    assert!(!predictor.wants_observe() && !predictor.wants_feedback() && predictor.save().is_empty());
    predictor.feedback(&Probe::default());
    let optimizer = OptimizerState::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    let context = Context {
        module: 1,
        modules: 2,
        update: 3,
        learning_rates: &[0.1],
        optimizer,
    };
    let mut out = [0.0f64];
    predictor
        .forecast(&context, Views::of(&[3.0]), &mut out)
        .expect("a forecast");
    assert_eq!(out, [1.5]);
}
