//! Parts of a network that start anew, whatever weights there are to start from.

use crate::ModelError;
use crate::registry::Network;
use dtrp_core::torch::{Init, Start};
use dtrp_text::UnknownName;

/// Names in which `*` stands for any characters, as many as there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fresh(Vec<String>);

impl Fresh {
    /// The parameters and running statistics of `network` with these names.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unknown`] where one of them is the name of nothing.
    pub fn of(network: &Network, patterns: &[String]) -> Result<Self, ModelError> {
        let params = network.blocks.iter().flat_map(|block| &block.params);
        let buffers = network.blocks.iter().flat_map(|block| &block.buffers);
        let names = params.map(|spec| &spec.name).chain(buffers.map(|spec| &spec.name));
        let names: Vec<&str> = names.map(String::as_str).collect();
        let nothing = |pattern: &&String| !names.iter().any(|name| fits(pattern, name));
        match patterns.iter().find(nothing) {
            None => Ok(Self(patterns.to_vec())),
            Some(pattern) => Err(UnknownName::new("parameter", pattern, names).into()),
        }
    }

    /// The same network whose parameters and running statistics with these names start anew, where their values were given.
    ///
    /// # Errors
    ///
    /// [`ModelError::Anew`] for one of which it is not known how.
    pub fn applied(&self, mut network: Network) -> Result<Network, ModelError> {
        for block in &mut network.blocks {
            for param in block.params.iter_mut().filter(|param| self.has(&param.name)) {
                match (&param.init, param.anew.take()) {
                    (_, Some(init)) => param.init = init,
                    (Init::Given(_), None) => {
                        return Err(ModelError::Anew {
                            name: param.name.clone(),
                        });
                    }
                    _ => {}
                }
            }
            for buffer in block.buffers.iter_mut().filter(|buffer| self.has(&buffer.name)) {
                match (&buffer.start, buffer.anew.take()) {
                    (Start::Given(given), Some(value)) => buffer.start = given.filled(value),
                    (Start::Given(_), None) => {
                        return Err(ModelError::Anew {
                            name: buffer.name.clone(),
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(network)
    }

    /// Whether what has this name starts anew.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| fits(pattern, name))
    }
}

/// Whether `name` is `pattern`, in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| fits(rest, &name[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, fit) in [
            ("fc.weight", "fc.weight", true),
            ("fc.weight", "fc.weights", false),
            ("fc.*", "fc.bias", true),
            ("fc.*", "fc2.bias", false),
            ("*", "anything", true),
            ("*.bias", "a.b.bias", true),
            ("layer*.bn*.weight", "layer2.0.bn1.weight", true),
            ("layer*.bn*.weight", "layer2.0.conv1.weight", false),
            ("**", "", true),
            ("é*", "éà", true),
        ] {
            assert_eq!(fits(pattern, name), fit, "{pattern} {name}");
        }
    }
}
