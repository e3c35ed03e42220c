//! A training method: facts, and a pure function from a plan to the computations of every worker.

use super::action::Action;
use super::error::ScheduleError;
use super::methods;
use super::passes::{self, Predict};
use super::plan::{Plan, Recompute};
use super::program::{Order, Program};

/// A training method: a name, facts that others go by, and the function that lays out its computations. Whoever wants to
/// know something of a method asks for the fact, never for the name.
///
/// Register one of your own, and it can be named like those that are here:
///
/// ```
/// use dtrp_core::inventory;
/// use dtrp_core::schedule::{Action, Method, Op, Order, Plan, ScheduleError, Unit};
///
/// inventory::submit!(Method {
///     accumulate: true,
///     ..Method::new("two-by-two", "batches in pairs", "nowhere", &[Order::Synchronous], compute)
/// });
///
/// /// `G B` for two batches, then an update for both; messages, versions and horizons are added.
/// fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
///     let mut actions = Vec::new();
///     for batch in 1..=plan.batches {
///         actions.push(Action::new(Op::ForwardGraph, Unit::batch(batch)));
///         actions.push(Action::new(Op::Backward, Unit::batch(batch)));
///         if batch % 2 == 0 || batch == plan.batches {
///             actions.push(Action::new(Op::Update, Unit::batch(batch)));
///         }
///     }
///     vec![actions; plan.modules]
/// }
///
/// let program = Method::named("two-by-two")?.program(&Plan::new(2, 3))?;
/// assert_eq!(program.count(1, Op::Update), 2);
/// # Ok::<(), ScheduleError>(())
/// ```
///
/// The arrangements that the methods here are made of are in [`shapes`](super::shapes).
#[derive(Debug)]
pub struct Method {
    /// The name in YAML, on the command line and in programs: one word.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// The orders that it can be laid out in, the default first; at least one.
    pub orders: &'static [Order],
    /// Whether batches can be split into micro-batches.
    pub micro_batches: bool,
    /// Whether gradients can be accumulated over several batches.
    pub accumulate: bool,
    /// Whether gradients travel between modules (not with local losses: then modules below the last have auxiliary heads).
    pub gradients: bool,
    /// Whether the pipeline runs empty after every batch, so that with one micro-batch nothing is gained.
    pub flushes: bool,
    /// What its modules recompute unless it is chosen; `None` where it cannot be, since forward and backward of a unit do not
    /// lie apart.
    pub recompute: Option<Recompute>,
    /// Whether batches can be enlarged to make up for workers that wait (batch compensation).
    pub compensation: bool,
    /// Which weights are predicted.
    pub predict: Predict,
    /// Lays out the computations (`F G R B U`) of worker k = 1..K at index k−1, in an order that is one of
    /// [`orders`](Self::orders), for a plan that asks for nothing that the method does not have. Messages, weight versions
    /// and horizons are added to what it returns.
    pub compute: fn(&Plan, Order) -> Vec<Vec<Action>>,
}

inventory::collect!(Method);

impl Method {
    /// A method with gradients between modules and without any option.
    pub const fn new(
        name: &'static str,
        summary: &'static str,
        source: &'static str,
        orders: &'static [Order],
        compute: fn(&Plan, Order) -> Vec<Vec<Action>>,
    ) -> Self {
        Self {
            name,
            summary,
            source,
            orders,
            micro_batches: false,
            accumulate: false,
            gradients: true,
            flushes: false,
            recompute: None,
            compensation: false,
            predict: Predict::Never,
            compute,
        }
    }

    /// Every method: those that are here, plain backpropagation first, then others by name.
    pub fn all() -> Vec<&'static Method> {
        let mut others: Vec<_> = inventory::iter::<Method>.into_iter().collect();
        others.sort_by_key(|method| method.name);
        methods::BUILT_IN.into_iter().chain(others).collect()
    }

    /// The method with this name.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::UnknownMethod`], with the names that exist and the one that may have been meant.
    pub fn named(name: &str) -> Result<&'static Method, ScheduleError> {
        Ok(dtrp_text::find("method", name, Self::all(), |method| method.name)?)
    }

    /// Whether it predicts weights anywhere, so that a predictor makes a difference.
    pub fn predicts(&self) -> bool {
        self.predict != Predict::Never
    }

    /// Lays out the plan: the complete program, with messages, weight versions and horizons.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`] when the plan asks for something that the method does not have.
    pub fn program(&self, plan: &Plan) -> Result<Program, ScheduleError> {
        let order = self.check(plan)?;
        let computations = (self.compute)(plan, order);
        if computations.len() != plan.modules {
            let (made, modules) = (computations.len(), plan.modules);
            return Err(self.wrong(format!("it has laid out {made} workers for {modules} modules")));
        }
        let mut workers = passes::place_messages(computations, self.gradients);
        passes::count_versions(&mut workers, self.predict, !plan.recompute.is_empty());
        Ok(Program {
            method: self.name.to_owned(),
            order,
            batches: plan.batches,
            micro_batches: plan.micro_batches,
            workers,
        })
    }

    fn wrong(&self, message: String) -> ScheduleError {
        ScheduleError::Method {
            method: self.name,
            message,
        }
    }

    /// Whether the plan can be laid out; the order that it is laid out in.
    fn check(&self, plan: &Plan) -> Result<Order, ScheduleError> {
        let counts = [
            ("the number of modules", plan.modules),
            ("the number of micro-batches", plan.micro_batches.into()),
            ("the number of accumulated batches", plan.accumulate as usize),
        ];
        if let Some((what, _)) = counts.into_iter().find(|(_, n)| *n == 0) {
            return Err(ScheduleError::Zero { what });
        }
        // A few actions for each unit of each worker: far more than is ever trained in one program, and no more than memory holds.
        const MOST_MODULES: u64 = 1 << 14;
        const MOST_UNITS: u64 = 1 << 24;
        let units = plan.modules as u128 * u128::from(plan.batches) * u128::from(plan.micro_batches);
        for (what, value, most) in [
            ("the number of modules", plan.modules as u128, MOST_MODULES),
            ("modules x batches x micro-batches", units, MOST_UNITS),
        ] {
            if value > most.into() {
                return Err(ScheduleError::TooMany { what, value, most });
            }
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
        if !plan.recompute.is_empty() && self.recompute.is_none() {
            return Err(ScheduleError::Recompute {
                method: self.name,
                known: names(|m| m.recompute.is_some()),
            });
        }
        if !plan.recompute.is_empty() && plan.recompute.len() != plan.modules {
            return Err(ScheduleError::Choices {
                given: plan.recompute.len(),
                modules: plan.modules,
            });
        }
        let first = self.orders.first().copied();
        let order = plan
            .order
            .or(first)
            .ok_or_else(|| self.wrong("it has no order".to_owned()))?;
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
    let methods = Method::all().into_iter().filter(|m| having(m));
    methods.map(|m| m.name).collect::<Vec<_>>().join(", ")
}
