//! What is said when set-up fails, word for word.

use super::House;
use crate::libtorch::Request;

#[test]
fn failures_are_one_clear_message_and_leave_nothing() {
    let own = "or set LIBTORCH to the folder of a libtorch 2.11.0 that you have";
    let settings = "pip's settings (`python3 -m pip config list`) and run it again";
    let check = |mode: &str, text: &str| {
        let house = House::new().mode(mode);
        assert_eq!(house.error(Request::default()), text, "{mode}");
        assert_eq!(house.cached(), ["setup.lock"], "{mode}");
        assert!(!house.context.link().is_symlink(), "{mode}");
    };
    check(
        "no-pip",
        &format!(
            "error: ROOT/bin/python3 has no pip; libtorch is fetched with it\n  \
             what to do: install it (Debian and Ubuntu: `apt-get install python3-pip`), {own}"
        ),
    );
    check(
        "no-network",
        &format!(
            "error: pip could not reach the package index for tiny 1.0. pip said:\n    \
             WARNING: Retrying after connection broken by NewConnectionError('x')\n    \
             ERROR: No matching distribution found for tiny==1.0\n  \
             what to do: check the network and {settings}, {own}"
        ),
    );
    check(
        "no-version",
        &format!(
            "error: pip could not download tiny 1.0. pip said:\n    \
             ERROR: No matching distribution found for tiny==1.0\n  \
             what to do: check {settings}, {own}"
        ),
    );
}

#[test]
fn a_full_disk_is_told_before_or_when_it_happens() {
    let todo = "what to do: free some space, or set DTRP_CACHE_DIR to a folder on another disk";
    let error = House::new().mode("full").error(Request::default());
    assert!(
        error.starts_with("error: the disk is too full: ROOT/cache/tmp-"),
        "{error}"
    );
    assert!(error.ends_with(todo), "{error}");
    let mut house = House::new();
    house.catalogue.cpu.kept_bytes = 1 << 60;
    let error = house.error(Request::default());
    assert!(
        error.starts_with("error: the disk is too full: ROOT/cache has "),
        "{error}"
    );
    assert!(error.contains(" free, and set-up needs 1152921504.7 GB\n"), "{error}");
    assert_eq!(house.pip_calls(), 0);
}

#[test]
fn no_python_no_platform_no_folder() {
    let mut house = House::new();
    house.context = house.context.with_var("PATH", house.path("workspace"));
    let error = house.error(Request::default());
    assert!(
        error.starts_with("error: python3 is not on the PATH; libtorch is fetched with its pip\n"),
        "{error}"
    );
    house.context.platform = "macos-aarch64".into();
    assert_eq!(
        house.error(Request::default()),
        "error: libtorch can be fetched for linux-x86_64 only, and this is macos-aarch64\n  \
         what to do: set LIBTORCH to the folder of a libtorch 2.11.0, or install PyTorch 2.11.0 and set \
         LIBTORCH_USE_PYTORCH=1"
    );
    for name in ["DTRP_CACHE_DIR", "HOME"] {
        house.context.env.remove(std::ffi::OsStr::new(name));
    }
    let error = house.error(Request::default());
    assert!(error.starts_with("error: no folder for libtorch is known"), "{error}");
}

#[test]
fn a_wheel_with_another_checksum_is_refused() {
    let mut house = House::new();
    let expected = "0".repeat(64);
    let found = std::mem::replace(&mut house.catalogue.cpu.wheels[0].sha256, expected.clone().leak());
    let error = house.error(Request::default());
    assert!(error.contains("whl is not the file that xtask expects\n"), "{error}");
    assert!(
        error.contains(&format!("expected: {expected}\n    SHA-256 found:    {found}\n")),
        "{error}"
    );
    assert_eq!(house.cached(), ["setup.lock"]);
}

#[test]
fn a_folder_in_the_way_of_the_link() {
    let house = House::new();
    std::fs::create_dir(house.context.link()).unwrap();
    assert_eq!(
        house.error(Request::default()),
        "error: ROOT/workspace/.libtorch is neither a link nor a usable libtorch\n  \
         what to do: move it away and run it again"
    );
}
