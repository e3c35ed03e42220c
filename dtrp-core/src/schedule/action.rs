//! What a worker does in one step.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A batch, or one of its micro-batches: the identity that travels with every activation, gradient and label.
///
/// Written `7` or, where batches are split, `7.2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unit {
    /// Number of the batch in its program, from 1.
    pub batch: u32,
    /// Number of the micro-batch, from 1; 0 stands for the whole batch.
    pub micro: u16,
}

impl Unit {
    /// The whole batch `batch`.
    pub const fn batch(batch: u32) -> Self {
        Self { batch, micro: 0 }
    }

    /// Micro-batch `micro` (from 1) of `batch`.
    pub const fn micro(batch: u32, micro: u16) -> Self {
        Self { batch, micro }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.micro {
            0 => write!(f, "{}", self.batch),
            micro => write!(f, "{}.{micro}", self.batch),
        }
    }
}

/// The kinds of action.
///
/// `Y` is an activation (it travels up, towards the loss), `D` a gradient δ (it travels down).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// `F`: forward without autograd graph; the input is stored.
    Forward,
    /// `G`: forward with graph.
    ForwardGraph,
    /// `R`: forward with graph from the stored input, with the weights current now.
    Recompute,
    /// `B`: vector-Jacobian product, from δ to the weight gradient and the δ of the module below.
    Backward,
    /// `U`: optimizer update.
    Update,
    /// `>Y`: send the activation to the worker above.
    SendY,
    /// `<Y`: receive an activation from the worker below.
    RecvY,
    /// `>D`: send the gradient to the worker below.
    SendD,
    /// `<D`: receive a gradient from the worker above.
    RecvD,
}

impl Op {
    /// Every kind, in the order in which they are documented.
    pub const ALL: [Op; 9] = [
        Op::Forward,
        Op::ForwardGraph,
        Op::Recompute,
        Op::Backward,
        Op::Update,
        Op::SendY,
        Op::RecvY,
        Op::SendD,
        Op::RecvD,
    ];

    /// The letters of the text form: `F G R B U >Y <Y >D <D`.
    pub const fn token(self) -> &'static str {
        match self {
            Op::Forward => "F",
            Op::ForwardGraph => "G",
            Op::Recompute => "R",
            Op::Backward => "B",
            Op::Update => "U",
            Op::SendY => ">Y",
            Op::RecvY => "<Y",
            Op::SendD => ">D",
            Op::RecvD => "<D",
        }
    }

    /// The name in the JSON form: `F G R B U SEND_Y RECV_Y SEND_D RECV_D`.
    pub const fn json_name(self) -> &'static str {
        match self {
            Op::SendY => "SEND_Y",
            Op::RecvY => "RECV_Y",
            Op::SendD => "SEND_D",
            Op::RecvD => "RECV_D",
            compute => compute.token(),
        }
    }

    /// Whether the action moves data instead of computing.
    pub const fn is_message(self) -> bool {
        matches!(self, Op::SendY | Op::RecvY | Op::SendD | Op::RecvD)
    }

    /// Whether the action waits for a neighbour's message.
    pub const fn is_receive(self) -> bool {
        matches!(self, Op::RecvY | Op::RecvD)
    }

    /// Whether this is a batch's first forward through a module (`F` or `G`).
    pub const fn is_first_forward(self) -> bool {
        matches!(self, Op::Forward | Op::ForwardGraph)
    }

    /// Whether the action builds an autograd graph (`G` or `R`).
    pub const fn builds_graph(self) -> bool {
        matches!(self, Op::ForwardGraph | Op::Recompute)
    }

    /// The worker (from 1) at the other end of a message of `worker`; 0 is "below the first".
    pub const fn peer(self, worker: usize) -> Option<usize> {
        match self {
            Op::SendY | Op::RecvD => Some(worker + 1),
            Op::RecvY | Op::SendD => Some(worker - 1),
            _ => None,
        }
    }

    /// For a receive the send that it waits for, and the reverse.
    pub const fn counterpart(self) -> Option<Op> {
        match self {
            Op::SendY => Some(Op::RecvY),
            Op::RecvY => Some(Op::SendY),
            Op::SendD => Some(Op::RecvD),
            Op::RecvD => Some(Op::SendD),
            _ => None,
        }
    }
}

/// One action of one worker.
///
/// In text `F3@1+2` reads: forward of batch 3 with weight version 1, predicted 2 updates ahead. A message has neither
/// version nor horizon: `>Y3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    /// What is done.
    pub op: Op,
    /// To which batch or micro-batch.
    pub unit: Unit,
    /// The weight version read; for an update the version made. Versions count the module's updates from the start of
    /// the program. 0 for messages.
    pub version: u32,
    /// For a forward with predicted weights: how many updates ahead they are predicted. `None`: current weights.
    pub horizon: Option<u32>,
}

impl Action {
    /// An action whose version and horizon are not known yet.
    pub const fn new(op: Op, unit: Unit) -> Self {
        Self {
            op,
            unit,
            version: 0,
            horizon: None,
        }
    }

    /// Whether it uses weights predicted at least one update ahead. No update ahead means the current weights: nothing is
    /// computed to predict them.
    pub fn is_ahead(&self) -> bool {
        self.horizon.is_some_and(|horizon| horizon > 0)
    }

    /// The token without version and horizon: `F3`.
    pub fn short(&self) -> String {
        format!("{}{}", self.op.token(), self.unit)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.op.token(), self.unit)?;
        if !self.op.is_message() {
            write!(f, "@{}", self.version)?;
            if let Some(horizon) = self.horizon {
                write!(f, "+{horizon}")?;
            }
        }
        Ok(())
    }
}

/// Why a token is not an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{token}` is not an action: {reason}")]
pub struct ActionParseError {
    /// The text that was read.
    pub token: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl FromStr for Action {
    type Err = ActionParseError;

    fn from_str(token: &str) -> Result<Self, Self::Err> {
        let fail = |reason| ActionParseError {
            token: token.chars().take(40).collect(),
            reason,
        };
        let (op, rest) = Op::ALL
            .iter()
            .find_map(|op| Some((*op, token.strip_prefix(op.token())?)))
            .ok_or_else(|| fail("it starts with none of F G R B U >Y <Y >D <D"))?;
        let (unit, version) = match rest.split_once('@') {
            Some((unit, version)) => (unit, Some(version)),
            None => (rest, None),
        };
        let (batch, micro) = match unit.split_once('.') {
            Some((batch, micro)) => (batch, Some(micro)),
            None => (unit, None),
        };
        let batch = number(batch).filter(|b| *b > 0);
        let batch = batch.ok_or_else(|| fail("the batch must be a whole number from 1, without leading zeros"))?;
        let micro = match micro {
            None => 0,
            Some(text) => number(text)
                .and_then(|m| u16::try_from(m).ok())
                .filter(|m| *m > 0)
                .ok_or_else(|| fail("the micro-batch must be a whole number from 1 to 65535"))?,
        };
        let unit = Unit { batch, micro };
        match (op.is_message(), version) {
            (true, Some(_)) => Err(fail("a message has no weight version")),
            (true, None) => Ok(Action::new(op, unit)),
            (false, None) => Err(fail("the weight version is missing, as in `F3@1`")),
            (false, Some(text)) => {
                let (version, horizon) = match text.split_once('+') {
                    Some((version, horizon)) => (version, Some(horizon)),
                    None => (text, None),
                };
                let version = number(version).ok_or_else(|| fail("the weight version must be a whole number"))?;
                let horizon = match horizon {
                    None => None,
                    Some(_) if !op.is_first_forward() => {
                        return Err(fail("only F and G have a horizon"));
                    }
                    Some(text) => Some(number(text).ok_or_else(|| fail("the horizon must be a whole number"))?),
                };
                Ok(Action {
                    op,
                    unit,
                    version,
                    horizon,
                })
            }
        }
    }
}

/// A whole number in its one canonical spelling: digits only, no sign, no leading zero.
fn number(text: &str) -> Option<u32> {
    let canonical =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}
