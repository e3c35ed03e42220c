//! What the networks answer to the test set: which classes they take for which, and their worst mistakes.

use super::html::{address, note, section};
use super::{Answers, escape};
use crate::error::Error;
use crate::figures::encode_png;
use crate::history::{Group, History};
use dtrp_text::units::{count, percent, thousands};
use dtrp_train::datasets::Dataset;
use dtrp_train::{Confusion, Model, Part, Predictions};
use image::{Rgb, RgbImage};
use std::fmt::Write as _;

/// Mistakes that are shown of a network.
const WORST: usize = 24;

/// Classes whose confusion is a table; that of more is a picture.
const MOST_CELLS: usize = 20;

/// Confusions that are listed.
const LISTED: usize = 8;

/// What a run's network answers.
#[derive(Debug)]
pub(crate) struct Answered {
    /// Of the run.
    name: String,
    predictions: Predictions,
    /// The worst mistakes, as PNG.
    pictures: Vec<Picture>,
}

#[derive(Debug)]
struct Picture {
    index: usize,
    png: Vec<u8>,
}

impl Answers {
    /// Of each group the first run that has weights, with its weights on the test set. What cannot be evaluated is told.
    pub(crate) fn of(groups: &[Group<'_>]) -> Self {
        let mut answers = Self::default();
        for group in groups {
            let trained = |run: &&&History| run.weights.is_some() && !run.epochs.is_empty();
            match group.runs.iter().find(trained) {
                None => answers
                    .missing
                    .push(format!("{}: there are no trained weights.", group.name)),
                Some(run) => match Answered::of(run) {
                    Ok(answered) => answers.known.push(answered),
                    Err(error) => {
                        tracing::warn!("{}: the weights cannot be evaluated: {error}", run.name);
                        answers
                            .missing
                            .push(format!("{}: the weights cannot be evaluated: {error}", run.name));
                    }
                },
            }
        }
        answers
    }

    /// None, for this reason.
    pub(crate) fn none(why: &str) -> Self {
        Self {
            known: Vec::new(),
            missing: vec![why.to_owned()],
        }
    }
}

impl Answered {
    fn of(run: &History) -> Result<Self, Error> {
        let weights = run.weights.as_ref();
        let weights =
            weights.ok_or_else(|| Error::BadData(format!("{}: there are no weights", run.folder.display())))?;
        let mut settings = run.config.settings.clone();
        // What the run started from need not be there any more.
        (settings.model.init_from, settings.model.init_sha256) = (None, None);
        let mut model = Model::open(settings, weights)?;
        let predictions = model.predict(Part::Test)?;
        let picture = |index: usize| {
            let png = encode_png(&picture(model.data(), index)?)?;
            Ok::<_, Error>(Picture { index, png })
        };
        let pictures = predictions
            .worst(WORST)
            .iter()
            .map(|sample| picture(sample.index))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name: run.name.clone(),
            predictions,
            pictures,
        })
    }
}

/// An image of a set: of one channel it is grey, of three it has colours, of others the first is shown.
fn picture(set: &dyn Dataset, index: usize) -> Result<RgbImage, Error> {
    let shape = set.shape();
    let mut bytes = vec![0; shape.len()];
    set.get(index, &mut bytes)?;
    let plane = shape.height * shape.width;
    let channels = if shape.channels == 3 {
        [0, plane, 2 * plane]
    } else {
        [0; 3]
    };
    let pixel = |x: u32, y: u32| {
        let at = y as usize * shape.width + x as usize;
        Rgb(channels.map(|channel| bytes.get(channel + at).copied().unwrap_or(0)))
    };
    Ok(RgbImage::from_fn(shape.width as u32, shape.height as u32, pixel))
}

/// The whole section.
pub(super) fn section_of(out: &mut String, answers: &Answers) -> Result<(), Error> {
    section(out, "test-set", "Test set");
    for answered in &answers.known {
        let Answered { name, predictions, .. } = answered;
        let _ = writeln!(out, "<div class=\"card\"><figcaption>{}</figcaption>", escape(name));
        let samples = count(predictions.len() as u64, "image", "images");
        let top5 = predictions
            .top5()
            .map_or(String::new(), |top5| format!(", top-5 {}", percent(Some(top5), 2)));
        let said = format!(
            "{samples}: accuracy {}{top5}, loss {:.4}, with the weights after the last whole epoch.",
            percent(Some(predictions.accuracy()), 2),
            predictions.loss(),
        );
        note(out, &said);
        out.push_str("<div class=\"sides\"><div>\n");
        confusion(out, predictions)?;
        out.push_str("</div><div>\n");
        mistakes(out, answered);
        out.push_str("</div></div></div>\n");
    }
    for why in &answers.missing {
        note(out, why);
    }
    out.push_str("</section>\n");
    Ok(())
}

/// A row for each class; the stronger the colour, the more of its images.
fn confusion(out: &mut String, predictions: &Predictions) -> Result<(), Error> {
    let (confusion, names) = (predictions.confusion(), predictions.class_names());
    if confusion.classes() > MOST_CELLS {
        let png = encode_png(&heat(&confusion))?;
        let _ = writeln!(
            out,
            "<img class=\"pixels\" alt=\"Confusion matrix\" src=\"{}\">",
            address(&png)
        );
        note(
            out,
            "Confusion: a row for each class, in it a point for each class that its images were taken for.",
        );
    } else {
        out.push_str("<div class=\"scroll\"><table class=\"confusion\"><thead><tr><th>true \\ answer</th>");
        for name in names {
            let _ = write!(out, "<th>{}</th>", escape(name));
        }
        out.push_str("</tr></thead><tbody>\n");
        for (truth, row) in confusion.rows().iter().enumerate() {
            let name = names.get(truth).map_or("", String::as_str);
            let _ = write!(out, "<tr><th>{}</th>", escape(name));
            let all = confusion.samples(truth).max(1) as f64;
            for (answer, number) in row.iter().enumerate() {
                // Few mistakes are seen too.
                let strength = (*number as f64 / all).sqrt() * 0.75;
                let heat = if truth == answer { "var(--heat)" } else { "213,94,0" };
                let style = format!(" style=\"background:rgba({heat},{strength:.3})\"");
                let (style, shown) = match number {
                    0 => (String::new(), String::new()),
                    number => (style, thousands(*number)),
                };
                let _ = write!(out, "<td{style}>{shown}</td>");
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n");
    }
    let mut pairs: Vec<(u64, usize, usize)> = Vec::new();
    for (truth, row) in confusion.rows().iter().enumerate() {
        let wrong = row
            .iter()
            .enumerate()
            .filter(|(answer, number)| *answer != truth && **number > 0);
        pairs.extend(wrong.map(|(answer, number)| (*number, truth, answer)));
    }
    pairs.sort_by_key(|(number, truth, answer)| (std::cmp::Reverse(*number), *truth, *answer));
    let name = |class: usize| names.get(class).map_or_else(|| class.to_string(), Clone::clone);
    let listed = pairs.iter().take(LISTED).map(|(number, truth, answer)| {
        let (truth, answer) = (name(*truth), name(*answer));
        format!("{truth} taken for {answer} ({number})")
    });
    let listed: Vec<_> = listed.collect();
    if !listed.is_empty() {
        note(out, &format!("Most often: {}.", listed.join(", ")));
    }
    Ok(())
}

/// The confusion of many classes as a picture.
fn heat(confusion: &Confusion) -> RgbImage {
    let size = confusion.classes() as u32;
    let pixel = |answer: u32, truth: u32| {
        let (truth, answer) = (truth as usize, answer as usize);
        let share = confusion.at(truth, answer) as f64 / confusion.samples(truth).max(1) as f64;
        let ink: [f64; 3] = if truth == answer {
            [0.0, 114.0, 178.0]
        } else {
            [213.0, 94.0, 0.0]
        };
        Rgb(ink.map(|part| (255.0 + (part - 255.0) * share.sqrt()).round() as u8))
    };
    RgbImage::from_fn(size, size, pixel)
}

/// Pictures of what the network was surest of, and wrong about.
fn mistakes(out: &mut String, answered: &Answered) {
    let Answered {
        predictions, pictures, ..
    } = answered;
    let names = predictions.class_names();
    let name = |class: usize| names.get(class).map_or_else(|| class.to_string(), |name| escape(name));
    if pictures.is_empty() {
        note(out, "It makes no mistake.");
        return;
    }
    out.push_str("<div class=\"mistakes\">\n");
    for picture in pictures {
        let Some((sample, answer)) = predictions
            .sample(picture.index)
            .and_then(|sample| Some((sample, sample.answers.first()?)))
        else {
            continue;
        };
        let (truth, wrong) = (name(sample.label), name(answer.class));
        let _ = writeln!(
            out,
            "<div><img alt=\"Image {index} of the test set\" src=\"{}\">true {truth}<br><b>{wrong}</b> {}<br>image {index}</div>",
            address(&picture.png),
            percent(Some(answer.probability), 0),
            index = picture.index,
        );
    }
    out.push_str("</div>\n");
    note(
        out,
        "The mistakes with the largest loss: the true class, the answer with its probability, and the number in the test set.",
    );
}
