//! The simulator against a much simpler judge: begin and end of every action as the smallest numbers that satisfy all
//! constraints, found by trying again until nothing changes.

mod common;

use dtrp_core::costs::ModuleCosts;
use dtrp_core::schedule::{Action, Method, Op, Order, Program};
use dtrp_core::simulate::{Links, SimulationOptions, simulate};
use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Begin and end of every action, in nanoseconds.
type Times = Vec<Vec<(u64, u64)>>;

struct Oracle<'a> {
    program: &'a Program,
    costs: &'a [ModuleCosts],
    links: Links,
    capacity: usize,
}

impl Oracle<'_> {
    fn solve(&self) -> Times {
        let mut times: Times = self
            .program
            .workers
            .iter()
            .map(|actions| vec![(0, 0); actions.len()])
            .collect();
        loop {
            let mut changed = false;
            for k in 0..times.len() {
                for i in 0..times[k].len() {
                    let now = self.time(k, i, &times);
                    changed |= now != times[k][i];
                    times[k][i] = now;
                }
            }
            if !changed {
                return times;
            }
        }
    }

    fn time(&self, k: usize, i: usize, times: &Times) -> (u64, u64) {
        let action = &self.program.workers[k][i];
        let mut begin = i.checked_sub(1).map_or(0, |before| times[k][before].1);
        if self.program.order == Order::Sweep {
            begin = begin.max(self.slot_begins(self.phase(k, action), times));
        }
        let end = match action.op {
            Op::SendY | Op::SendD => {
                let message = self.position(k, action.op, i);
                let (peer, receives) = self.receives(k, action.op);
                let freed = message.checked_sub(self.capacity).map(|m| receives[m]);
                begin.max(freed.map_or(0, |i| times[peer][i].1))
            }
            Op::RecvY | Op::RecvD => begin.max(self.arrival(k, i, times)),
            _ => begin + self.cost(k, action),
        };
        (begin, end)
    }

    /// Number of this message, from 0, on its link.
    fn position(&self, k: usize, op: Op, i: usize) -> usize {
        self.program.workers[k][..i].iter().filter(|a| a.op == op).count()
    }

    /// The worker at the other end, and where in its list the counterparts are.
    fn receives(&self, k: usize, op: Op) -> (usize, Vec<usize>) {
        let peer = op.peer(k + 1).unwrap() - 1;
        let counterpart = op.counterpart().unwrap();
        let actions = self.program.workers[peer].iter().enumerate();
        let places = actions.filter(|(_, a)| a.op == counterpart).map(|(i, _)| i);
        (peer, places.collect())
    }

    fn arrival(&self, k: usize, i: usize, times: &Times) -> u64 {
        let op = self.program.workers[k][i].op;
        let message = self.position(k, op, i);
        let (peer, sends) = self.receives(k, op);
        let above = if op == Op::RecvY { k } else { peer };
        let mut idle = 0;
        for send in &sends[..=message] {
            let bytes = self.share(self.costs[above].input_bytes, &self.program.workers[peer][*send]);
            let transfer = self
                .links
                .bytes_per_second
                .map_or(0, |rate| (bytes * 1_000_000_000).div_ceil(rate));
            idle = idle.max(times[peer][*send].1) + transfer;
            if self.links.bytes_per_second.is_none() {
                idle = times[peer][*send].1;
            }
        }
        idle + self.links.latency_ns
    }

    fn share(&self, whole: u64, action: &Action) -> u64 {
        let m = u64::from(self.program.micro_batches);
        let j = u64::from(action.unit.micro.max(1));
        whole / m + u64::from(j <= whole % m)
    }

    fn cost(&self, k: usize, action: &Action) -> u64 {
        let costs = &self.costs[k];
        let last = k + 1 == self.costs.len();
        match action.op {
            Op::Forward | Op::ForwardGraph => {
                let predicted = action.horizon.is_some_and(|h| h > 0);
                let predict = if predicted { costs.predict_ns } else { 0 };
                self.share(costs.forward_ns + predict, action)
            }
            Op::Recompute => self.share(costs.recompute_ns, action),
            Op::Backward if !last && !Method::named(&self.program.method).unwrap().gradients => {
                self.share(costs.backward_ns + costs.auxiliary_ns, action)
            }
            Op::Backward => self.share(costs.backward_ns, action),
            Op::Update => costs.update_ns,
            _ => 0,
        }
    }

    /// Twice the slot, one more for the backward half: module k does the backward of batch b in slot b + K − k.
    fn phase(&self, k: usize, action: &Action) -> u64 {
        let forward = action.op.is_first_forward() || matches!(action.op, Op::SendY | Op::RecvY);
        let late = if forward { 0 } else { self.costs.len() - 1 - k };
        2 * (u64::from(action.unit.batch) + late as u64) + u64::from(!forward)
    }

    fn slot_begins(&self, phase: u64, times: &Times) -> u64 {
        let mut begin = 0;
        for (k, actions) in self.program.workers.iter().enumerate() {
            for (action, (_, end)) in actions.iter().zip(&times[k]) {
                if self.phase(k, action) < phase {
                    begin = begin.max(*end);
                }
            }
        }
        begin
    }
}

fn costs() -> impl Strategy<Value = ModuleCosts> {
    (0u64..40, 0u64..40, 0u64..40, 0u64..10, 0u64..10, 0u64..10, 0u64..2000).prop_map(
        |(forward_ns, backward_ns, recompute_ns, update_ns, predict_ns, auxiliary_ns, input_bytes)| ModuleCosts {
            forward_ns,
            backward_ns,
            recompute_ns,
            update_ns,
            predict_ns,
            auxiliary_ns,
            input_bytes,
            ..ModuleCosts::default()
        },
    )
}

fn links() -> impl Strategy<Value = Links> {
    let rate = proptest::option::of(1_000_000_000u64..200_000_000_000);
    (0u64..60, rate).prop_map(|(latency_ns, bytes_per_second)| Links {
        latency_ns,
        bytes_per_second,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_time_equals_the_oracle(
        (_, _, program) in common::programs(4, 7, 3),
        costs in proptest::collection::vec(costs(), 4),
        links in links(),
        capacity in 1usize..4,
    ) {
        let costs = &costs[..program.modules()];
        let options = SimulationOptions {
            links,
            capacity: NonZeroUsize::new(capacity).unwrap(),
            timeline: true,
            ..SimulationOptions::default()
        };
        let result = simulate(&program, costs, &options).unwrap();
        let expected = Oracle { program: &program, costs, links, capacity }.solve();
        let timeline = result.timeline.unwrap();
        for (k, events) in timeline.workers().iter().enumerate() {
            let ns = |d: Duration| u64::try_from(d.as_nanos()).unwrap();
            let times: Vec<_> = events.iter().map(|e| (ns(e.begin), ns(e.end))).collect();
            prop_assert_eq!(&times, &expected[k], "worker {}\n{}", k + 1, program);
        }
        let last = expected.iter().flatten().map(|(_, end)| *end).max();
        prop_assert_eq!(result.makespan_ns, last.unwrap_or(0));
    }

    #[test]
    fn no_time_falls_when_a_cost_rises(
        (_, _, program) in common::programs(5, 10, 3),
        costs in proptest::collection::vec(costs(), 5),
        more in proptest::collection::vec(costs(), 5),
        links in links(),
        latency in 0u64..30,
    ) {
        let modules = program.modules();
        let events = |costs: &[ModuleCosts], links: Links| {
            let options = SimulationOptions { links, timeline: true, ..SimulationOptions::default() };
            let timeline = simulate(&program, costs, &options).unwrap().timeline.unwrap();
            timeline.workers().concat()
        };
        let dearer: Vec<_> = costs.iter().zip(&more).map(|(a, b)| ModuleCosts {
            forward_ns: a.forward_ns + b.forward_ns,
            backward_ns: a.backward_ns + b.backward_ns,
            recompute_ns: a.recompute_ns + b.recompute_ns,
            update_ns: a.update_ns + b.update_ns,
            predict_ns: a.predict_ns + b.predict_ns,
            auxiliary_ns: a.auxiliary_ns + b.auxiliary_ns,
            input_bytes: a.input_bytes + b.input_bytes,
            ..*a
        }).collect();
        let slower = Links { latency_ns: links.latency_ns + latency, ..links };
        let before = events(&costs[..modules], links);
        let after = events(&dearer[..modules], slower);
        for (a, b) in before.iter().zip(&after) {
            // A share of a whole may lose its odd nanosecond to no one: shares grow with the whole.
            prop_assert!(a.end <= b.end, "{} ends earlier", a.action);
        }
    }
}
