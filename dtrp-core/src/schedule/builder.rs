//! Programs in one line, one type a method, for tests and examples.
//!
//! ```
//! use dtrp_core::schedule::{Dtrp, Gpipe, ScheduleError};
//!
//! # fn main() -> Result<(), ScheduleError> {
//! let program = Dtrp::new(3).batches(6).eager().program()?;
//! assert_eq!(program.modules(), 3);
//! println!("{}", Gpipe::new(2).batches(1).micro_batches(4).table()?);
//! # Ok(())
//! # }
//! ```
//!
//! Each type has the options of its method and no others, so a test that asks for what a method lacks does not compile.
//! For a method that is chosen by name at run time, use [`Method::named`] with a [`Plan`].

use super::{Method, Order, Plan, Program, Recompute, Schedule, ScheduleError};

/// One type for every method of the registry. After the name: the options, see `option!`.
macro_rules! builders {
    ($($(#[$doc:meta])* $type:ident: $method:literal [$($option:ident)*];)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $type {
                plan: Plan,
            }

            impl $type {
                /// Through so many modules; twice as many batches, so that the pipeline fills, runs steadily and drains.
                pub fn new(modules: usize) -> Self {
                    let batches = u32::try_from(modules).unwrap_or(u32::MAX).saturating_mul(2);
                    Self { plan: Plan::new(modules, batches) }
                }

                /// With so many batches.
                pub fn batches(self, batches: u32) -> Self {
                    Self { plan: Plan { batches, ..self.plan } }
                }

                $(option!($option);)*

                /// What is asked of the method.
                pub fn plan(&self) -> &Plan {
                    &self.plan
                }

                /// The program: its `Display` is the text form.
                ///
                /// # Errors
                ///
                /// [`ScheduleError::Zero`] when there are 0 modules, or batches are split or accumulated by 0.
                pub fn program(&self) -> Result<Program, ScheduleError> {
                    self.method()?.program(&self.plan)
                }

                /// The program as a table, slots down and workers across: see [`Program::table`].
                ///
                /// # Errors
                ///
                /// As [`program`](Self::program).
                pub fn table(&self) -> Result<String, ScheduleError> {
                    self.program().map(|program| program.table())
                }

                /// The program in the text form.
                ///
                /// # Errors
                ///
                /// As [`program`](Self::program).
                pub fn text(&self) -> Result<String, ScheduleError> {
                    self.program().map(|program| program.to_string())
                }
            }

            impl Schedule for $type {
                fn method(&self) -> Result<&'static Method, ScheduleError> {
                    Method::named($method)
                }

                fn plan(&self) -> &Plan {
                    &self.plan
                }
            }
        )*

        /// Method name and options of every builder.
        #[cfg(test)]
        const BUILDERS: &[(&str, &[&str])] = &[$(($method, &[$(stringify!($option)),*])),*];
    };
}

/// The options that a method may have. An order is named only where there is a choice.
macro_rules! option {
    (lockstep) => {
        /// In the lockstep order, the default.
        pub fn lockstep(self) -> Self {
            Self {
                plan: self.plan.order(Order::Lockstep),
            }
        }
    };
    (eager) => {
        /// In the eager order.
        pub fn eager(self) -> Self {
            Self {
                plan: self.plan.order(Order::Eager),
            }
        }
    };
    (micro_batches) => {
        /// With every batch split into so many micro-batches.
        pub fn micro_batches(self, micro_batches: u16) -> Self {
            Self {
                plan: self.plan.micro_batches(micro_batches),
            }
        }
    };
    (recompute) => {
        /// With this recomputed by each module, module 1 first; the last never recomputes.
        pub fn recompute(self, recompute: impl Into<Vec<Recompute>>) -> Self {
            Self {
                plan: self.plan.recompute(recompute),
            }
        }
    };
    (accumulate) => {
        /// With one update for so many batches.
        pub fn accumulate(self, batches: u32) -> Self {
            Self {
                plan: self.plan.accumulate(batches),
            }
        }
    };
}

builders! {
    /// Plain backpropagation.
    Bp: "bp" [];
    /// GPipe: all forwards of a batch's micro-batches, then all backwards.
    Gpipe: "gpipe" [micro_batches];
    /// 1F1B with a flush: the gradient of GPipe with less memory.
    OneForwardOneBackward: "1f1b" [micro_batches];
    /// Delayed gradients, graphs kept.
    Ddg: "ddg" [recompute];
    /// Delayed gradients, inputs kept and graphs recomputed.
    FeaturesReplay: "features-replay" [recompute];
    /// Fully decoupled with delayed gradients; with accumulation it is ADL.
    Fdg: "fdg" [micro_batches accumulate recompute];
    /// DTRP without prediction.
    Dsp: "dsp" [lockstep eager micro_batches recompute];
    /// Decoupled training with re-computation and weight prediction.
    Dtrp: "dtrp" [lockstep eager micro_batches recompute];
    /// PipeDream with weight stashing.
    Pipedream: "pipedream" [micro_batches recompute];
    /// SpecTrain: PipeDream with predicted weights.
    Spectrain: "spectrain" [micro_batches recompute];
    /// Local losses: nothing flows back between modules.
    Local: "local" [];
}

#[cfg(test)]
mod tests {
    use super::{BUILDERS, Method};

    /// A method that is added or gets an option must get them here too.
    #[test]
    fn every_method_has_a_builder_with_just_its_options() {
        let expected: Vec<(&str, Vec<&str>)> = Method::all()
            .iter()
            .map(|method| {
                let orders = method.orders.iter().map(|order| order.name());
                let mut options: Vec<_> = orders.filter(|_| method.orders.len() > 1).collect();
                options.extend(method.micro_batches.then_some("micro_batches"));
                options.extend(method.accumulate.then_some("accumulate"));
                options.extend(method.recompute.map(|_| "recompute"));
                (method.name, options)
            })
            .collect();
        let builders: Vec<_> = BUILDERS.iter().map(|(name, o)| (*name, o.to_vec())).collect();
        assert_eq!(builders, expected);
    }
}
