//! What is shown on stderr: some lines that are written anew on a terminal, plain lines otherwise, and log lines that do not
//! tear them; or JSON objects.

mod bar;
mod block;
mod download;
mod lines;
mod log;
mod screen;
mod seen;

pub(crate) use download::Download;
pub(crate) use lines::Lines;
pub(crate) use log::{LogFormat, is_json, last_error, line, set_format, usage};
pub(crate) use screen::{can_redraw, write};

use crate::config::ProgressKind;
use bar::{Bar, clock};
use dtrp_predictors::loader::{LogLevel, set_last_words, set_logger};
use dtrp_text::units::rate;
use dtrp_train::{BoxError, EpochReport, Event, StepReport, Subscriber};
use seen::Seen;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
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
        write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The progress of one run.
pub(crate) struct Progress {
    seen: Seen,
    shown: Shown,
}

enum Shown {
    Bar(Bar),
    /// With the time of the last line.
    Plain(Instant),
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
            ProgressKind::Auto | ProgressKind::Bar if can_redraw() => Shown::Bar(Bar::new()),
            _ => Shown::Plain(Instant::now()),
        };
        Self {
            seen: Seen::new(total),
            shown,
        }
    }

    fn step(&mut self, report: &StepReport) {
        let seen = &mut self.seen;
        seen.step(report, Instant::now());
        match &mut self.shown {
            Shown::Bar(bar) => bar.show(seen),
            Shown::Plain(last) if last.elapsed() >= PLAIN_EVERY => {
                *last = Instant::now();
                log::line_with(&plain(seen, report.loss), fields("step", report));
            }
            _ => {}
        }
    }

    fn epoch(&mut self, report: &EpochReport) {
        self.seen.epoch(report);
        match &mut self.shown {
            Shown::Bar(bar) => {
                fitting_line(&report.to_string());
                bar.show(&self.seen);
            }
            Shown::Plain(last) => {
                *last = Instant::now();
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

/// `epoch 3, step 130/920: loss 0.4124, 6,171 images/s, 01:40 left`
fn plain(seen: &Seen, loss: f64) -> String {
    let Seen { epoch, step, steps, .. } = seen;
    let mut text = format!("epoch {epoch}, step {step}/{steps}: loss {loss:.4}");
    if let Some(images) = seen.images_per_second {
        text.push_str(&format!(", {} images/s", rate(images)));
    }
    if seen.left.is_some() {
        text.push_str(&format!(", {} left", clock(seen.left)));
    }
    text
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
            Event::Started(started) => {
                self.seen.started(started);
                self.note(
                    event,
                    json!({
                        "event": "started",
                        "steps": started.steps,
                        "batches_per_epoch": started.batches_per_epoch,
                        "modules": started.program.modules(),
                    }),
                );
            }
            Event::Ended(summary) => {
                self.note(
                    event,
                    json!({ "event": "ended", "end": summary.end, "epochs": summary.epochs, "steps": summary.steps }),
                );
                if let Shown::Bar(_) = &self.shown {
                    screen::show(Vec::new());
                }
            }
            _ => {}
        }
        Ok(())
    }
}
