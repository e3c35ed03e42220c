//! The stream of events: order, content, and subscribers that fail.

use crate::tiny;
use dtrp_train::schedule::{Dtrp, Fdg};
use dtrp_train::{BoxError, End, Event, Stop, Subscriber, TrainError, Trainer};
use std::sync::{Arc, Mutex};

/// Keeps all that is told.
fn heard(trainer: &mut Trainer) -> Arc<Mutex<Vec<Event>>> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&events);
    trainer.on_event(move |event| own.lock().unwrap().push(event.clone()));
    events
}

fn names(events: &[Event]) -> Vec<&'static str> {
    let name = |event: &Event| match event {
        Event::Started(_) => "started",
        Event::Step(_) => "step",
        Event::Program(_) => "program",
        Event::Evaluated(..) => "evaluated",
        Event::Epoch(_) => "epoch",
        Event::Weights(_) => "weights",
        Event::Checkpoint(_) => "checkpoint",
        Event::Ended(_) => "ended",
        _ => "another",
    };
    events.iter().map(name).collect()
}

#[test]
fn everything_is_told_in_order() {
    let mut trainer = tiny(Dtrp::new(2)).build().unwrap();
    let events = heard(&mut trainer);
    let last = trainer.fit().unwrap();
    let events = events.lock().unwrap();
    let epoch = ["step", "step", "step", "program", "evaluated", "epoch", "weights"];
    let end = ["checkpoint", "ended"];
    let expected = [&["started", "weights"], &epoch[..], &epoch[..], &end].concat();
    assert_eq!(names(&events), expected);

    let steps: Vec<_> = events
        .iter()
        .filter_map(|e| if let Event::Step(s) = e { Some(s) } else { None })
        .collect();
    let numbers: Vec<_> = steps.iter().map(|step| (step.epoch, step.step)).collect();
    assert_eq!(numbers, [(1, 1), (1, 2), (1, 3), (2, 4), (2, 5), (2, 6)]);
    let Some(Event::Started(started)) = events.first() else {
        panic!()
    };
    assert_eq!(
        (started.method(), started.steps, started.batches_per_epoch),
        ("dtrp", 6, 3)
    );
    let Some(Event::Ended(summary)) = events.last() else {
        panic!()
    };
    assert_eq!((summary.end, summary.epochs, summary.steps), (End::Finished, 2, 6));
    assert_eq!(summary.final_test_accuracy, Some(last.test_accuracy));
    // An epoch tells of its workers what the run does in the end.
    let of_epoch = last
        .workers
        .iter()
        .map(|worker| (worker.staleness_max, worker.stored_input_peak_bytes));
    let of_run = summary
        .workers
        .iter()
        .map(|worker| (worker.staleness_max, worker.stored_input_peak_bytes));
    let of_epoch: Vec<_> = of_epoch.collect();
    assert_eq!(of_epoch, of_run.collect::<Vec<_>>());
    assert!(matches!(of_epoch[..], [(1, 1..), (0, 0)]), "{of_epoch:?}");
    // The mean of an epoch is that of its batches, which are all of one size here.
    let second: f64 = steps[3..].iter().map(|step| step.loss).sum::<f64>() / 3.0;
    assert!((second - last.train_loss).abs() < 1e-12);
    // What a summary says is read back as it was.
    let text = serde_json::to_string(&**summary).unwrap();
    let read: dtrp_train::Summary = serde_json::from_str(&text).unwrap();
    assert_eq!(read, **summary);
}

#[test]
fn a_program_says_itself_what_it_is() {
    let program = Fdg::new(2).batches(3).program().unwrap();
    let mut trainer = tiny(Dtrp::new(2)).program(program).build().unwrap();
    let events = heard(&mut trainer);
    trainer.fit().unwrap();
    let events = events.lock().unwrap();
    let Some(Event::Started(started)) = events.first() else {
        panic!()
    };
    let Some(Event::Ended(summary)) = events.last() else {
        panic!()
    };
    assert_eq!((started.method(), summary.method.as_str()), ("fdg", "fdg"));
    assert_eq!(trainer.settings().method.name, "fdg");
    assert_eq!(summary.predictor, None);
    assert!(
        started
            .to_owned()
            .program
            .workers
            .iter()
            .flatten()
            .all(|action| action.horizon.is_none())
    );
}

struct Failing {
    after: u64,
}

impl Subscriber for Failing {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        match event {
            Event::Step(step) if step.step == self.after => Err("the disk is full".into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_subscriber_that_fails_ends_the_run() {
    let mut trainer = tiny(Dtrp::new(2)).epochs(1000).build().unwrap();
    let events = heard(&mut trainer);
    trainer.subscribe(Failing { after: 2 });
    let error = trainer.fit().unwrap_err();
    assert!(matches!(error, TrainError::Subscriber(_)), "{error}");
    assert_eq!(error.to_string(), "the disk is full");
    // The others hear of the end, and soon: the epoch is not trained to its end for nobody.
    let events = events.lock().unwrap();
    let Some(Event::Ended(summary)) = events.last() else {
        panic!("{:?}", names(&events))
    };
    assert_eq!((summary.end, summary.epochs), (End::Failed, 0));
}

#[test]
fn a_run_can_be_stopped_from_an_event() {
    let stop = Stop::new();
    let mut trainer = tiny(Dtrp::new(2)).epochs(1000).stop(&stop).build().unwrap();
    let events = heard(&mut trainer);
    trainer.on_event(move |event| {
        if matches!(event, Event::Epoch(epoch) if epoch.epoch == 3) {
            stop.request();
        }
    });
    let error = trainer.fit().unwrap_err();
    assert!(matches!(error, TrainError::Stopped(_)), "{error}");
    assert_eq!(error.to_string(), "interrupted in epoch 4");
    let events = events.lock().unwrap();
    let Some(Event::Ended(summary)) = events.last() else {
        panic!()
    };
    assert_eq!(
        (summary.end, summary.epochs, summary.interrupted),
        (End::Interrupted, 3, true)
    );
}
