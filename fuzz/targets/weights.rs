//! Safetensors files: the header of whatever file, and every tensor that it names.

#![no_main]

use dtrp_models::weights::WeightsFile;
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| dtrp_fuzz::folder("weights").join("weights.safetensors"));

fuzz_target!(|bytes: &[u8]| {
    dtrp_fuzz::write(&FILE, bytes);
    let Ok(file) = WeightsFile::open(&FILE) else {
        return;
    };
    let mut length = 0;
    file.bytes(|piece| length += piece.len()).unwrap();
    assert_eq!(length, bytes.len());
    for name in file.names() {
        let shape = file.shape(name).unwrap();
        let _ = file.element_type(name).unwrap();
        if let Ok(tensor) = file.tensor(name) {
            assert_eq!(tensor.size(), shape, "`{name}`");
        }
    }
});
