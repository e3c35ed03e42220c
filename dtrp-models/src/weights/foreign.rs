//! Files that people take for weights, by how they begin.

/// As many bytes as are looked at.
pub(super) const SHOWS: u64 = 512;

/// What a file is that begins so, and what to do, as the rest of a sentence; `None` where it may be a safetensors file.
pub(super) fn recognise(beginning: &[u8]) -> Option<String> {
    // Eight bytes of a length, which can be any other format's first ones, and a JSON object.
    if beginning.get(4..9) == Some(b"\0\0\0\0{") {
        return None;
    }
    let text = String::from_utf8_lossy(beginning);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let starts = |magic: &[u8]| beginning.starts_with(magic);
    let convert = "write its tensors as safetensors: docs/models.md has the lines of Python for it";
    if beginning.is_empty() {
        return Some("is empty: copy or download it again".to_owned());
    }
    if starts(b"PK\x03\x04") {
        return Some(format!(
            "is a zip archive, as PyTorch writes .pth and .pt files; {convert}"
        ));
    }
    // A pickle of protocol 2 to 5.
    if let [0x80, 2..=5, ..] = beginning {
        return Some(format!(
            "is a Python pickle, as older PyTorch writes .pth and .pt files; {convert}"
        ));
    }
    if text.starts_with("version https://git-lfs.github.com/spec/") {
        let what = "is a git-lfs pointer, which stands for the file: fetch the file itself with `git lfs pull`";
        return Some(what.to_owned());
    }
    let lower = text.get(..text.len().min(16)).unwrap_or(text).to_lowercase();
    if lower.starts_with("<!doctype") || lower.starts_with("<html") || lower.starts_with("<?xml") {
        let what =
            "is a web page, not weights: the address it was downloaded from shows a page; download the file itself";
        return Some(what.to_owned());
    }
    // The first eight bytes of a safetensors file are a length, whose highest byte is 0.
    if text.starts_with(['{', '[']) && beginning.get(..8).is_none_or(|length| !length.contains(&0)) {
        let what = "is JSON, not weights: if it is the index of several .safetensors files, make one file of them";
        return Some(what.to_owned());
    }
    if starts(b"\x89HDF\r\n") {
        return Some("is an HDF5 file, as Keras writes; only .safetensors files can be read".to_owned());
    }
    if starts(b"GGUF") {
        return Some("is a GGUF file; only .safetensors files can be read".to_owned());
    }
    if starts(b"\x93NUMPY") {
        return Some(format!("is a NumPy array; {convert}"));
    }
    if starts(b"\x1f\x8b") {
        return Some("is compressed with gzip: unpack it first".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_something_else() {
        for (beginning, says) in [
            (&b""[..], "empty"),
            (b"PK\x03\x04\x00\x00", "zip archive"),
            (b"\x80\x02}q\x00", "pickle"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n",
                "git lfs pull",
            ),
            (b"\n<!DOCTYPE html><html>", "web page"),
            (b"{\"metadata\": {\"total_size\": 3}}", "is JSON"),
            (b"\x89HDF\r\n\x1a\n", "HDF5"),
            (b"\x1f\x8b\x08", "gzip"),
        ] {
            let told = recognise(beginning).unwrap_or_default();
            assert!(told.contains(says), "{beginning:?}: {told}");
        }
        // A header of 123 bytes: its length is the byte `{`.
        assert_eq!(recognise(b"{\0\0\0\0\0\0\0{\"a\": "), None);
        assert_eq!(recognise(b"\x10\0\0\0\0\0\0\0{}"), None);
        // Of 896 bytes: so begins a pickle of protocol 3. And of 67,324,752: a zip archive.
        assert_eq!(recognise(b"\x80\x03\0\0\0\0\0\0{\"a\": "), None);
        assert_eq!(recognise(b"PK\x03\x04\0\0\0\0{\"a\": "), None);
    }
}
