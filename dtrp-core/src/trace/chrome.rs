//! Chrome and Perfetto JSON.

use super::{Event, TimeUnit, Timeline};
use crate::schedule::Op;
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

impl Timeline {
    /// Writes the timeline as JSON for `chrome://tracing` and <https://ui.perfetto.dev>.
    ///
    /// | in the timeline | in the JSON |
    /// |---|---|
    /// | the timeline | process 1; its title is the `process_name` and `otherData.title` |
    /// | worker k | thread k, with `thread_name` and `thread_sort_index` |
    /// | an event | a complete event (`"ph":"X"`) named exactly like the action's token: `F3@1+2`, `>Y3` |
    /// | the kind of action | the category: `forward`, `forward-graph`, `recompute`, `backward`, `update`, `send`, `receive` |
    /// | the action's fields | `args`: `op` as in the JSON form of programs, `batch`; `micro` where batches are split; `version` but not on messages; `horizon` on predicted forwards |
    /// | a message | a flow from its send (`"ph":"s"`) to its receive (`"ph":"f"`, `"bp":"e"`) under one `id`, named `Y3` or `D3`, category `message` |
    /// | a time | microseconds, to the nanosecond; a slot of a plan lasts 1000, said by `otherData.unit` |
    ///
    /// Every record stands on its own line, worker by worker in the order of the events, so equal timelines give equal bytes.
    pub fn to_chrome(&self) -> String {
        let title = json_string(self.title());
        let unit = match self.unit() {
            TimeUnit::Slots => "slots of 1000 us",
            TimeUnit::Nanoseconds => "time",
        };
        let mut out = format!(
            "{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"title\":{title},\"unit\":\"{unit}\"}},\"traceEvents\":[\n"
        );
        let name = |out: &mut String, thread: usize, what: &str, args: &str| {
            let _ = writeln!(
                out,
                "{{\"ph\":\"M\",\"pid\":1,\"tid\":{thread},\"name\":\"{what}\",\"args\":{{{args}}}}},"
            );
        };
        name(&mut out, 0, "process_name", &format!("\"name\":{title}"));
        for k in 1..=self.workers().len() {
            name(&mut out, k, "thread_name", &format!("\"name\":\"worker {k}\""));
            name(&mut out, k, "thread_sort_index", &format!("\"sort_index\":{k}"));
        }
        let flows = self.flows();
        for (k, events) in (1..).zip(self.workers()) {
            for (index, event) in events.iter().enumerate() {
                write_event(&mut out, k, event);
                if let Some((id, at)) = flows.get(&(k, index)) {
                    write_flow(&mut out, k, event, *id, *at);
                }
            }
        }
        // Every line ends in a comma but the last: there is always the name of the process.
        out.truncate(out.trim_end_matches(",\n").len());
        out.push_str("\n]}\n");
        out
    }

    /// The number of the arrow at each send and receive, by worker and index, and the time at which it is attached.
    fn flows(&self) -> HashMap<(usize, usize), (usize, Duration)> {
        let mut flows = HashMap::new();
        for (id, message) in (1..).zip(self.messages()) {
            let send = &self.workers()[message.from - 1][message.send];
            let receive = &self.workers()[message.to - 1][message.receive];
            // A receive that had to wait began before the message was sent. Viewers attach an arrow to the event that
            // lasts at its time, so it has to point just before the end of the receive.
            let arrival = receive.end.saturating_sub(Duration::from_nanos(1));
            let arrival = arrival.max(receive.begin).max(send.begin);
            flows.insert((message.from, message.send), (id, send.begin));
            flows.insert((message.to, message.receive), (id, arrival));
        }
        flows
    }
}

fn write_event(out: &mut String, worker: usize, event: &Event) {
    let action = event.action;
    let category = match action.op {
        Op::Forward => "forward",
        Op::ForwardGraph => "forward-graph",
        Op::Recompute => "recompute",
        Op::Backward => "backward",
        Op::Update => "update",
        Op::SendY | Op::SendD => "send",
        Op::RecvY | Op::RecvD => "receive",
    };
    let begin = microseconds(event.begin);
    let duration = microseconds(event.end.saturating_sub(event.begin));
    let (op, batch) = (action.op.json_name(), action.unit.batch);
    let _ = write!(
        out,
        "{{\"ph\":\"X\",\"pid\":1,\"tid\":{worker},\"ts\":{begin},\"dur\":{duration},\"name\":\"{action}\",\
         \"cat\":\"{category}\",\"args\":{{\"op\":\"{op}\",\"batch\":{batch}"
    );
    if action.unit.micro > 0 {
        let _ = write!(out, ",\"micro\":{}", action.unit.micro);
    }
    if !action.op.is_message() {
        let _ = write!(out, ",\"version\":{}", action.version);
    }
    if let Some(horizon) = action.horizon {
        let _ = write!(out, ",\"horizon\":{horizon}");
    }
    out.push_str("}},\n");
}

fn write_flow(out: &mut String, worker: usize, event: &Event, id: usize, at: Duration) {
    let action = event.action;
    let (phase, binding) = if action.op.is_receive() {
        ("f", "\"bp\":\"e\",")
    } else {
        ("s", "")
    };
    let what = match action.op {
        Op::SendY | Op::RecvY => "Y",
        _ => "D",
    };
    let (at, unit) = (microseconds(at), action.unit);
    let _ = writeln!(
        out,
        "{{\"ph\":\"{phase}\",{binding}\"pid\":1,\"tid\":{worker},\"ts\":{at},\"id\":{id},\"name\":\"{what}{unit}\",\
         \"cat\":\"message\"}},"
    );
}

/// Written from whole nanoseconds, without rounding: `12.345`, `12.3`, `12`.
fn microseconds(time: Duration) -> String {
    match (time.as_nanos() / 1000, time.as_nanos() % 1000) {
        (whole, 0) => whole.to_string(),
        (whole, rest) => format!("{whole}.{rest:03}").trim_end_matches('0').to_owned(),
    }
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
