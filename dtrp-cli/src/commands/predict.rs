//! `dtrp predict`: what a trained network says of image files.

use super::runs::Form;
use super::trained::Trained;
use crate::config::path_argument;
use crate::error::{EXIT_CODES, Error};
use crate::output;
use crate::progress;
use crate::stop;
use clap::Args;
use dtrp_data::{DataError, Picture};
use dtrp_text::units::percent;
use dtrp_text::{Table, to_json};
use dtrp_train::{Answer, Answers, Model};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  dtrp predict runs/flowers rose.jpg tulip.png
      the five likeliest classes of each, with their probabilities
  dtrp predict runs/flowers --format json photos/*.jpg
      with the logits, for programs
  curl -s https://example.org/rose.jpg | dtrp predict runs/flowers -
      an image from stdin
  dtrp predict runs/cifar --scale --set data.dir=/data/cifar10 cat.jpg
      an image of another size than those that the network was trained on

Images are read as those of the test part are: decoded (JPEG, PNG, BMP, PPM, PGM, TIFF, WebP), made grey or coloured, and
normalised. With the data set image-folder they are brought to data.shape as data.resize says; other sets have images of one
size, and take no other without --scale.

An image that cannot be read is told, the others are answered, and the exit code is 4.";

/// `dtrp predict`
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Predict {
    #[command(flatten)]
    trained: Trained,
    /// Image files; `-` is stdin
    #[arg(required = true, value_name = "IMAGE", value_parser = path_argument())]
    images: Vec<PathBuf>,
    /// So many of the likeliest classes
    #[arg(short = 'k', long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Take images of any size: the largest middle part with the right ratio of width to height is scaled
    #[arg(long)]
    scale: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// Images that are asked about at once.
const AT_ONCE: usize = 1024;

/// Asks, and prints the answers.
pub(super) fn run(args: &Predict) -> Result<(), Error> {
    let (mut model, _) = args.trained.open(&stop::at_signals()?)?;
    let mut answered: Vec<(&Path, Result<Answers, DataError>)> = Vec::new();
    for paths in args.images.chunks(AT_ONCE) {
        let (mut images, mut read) = (Vec::new(), Vec::new());
        for path in paths {
            read.push((path.as_path(), args.read(path, &model).map(|image| images.push(image))));
        }
        let mut answers = model.answer(images)?.into_iter();
        answered.extend(read.into_iter().filter_map(|(path, read)| match read {
            Ok(()) => Some((path, Ok(answers.next()?))),
            Err(error) => Some((path, Err(error))),
        }));
    }
    let bad: Vec<_> = answered
        .iter()
        .filter_map(|(_, answers)| answers.as_ref().err())
        .collect();
    let text = match args.format {
        Form::Text => output::fitted(&args.table(&answered, &model)),
        Form::Markdown => args.table(&answered, &model).markdown(),
        Form::Json => to_json(&args.json(&answered, &model)),
    };
    if args.format == Form::Json || bad.len() < answered.len() {
        output::print(&text)?;
    }
    match bad[..] {
        [] => Ok(()),
        [only] => Err(Error::BadData(only.to_string())),
        [..] => {
            for error in &bad {
                progress::line(&format!("error: {error}"));
            }
            let (some, all) = (bad.len(), answered.len());
            Err(Error::BadData(format!(
                "{some} of {all} images could not be read, see above"
            )))
        }
    }
}

impl Predict {
    /// The pixels of an image as the network takes them.
    fn read(&self, path: &Path, model: &Model) -> Result<Vec<u8>, DataError> {
        let channels = model.shape().channels;
        let picture = if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            let path = PathBuf::from("stdin");
            read.map_err(|source| DataError::Io {
                path: path.clone(),
                action: "read the image",
                source,
            })?;
            Picture::decode(&bytes, &path, channels)?
        } else {
            Picture::read(path, channels)?
        };
        let own = model.data().image_of(&picture);
        match own {
            Err(DataError::Picture { .. }) if self.scale => Ok(picture.scaled(model.shape())),
            Err(DataError::Picture { path, problem }) => Err(DataError::Picture {
                path,
                problem: format!("{problem}; or let --scale take its middle"),
            }),
            own => own,
        }
    }

    fn table(&self, answered: &[(&Path, Result<Answers, DataError>)], model: &Model) -> Table {
        let mut table = Table::new(2);
        table.row(["image", "class", "probability"]);
        for (path, answers) in answered {
            let Ok(answers) = answers else { continue };
            for (rank, Answer { class, probability }) in answers.top(self.top as usize).into_iter().enumerate() {
                let name = if rank == 0 {
                    path.display().to_string()
                } else {
                    String::new()
                };
                let class = model.class_names()[class].clone();
                table.row([name, class, percent(Some(probability), 2)]);
            }
        }
        table
    }

    fn json(&self, answered: &[(&Path, Result<Answers, DataError>)], model: &Model) -> Value {
        let image = |(path, answers): &(&Path, Result<Answers, DataError>)| {
            let path = path.to_string_lossy();
            let answers = match answers {
                Ok(answers) => answers,
                Err(error) => return json!({ "image": path, "error": error.to_string() }),
            };
            let top = answers.top(self.top as usize).into_iter().map(|Answer { class, probability }| {
                json!({ "class": class, "name": model.class_names()[class], "probability": probability })
            });
            json!({ "image": path, "top": top.collect::<Vec<_>>(), "logits": answers.logits })
        };
        json!({
            "class_names": model.class_names(),
            "images": answered.iter().map(image).collect::<Vec<_>>(),
        })
    }
}
