//! What never comes back ends a run all the same: data, and whoever listens.

use crate::tiny;
use dtrp_core::engine::{Executor, StageFailure};
use dtrp_models::{build, option_values};
use dtrp_train::datasets::{DataError, Dataset, Normalization, Split};
use dtrp_train::schedule::{Bp, Dtrp};
use dtrp_train::{Data, End, Event, ImageShape, TrainError, Trainer, Training, left_behind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const WATCHDOG: Duration = Duration::from_millis(600);

/// Images of one colour, as from a network drive that is gone after so many of them.
struct Drive(AtomicUsize);

impl Dataset for Drive {
    fn name(&self) -> &str {
        "drive"
    }
    fn len(&self) -> usize {
        64
    }
    fn shape(&self) -> ImageShape {
        ImageShape::new(1, 8, 8)
    }
    fn classes(&self) -> usize {
        2
    }
    fn normalization(&self) -> Normalization {
        Normalization::new(&[0.5], &[0.25])
    }
    fn get(&self, index: usize, image: &mut [u8]) -> Result<u32, DataError> {
        let left = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_err() {
            for_ever();
        }
        image.fill(index as u8);
        Ok(index as u32 % 2)
    }
}

fn for_ever() {
    loop {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

/// Data of which so many images can be had, to train and to test on.
fn data([train, test]: [usize; 2], threads: usize) -> Data {
    let drive = |images| Drive(AtomicUsize::new(images));
    let data = Data::of(Split::new(drive(train), drive(test)));
    data.batch_size(8).loader_threads(threads)
}

fn network(data: &Data) -> dtrp_train::Network {
    build("tiny", &option_values([("width", 4.into())]), &data.input()).unwrap()
}

/// Trains, which must end in time with an error that says this.
fn gives_up(mut trainer: Trainer, says: &[&str]) {
    let start = Instant::now();
    let result = trainer.fit();
    // The watchdog's time and half of it again; the rest is for a busy machine.
    assert!(start.elapsed() < 5 * WATCHDOG, "took {:?}", start.elapsed());
    let summary = trainer.summary(&result);
    assert_eq!(summary.end, End::Failed);
    let error = result.unwrap_err();
    let stalled = matches!(&error, TrainError::Worker { source, .. } if matches!(**source, StageFailure::Stalled(_)));
    assert!(stalled, "{error:?}");
    let text = error.to_string();
    for part in says.iter().chain(&["nothing happened for 0.6 s"]) {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Its module is where the worker is.
    assert!(trainer.stages().is_empty() && left_behind());
    assert!(matches!(trainer.snapshot(), Err(TrainError::Fit(_))));
    assert!(matches!(trainer.evaluate(), Err(TrainError::Fit(_))));
}

#[test]
fn data_that_does_not_come() {
    const ALL: usize = 1 << 20;
    for images in [[30, ALL], [ALL, 30]] {
        for threads in [0, 2] {
            for executor in [Executor::Threads, Executor::Sequential] {
                let data = data(images, threads);
                let training = Training::new(network(&data), data).method(Bp::new(1));
                let trainer = training.executor(executor).watchdog(WATCHDOG).build().unwrap();
                gives_up(trainer, &["worker 1 is executing ", "(reading its next batch)"]);
            }
            let data = data(images, threads);
            let training = Training::new(network(&data), data).method(Dtrp::new(2));
            let trainer = training.watchdog(WATCHDOG).build().unwrap();
            let waits = "worker 2 waits for ";
            gives_up(trainer, &["worker 1 is executing ", "(reading its next batch)", waits]);
        }
    }
}

#[test]
fn a_listener_that_does_not_come_back() {
    for modules in [1, 2] {
        let mut trainer = tiny(Bp::new(modules)).watchdog(WATCHDOG).build().unwrap();
        trainer.on_event(|event| {
            if matches!(event, Event::Step(step) if step.step == 2) {
                for_ever();
            }
        });
        gives_up(trainer, &["(telling the loss)"]);
    }
}
