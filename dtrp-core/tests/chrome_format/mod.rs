//! The Trace Event Format as its documentation has it ("Trace Event Format", Google, 2016; "External trace formats" of Perfetto),
//! field by field, as far as these traces use it.

use serde_json::{Map, Value};

/// A field of a record, and what it must be.
type Field = (&'static str, fn(&Value) -> bool);

/// Of all records.
const COMMON: [Field; 4] = [("ph", is_text), ("pid", is_whole), ("tid", is_whole), ("name", is_text)];
/// Complete events: `ts` and `dur` in microseconds.
const COMPLETE: [Field; 4] = [
    ("ts", is_time),
    ("dur", is_time),
    ("cat", is_text),
    ("args", Value::is_object),
];
/// The beginning of a flow.
const FLOW_START: [Field; 3] = [("ts", is_time), ("id", is_whole), ("cat", is_text)];
/// Its end, which binds to the slice around it instead of the next one.
const FLOW_END: [Field; 4] = [
    ("ts", is_time),
    ("id", is_whole),
    ("cat", is_text),
    ("bp", is_enclosing),
];
/// Names of processes and threads, and their places.
const METADATA: [Field; 1] = [("args", Value::is_object)];

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn is_whole(value: &Value) -> bool {
    value.is_u64()
}

fn is_time(value: &Value) -> bool {
    value.as_f64().is_some_and(|time| time >= 0.0)
}

fn is_enclosing(value: &Value) -> bool {
    value == "e"
}

/// What is not as the format has it.
pub(crate) fn faults(trace: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(root) = trace.as_object() else {
        return vec!["the trace is no object".to_owned()];
    };
    for (key, value) in root {
        let right = match key.as_str() {
            "traceEvents" => value.is_array(),
            "displayTimeUnit" => value == "ms" || value == "ns",
            "otherData" => value.is_object(),
            _ => false,
        };
        if !right {
            faults.push(format!("{key}: {value}"));
        }
    }
    let records = trace["traceEvents"].as_array().map_or(&[][..], Vec::as_slice);
    faults.extend(records.iter().filter_map(fault_of));
    // A flow is drawn between slices: there is one at each of its ends.
    let slices: Vec<_> = records.iter().filter(|record| record["ph"] == "X").collect();
    for end in records
        .iter()
        .filter(|record| record["ph"] == "s" || record["ph"] == "f")
    {
        let around = |slice: &&Value| {
            let (begin, at) = (slice["ts"].as_f64()?, end["ts"].as_f64()?);
            // Sums of decimal fractions are not exact.
            let last = begin + slice["dur"].as_f64()? + 1e-4;
            Some(slice["tid"] == end["tid"] && begin <= at && at <= last)
        };
        if !slices.iter().any(|slice| around(slice) == Some(true)) {
            faults.push(format!("a flow without a slice: {end}"));
        }
    }
    // Whatever runs has a name.
    for slice in slices {
        let named =
            |record: &Value| record["ph"] == "M" && record["name"] == "thread_name" && record["tid"] == slice["tid"];
        if !records.iter().any(named) {
            faults.push(format!("a thread without a name: {slice}"));
        }
    }
    faults
}

fn fault_of(record: &Value) -> Option<String> {
    let fields = record.as_object()?;
    let own: &[Field] = match record["ph"].as_str() {
        Some("X") => &COMPLETE,
        Some("s") => &FLOW_START,
        Some("f") => &FLOW_END,
        Some("M") => &METADATA,
        _ => return Some(format!("a phase that is not used here: {record}")),
    };
    let known: Vec<_> = COMMON.iter().chain(own).collect();
    let missing = known.iter().find(|(name, right)| !fields.get(*name).is_some_and(right));
    let unknown = fields.keys().find(|key| !known.iter().any(|(name, _)| name == key));
    match (missing, unknown) {
        (Some((name, _)), _) => Some(format!("{name}: {record}")),
        (_, Some(name)) => Some(format!("{name} has no meaning there: {record}")),
        _ if record["ph"] == "M" && !is_metadata(fields) => Some(format!("unknown metadata: {record}")),
        _ => None,
    }
}

fn is_metadata(record: &Map<String, Value>) -> bool {
    let args = &record["args"];
    match record["name"].as_str() {
        Some("process_name" | "thread_name") => is_text(&args["name"]),
        Some("process_sort_index" | "thread_sort_index") => is_whole(&args["sort_index"]),
        _ => false,
    }
}
