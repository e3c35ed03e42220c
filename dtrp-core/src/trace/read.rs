//! Chrome JSON read back: what [`Timeline::to_chrome`] has written.

use super::{Event, TimeUnit, Timeline};
use crate::schedule::Action;
use serde::Deserialize;
use std::time::Duration;

/// Why a text is no timeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChromeError {
    /// It is not the JSON that [`Timeline::to_chrome`] writes.
    #[error("not a trace of dtrp: {0}")]
    Form(String),
    /// An event makes no sense.
    #[error("event `{event}` of worker {worker}: {wrong}")]
    Event {
        /// Its name.
        event: String,
        /// Its thread.
        worker: usize,
        /// What is wrong.
        wrong: String,
    },
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "otherData")]
    about: About,
    #[serde(rename = "traceEvents")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct About {
    title: String,
    unit: Unit,
}

#[derive(Deserialize)]
enum Unit {
    #[serde(rename = "slots of 1000 us")]
    Slots,
    #[serde(rename = "time")]
    Time,
}

#[derive(Deserialize)]
#[serde(tag = "ph")]
enum Record {
    #[serde(rename = "M")]
    About { name: String },
    #[serde(rename = "X")]
    Complete {
        tid: usize,
        name: String,
        ts: f64,
        dur: f64,
    },
    /// Arrows, which follow from the events.
    #[serde(rename = "s", alias = "f")]
    Flow {},
}

impl Timeline {
    /// Reads what [`to_chrome`](Self::to_chrome) has written; the same timeline comes of it.
    ///
    /// # Errors
    ///
    /// [`ChromeError`] where the text is something else, as a trace that another program has written.
    pub fn from_chrome(text: &str) -> Result<Self, ChromeError> {
        let file: File = serde_json::from_str(text).map_err(|error| ChromeError::Form(error.to_string()))?;
        let is_worker = |record: &&Record| matches!(record, Record::About { name } if name == "thread_name");
        let mut workers = vec![Vec::new(); file.records.iter().filter(is_worker).count()];
        for record in file.records {
            let Record::Complete { tid, name, ts, dur } = record else {
                continue;
            };
            let wrong = |wrong: String| ChromeError::Event {
                event: name.clone(),
                worker: tid,
                wrong,
            };
            let action: Action = name.parse().map_err(|_| wrong("no such action".to_owned()))?;
            let time = |microseconds: f64| {
                let nanoseconds = (microseconds * 1e3).round();
                let whole = (0.0..=MOST).contains(&nanoseconds).then_some(nanoseconds as u64);
                whole.ok_or_else(|| wrong(format!("{microseconds} is no time in microseconds")))
            };
            let (begin, length) = (time(ts)?, time(dur)?);
            let events = tid.checked_sub(1).and_then(|index| workers.get_mut(index));
            let events: &mut Vec<Event> = events.ok_or_else(|| wrong("there is no such worker".to_owned()))?;
            events.push(Event {
                action,
                begin: Duration::from_nanos(begin),
                end: Duration::from_nanos(begin + length),
            });
        }
        let unit = match file.about.unit {
            Unit::Slots => TimeUnit::Slots,
            Unit::Time => TimeUnit::Nanoseconds,
        };
        Ok(Self::new(file.about.title, unit, workers))
    }
}

/// The longest time, in nanoseconds: 104 days, which a number of JSON holds exactly.
const MOST: f64 = 9e15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Method, Plan};

    #[test]
    fn what_is_written_is_read_back() {
        for method in ["bp", "dtrp", "pipedream", "gpipe"] {
            let method = Method::named(method).unwrap();
            let parts = if method.micro_batches { 2 } else { 1 };
            let program = method.program(&Plan::new(3, 7).micro_batches(parts)).unwrap();
            let planned = Timeline::planned(&program);
            assert_eq!(Timeline::from_chrome(&planned.to_chrome()).unwrap(), planned);
            let shifted = planned.workers().iter().map(|events| {
                let later = |event: &Event| Event {
                    begin: event.begin + Duration::from_nanos(123_456_789_012_347),
                    end: event.end + Duration::from_nanos(123_456_789_012_349),
                    ..*event
                };
                events.iter().map(later).collect()
            });
            let executed = Timeline::executed(&program, shifted.collect());
            assert_eq!(Timeline::from_chrome(&executed.to_chrome()).unwrap(), executed);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let program = Method::named("bp").unwrap().program(&Plan::new(1, 1)).unwrap();
        let whole = Timeline::planned(&program).to_chrome();
        for (from, to) in [
            ("\"tid\":1,\"ts\"", "\"tid\":0,\"ts\""),
            ("\"tid\":1,\"ts\"", "\"tid\":7,\"ts\""),
            ("\"name\":\"U", "\"name\":\"?"),
            ("\"dur\":", "\"dur\":-"),
            ("slots of", "years of"),
            ("]}", "]"),
        ] {
            let other = whole.replacen(from, to, 1);
            assert_ne!(other, whole, "{from}");
            assert!(Timeline::from_chrome(&other).is_err(), "{from} -> {to}");
        }
        assert!(Timeline::from_chrome("{}").is_err());
    }
}
