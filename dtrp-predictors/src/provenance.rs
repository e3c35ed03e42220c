//! Where a predictor comes from: what a log and a result must say for anyone to find it again.

use crate::{PredictorError, Spec, describe};
use std::{fmt, path::PathBuf};

/// Which predictor it is, exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provenance {
    /// Its name; of a plug-in, its id.
    pub name: String,
    /// Of the predictor, as it says itself.
    pub version: String,
    /// The file that it was loaded from, if it is a plug-in.
    pub plugin: Option<PluginFile>,
}

/// The shared library of a plug-in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginFile {
    /// Absolute.
    pub path: PathBuf,
    /// SHA-256 of the file as it was loaded, in hexadecimal.
    pub sha256: String,
    /// Major and minor version of the interface that it was built against.
    pub abi: (u32, u32),
}

/// Where the predictor that `spec` asks for comes from. Loads the library of a plug-in unless it is loaded already.
///
/// # Errors
///
/// [`PredictorError::UnknownPredictor`], and for a plug-in the [`PredictorError::Plugin`] of one that cannot be loaded or
/// does not hold the id.
pub fn provenance(spec: &Spec) -> Result<Provenance, PredictorError> {
    let Some(path) = &spec.plugin else {
        let description = describe(&spec.name)?;
        return Ok(Provenance {
            name: description.name.into(),
            version: description.version.into(),
            plugin: None,
        });
    };
    #[cfg(feature = "host")]
    {
        let library = crate::loader::Library::open(path)?;
        let descriptor = library.descriptor(&spec.name)?;
        Ok(Provenance {
            name: descriptor.id.clone(),
            version: descriptor.version.clone(),
            plugin: Some(PluginFile {
                path: library.path().into(),
                sha256: library.sha256().into(),
                abi: library.abi(),
            }),
        })
    }
    #[cfg(not(feature = "host"))]
    Err(crate::PluginError::NoLoader { path: path.clone() }.into())
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)?;
        match &self.plugin {
            Some(file) => write!(f, " of {} (SHA-256 {})", file.path.display(), file.sha256),
            None => Ok(()),
        }
    }
}
