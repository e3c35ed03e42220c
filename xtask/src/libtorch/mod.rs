//! Which libtorch is used, and how one is provisioned.
//!
//! Everything in the workspace finds libtorch through one link, `<workspace>/.libtorch`; `.cargo/config.toml` sets
//! `LIBTORCH` to it. So plain `cargo build`, `cargo test` and editors need no variable. The steps:
//!
//! ```text
//! choose      LIBTORCH? LIBTORCH_USE_PYTORCH? else our own     choice.rs
//! check       a folder is a libtorch of the right version      check.rs
//! provision   lock, download, verify, unpack, rename           provision.rs (cache, space, pip, checksum, unpack)
//! link        .libtorch -> the folder, in one step             link.rs
//! ```

pub(crate) mod cache;
mod check;
mod checksum;
mod choice;
mod error;
mod link;
mod pinned;
mod pip;
mod provision;
mod space;
#[cfg(test)]
mod tests;
mod unpack;
mod wheels;

use crate::context::Context;
use choice::Choice;
pub(crate) use error::SetupError;
use std::fmt;
use std::path::PathBuf;
use wheels::Catalogue;

/// The version that the `tch` in `Cargo.toml` speaks to.
pub(crate) const VERSION: &str = "2.11.0";

/// The two kinds of libtorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Runs on the processor.
    Cpu,
    /// Runs on the processor and on NVIDIA GPUs.
    Cuda,
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// What set-up is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Request {
    /// The kind of libtorch; none keeps what is linked, else takes the CPU's.
    pub(crate) flavor: Option<Flavor>,
    /// Provision into the cache again.
    pub(crate) force: bool,
}

/// A libtorch that is checked and linked.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The folder that holds `lib` and `include`.
    pub(crate) folder: PathBuf,
    /// Its kind.
    pub(crate) flavor: Flavor,
    /// What `LIBTORCH` must be for cargo: the user's own folder, else the link.
    pub(crate) variable: PathBuf,
    /// The link was there before, and is as it was.
    pub(crate) unchanged: bool,
    /// The link led to another kind of libtorch before: what was built with that is stale.
    pub(crate) switched: bool,
}

/// Finds or provisions libtorch and links it as `.libtorch`. Takes milliseconds when all is done.
pub(crate) fn set_up(context: &Context, request: Request) -> Result<Ready, SetupError> {
    set_up_from(context, request, &Catalogue::pinned())
}

/// The folder of a libtorch of this kind, from the user or the cache; fetched if need be, but not linked.
pub(crate) fn provide(context: &Context, flavor: Flavor) -> Result<PathBuf, SetupError> {
    match choice::choose(context) {
        Choice::User(folder) => check::users_folder(&folder, Some(flavor)),
        Choice::PyTorch => choice::ask_python(context, Some(flavor)),
        Choice::Own => provision::from_cache_or_pip(context, Catalogue::pinned().set(flavor), false),
    }
}

/// As [`set_up`], with the wheels given (tests bring small ones).
fn set_up_from(context: &Context, request: Request, catalogue: &Catalogue) -> Result<Ready, SetupError> {
    let link = context.link();
    let (folder, variable) = match choice::choose(context) {
        Choice::User(folder) => (check::users_folder(&folder, request.flavor)?, folder),
        Choice::PyTorch => (choice::ask_python(context, request.flavor)?, link.clone()),
        Choice::Own => {
            let linked = check::check(&link).ok();
            if let Some(flavor) = linked
                && !request.force
                && request.flavor.is_none_or(|wanted| wanted == flavor)
            {
                let folder = link::target(&link).unwrap_or_else(|| link.clone());
                let variable = link;
                return Ok(Ready {
                    folder,
                    flavor,
                    variable,
                    unchanged: true,
                    switched: false,
                });
            }
            let flavor = request.flavor.or(linked).unwrap_or(Flavor::Cpu);
            let set = catalogue.set(flavor);
            (provision::from_cache_or_pip(context, set, request.force)?, link.clone())
        }
    };
    let flavor = check::check(&folder).map_err(|problem| SetupError::BadCache {
        folder: folder.clone(),
        problem,
    })?;
    let change = link::point(&link, &folder, flavor)?;
    Ok(Ready {
        folder,
        flavor,
        variable,
        unchanged: change == link::Change::None,
        switched: change == link::Change::Switched,
    })
}
