//! What is shown on stderr: a bar on a terminal, plain lines otherwise, and log lines that do not tear the bar; or JSON objects.

mod bar;
mod download;
mod log;
mod screen;

pub(crate) use download::Download;
pub(crate) use log::{LogFormat, is_json, last_error, line, set_format, usage};

use crate::config::ProgressKind;
use bar::Bar;
use dtrp_predictors::loader::{LogLevel, set_last_words, set_logger};
use dtrp_train::{BoxError, EpochReport, Event, StepReport, Subscriber};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whether nothing but warnings and errors is wanted.
static QUIET: AtomicBool = AtomicBool::new(false);

/// How often plain progress speaks within an epoch.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

/// Sends log lines, those of plug-ins too, to stderr: warnings and what a person wants to know, or as RUST_LOG says.
pub(crate) fn start_logging(format: LogFormat, verbose: u8, quiet: bool) {
    set_format(format);
    set_last_words(log::last_words);
    QUIET.store(quiet, Ordering::Relaxed);
    let level = match (quiet, verbose) {
        (true, _) => "warn",
        (_, 0) => "info",
        (_, 1) => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(screen::has_colours())
        .with_writer(|| LogWriter);
    // A second program in the same process keeps the first one's subscriber.
    let _ = match format {
        LogFormat::Human => subscriber.with_target(false).without_time().try_init(),
        LogFormat::Json => subscriber.event_format(log::Objects).try_init(),
    };
    set_logger(|level, text| match level {
        LogLevel::Error => tracing::error!("plug-in: {text}"),
        LogLevel::Warn => tracing::warn!("plug-in: {text}"),
        LogLevel::Info => tracing::info!("plug-in: {text}"),
        LogLevel::Debug => tracing::debug!("plug-in: {text}"),
    });
}

/// Never fails: an error would be told on stderr, which is what has failed.
struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        screen::write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The progress of one run.
pub(crate) struct Progress {
    total: u64,
    shown: Shown,
}

enum Shown {
    Bar(Bar),
    /// With the time of the last line.
    Plain(Mutex<Instant>),
    Nothing,
}

impl Progress {
    /// Starts to show a run of `total` steps.
    pub(crate) fn new(kind: ProgressKind, total: u64) -> Self {
        let kind = match kind {
            ProgressKind::Auto if QUIET.load(Ordering::Relaxed) => ProgressKind::None,
            kind => kind,
        };
        let shown = match kind {
            ProgressKind::None => Shown::Nothing,
            ProgressKind::Auto | ProgressKind::Bar if screen::can_redraw() => Shown::Bar(Bar::new(total)),
            _ => Shown::Plain(Mutex::new(Instant::now())),
        };
        Self { total, shown }
    }

    fn step(&self, report: &StepReport) {
        match &self.shown {
            Shown::Bar(bar) => bar.step(report),
            Shown::Plain(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= PLAIN_EVERY {
                    *last = Instant::now();
                    let StepReport { epoch, step, loss, .. } = report;
                    let text = format!("epoch {epoch}, step {step}/{}: loss {loss:.4}", self.total);
                    log::line_with(&text, fields("step", report));
                }
            }
            Shown::Nothing => {}
        }
    }

    fn epoch(&self, report: &EpochReport) {
        match &self.shown {
            Shown::Bar(_) => fitting_line(&report.to_string()),
            Shown::Plain(last) => {
                *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                if is_json() {
                    log::line_with(&report.to_string(), fields("epoch", report));
                } else {
                    fitting_line(&report.to_string());
                }
            }
            Shown::Nothing => {}
        }
    }

    /// What programs are told of a run beside its steps and epochs.
    fn note(&self, event: &Event, fields: Value) {
        if is_json() && matches!(self.shown, Shown::Plain(_)) {
            log::line_with(&event.to_string(), fields);
        }
    }
}

/// A report as an object that says what it is, as in `metrics.jsonl`.
fn fields(event: &str, report: &impl Serialize) -> Value {
    let mut fields = json!({ "event": event });
    if let (Some(fields), Ok(Value::Object(report))) = (fields.as_object_mut(), serde_json::to_value(report)) {
        fields.extend(report);
    }
    fields
}

/// A line that is broken between its fields where the terminal is narrow.
fn fitting_line(text: &str) {
    match screen::width() {
        Some(width) if text.chars().count() > width => line(&screen::fold(text, width)),
        _ => line(text),
    }
}

impl Subscriber for Progress {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        match event {
            Event::Step(step) => self.step(step),
            Event::Epoch(epoch) => self.epoch(epoch),
            Event::Started(started) => self.note(
                event,
                json!({
                    "event": "started",
                    "steps": started.steps,
                    "batches_per_epoch": started.batches_per_epoch,
                    "modules": started.program.modules(),
                }),
            ),
            Event::Ended(summary) => {
                self.note(
                    event,
                    json!({ "event": "ended", "end": summary.end, "epochs": summary.epochs, "steps": summary.steps }),
                );
                if let Shown::Bar(bar) = &self.shown {
                    bar.finish();
                }
            }
            _ => {}
        }
        Ok(())
    }
}
