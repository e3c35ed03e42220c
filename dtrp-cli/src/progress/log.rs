//! Lines on stderr: text for people, or JSON objects for programs.

use super::screen;
use crate::output::visible;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::ffi::OsString;
use std::fmt::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The form of what goes to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text, with a bar on a terminal
    Human,
    /// An object a line
    Json,
}

impl LogFormat {
    /// The environment variable of `--log-format`.
    pub(crate) const VARIABLE: &str = "DTRP_LOG_FORMAT";

    /// What these words ask for, where they are no right command line.
    pub(crate) fn meant(words: impl Iterator<Item = OsString>) -> Self {
        let mut found = std::env::var_os(Self::VARIABLE);
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--log-format") => found = words.peek().cloned().or(found),
                Some(word) => found = word.strip_prefix("--log-format=").map(OsString::from).or(found),
                None => {}
            }
        }
        match found {
            Some(word) if word == "json" => Self::Json,
            _ => Self::Human,
        }
    }
}

/// Whether objects are wanted.
static JSON: AtomicBool = AtomicBool::new(false);

/// Whether programs read what goes to stderr.
pub(crate) fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// From now on stderr is written in this form; panics too.
pub(crate) fn set_format(format: LogFormat) {
    let json = format == LogFormat::Json;
    if json && !JSON.swap(json, Ordering::Relaxed) {
        std::panic::set_hook(Box::new(|panic| write_object(&of_panic(panic))));
    }
    JSON.store(json, Ordering::Relaxed);
}

/// Writes a line to stderr, above the bar if there is one.
pub(crate) fn line(text: &str) {
    told("INFO", text, text, Map::new());
}

/// As [`line()`], with what it tells as an object of fields for programs.
pub(super) fn line_with(text: &str, fields: Value) {
    let fields = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    told("INFO", text, text, fields);
}

/// Tells what ends the program with this exit code.
pub(crate) fn last_error(text: &str, code: u8) {
    // The lines of a run that has not come to its end, as where a worker hangs.
    screen::show(Vec::new());
    told("ERROR", &format!("error: {text}"), text, exit_code(code.into()));
}

/// Tells how a command is typed right, in `text` that begins with the error.
pub(crate) fn usage(text: &str, code: u8) {
    let message = text.strip_prefix("error: ").unwrap_or(text);
    told("ERROR", text, message.trim_end(), exit_code(code.into()));
}

/// The last words of a program that a plug-in ends, as bytes for stderr.
pub(super) fn last_words(text: &str, code: i32) -> String {
    if is_json() {
        object("ERROR", OWN, text, exit_code(code)) + "\n"
    } else {
        format!("error: {text}\n")
    }
}

/// Who speaks, where it is no module.
const OWN: &str = "dtrp";

fn told(level: &str, text: &str, message: &str, fields: Map<String, Value>) {
    if is_json() {
        write_object(&object(level, OWN, message, fields));
    } else {
        screen::write(format!("{}\n", visible(text)).as_bytes());
    }
}

fn write_object(object: &str) {
    screen::write(format!("{object}\n").as_bytes());
}

fn exit_code(code: i32) -> Map<String, Value> {
    Map::from_iter([("exit_code".to_owned(), code.into())])
}

/// All that a line has, always in this order.
fn object(level: &str, target: &str, message: &str, fields: Map<String, Value>) -> String {
    let mut timestamp = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
    json!({
        "timestamp": timestamp,
        "level": level,
        "target": target,
        "message": message,
        "fields": fields,
    })
    .to_string()
}

fn of_panic(panic: &PanicHookInfo) -> String {
    let thread = std::thread::current();
    let payload = panic.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let message = text
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or_default();
    let mut fields = Map::new();
    fields.insert("thread".to_owned(), thread.name().into());
    fields.insert("location".to_owned(), panic.location().map(ToString::to_string).into());
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        fields.insert("backtrace".to_owned(), trace.to_string().into());
    }
    object("ERROR", OWN, &format!("panicked: {message}"), fields)
}

/// Log lines as objects.
pub(super) struct Objects;

impl<S, N> FormatEvent<S, N> for Objects
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let (level, target) = (metadata.level().as_str(), metadata.target());
        writeln!(writer, "{}", object(level, target, &fields.message, fields.others))
    }
}

/// What a log line says.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.others.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.put(field, format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            _ => self.put(field, value.into()),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_where_the_command_line_is_wrong() {
        let meant = |line: &str| LogFormat::meant(line.split(' ').map(OsString::from));
        assert_eq!(meant("dtrp --log-format json trian"), LogFormat::Json);
        assert_eq!(meant("dtrp trian --log-format=json"), LogFormat::Json);
        assert_eq!(meant("dtrp --log-format=json --log-format human"), LogFormat::Human);
        assert_eq!(meant("dtrp trian"), LogFormat::Human);
    }

    #[test]
    fn an_object_is_one_line() {
        let text = object("INFO", "a", "x\n\u{1b}[31m", Map::new());
        assert!(!text.contains(['\n', '\u{1b}']), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["message"], "x\n\u{1b}[31m");
        let keys: Vec<_> = value.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["timestamp", "level", "target", "message", "fields"]);
        let time = value["timestamp"].as_str().unwrap();
        assert!(time.len() > 20 && time.ends_with('Z') && time.contains('T'), "{time}");
    }
}
