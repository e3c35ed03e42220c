//! The JSON form of a program, for other programs to read:
//! `{"format": 1, "method": …, "order": …, "modules": K, "batches": N, "micro_batches": m, "workers": [[…], …]}`.
//!
//! An action is `{"op": "F", "batch": 1, "version": 0, "horizon": 3}`; with `micro` where batches are split, `peer` and
//! neither version nor horizon on messages, `horizon` only on predicted forwards.

use super::action::{Action, Op, Unit};
use super::program::Program;
use super::text::MOST_WORKERS;
use dtrp_text::{UnknownName, shortened};
use serde::{Deserialize, Serialize};

/// The version of the JSON form that this build reads and writes.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramJson {
    format: u32,
    method: String,
    order: String,
    modules: usize,
    batches: u32,
    #[serde(default = "one")]
    micro_batches: u16,
    workers: Vec<Vec<ActionJson>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionJson {
    op: String,
    batch: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    micro: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    horizon: Option<u32>,
}

fn one() -> u16 {
    1
}

/// Why a JSON text is not a program.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It is not JSON of the documented shape.
    #[error("not a program in JSON: {0}")]
    Shape(#[from] serde_json::Error),
    /// A field has a value that it cannot have.
    #[error("{place}: {message}")]
    Value {
        /// Where: `format`, or `worker 2, action 5`.
        place: String,
        /// What is wrong and what is expected.
        message: String,
    },
}

impl Program {
    /// Writes the JSON form, one line an action.
    pub fn to_json(&self) -> String {
        let head = ProgramJson {
            format: FORMAT,
            method: self.method.clone(),
            order: self.order.to_string(),
            modules: self.modules(),
            batches: self.batches,
            micro_batches: self.micro_batches,
            workers: Vec::new(),
        };
        // Plain structs of strings and numbers cannot fail to serialise.
        let head = serde_json::to_string(&head).unwrap_or_default();
        let mut out = head.trim_end_matches("[]}").to_owned();
        out.push('[');
        for (k, actions) in (1..).zip(&self.workers) {
            out.push_str(if k == 1 { "\n[" } else { ",\n[" });
            for (index, action) in actions.iter().enumerate() {
                let action = serde_json::to_string(&ActionJson::new(action, k)).unwrap_or_default();
                out.push_str(if index == 0 { "\n " } else { ",\n " });
                out.push_str(&action);
            }
            out.push(']');
        }
        out.push_str("]}\n");
        out
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// [`JsonError`] names the place: the line and column, or the worker and action.
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        let json: ProgramJson = serde_json::from_str(text)?;
        let fail = |place: &str, message: String| JsonError::Value {
            place: place.to_owned(),
            message,
        };
        if json.format != FORMAT {
            let message = format!("this is format {}; this build reads format {FORMAT}", json.format);
            return Err(fail("format", message));
        }
        // Otherwise its text form would be read as another program, or as none.
        if json.method.contains('#') || !json.method.split_whitespace().eq([json.method.as_str()]) {
            let message = format!("`{}` is not a single word without `#`", shortened(&json.method));
            return Err(fail("method", message));
        }
        if json.modules == 0 || json.modules != json.workers.len() {
            let message = format!(
                "{} modules, but {} workers; there must be one or more, and as many of each",
                json.modules,
                json.workers.len()
            );
            return Err(fail("modules", message));
        }
        if json.modules > MOST_WORKERS as usize {
            return Err(fail("modules", format!("must be from 1 to {MOST_WORKERS}")));
        }
        if json.micro_batches == 0 {
            return Err(fail("micro_batches", "must be at least 1".to_owned()));
        }
        let order = json
            .order
            .parse()
            .map_err(|e: UnknownName| fail("order", e.to_string()))?;
        let mut workers = Vec::with_capacity(json.modules);
        for (k, actions) in (1..).zip(json.workers) {
            let read = |(index, action): (usize, ActionJson)| {
                action
                    .read(k)
                    .map_err(|message| fail(&format!("worker {k}, action {}", index + 1), message))
            };
            workers.push(actions.into_iter().enumerate().map(read).collect::<Result<_, _>>()?);
        }
        Ok(Program {
            method: json.method,
            order,
            batches: json.batches,
            micro_batches: json.micro_batches,
            workers,
        })
    }
}

impl ActionJson {
    fn new(action: &Action, worker: usize) -> Self {
        let message = action.op.is_message();
        Self {
            op: action.op.json_name().to_owned(),
            batch: action.unit.batch,
            micro: Some(action.unit.micro).filter(|m| *m > 0),
            peer: action.op.peer(worker),
            version: (!message).then_some(action.version),
            horizon: action.horizon,
        }
    }

    fn read(self, worker: usize) -> Result<Action, String> {
        let op = Op::ALL.into_iter().find(|op| op.json_name() == self.op);
        let op = op.ok_or_else(|| {
            format!(
                "unknown op `{}`; the ops are {}",
                self.op,
                Op::ALL.map(Op::json_name).join(" ")
            )
        })?;
        if self.batch == 0 || self.micro == Some(0) {
            return Err("batches and micro-batches are numbered from 1".to_owned());
        }
        if op.is_message() {
            if self.version.is_some() || self.horizon.is_some() {
                return Err("a message has no weight version and no horizon".to_owned());
            }
            if self.peer.is_some() && self.peer != op.peer(worker) {
                let peer = op.peer(worker).unwrap_or_default();
                return Err(format!("the peer of {} of worker {worker} is worker {peer}", self.op));
            }
        } else if self.peer.is_some() {
            return Err("only messages have a peer".to_owned());
        } else if self.version.is_none() {
            return Err("the weight version is missing".to_owned());
        } else if self.horizon.is_some() && !op.is_first_forward() {
            return Err("only F and G have a horizon".to_owned());
        }
        Ok(Action {
            op,
            unit: Unit {
                batch: self.batch,
                micro: self.micro.unwrap_or(0),
            },
            version: self.version.unwrap_or(0),
            horizon: self.horizon,
        })
    }
}
