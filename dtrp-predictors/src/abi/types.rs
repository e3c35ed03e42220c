//! The structs of the header, field by field.

use std::ffi::{c_char, c_void};

/// UTF-8, not ended by a zero. Null data counts as empty.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// First byte.
    pub data: *const c_char,
    /// How many bytes.
    pub size: usize,
}

/// DLPack's `DLDevice`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// 1 for the CPU, 2 for CUDA. Called `type` in the header.
    pub kind: i32,
    /// Which of them.
    pub id: i32,
}

/// DLPack's `DLDataType`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataType {
    /// 2: floating point.
    pub code: u8,
    /// 32 or 64.
    pub bits: u8,
    /// 1.
    pub lanes: u16,
}

/// DLPack's `DLTensor`: a borrowed array.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Tensor {
    /// Start of the allocation; may be null if empty.
    pub data: *mut c_void,
    /// Where it lies.
    pub device: Device,
    /// 1.
    pub ndim: i32,
    /// What it holds.
    pub dtype: DataType,
    /// `ndim` lengths.
    pub shape: *mut i64,
    /// `ndim` strides in elements; null if compact.
    pub strides: *mut i64,
    /// From `data` to the first element.
    pub byte_offset: u64,
}

/// The scalars a forecast depends on.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Of this struct, in bytes.
    pub struct_size: u64,
    /// 1 … `modules`.
    pub module: u32,
    /// K.
    pub modules: u32,
    /// Updates made.
    pub update: u64,
    /// η of the coming updates.
    pub learning_rates: *const f64,
    /// How many they are.
    pub horizon: u32,
    /// One of [`optimizer`](super::optimizer).
    pub optimizer: u32,
    /// μ, of SGD.
    pub momentum: f64,
    /// λ.
    pub weight_decay: f64,
    /// β₁, of Adam.
    pub beta1: f64,
    /// β₂, of Adam.
    pub beta2: f64,
    /// ε, of Adam.
    pub epsilon: f64,
    /// 0 or 1, of SGD.
    pub nesterov: u32,
    /// 0 or 1, of Adam.
    pub decoupled: u32,
    /// CUDA stream to enqueue on; null on the CPU.
    pub stream: *mut c_void,
}

/// What may be read; null where absent.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Views {
    /// Of this struct, in bytes.
    pub struct_size: u64,
    /// w, never null.
    pub weights: *const Tensor,
    /// d.
    pub direction: *const Tensor,
    /// g.
    pub gradient: *const Tensor,
    /// Δ.
    pub displacement: *const Tensor,
}

/// How a forecast turned out; see [`crate::Probe`].
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Probe {
    /// Of this struct, in bytes.
    pub struct_size: u64,
    /// s.
    pub horizon: u32,
    /// 0.
    pub reserved: u32,
    /// ⟨r,e⟩.
    pub realised_dot_direction: f64,
    /// ⟨e,e⟩.
    pub direction_norm2: f64,
    /// ⟨r,r⟩.
    pub realised_norm2: f64,
    /// ⟨p,p⟩.
    pub predicted_norm2: f64,
    /// ⟨p,r⟩.
    pub predicted_dot_realised: f64,
    /// ‖W_R − Ŵ‖².
    pub error_norm2: f64,
}

/// What the host offers.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// Of this struct, in bytes.
    pub struct_size: u64,
    /// The host's major version.
    pub abi_major: u32,
    /// The host's minor version.
    pub abi_minor: u32,
    /// Says why the call in progress fails.
    pub set_error: Option<unsafe extern "C" fn(*const c_char, usize)>,
    /// Writes a line to the log, at level 1 (error) … 4 (debug).
    pub log: Option<unsafe extern "C" fn(i32, *const c_char, usize)>,
}

/// Takes some bytes of a saved state.
pub type Write = unsafe extern "C" fn(*mut c_void, *const u8, usize) -> i32;

/// The answer to one forecast.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Of this struct, in bytes.
    pub struct_size: u64,
    /// One of [`kind`](super::kind).
    pub kind: u32,
    /// 0.
    pub reserved: u32,
    /// c_w.
    pub weights: f64,
    /// c_d.
    pub direction: f64,
    /// c_g.
    pub gradient: f64,
    /// c_Δ.
    pub displacement: f64,
}

/// `predict`: context, inputs, output.
pub type Predict = unsafe extern "C" fn(*mut c_void, *const Context, *const Views, *const Tensor) -> i32;
/// `observe`: context, inputs.
pub type Observe = unsafe extern "C" fn(*mut c_void, *const Context, *const Views) -> i32;

/// An instance: its data, and the functions that take it as their first argument.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Predictor {
    /// Of this struct, in bytes.
    pub struct_size: u64,
    /// What the functions work on.
    pub data: *mut c_void,
    /// Bits of [`inputs`](super::inputs).
    pub inputs: u32,
    /// 0.
    pub reserved: u32,
    /// Ends the instance.
    pub destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    /// Answers one forecast.
    pub rule: Option<unsafe extern "C" fn(*mut c_void, *const Context, *mut Rule) -> i32>,
    /// Writes Ŵ, if the rule is custom.
    pub predict: Option<Predict>,
    /// Sees each update; optional.
    pub observe: Option<Observe>,
    /// Hears how forecasts turned out; optional.
    pub feedback: Option<unsafe extern "C" fn(*mut c_void, *const Probe) -> i32>,
    /// Writes its state; optional.
    pub save: Option<unsafe extern "C" fn(*mut c_void, Write, *mut c_void) -> i32>,
    /// Takes up a state; optional.
    pub load: Option<unsafe extern "C" fn(*mut c_void, *const u8, usize) -> i32>,
}

/// What one of a library's predictors is.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    /// Of this struct, in bytes.
    pub struct_size: u64,
    /// In reverse-domain form.
    pub id: Text,
    /// Of the predictor.
    pub version: Text,
    /// One sentence.
    pub description: Text,
    /// Ŵ, and when it is exact.
    pub formula: Text,
    /// SPDX.
    pub licence: Text,
    /// JSON schema, or empty.
    pub options_schema: Text,
    /// One of [`kind`](super::kind).
    pub kind: u32,
    /// Bits of [`device`](super::device).
    pub devices: u32,
    /// Bits of [`dtype`](super::dtype).
    pub dtypes: u32,
    /// 0.
    pub reserved: u32,
}

/// `create`: host, id, options, where to put the instance.
pub type Create =
    unsafe extern "C" fn(*const Host, *const c_char, usize, *const c_char, usize, *mut *const Predictor) -> i32;

/// The exported symbol.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// [`MAGIC`](super::MAGIC).
    pub magic: [u8; 8],
    /// [`MAJOR`](super::MAJOR).
    pub abi_major: u32,
    /// [`MINOR`](super::MINOR).
    pub abi_minor: u32,
    /// Of this struct, in bytes.
    pub struct_size: u64,
    /// How many predictors there are.
    pub count: Option<unsafe extern "C" fn() -> u32>,
    /// What each of them is.
    pub descriptor: Option<unsafe extern "C" fn(u32) -> *const Descriptor>,
    /// Makes an instance.
    pub create: Option<Create>,
}
