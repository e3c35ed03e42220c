//! Size of each struct, size and offset of each field: asserted here, compared with the header by a test.

use super::{Context, DataType, Descriptor, Device, Entry, Host, Predictor, Probe, Rule, Tensor, Text, Views};
use std::mem::offset_of;

/// Where one field lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// As the header calls it.
    pub name: &'static str,
    /// From the start of the struct, in bytes.
    pub offset: usize,
    /// In bytes.
    pub size: usize,
}

/// How one struct is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Struct {
    /// As the header calls it.
    pub name: &'static str,
    /// In bytes.
    pub size: usize,
    /// In order.
    pub fields: &'static [Field],
}

/// One struct: name in the header, mirror, size; then name in the header, mirror, offset of each field.
macro_rules! layout {
    ($($c:literal $mirror:ident $size:literal { $($name:literal $field:ident $offset:literal,)+ })+) => {
        $(const _: () = {
            assert!(size_of::<$mirror>() == $size && align_of::<$mirror>() <= 8);
            $(assert!(offset_of!($mirror, $field) == $offset);)+
            // No padding: the fields fill the struct.
            assert!($(size_of_field(|s: &$mirror| &s.$field) +)+ 0 == $size);
        };)+
        /// Every struct of the interface.
        pub const STRUCTS: &[Struct] = &[$(Struct { name: $c, size: $size, fields: &[$(Field {
            name: $name,
            offset: $offset,
            size: size_of_field(|s: &$mirror| &s.$field),
        }),+] }),+];
    };
}

const fn size_of_field<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

layout! {
    "dtrp_text" Text 16 { "data" data 0, "size" size 8, }
    "dtrp_device" Device 8 { "type" kind 0, "id" id 4, }
    "dtrp_dtype" DataType 4 { "code" code 0, "bits" bits 1, "lanes" lanes 2, }
    "dtrp_tensor" Tensor 48 {
        "data" data 0, "device" device 8, "ndim" ndim 16, "dtype" dtype 20, "shape" shape 24, "strides" strides 32,
        "byte_offset" byte_offset 40,
    }
    "dtrp_context" Context 96 {
        "struct_size" struct_size 0, "module" module 8, "modules" modules 12, "update" update 16,
        "learning_rates" learning_rates 24, "horizon" horizon 32, "optimizer" optimizer 36, "momentum" momentum 40,
        "weight_decay" weight_decay 48, "beta1" beta1 56, "beta2" beta2 64, "epsilon" epsilon 72, "nesterov" nesterov 80,
        "decoupled" decoupled 84, "stream" stream 88,
    }
    "dtrp_views" Views 40 {
        "struct_size" struct_size 0, "weights" weights 8, "direction" direction 16, "gradient" gradient 24,
        "displacement" displacement 32,
    }
    "dtrp_probe" Probe 64 {
        "struct_size" struct_size 0, "horizon" horizon 8, "reserved" reserved 12,
        "realised_dot_direction" realised_dot_direction 16, "direction_norm2" direction_norm2 24,
        "realised_norm2" realised_norm2 32, "predicted_norm2" predicted_norm2 40,
        "predicted_dot_realised" predicted_dot_realised 48, "error_norm2" error_norm2 56,
    }
    "dtrp_host" Host 32 {
        "struct_size" struct_size 0, "abi_major" abi_major 8, "abi_minor" abi_minor 12, "set_error" set_error 16,
        "log" log 24,
    }
    "dtrp_rule" Rule 48 {
        "struct_size" struct_size 0, "kind" kind 8, "reserved" reserved 12, "weights" weights 16,
        "direction" direction 24, "gradient" gradient 32, "displacement" displacement 40,
    }
    "dtrp_predictor" Predictor 80 {
        "struct_size" struct_size 0, "data" data 8, "inputs" inputs 16, "reserved" reserved 20, "destroy" destroy 24,
        "rule" rule 32, "predict" predict 40, "observe" observe 48, "feedback" feedback 56, "save" save 64,
        "load" load 72,
    }
    "dtrp_descriptor" Descriptor 120 {
        "struct_size" struct_size 0, "id" id 8, "version" version 24, "description" description 40,
        "formula" formula 56, "licence" licence 72, "options_schema" options_schema 88, "kind" kind 104,
        "devices" devices 108, "dtypes" dtypes 112, "reserved" reserved 116,
    }
    "dtrp_entry" Entry 48 {
        "magic" magic 0, "abi_major" abi_major 8, "abi_minor" abi_minor 12, "struct_size" struct_size 16,
        "count" count 24, "descriptor" descriptor 32, "create" create 40,
    }
}
