//! `cargo xtask schemas`: the JSON schemas in the repository, from the types.

use crate::cargo;
use crate::context::Context;
use crate::error::{Error, Result};

/// As `dtrp schema` names them.
const NAMES: [&str; 3] = ["config", "metrics", "summary"];

/// Writes them anew.
pub(crate) fn run(context: &Context) -> Result<()> {
    let folder = context.workspace.join("schemas");
    std::fs::create_dir_all(&folder).map_err(Error::io(format!("make the folder {}", folder.display())))?;
    for name in NAMES {
        let mut dtrp = context.cargo();
        dtrp.args([
            "run",
            "--quiet",
            "--package",
            "dtrp-cli",
            "--bin",
            "dtrp",
            "--",
            "schema",
            name,
        ]);
        let path = folder.join(format!("{name}.schema.json"));
        std::fs::write(&path, cargo::read(&mut dtrp)?).map_err(Error::io(format!("write {}", path.display())))?;
        println!("{}", path.display());
    }
    Ok(())
}
