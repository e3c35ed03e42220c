//! What a network answers: to a whole part of its data set, with what is right and wrong about it, or to single images.
//!
//! [`Trainer::predict`] asks a network under training, a [`Model`] one that is trained.

mod confusion;
mod model;
mod outputs;
mod predictions;

pub use confusion::Confusion;
pub use model::Model;
pub use outputs::{Answer, Answers};
pub use predictions::{Predictions, Sample};

use crate::data::in_order;
use crate::error::Result;
use crate::trainer::Trainer;
use dtrp_core::torch::Evaluation;
use dtrp_data::Loader;
use dtrp_text::words;
use outputs::Rows;
use std::sync::{Arc, Mutex, PoisonError};

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is trained on.
    Train,
    /// What accuracy is measured on.
    Test,
}

words!(Part, "part", [Train "train", Test "test"]);

impl Trainer {
    /// What the current weights answer to a part of the data: without augmentation, in the set's own order, the first
    /// `data.limit` or `data.test_limit` samples of it. Sample i of the answer is image i of the set.
    ///
    /// ```
    /// use dtrp_train::models::{build, option_values};
    /// use dtrp_train::{Data, Part, Training};
    ///
    /// # fn main() -> dtrp_train::Result<()> {
    /// let data = Data::open("digits")?.limit(256);
    /// let network = build("tiny", &option_values([]), &data.input())?;
    /// let mut trainer = Training::new(network, data).epochs(1).build()?;
    /// let epoch = trainer.fit()?;
    /// let predictions = trainer.predict(Part::Test)?;
    /// assert_eq!(predictions.accuracy(), epoch.test_accuracy);
    /// for sample in predictions.worst(3) {
    ///     let [class, answer] = [sample.label, sample.answers[0].class].map(|class| &predictions.class_names()[class]);
    ///     println!("image {} is a {class}, and was taken for a {answer}", sample.index);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`TrainError`](crate::TrainError) of a worker, of the data, or [`Stopped`](crate::TrainError::Stopped); and
    /// [`Fit`](crate::TrainError::Fit) where the network does not give a number for each class.
    pub fn predict(&mut self, part: Part) -> Result<Predictions> {
        let (split, settings) = (&self.recipe.split, &self.recipe.settings.data);
        let (set, limit) = match part {
            Part::Train => (&split.train, settings.limit),
            Part::Test => (&split.test, settings.test_limit),
        };
        let (set, names) = (Arc::clone(set), set.class_names());
        let loader = in_order(set, settings, limit)?;
        let (evaluation, rows) = self.rows(&loader, true)?;
        Ok(Predictions::new(names, evaluation, rows))
    }

    /// What the network gives for all that the loader loads; `labelled` where labels are known, so that there is a loss.
    fn rows(&mut self, loader: &Loader, labelled: bool) -> Result<(Evaluation, Rows)> {
        let rows = Arc::new(Mutex::new(Rows::default()));
        let (taken, loss) = (Arc::clone(&rows), self.recipe.loss());
        let on_output = move |output: &tch::Tensor, labels: &tch::Tensor| {
            let mut rows = taken.lock().unwrap_or_else(PoisonError::into_inner);
            rows.take(output, labels, labelled.then_some(&*loss))
        };
        let looked = self.look(loader.epoch(0, 0), loader.batches_per_epoch(), Box::new(on_output));
        let evaluation = looked.map_err(|error| self.explain(error, " while evaluating"))?;
        let rows = std::mem::take(&mut *rows.lock().unwrap_or_else(PoisonError::into_inner));
        rows.check()?;
        Ok((evaluation, rows))
    }
}
