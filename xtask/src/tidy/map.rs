//! The code map of `ARCHITECTURE.md` as data: what the rooms know nothing of.

use super::names::{Name, names};
use super::sources::Source;

/// A room, and what must not be named in it. Modules of tests may name everything.
struct Room {
    /// A folder or file of the workspace.
    path: &'static str,
    /// Files and folders in it of which this does not hold, or the beginnings of their names.
    except: &'static [&'static str],
    /// Of each of these the room names nothing but what is listed, and itself.
    only: &'static [(&'static str, &'static [&'static str])],
    /// Lists of paths, macros, and texts in quotes.
    never: &'static [&'static [&'static str]],
}

/// The tensor library.
const TENSORS: &[&str] = &["tch", "torch_sys"];

/// What runs beside something else, or keeps such apart.
const THREADS: &[&str] = &["std::thread", "std::sync", "crossbeam_channel"];

/// Clocks.
const TIME: &[&str] = &["std::time"];

/// What people see and type, and the process that they started.
const FRONT: &[&str] = &[
    "clap",
    "indicatif",
    "serde_yaml",
    "signal_hook",
    "println!",
    "print!",
    "eprintln!",
    "eprint!",
    "dbg!",
];

/// Methods by name: who wants to know something of a method asks it for the fact.
const METHODS: &[&str] = &[
    "crate::schedule::methods",
    "\"bp\"",
    "\"gpipe\"",
    "\"1f1b\"",
    "\"ddg\"",
    "\"features-replay\"",
    "\"fdg\"",
    "\"dsp\"",
    "\"dtrp\"",
    "\"local\"",
    "\"pipedream\"",
    "\"spectrain\"",
];

/// The column *knows nothing of*. What the packages must not need at all is in `dependencies`.
const ROOMS: [Room; 15] = [
    Room {
        path: "dtrp-core/",
        except: &["dtrp-core/src/torch/", "dtrp-core/tests/torch", "dtrp-core/build.rs"],
        only: &[],
        never: &[TENSORS],
    },
    Room {
        path: "dtrp-core/src/",
        except: &[],
        only: &[],
        never: &[FRONT],
    },
    Room {
        path: "dtrp-core/src/schedule/",
        except: &[],
        only: &[("crate", &["words"])],
        never: &[TIME, THREADS],
    },
    Room {
        path: "dtrp-core/src/analysis/",
        except: &[],
        only: &[("crate", &["schedule"])],
        never: &[THREADS, METHODS],
    },
    Room {
        path: "dtrp-core/src/costs/",
        except: &[],
        only: &[("crate", &["analysis", "schedule"])],
        never: &[THREADS, METHODS],
    },
    Room {
        path: "dtrp-core/src/simulate/",
        except: &[],
        only: &[("crate", &["analysis", "costs", "schedule", "trace"])],
        never: &[THREADS, METHODS],
    },
    Room {
        path: "dtrp-core/src/partition/",
        except: &[],
        only: &[("crate", &["costs"])],
        never: &[TIME, THREADS],
    },
    Room {
        path: "dtrp-core/src/trace/",
        except: &[],
        only: &[("crate", &["schedule", "words"])],
        never: &[THREADS, METHODS],
    },
    Room {
        path: "dtrp-core/src/engine/",
        except: &[],
        only: &[("crate", &["analysis", "schedule", "trace", "words"])],
        never: &[METHODS],
    },
    Room {
        path: "dtrp-core/src/torch/",
        except: &[],
        only: &[
            ("crate", &["engine", "random", "schedule", "words"]),
            // What happens, but not who decided on it.
            ("crate::schedule", &["Action", "Op", "Program", "Unit"]),
        ],
        never: &[METHODS],
    },
    Room {
        path: "dtrp-core/src/torch/group/",
        except: &[],
        only: &[("crate::torch", &["TorchError", "saved", "shim"])],
        never: &[],
    },
    Room {
        path: "dtrp-models/src/",
        except: &[],
        only: &[("dtrp_core", &["torch"])],
        never: &[FRONT, METHODS, &["dtrp_data", "dtrp_predictors"]],
    },
    Room {
        path: "dtrp-train/src/",
        except: &[],
        only: &[],
        never: &[FRONT, &["std::env", "std::process", "dtrp_data::fetch"]],
    },
    Room {
        path: "dtrp-cli/src/",
        except: &["dtrp-cli/src/commands/doctor.rs"],
        only: &[("dtrp_core", &["analysis", "costs", "schedule", "simulate", "trace"])],
        never: &[TENSORS, &["dtrp_train::torch"]],
    },
    // What it says of libtorch it asks libtorch itself.
    Room {
        path: "dtrp-cli/src/commands/doctor.rs",
        except: &[],
        only: &[("dtrp_core", &["torch"])],
        never: &[&["dtrp_core::torch::TorchStage", "dtrp_core::torch::evaluate"]],
    },
];

/// What is named where it must not be.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let product = sources.iter().filter(|source| !source.is_test());
    let breaches = product.flat_map(|source| {
        let rooms = ROOMS.iter().filter(|room| room.holds(source));
        let rooms: Vec<_> = rooms.collect();
        let named = if rooms.is_empty() { Vec::new() } else { names(source) };
        let breaches = named.into_iter().filter_map(move |name| {
            let room = rooms.iter().find(|room| room.forbids(&name))?;
            let Name { line, path, .. } = name;
            let room = room.path;
            Some(format!(
                "{}:{line} names {path}, of which {room} knows nothing",
                source.path
            ))
        });
        breaches.collect::<Vec<_>>()
    });
    breaches.collect()
}

impl Room {
    fn holds(&self, source: &Source) -> bool {
        let is_in = |place: &&str| source.path.starts_with(*place);
        is_in(&self.path) && !self.except.iter().any(is_in)
    }

    fn forbids(&self, name: &Name) -> bool {
        let is_never = self.never.iter().copied().flatten().any(|never| name.is_in(never));
        let is_other = self.only.iter().any(|(of, parts)| {
            let is_listed = |part: &&str| name.is_in(&format!("{of}::{part}"));
            name.path != *of && name.is_in(of) && !parts.iter().any(is_listed) && !name.is_in(&self.module())
        });
        is_never || is_other
    }

    /// The room's own path: `crate::torch` for `dtrp-core/src/torch/`.
    fn module(&self) -> String {
        let below = self.path.split("src").nth(1).unwrap_or_default();
        format!("crate{}", below.trim_end_matches('/').replace('/', "::"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line is a breach in that file, or, in the second list, none.
    #[test]
    fn a_breach_of_each_rule() {
        let told = |path: &str, text: &str| check(&[Source::new(path, text)]);
        for (path, text) in [
            ("dtrp-core/src/words.rs", "use tch::Tensor;"),
            ("dtrp-core/src/engine/worker.rs", "fn f(x: &tch::Tensor) {}"),
            ("dtrp-core/tests/programs.rs", "use torch_sys;"),
            ("dtrp-core/src/random.rs", "fn f() { println!(\"x\") }"),
            ("dtrp-core/src/schedule/plan.rs", "use std::time::Duration;"),
            ("dtrp-core/src/schedule/plan.rs", "use std::{fmt, sync::Arc};"),
            ("dtrp-core/src/schedule/methods/bp.rs", "use crate::analysis::analyse;"),
            ("dtrp-core/src/analysis/mod.rs", "use std::thread;"),
            (
                "dtrp-core/src/analysis/mod.rs",
                "fn f(m: &str) -> bool { m == \"fdg\" }",
            ),
            ("dtrp-core/src/costs/mod.rs", "use super::simulate::Report;"),
            ("dtrp-core/src/simulate/run.rs", "use crate::engine;"),
            ("dtrp-core/src/partition/mod.rs", "use crate::schedule::Program;"),
            ("dtrp-core/src/trace/record.rs", "use crossbeam_channel::Sender;"),
            ("dtrp-core/src/engine/mod.rs", "use crate::torch::TorchStage;"),
            (
                "dtrp-core/src/engine/mod.rs",
                "use crate::schedule;\nfn f() { schedule::methods::bp() }",
            ),
            (
                "dtrp-core/src/torch/stage/mod.rs",
                "use crate::schedule::{Method, Unit};",
            ),
            ("dtrp-core/src/torch/stage/mod.rs", "const NAME: &str = \"local\";"),
            ("dtrp-core/src/torch/stage/mod.rs", "use crate::partition::partition;"),
            ("dtrp-core/src/torch/group/ferry.rs", "use crate::torch::Activation;"),
            ("dtrp-models/src/cuts.rs", "use dtrp_core::schedule::Plan;"),
            ("dtrp-models/src/lib.rs", "use dtrp_data::Split;"),
            ("dtrp-train/src/fit.rs", "fn f() { eprintln!() }"),
            ("dtrp-train/src/settings/mod.rs", "use serde_yaml as yaml;"),
            ("dtrp-train/src/stop.rs", "fn f() { std::process::exit(1) }"),
            ("dtrp-cli/src/commands/train.rs", "use dtrp_core::engine::run;"),
            (
                "dtrp-cli/src/commands/train.rs",
                "use dtrp_core as core;\nfn f() { core::torch::evaluate() }",
            ),
            ("dtrp-cli/src/report.rs", "use tch::Device;"),
            ("dtrp-cli/src/commands/doctor.rs", "use dtrp_core::torch::TorchStage;"),
        ] {
            let breaches = told(path, text);
            assert_eq!(breaches.len(), 1, "{path}: {text}: {breaches:?}");
            assert!(breaches[0].starts_with(&format!("{path}:")), "{breaches:?}");
        }
        for (path, text) in [
            ("dtrp-core/src/torch/shim.rs", "use tch::Tensor;"),
            ("dtrp-core/tests/torch_stage.rs", "use tch::Tensor;"),
            (
                "dtrp-core/src/schedule/plan.rs",
                "use crate::words::words;\nuse super::program::Order; // std::time",
            ),
            (
                "dtrp-core/src/schedule/plan.rs",
                "//! [`std::time`]\n\n#[cfg(test)]\nmod tests {\n use crate::engine::run;\n}\n",
            ),
            (
                "dtrp-core/src/engine/mod.rs",
                "use crate::engine::link::Link;\nuse std::time::Instant;",
            ),
            (
                "dtrp-core/src/torch/stage/mod.rs",
                "use crate::schedule::Unit;\nuse crate::torch::network::Arena;",
            ),
            ("dtrp-cli/src/commands/doctor.rs", "fn f() { tch::get_num_threads() }"),
            ("dtrp-cli/src/main.rs", "fn f() { println!() }"),
        ] {
            assert_eq!(told(path, text), [""; 0], "{path}");
        }
    }

    #[test]
    fn rooms_exist() {
        let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for room in &ROOMS {
            assert!(workspace.join(room.path).exists(), "{}", room.path);
            let map = std::fs::read_to_string(workspace.join("ARCHITECTURE.md")).unwrap();
            let name = room.path.trim_end_matches("src/");
            assert!(map.contains(&format!("`{name}")), "{name} is not in the map");
        }
    }
}
