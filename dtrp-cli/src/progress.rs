//! What is shown on stderr: a bar on a terminal, plain lines otherwise, and log lines that do not tear the bar.

mod download;

pub(crate) use download::Download;

use crate::config::ProgressKind;
use dtrp_predictors::loader::{LogLevel, set_logger};
use dtrp_train::{BoxError, Event, StepReport, Subscriber};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Everything that goes to stderr goes through here, so that lines and the bar keep out of each other's way.
static SCREEN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Whether nothing but warnings and errors is wanted.
static QUIET: AtomicBool = AtomicBool::new(false);

/// How often plain progress speaks within an epoch.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

/// Writes a line to stderr, above the bar if there is one.
pub(crate) fn line(text: &str) {
    // When stderr is gone there is nobody left to tell.
    SCREEN.suspend(|| drop(writeln!(std::io::stderr(), "{text}")));
}

/// Sends log lines, those of plug-ins too, to stderr: warnings and what a person wants to know, or as RUST_LOG says.
pub(crate) fn start_logging(verbose: u8, quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
    let level = match (quiet, verbose) {
        (true, _) => "warn",
        (_, 0) => "info",
        (_, 1) => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // A second program in the same process keeps the first one's subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_target(false)
        .without_time()
        .with_writer(|| LogWriter)
        .try_init();
    set_logger(|level, text| match level {
        LogLevel::Error => tracing::error!("plug-in: {text}"),
        LogLevel::Warn => tracing::warn!("plug-in: {text}"),
        LogLevel::Info => tracing::info!("plug-in: {text}"),
        LogLevel::Debug => tracing::debug!("plug-in: {text}"),
    });
}

struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        SCREEN.suspend(|| std::io::stderr().write_all(bytes))?;
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
    Bar(ProgressBar),
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
        let bar = match kind {
            ProgressKind::Auto => std::io::stderr().is_terminal(),
            ProgressKind::Bar => true,
            ProgressKind::Plain | ProgressKind::None => false,
        };
        let shown = if bar {
            let bar = ProgressBar::new(total);
            let template = "{bar:30} {pos}/{len} steps {elapsed_precise}<{eta_precise} {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            Shown::Bar(SCREEN.add(bar))
        } else if kind == ProgressKind::None {
            Shown::Nothing
        } else {
            Shown::Plain(Mutex::new(Instant::now()))
        };
        Self { total, shown }
    }

    fn step(&self, report: &StepReport) {
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_position(report.step);
                bar.set_message(format!("epoch {}, loss {:.4}", report.epoch, report.loss));
            }
            Shown::Plain(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= PLAIN_EVERY {
                    *last = Instant::now();
                    let StepReport { epoch, step, loss, .. } = report;
                    line(&format!("epoch {epoch}, step {step}/{}: loss {loss:.4}", self.total));
                }
            }
            Shown::Nothing => {}
        }
    }

    fn epoch(&self, text: &str) {
        match &self.shown {
            Shown::Bar(_) => line(text),
            Shown::Plain(last) => {
                *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                line(text);
            }
            Shown::Nothing => {}
        }
    }
}

impl Subscriber for Progress {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        match event {
            Event::Step(step) => self.step(step),
            Event::Epoch(epoch) => self.epoch(&epoch.to_string()),
            Event::Ended(_) => {
                if let Shown::Bar(bar) = &self.shown {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
        Ok(())
    }
}
