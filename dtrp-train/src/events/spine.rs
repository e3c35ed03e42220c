//! The stream of events: who listens, and what a step needs to know of the run.

use super::{Event, StepReport, Subscriber};
use crate::data::BatchSizes;
use crate::error::{BoxError, Result, TrainError};
use crate::stop::Stop;
use dtrp_core::torch::LossEvent;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// Shared between the thread that trains and the worker that computes the losses.
#[derive(Clone, Default)]
pub(crate) struct Spine(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    subscribers: Vec<Box<dyn Subscriber>>,
    /// What the first subscriber that failed said.
    failure: Option<BoxError>,
    /// Set with it, so that the run does not go on for an epoch that nobody hears of.
    halt: Stop,
    now: Option<Now>,
    /// Sum of the epoch's losses over its samples.
    loss_sum: f64,
    /// The last batch of the run whose loss was told.
    told: u64,
}

/// The part of a run that a program trains.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) start: Instant,
    /// Seconds of the run before that.
    pub(crate) before: f64,
    /// From 1.
    pub(crate) epoch: u64,
    /// Batches of the run before the program.
    pub(crate) done: u64,
    /// Batches of the epoch before the program.
    pub(crate) trained: u32,
    pub(crate) sizes: BatchSizes,
}

impl Spine {
    pub(crate) fn subscribe(&self, subscriber: Box<dyn Subscriber>) {
        self.lock().subscribers.push(subscriber);
    }

    /// Tells everybody. One that fails is not told again.
    pub(crate) fn emit(&self, event: &Event) -> Result<()> {
        self.lock().emit(event);
        self.failed()
    }

    /// The failure of a subscriber, once.
    pub(crate) fn failed(&self) -> Result<()> {
        match self.lock().failure.take() {
            Some(error) => Err(TrainError::Subscriber(error)),
            None => Ok(()),
        }
    }

    /// What is trained next; nothing outside a run, where losses are not told.
    pub(crate) fn now(&self, now: Option<Now>) {
        self.lock().now = now;
    }

    /// The sum of the losses over the samples of the epoch; it begins anew.
    pub(crate) fn take_loss_sum(&self) -> f64 {
        std::mem::take(&mut self.lock().loss_sum)
    }

    /// The loss of a batch, as the last worker tells it.
    pub(crate) fn loss(&self, loss: LossEvent) {
        let mut inner = self.lock();
        let Some(now) = inner.now else { return };
        inner.loss_sum += loss.loss * now.sizes.of((now.trained + loss.batch) as usize) as f64;
        inner.told = now.done + u64::from(loss.batch);
        let step = inner.told;
        inner.emit(&Event::Step(StepReport {
            step,
            epoch: now.epoch,
            loss: loss.loss,
            lr: loss.rate,
            seconds: now.before + now.start.elapsed().as_secs_f64(),
        }));
    }

    /// Whether a worker that hangs does so while it tells an event.
    pub(crate) fn held(&self) -> bool {
        for _ in 0..10 {
            match self.0.try_lock() {
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
                _ => return false,
            }
        }
        true
    }

    /// The same, left as it is.
    pub(crate) fn loss_sum(&self) -> f64 {
        self.lock().loss_sum
    }

    /// Sets the sum.
    pub(crate) fn set_loss_sum(&self, sum: f64) {
        self.lock().loss_sum = sum;
    }

    /// Batches of the run whose loss has been told.
    pub(crate) fn told(&self) -> u64 {
        self.lock().told
    }

    /// Sets it, where a run is gone on with.
    pub(crate) fn set_told(&self, batch: u64) {
        self.lock().told = batch;
    }

    /// What stops the run once a subscriber has failed.
    pub(crate) fn halt(&self) -> Stop {
        self.lock().halt.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn emit(&mut self, event: &Event) {
        let (failure, halt) = (&mut self.failure, &self.halt);
        self.subscribers.retain_mut(|subscriber| match subscriber.event(event) {
            Ok(()) => true,
            Err(error) => {
                failure.get_or_insert(error);
                halt.request();
                false
            }
        });
    }
}
