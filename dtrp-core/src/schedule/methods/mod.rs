//! The training methods. Each is a pure function from a [`Plan`] to the computations of every worker; the passes that
//! all of them share add messages, weight versions and horizons.
//!
//! To add one: write a file like [`bp`](self), with one `Method` constant, and name it in `METHODS`.

mod bp;
mod ddg;
mod dsp;
mod dtrp;
mod fdg;
mod features_replay;
mod gpipe;
mod local;
mod one_forward_one_backward;
mod pipedream;
mod shapes;
mod spectrain;

use super::action::Action;
use super::passes::{self, Predict};
use super::program::{Order, Program};

/// Everything that a method needs to know to lay out its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// K, the number of modules.
    pub modules: usize,
    /// N, the number of batches.
    pub batches: u32,
    /// The order; `None` takes the method's default.
    pub order: Option<Order>,
    /// m: each batch is split into so many micro-batches (1: not at all).
    pub micro_batches: u16,
    /// M: one update for so many batches (1: for every batch).
    pub accumulate: u32,
}

impl Plan {
    /// `batches` batches through `modules` modules, everything else by default.
    pub fn new(modules: usize, batches: u32) -> Self {
        Self {
            modules,
            batches,
            order: None,
            micro_batches: 1,
            accumulate: 1,
        }
    }

    /// The same plan in this order.
    pub fn order(self, order: Order) -> Self {
        Self {
            order: Some(order),
            ..self
        }
    }

    /// The same plan with every batch split into `micro_batches`.
    pub fn micro_batches(self, micro_batches: u16) -> Self {
        Self { micro_batches, ..self }
    }

    /// The same plan with one update for every `accumulate` batches.
    pub fn accumulate(self, accumulate: u32) -> Self {
        Self { accumulate, ..self }
    }
}

/// A training method: a name, what it offers, and the function that lays out its computations.
#[derive(Debug)]
pub struct Method {
    /// The name in YAML, on the command line and in programs.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// The orders that it can be laid out in, the default first.
    pub orders: &'static [Order],
    /// Whether batches can be split into micro-batches.
    pub micro_batches: bool,
    /// Whether gradients can be accumulated over several batches.
    pub accumulate: bool,
    /// Whether gradients travel between modules (not with local losses).
    pub gradients: bool,
    pub(crate) predict: Predict,
    pub(crate) compute: fn(&Plan, Order) -> Vec<Vec<Action>>,
}

/// Why a method cannot make a program from a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// No method has this name.
    #[error("unknown method `{name}`; the methods are {known}")]
    UnknownMethod {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The plan has a number that no program can have.
    #[error("{what} must be at least 1")]
    Zero {
        /// Which number.
        what: &'static str,
    },
    /// The method cannot be laid out in this order.
    #[error("method `{method}` has no order `{order}`; it can be {known}")]
    Order {
        /// The method.
        method: &'static str,
        /// The order asked for.
        order: Order,
        /// The orders that it has.
        known: String,
    },
    /// The method does not have this option.
    #[error("method `{method}` has no {what}: leave it at 1, or choose one of {known}")]
    Option {
        /// The method.
        method: &'static str,
        /// The option asked for.
        what: &'static str,
        /// The methods that have it.
        known: String,
    },
}

static METHODS: [&Method; 11] = [
    &bp::METHOD,
    &gpipe::METHOD,
    &one_forward_one_backward::METHOD,
    &ddg::METHOD,
    &features_replay::METHOD,
    &fdg::METHOD,
    &dsp::METHOD,
    &dtrp::METHOD,
    &pipedream::METHOD,
    &spectrain::METHOD,
    &local::METHOD,
];

impl Method {
    /// Every method, plain backpropagation first.
    pub fn all() -> &'static [&'static Method] {
        &METHODS
    }

    /// The method with this name.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::UnknownMethod`], with the names that exist.
    pub fn named(name: &str) -> Result<&'static Method, ScheduleError> {
        METHODS
            .iter()
            .copied()
            .find(|m| m.name == name)
            .ok_or_else(|| ScheduleError::UnknownMethod {
                name: name.to_owned(),
                known: names(|_| true),
            })
    }

    /// Lays out the plan: the complete program, with messages, weight versions and horizons.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`] when the plan asks for something that the method does not have.
    pub fn program(&self, plan: &Plan) -> Result<Program, ScheduleError> {
        let order = self.check(plan)?;
        let computations = (self.compute)(plan, order);
        let mut workers = passes::place_messages(computations, self.gradients);
        passes::count_versions(&mut workers, self.predict);
        Ok(Program {
            method: self.name.to_owned(),
            order,
            batches: plan.batches,
            micro_batches: plan.micro_batches,
            workers,
        })
    }

    fn check(&self, plan: &Plan) -> Result<Order, ScheduleError> {
        let counts = [
            ("the number of modules", plan.modules),
            ("the number of micro-batches", plan.micro_batches.into()),
            ("the number of accumulated batches", plan.accumulate as usize),
        ];
        if let Some((what, _)) = counts.into_iter().find(|(_, n)| *n == 0) {
            return Err(ScheduleError::Zero { what });
        }
        let option = |what, known| ScheduleError::Option {
            method: self.name,
            what,
            known,
        };
        if plan.micro_batches > 1 && !self.micro_batches {
            return Err(option("micro-batches", names(|m| m.micro_batches)));
        }
        if plan.accumulate > 1 && !self.accumulate {
            return Err(option("accumulation", names(|m| m.accumulate)));
        }
        let order = plan.order.unwrap_or(self.orders[0]);
        if !self.orders.contains(&order) {
            return Err(ScheduleError::Order {
                method: self.name,
                order,
                known: self.orders.iter().map(|o| o.name()).collect::<Vec<_>>().join(", "),
            });
        }
        Ok(order)
    }
}

fn names(having: impl Fn(&Method) -> bool) -> String {
    let names: Vec<_> = METHODS.iter().filter(|m| having(m)).map(|m| m.name).collect();
    names.join(", ")
}
