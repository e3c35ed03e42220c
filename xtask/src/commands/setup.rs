//! `cargo xtask setup`: libtorch, found or fetched, and linked.

use crate::cargo;
use crate::context::Context;
use crate::error::Result;
use crate::libtorch::{self, Ready, Request, VERSION};

/// The command: sets up and says where libtorch is.
pub(crate) fn run(context: &Context, request: Request) -> Result<()> {
    let (_, ready) = set_up(context, request)?;
    println!("{}", describe(&ready));
    Ok(())
}

/// For the other commands: sets up, in silence if all is done, and returns the context to build with.
pub(crate) fn ensure(context: &Context, request: Request) -> Result<Context> {
    let (context, ready) = set_up(context, request)?;
    if !ready.unchanged {
        eprintln!("{}", describe(&ready));
    }
    Ok(context)
}

fn set_up(context: &Context, request: Request) -> Result<(Context, Ready)> {
    let ready = libtorch::set_up(context, request)?;
    let context = context.with_var("LIBTORCH", &ready.variable);
    if ready.switched {
        forget_builds(&context);
    }
    Ok((context, ready))
}

fn describe(ready: &Ready) -> String {
    format!(
        "libtorch {VERSION} ({}) ready in {}",
        ready.flavor,
        ready.folder.display()
    )
}

/// The build script of torch-sys looks at which libraries there are, but cargo does not know: `LIBTORCH` is the same
/// link as before. So what it built for the other kind of libtorch has to go.
fn forget_builds(context: &Context) {
    eprintln!("another kind of libtorch than before: torch-sys will be built again");
    for profile in ["dev", "release"] {
        let mut clean = context.cargo();
        clean.args(["clean", "--quiet", "--package", "torch-sys", "--profile", profile]);
        if let Err(error) = cargo::run(&mut clean) {
            eprintln!("warning: {error}; if linking fails, run `cargo clean`");
        }
    }
}
