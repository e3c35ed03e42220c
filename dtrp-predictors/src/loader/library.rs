//! A loaded plug-in.

use super::{
    descriptor::Descriptor,
    exit::{Call, Inside, expect},
    file::{examine, load},
    handshake::read_entry,
    instance::Loaded,
    limit::limited,
    trial,
};
use crate::{PluginError, Predictor, PredictorError, abi, error::KIND};
use serde_json::Value;
use std::{
    collections::HashSet,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How long a plug-in may take for being loaded, and for being tried out.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(10);

/// More predictors than anybody writes; a library that claims more counts wrongly.
const MOST: u32 = 1024;

/// A loaded plug-in. Never unloaded: its threads, thread-locals and statics live on until the process ends.
#[derive(Debug)]
pub struct Library {
    path: &'static Path,
    sha256: String,
    entry: abi::Entry,
    descriptors: Vec<Descriptor>,
    /// What has been tried out and found good: id and options.
    tried: Mutex<HashSet<(String, String)>>,
}

impl Library {
    /// Loads the library at `path`, or finds it again if it has been loaded. Nothing is searched for: a relative path
    /// is taken from the working directory.
    ///
    /// # Errors
    ///
    /// The variants of [`PluginError`] up to `Empty`, and `Timeout` after [`DEFAULT_LIMIT`].
    pub fn open(path: &Path) -> Result<&'static Self, PredictorError> {
        Self::open_within(path, DEFAULT_LIMIT)
    }

    /// As [`open`](Self::open), with a time limit of one's own.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_within(path: &Path, limit: Duration) -> Result<&'static Self, PredictorError> {
        static LOADED: Mutex<Vec<&'static Library>> = Mutex::new(Vec::new());

        // Absolute, so that the system does not search its library folders for a bare file name.
        let path = path.canonicalize().map_err(|source| PluginError::File {
            path: path.into(),
            source,
        })?;
        // A panic of another thread leaves the list as good as it was.
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = loaded.iter().find(|library| library.path == path) {
            return Ok(library);
        }
        let timeout = PluginError::Timeout {
            plugin: path.display().to_string(),
            call: "load",
            limit,
        };
        // For ever, as what is loaded from it.
        let path: &'static Path = Box::leak(path.into_boxed_path());
        let library = limited(limit, move || Self::load(path)).ok_or(timeout)??;
        let library: &'static Self = Box::leak(Box::new(library));
        loaded.push(library);
        Ok(library)
    }

    fn load(path: &'static Path) -> Result<Self, PluginError> {
        let sha256 = examine(path)?;
        expect(path);
        let (id, call) = (None, "load");
        let _inside = Inside::of(Call { path, id, call });
        let address = load(path)?;
        // SAFETY: the address of the symbol, in a library that stays loaded.
        unsafe { Self::from_address(path, sha256, address) }
    }

    /// A plug-in that is part of this program, such as [`entry!`](crate::entry) makes.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn linked(entry: &'static abi::Entry) -> Result<&'static Self, PredictorError> {
        static LINKED: Mutex<Vec<(usize, &'static Library)>> = Mutex::new(Vec::new());

        let address = std::ptr::from_ref(entry).addr();
        // A panic of another thread leaves the list as good as it was.
        let mut linked = LINKED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, library)) = linked.iter().find(|(known, _)| *known == address) {
            return Ok(library);
        }
        // SAFETY: a reference to an entry, for ever.
        let library = unsafe { Self::from_address(Path::new("(linked)"), String::new(), entry) }?;
        let library: &'static Self = Box::leak(Box::new(library));
        linked.push((address, library));
        Ok(library)
    }

    /// What a plug-in that is part of this program says about its predictors. It is read as [`linked`](Self::linked) does, but
    /// nothing of it is kept.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn describe(entry: &abi::Entry) -> Result<Vec<Descriptor>, PluginError> {
        // SAFETY: a reference to an entry, valid for this call, after which nothing of it is used.
        let (_, descriptors) = unsafe { hello(Path::new("(linked)"), entry) }?;
        Ok(descriptors)
    }

    /// Shakes hands and asks for the descriptors.
    ///
    /// # Safety
    ///
    /// As [`hello`], for ever.
    unsafe fn from_address(
        path: &'static Path,
        sha256: String,
        address: *const abi::Entry,
    ) -> Result<Self, PluginError> {
        // SAFETY: the caller's promise.
        let (entry, descriptors) = unsafe { hello(path, address) }?;
        Ok(Self {
            path,
            sha256,
            entry,
            descriptors,
            tried: Mutex::default(),
        })
    }

    /// Makes a predictor: of this id, or the only one if the id is empty. With each new set of options it is first tried
    /// out on small arrays between guard zones, on a thread of its own, so that one that panics, hangs, predicts NaN or
    /// writes too little or too much is found before training.
    ///
    /// # Errors
    ///
    /// The variants of [`PluginError`] from `UnknownId` on.
    pub fn create(&'static self, id: &str, options: &Value) -> Result<Box<dyn Predictor>, PredictorError> {
        self.create_within(id, options, DEFAULT_LIMIT)
    }

    /// As [`create`](Self::create), with a time limit of one's own.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create).
    pub fn create_within(
        &'static self,
        id: &str,
        options: &Value,
        limit: Duration,
    ) -> Result<Box<dyn Predictor>, PredictorError> {
        let descriptor = self.descriptor(id)?;
        let options = if options.is_null() {
            String::new()
        } else {
            options.to_string()
        };
        let key = (descriptor.id.clone(), options.clone());
        // A panic of another thread leaves the set as good as it was.
        let tried = || self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if !tried().contains(&key) {
            let given = options.clone();
            limited(limit, move || trial::run(self, descriptor, &given)).ok_or_else(|| PluginError::Timeout {
                plugin: self.plugin(&descriptor.id),
                call: "create, rule, predict or observe",
                limit,
            })??;
            tried().insert(key);
        }
        let made = limited(limit, move || self.instance(descriptor, &options));
        Ok(Box::new(made.ok_or_else(|| PluginError::Timeout {
            plugin: self.plugin(&descriptor.id),
            call: "create",
            limit,
        })??))
    }

    /// Makes an instance without trying it out. `options` is JSON, or empty.
    pub(crate) fn instance(
        &'static self,
        descriptor: &'static Descriptor,
        options: &str,
    ) -> Result<Loaded, PredictorError> {
        Loaded::create(self, descriptor, &descriptor.id, options)
    }

    /// What it says about the predictor of this id, or about the only one if the id is empty.
    ///
    /// # Errors
    ///
    /// [`PluginError::UnknownId`].
    pub fn descriptor(&self, id: &str) -> Result<&Descriptor, PluginError> {
        if let ([only], "") = (&self.descriptors[..], id) {
            return Ok(only);
        }
        let found = dtrp_text::find(KIND, id, &self.descriptors, |descriptor| &descriptor.id);
        found.map_err(|unknown| PluginError::UnknownId {
            path: self.path.into(),
            unknown,
        })
    }

    /// What it holds.
    pub fn descriptors(&self) -> &[Descriptor] {
        &self.descriptors
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &'static Path {
        self.path
    }

    /// SHA-256 of the file as it was loaded, in hexadecimal; empty for one that is [linked](Self::linked).
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Major and minor version of the interface that it was built against.
    pub fn abi(&self) -> (u32, u32) {
        (self.entry.abi_major, self.entry.abi_minor)
    }

    pub(super) fn entry(&self) -> &abi::Entry {
        &self.entry
    }

    /// How errors name one of its predictors.
    pub(crate) fn plugin(&self, id: &str) -> String {
        format!("`{id}` of {}", self.path.display())
    }
}

/// Shakes hands with the plug-in whose entry is at `address`, and asks for its descriptors.
///
/// # Safety
///
/// As [`read_entry`]; the functions of the entry do what the header says, and the texts of the descriptors are there until
/// this returns.
unsafe fn hello(path: &'static Path, address: *const abi::Entry) -> Result<(abi::Entry, Vec<Descriptor>), PluginError> {
    // SAFETY: the caller's promise.
    let entry = unsafe { read_entry(path, address) }?;
    let (Some(count), Some(descriptor)) = (entry.count, entry.descriptor) else {
        return Err(PluginError::NoEntry { path: path.into() });
    };
    let inside = |call| Inside::of(Call { path, id: None, call });
    let counting = inside("count");
    // SAFETY: the functions do what the header says.
    let count = unsafe { count() };
    drop(counting);
    let fail = |index, reason: &str| PluginError::Descriptor {
        path: path.into(),
        index,
        reason: reason.into(),
    };
    if count > MOST {
        return Err(fail(MOST, &format!("it claims to hold {count} predictors")));
    }
    let descriptors = (0..count)
        .map(|index| {
            let fail = |reason: &str| fail(index, reason);
            let _inside = inside("descriptor");
            // SAFETY: the index is less than the count; a descriptor lives as long as the process.
            let raw = unsafe { abi::read_within(descriptor(index)) }.ok_or_else(|| fail("it is null"))?;
            // SAFETY: the texts of a descriptor live as long as the process.
            unsafe { Descriptor::read(&raw) }.map_err(fail)
        })
        .collect::<Result<Vec<_>, _>>()?;
    if descriptors.is_empty() {
        return Err(PluginError::Empty { path: path.into() });
    }
    if let Some(twice) = (1..descriptors.len()).find(|&i| descriptors[..i].iter().any(|d| d.id == descriptors[i].id)) {
        let reason = format!("its id `{}` is that of an earlier one", descriptors[twice].id);
        return Err(fail(twice as u32, &reason));
    }
    Ok((entry, descriptors))
}
