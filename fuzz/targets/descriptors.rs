//! What a plug-in says of itself through the C interface: its entry and its descriptors, with whatever magic, versions, sizes,
//! counts, kinds, bits and texts. Pointers are null or point to as many readable bytes as the header promises, because more
//! than that no host can check: a wild pointer is undefined behaviour. Every struct and text stands in memory of its own of
//! exactly its size, so that a read beyond it is noticed. (Files of libraries are not fuzzed: loading one runs it.)

#![no_main]

use dtrp_predictors::abi::{self, Descriptor, Entry, Predictor};
use dtrp_predictors::loader::Library;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::c_char;
use std::ptr::null;

/// A descriptor as it is given away: words of exactly its size, and the texts to which it points.
struct Given {
    words: Vec<u64>,
    texts: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Plugin {
    count: u32,
    descriptors: Vec<Option<Given>>,
}

thread_local! {
    static PLUGIN: RefCell<Plugin> = RefCell::default();
}

unsafe extern "C" fn count() -> u32 {
    PLUGIN.with_borrow(|plugin| plugin.count)
}

unsafe extern "C" fn descriptor(index: u32) -> *const Descriptor {
    PLUGIN.with_borrow(|plugin| match plugin.descriptors.get(index as usize) {
        Some(Some(given)) => given.words.as_ptr().cast(),
        _ => null(),
    })
}

unsafe extern "C" fn create(
    _: *const abi::Host,
    _: *const c_char,
    _: usize,
    _: *const c_char,
    _: usize,
    _: *mut *const Predictor,
) -> i32 {
    abi::status::ERROR
}

/// The bytes, taken one after the other; zeros when they are used up.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }

    fn number(&mut self, bytes: usize) -> u64 {
        self.take(bytes)
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn descriptor(&mut self) -> Option<Given> {
        let flags = self.number(1);
        if flags & 1 != 0 {
            return None;
        }
        let mut whole = vec![size_of::<Descriptor>() as u64];
        let mut texts = Vec::new();
        for bit in 1..=6 {
            let length = self.number(1) as usize % 48;
            let text = self.take(length).into_boxed_slice().into_vec();
            // Null, which counts as empty whatever the length.
            let data = if flags >> bit & 1 != 0 {
                0
            } else {
                text.as_ptr().addr() as u64
            };
            whole.extend([data, if data == 0 { length as u64 } else { text.len() as u64 }]);
            texts.push(text);
        }
        whole.extend([self.number(8), self.number(8)]);
        if flags & 128 != 0 {
            // An older or a newer one.
            whole.resize(1 + self.number(1) as usize % 40, u64::MAX);
            whole[0] = 8 * whole.len() as u64;
        }
        let words = whole.into_boxed_slice().into_vec();
        Some(Given { words, texts })
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Bytes(bytes);
    let flags = bytes.number(1);
    let mut magic = abi::MAGIC;
    if flags & 1 != 0 {
        bytes.take(8).iter().zip(&mut magic).for_each(|(new, old)| *old = *new);
    }
    let entry = Entry {
        magic,
        abi_major: if flags & 2 != 0 {
            bytes.number(4) as u32
        } else {
            abi::MAJOR
        },
        abi_minor: bytes.number(1) as u32,
        struct_size: if flags & 4 != 0 {
            bytes.number(8)
        } else {
            size_of::<Entry>() as u64
        },
        count: (flags & 8 == 0).then_some(count),
        descriptor: (flags & 16 == 0).then_some(descriptor),
        create: (flags & 32 == 0).then_some(create),
    };
    let held = bytes.number(1) as usize % 5;
    let count = if flags & 64 != 0 {
        bytes.number(4) as u32
    } else {
        held as u32
    };
    let descriptors = (0..held).map(|_| bytes.descriptor()).collect();
    PLUGIN.set(Plugin { count, descriptors });
    let Ok(read) = Library::describe(&entry) else {
        return;
    };
    PLUGIN.with_borrow(|plugin| {
        assert_eq!(read.len(), plugin.count as usize);
        for (read, given) in read.iter().zip(&plugin.descriptors) {
            let given = given.as_ref().expect("a null descriptor was read");
            assert!(read.id.is_empty() || read.id == String::from_utf8_lossy(&given.texts[0]));
            assert!(!read.id.is_empty());
        }
    });
    let ids: HashSet<_> = read.iter().map(|read| &read.id).collect();
    assert_eq!(ids.len(), read.len());
});
