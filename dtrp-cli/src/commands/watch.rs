//! `dtrp watch`: the page of `dtrp report`, served on this machine while the runs go on.

use super::report::NOT_EVALUATED;
use crate::error::Error;
use crate::history::{Given, History, State, groups, signature};
use crate::output;
use crate::page::{Answers, body, escape, title, whole};
use crate::serve::{Answer, Pages, Server};
use crate::stop;
use clap::Args;
use dtrp_predictors::loader;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  dtrp watch runs/digits-resnet-cifar-dtrp-k2
      prints an address to open in a browser on this machine, and serves it until Ctrl-C
  ssh -L 8123:127.0.0.1:8123 HOST dtrp watch --port 8123 runs/a
      of a run on another machine: the address is the same there and here";

/// `dtrp watch`
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Watch {
    /// Folders of runs, or NAME=FOLDER with a name for tables and legends
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<Given>,
    /// The port on 127.0.0.1 [default: one that is free]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Do not evaluate the weights on the test set when the runs have ended
    #[arg(long)]
    no_evaluation: bool,
}

/// Serves the page until Ctrl-C.
pub(super) fn run(args: &Watch) -> Result<(), Error> {
    let runs = History::read_all(&args.runs)?;
    let stop = stop::at_signals()?;
    let server = Server::new(args.port)?;
    let live = Arc::new(Live {
        title: title(&runs),
        given: args.runs.clone(),
        evaluates: !args.no_evaluation,
        shown: Mutex::default(),
    });
    output::print(&format!("{}\n", server.address()))?;
    tracing::info!("the page is at that address, on this machine alone; Ctrl-C ends it");
    let pages: Arc<Pages> = {
        let live = Arc::clone(&live);
        Arc::new(move |path, query| live.answer(path, query))
    };
    server.run(&pages, &stop);
    if live.is_evaluating() {
        // It would still compute while the libraries under it go away.
        loader::end(0);
    }
    Ok(())
}

/// The page of runs that change.
struct Live {
    title: String,
    given: Vec<Given>,
    evaluates: bool,
    shown: Mutex<Shown>,
}

/// What was shown last.
#[derive(Default)]
struct Shown {
    /// What the files were like then, and when that was looked at.
    signature: Option<(String, Instant)>,
    /// Counts bodies.
    version: u64,
    body: Arc<str>,
    ended: bool,
    evaluation: Evaluation,
}

/// The answers to the test set, for which the runs must have ended: it takes what they would take.
#[derive(Default)]
enum Evaluation {
    #[default]
    Waits,
    Runs(JoinHandle<Answers>),
    Done(Answers),
}

/// Files are looked at no more often, however many look at the page.
const REST: Duration = Duration::from_millis(500);

impl Live {
    fn answer(&self, path: &str, query: &str) -> Answer {
        let (version, body, ended) = self.current();
        let state = |answer: Answer| {
            let ended = if ended { "yes" } else { "no" };
            answer.with("X-Version", version).with("X-Ended", ended)
        };
        match path {
            "" => state(Answer::html(whole(&self.title, &body, Some(version)))),
            "body" if query == version.to_string() => state(Answer::nothing()),
            "body" => state(Answer::html(body)),
            _ => Answer::unknown(),
        }
    }

    fn is_evaluating(&self) -> bool {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(&shown.evaluation, Evaluation::Runs(thread) if !thread.is_finished())
    }

    /// The body with its number, and whether it is the last.
    fn current(&self) -> (u64, Arc<str>, bool) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = &mut *shown;
        let evaluated = shown.evaluation.advance();
        let rests = shown.signature.as_ref().is_some_and(|(_, at)| at.elapsed() < REST);
        if !rests || evaluated {
            let signature = signature(&self.given);
            let same = shown.signature.as_ref().is_some_and(|(old, _)| *old == signature);
            if !same || evaluated {
                self.update(shown);
            }
            shown.signature = Some((signature, Instant::now()));
        }
        (shown.version, Arc::clone(&shown.body), shown.ended)
    }

    fn update(&self, shown: &mut Shown) {
        shown.version += 1;
        shown.ended = false;
        let made = History::read_all(&self.given).and_then(|runs| {
            let ended = runs.iter().all(|run| run.state != State::Running);
            let text = match &shown.evaluation {
                Evaluation::Done(answers) => body(&runs, answers)?,
                _ if !self.evaluates => body(&runs, &Answers::none(NOT_EVALUATED))?,
                Evaluation::Waits if !ended => body(
                    &runs,
                    &Answers::none("The weights are evaluated when the runs have ended."),
                )?,
                _ => body(&runs, &Answers::none("The weights are being evaluated."))?,
            };
            if ended && self.evaluates && matches!(shown.evaluation, Evaluation::Waits) {
                let evaluate = move || Answers::of(&groups(&runs));
                let thread = thread::Builder::new().name("evaluation".to_owned()).spawn(evaluate);
                shown.evaluation = thread.map_or_else(
                    |error| Evaluation::Done(Answers::none(&format!("The weights cannot be evaluated: {error}."))),
                    Evaluation::Runs,
                );
            }
            shown.ended = ended && (!self.evaluates || matches!(shown.evaluation, Evaluation::Done(_)));
            Ok(text)
        });
        shown.body = match made {
            Ok(text) => text.into(),
            Err(error) => format!(
                "<header><h1>{}</h1></header><p>{}</p>\n",
                escape(&self.title),
                escape(&error.to_string())
            )
            .into(),
        };
    }
}

impl Evaluation {
    /// Whether it has just been done.
    fn advance(&mut self) -> bool {
        if !matches!(self, Evaluation::Runs(thread) if thread.is_finished()) {
            return false;
        }
        if let Evaluation::Runs(thread) = std::mem::take(self) {
            let answers = thread.join();
            *self = Evaluation::Done(answers.unwrap_or_else(|_| Answers::none("Evaluating the weights has failed.")));
        }
        true
    }
}
