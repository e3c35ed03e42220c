//! Functions that end a process, in the place of the system's, which a shared library then finds first: a plug-in that calls
//! them must not make a run look finished that is not.

use dtrp_predictors::loader::foreign_exit;
use std::ffi::c_int;

#[unsafe(no_mangle)]
extern "C" fn exit(code: c_int) -> ! {
    foreign_exit(code, true)
}

#[unsafe(no_mangle)]
extern "C" fn _exit(code: c_int) -> ! {
    foreign_exit(code, false)
}

#[unsafe(no_mangle)]
extern "C" fn _Exit(code: c_int) -> ! {
    foreign_exit(code, false)
}

#[unsafe(no_mangle)]
extern "C" fn quick_exit(code: c_int) -> ! {
    foreign_exit(code, false)
}
