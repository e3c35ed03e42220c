//! What a plug-in says about its predictors.

use crate::abi;

/// What one of a library's predictors is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Descriptor {
    /// What it is chosen by.
    pub id: String,
    /// Of the predictor.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Ŵ, and when it is exact.
    pub formula: String,
    /// SPDX expression.
    pub licence: String,
    /// JSON schema of its options, or empty.
    pub options_schema: String,
    /// Whether every rule is linear.
    pub linear: bool,
    /// Bits of [`abi::device`].
    pub devices: u32,
    /// Bits of [`abi::dtype`].
    pub dtypes: u32,
}

impl Descriptor {
    /// # Safety
    ///
    /// The texts are null or readable.
    pub(super) unsafe fn read(raw: &abi::Descriptor) -> Result<Self, &'static str> {
        // SAFETY: the caller's promise.
        let read = |text: abi::Text| unsafe { text.read() };
        let descriptor = Self {
            id: read(raw.id),
            version: read(raw.version),
            description: read(raw.description),
            formula: read(raw.formula),
            licence: read(raw.licence),
            options_schema: read(raw.options_schema),
            linear: raw.kind == abi::kind::LINEAR,
            devices: raw.devices,
            dtypes: raw.dtypes,
        };
        if descriptor.id.is_empty() {
            return Err("its id is empty");
        }
        if raw.kind > abi::kind::CUSTOM {
            return Err("its kind is neither linear nor custom");
        }
        if !descriptor.linear && descriptor.dtypes & (abi::dtype::F32 | abi::dtype::F64) == 0 {
            return Err("it predicts from arrays, but declares no number type");
        }
        Ok(descriptor)
    }
}
