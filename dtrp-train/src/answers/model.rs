//! A trained network: to be evaluated, and to be asked about images.

use super::Part;
use super::outputs::Answers;
use super::predictions::Predictions;
use crate::data::in_order;
use crate::error::{Result, TrainError};
use crate::settings::Settings;
use crate::trainer::Trainer;
use crate::training::Training;
use dtrp_data::{Dataset, ImageShape, InMemory};
use std::path::Path;
use std::sync::Arc;

/// A trained network with its data set, from which it has shape, normalisation and class names. It trains nothing.
///
/// ```
/// use dtrp_train::models::{build, option_values};
/// use dtrp_train::{Data, Model, Part, Training};
///
/// # fn main() -> dtrp_train::Result<()> {
/// let weights = std::env::temp_dir().join("digits-of-an-example.safetensors");
/// let data = Data::open("digits")?.limit(256);
/// let network = build("tiny", &option_values([]), &data.input())?;
/// let mut trainer = Training::new(network.clone(), data.clone()).epochs(1).build()?;
/// trainer.fit()?;
/// trainer.save_weights(&weights)?;
///
/// // Later: the same network and data. Where they have names, `Model::open(settings, weights)` does as well.
/// let mut model = Training::new(network, data).model(&weights)?;
/// println!("{:.2} %", 100.0 * model.predict(Part::Test)?.accuracy());
/// let pixels = vec![0; model.shape().len()];
/// for answer in model.answer([pixels])?[0].top(5) {
///     println!("{} {:.1} %", model.class_names()[answer.class], 100.0 * answer.probability);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Model {
    trainer: Trainer,
    class_names: Vec<String>,
}

impl Model {
    /// The network and the data that the settings name, with the weights of a safetensors file.
    ///
    /// Of the settings all that says how to train has no meaning here. The weights may be those of a run with other modules:
    /// the network is the same.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`], [`TrainError::Data`], [`TrainError::Model`], [`TrainError::Device`] where something is wrong with
    /// the settings, and [`TrainError::NotItsWeights`] where the file has not the weights of this network.
    pub fn open(settings: Settings, weights: impl AsRef<Path>) -> Result<Self> {
        Training::from_settings(settings)?.model(weights)
    }

    /// What it answers to a part of its data set; see [`Trainer::predict`].
    ///
    /// # Errors
    ///
    /// As [`Trainer::predict`].
    pub fn predict(&mut self, part: Part) -> Result<Predictions> {
        self.trainer.predict(part)
    }

    /// What it answers to images, each of [`shape`](Self::shape): bytes, all of the first channel's rows, then the second's. They
    /// are normalised as those of the data set are.
    ///
    /// # Errors
    ///
    /// [`TrainError::Data`] for an image of another size, and as [`predict`](Self::predict).
    pub fn answer(&mut self, images: impl IntoIterator<Item = Vec<u8>>) -> Result<Vec<Answers>> {
        let mut images = images.into_iter().peekable();
        if images.peek().is_none() {
            return Ok(Vec::new());
        }
        let set = self.data();
        let set = InMemory::new(set.name(), set.shape(), set.classes(), images.map(|image| (image, 0)))?;
        let loader = in_order(Arc::new(set), &self.trainer.recipe.settings.data, None)?;
        let (_, rows) = self.trainer.rows(&loader, false)?;
        let answers = rows.samples.into_iter().map(|row| Answers { logits: row.logits });
        Ok(answers.collect())
    }

    /// The test part of its data set.
    pub fn data(&self) -> &dyn Dataset {
        &*self.trainer.recipe.split.test
    }

    /// The shape of the images that it takes.
    pub fn shape(&self) -> ImageShape {
        self.data().shape()
    }

    /// The names of the classes that it tells apart.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        self.trainer.settings()
    }
}

impl From<Trainer> for Model {
    /// The network as it is trained by now.
    fn from(trainer: Trainer) -> Self {
        let class_names = trainer.recipe.split.test.class_names();
        Self { trainer, class_names }
    }
}

impl Training {
    /// The network with the weights of a safetensors file, to be used and not to be trained.
    ///
    /// # Errors
    ///
    /// As [`Model::open`].
    pub fn model(self, weights: impl AsRef<Path>) -> Result<Model> {
        let weights = weights.as_ref();
        let mut recipe = self.looking()?;
        recipe.settings.model.init_from = Some(weights.to_owned());
        let trainer = Trainer::assemble(recipe, true).map_err(|error| match error {
            TrainError::InitFrom { path, message } => TrainError::NotItsWeights { path, message },
            other => other,
        })?;
        Ok(trainer.into())
    }
}
