//! The header against its mirrors: as C11 and as C++17, without a warning, every size and offset equal.

use dtrp_predictors::abi::{self, layout::STRUCTS};
use std::{env, fmt::Write as _, path::Path, process::Command};

/// Compiles `source` with all warnings as errors, without linking.
fn compile(compiler: &str, fallback: &str, standard: &str, extension: &str, source: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join(format!("check.{extension}"));
    std::fs::write(&file, source).expect("a source file");
    let compiler = env::var(compiler).unwrap_or_else(|_| fallback.into());
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let output = Command::new(&compiler)
        .args([
            standard,
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-fsyntax-only",
            "-I",
        ])
        .args([&include, &file])
        .output()
        .unwrap_or_else(|error| panic!("cannot run the compiler {compiler}: {error}"));
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn assertions(keyword: &str) -> String {
    let mut source = String::from("#include \"dtrp_predictor.h\"\n");
    let mut claim = |what: String, value: usize| {
        writeln!(source, "{keyword}({what} == {value}, \"{what}\");").expect("writing to a string");
    };
    for s in STRUCTS {
        claim(format!("sizeof({})", s.name), s.size);
        for field in s.fields {
            claim(format!("offsetof({}, {})", s.name, field.name), field.offset);
            claim(format!("sizeof((({} *)0)->{})", s.name, field.name), field.size);
        }
    }
    for (name, value) in [
        ("DTRP_ABI_MAJOR", abi::MAJOR as usize),
        ("DTRP_ABI_MINOR", abi::MINOR as usize),
        ("DTRP_OK", abi::status::OK as usize),
        ("DTRP_ERROR", abi::status::ERROR as usize),
        ("DTRP_INVALID_OPTION", abi::status::INVALID_OPTION as usize),
        ("DTRP_UNKNOWN_PREDICTOR", abi::status::UNKNOWN_PREDICTOR as usize),
        ("DTRP_UNSUPPORTED", abi::status::UNSUPPORTED as usize),
        ("DTRP_INVALID_STATE", abi::status::INVALID_STATE as usize),
        ("DTRP_PANIC", abi::status::PANIC as usize),
        ("DTRP_CPU", abi::device::CPU as usize),
        ("DTRP_CUDA", abi::device::CUDA as usize),
        ("DTRP_ON_CPU", abi::device::CPU as usize),
        ("DTRP_ON_CUDA", abi::device::CUDA as usize),
        ("DTRP_SGD", abi::optimizer::SGD as usize),
        ("DTRP_ADAM", abi::optimizer::ADAM as usize),
        ("DTRP_LINEAR", abi::kind::LINEAR as usize),
        ("DTRP_CUSTOM", abi::kind::CUSTOM as usize),
        ("DTRP_READS_DIRECTION", abi::inputs::DIRECTION as usize),
        ("DTRP_READS_GRADIENT", abi::inputs::GRADIENT as usize),
        ("DTRP_READS_DISPLACEMENT", abi::inputs::DISPLACEMENT as usize),
        ("DTRP_IN_F32", abi::dtype::F32 as usize),
        ("DTRP_IN_F64", abi::dtype::F64 as usize),
    ] {
        claim(name.into(), value);
    }
    source
}

/// A definition of the entry, as a plug-in would write it.
const DEFINITION: &str = "
static uint32_t count(void) { return 0; }
const dtrp_entry dtrp_predictor_entry = {DTRP_MAGIC, DTRP_ABI_MAJOR, DTRP_ABI_MINOR, sizeof(dtrp_entry), count, 0, 0};
static const dtrp_text text = DTRP_TEXT(\"abc\");
size_t use(void);
size_t use(void) { return text.size; }
";

#[test]
fn as_c11() {
    compile(
        "CC",
        "cc",
        "-std=c11",
        "c",
        &(assertions("_Static_assert") + DEFINITION),
    )
    .expect("compiles");
}

#[test]
fn as_cpp17() {
    compile(
        "CXX",
        "c++",
        "-std=c++17",
        "cpp",
        &(assertions("static_assert") + DEFINITION),
    )
    .expect("compiles");
}

/// The two tests above can fail.
#[test]
fn a_wrong_claim_is_noticed() {
    let wrong = "#include \"dtrp_predictor.h\"\n_Static_assert(sizeof(dtrp_rule) == 47, \"wrong\");\n";
    assert!(compile("CC", "cc", "-std=c11", "c", wrong).is_err());
}

/// Every field of the header is among those that were compared.
#[test]
fn no_field_is_forgotten() {
    let header = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/dtrp_predictor.h"))
        .expect("the header");
    let structs: Vec<_> = header
        .match_indices("typedef struct ")
        .map(|(at, _)| &header[at..])
        .collect();
    assert_eq!(structs.len(), STRUCTS.len());
    for text in structs {
        let name = text["typedef struct ".len()..]
            .split_whitespace()
            .next()
            .expect("a name");
        let body = &text[text.find('{').expect("a body")..text.find(&format!("}} {name};")).expect("an end")];
        let mut code = String::new();
        let mut rest = body;
        while let Some(start) = rest.find("/*") {
            code += &rest[..start];
            rest = &rest[start + rest[start..].find("*/").expect("an end of the comment") + 2..];
        }
        code += rest;
        let fields = code.matches(';').count();
        let mirror = STRUCTS
            .iter()
            .find(|s| s.name == name)
            .unwrap_or_else(|| panic!("no mirror of {name}"));
        assert_eq!(fields, mirror.fields.len(), "{name}");
    }
}
