//! From slots to times: how the actions that share a slot of a plan divide it.

use super::{Event, Timeline};
use crate::schedule::{Action, Op, Order, Program, Slots, Unit};
use std::collections::HashMap;
use std::time::Duration;

/// The nominal cost of an action: a backward is twice a forward. A message is as thin as can still be seen and clicked
/// in a trace viewer.
const fn cost(op: Op) -> u64 {
    match op {
        Op::Forward | Op::ForwardGraph | Op::Recompute => 200,
        Op::Backward => 400,
        Op::Update => 100,
        Op::SendY | Op::RecvY | Op::SendD | Op::RecvD => 2,
    }
}

/// An action's place inside its slot, in nominal costs from the slot's start.
struct Place {
    action: Action,
    slot: u32,
    begin: u64,
    end: u64,
}

/// The events of every worker.
///
/// ```text
/// lockstep      |R |B   |U|F |          what shares a slot fills it
/// sweep         |F |R |B   |U|  |       worker 1: a slot is as long as
///               |  |F |R |B   |U|       worker 2  the longest path through it
/// ```
pub(super) fn events(program: &Program) -> Vec<Vec<Event>> {
    let slots = Slots::of(program);
    let mut sent = HashMap::new();
    let workers = (1..).zip(&program.workers);
    let places: Vec<Vec<Place>> = workers
        .map(|(worker, actions)| {
            let (places, sends) = place(program.order, actions, worker, &slots, &sent);
            sent = sends;
            places
        })
        .collect();
    let longest = match program.order {
        Order::Sweep => places.iter().flatten().map(|p| p.end).max(),
        _ => None,
    };
    places.iter().map(|p| scale(p, longest)).collect()
}

/// When and in which slot each activation of a worker is sent.
type Sends = HashMap<Unit, (u32, u64)>;

/// Places a worker's actions one after the other in their slots. A message takes a slot, so what arrives is there when a
/// slot begins; only in a sweep an activation arrives within the slot in which it is sent.
fn place(order: Order, actions: &[Action], worker: usize, slots: &Slots, sent_below: &Sends) -> (Vec<Place>, Sends) {
    let sweep = order == Order::Sweep;
    let mut sends = HashMap::new();
    let mut places = Vec::with_capacity(actions.len());
    let (mut slot, mut now) = (0, 0);
    for (index, action) in actions.iter().enumerate() {
        if slots.slot(worker, index) != slot {
            (slot, now) = (slots.slot(worker, index), 0);
        }
        if sweep
            && action.op == Op::RecvY
            && let Some((_, there)) = sent_below.get(&action.unit).filter(|(s, _)| *s == slot)
        {
            now = now.max(*there);
        }
        let begin = now;
        now += cost(action.op);
        if sweep && action.op == Op::SendY {
            sends.insert(action.unit, (slot, now));
        }
        places.push(Place {
            action: *action,
            slot,
            begin,
            end: now,
        });
    }
    (places, sends)
}

/// Stretches what a worker does in a slot so that it fills the slot, or so that `longest` would.
fn scale(places: &[Place], longest: Option<u64>) -> Vec<Event> {
    let whole = Timeline::SLOT.as_nanos() as u64;
    let slots = places.chunk_by(|a, b| a.slot == b.slot);
    let events = slots.flat_map(|in_slot| {
        let length = longest.or(in_slot.last().map(|p| p.end)).unwrap_or(1);
        in_slot.iter().map(move |place| {
            let start = u64::from(place.slot).saturating_sub(1) * whole;
            let at = |cost: u64| Duration::from_nanos(start + cost * whole / length);
            Event {
                action: place.action,
                begin: at(place.begin),
                end: at(place.end),
            }
        })
    });
    events.collect()
}
