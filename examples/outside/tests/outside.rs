//! What a third party pins down: its names, its training, and the schedule that it relies on.

use dtrp_train::datasets::DataSpec;
use dtrp_train::schedule::{Dtrp, ScheduleError};
use dtrp_train::{Data, End, Event, Result, Settings, Training, models, predictors};
use outside::{Brier, LOOKAHEAD, SPOTS, STRIPS, blocks};
use std::sync::{Arc, Mutex};

/// The schedule, as a reviewer reads it: two modules, one batch apart.
#[test]
fn the_schedule_we_rely_on() -> std::result::Result<(), ScheduleError> {
    insta::assert_snapshot!(Dtrp::new(2).batches(3).table()?);
    Ok(())
}

#[test]
fn our_names_are_found_and_slips_are_understood() -> Result<()> {
    let data = Data::open(DataSpec::new(SPOTS).option("side", 6))?;
    assert_eq!((data.input().height, data.input().classes), (6, 4));
    let network = models::build(STRIPS, &models::option_values([("width", 8.into())]), &data.input())?;
    assert_eq!(network.parameters(), 36 * 8 + 8 + 8 * 8 + 8 + 8 * 4 + 4);
    assert!(predictors::list().iter().any(|predictor| predictor.name == LOOKAHEAD));
    let Err(error) = Data::open("org.example.spot") else {
        panic!("there is no such set");
    };
    assert!(
        error.to_string().contains("did you mean `org.example.spots`?"),
        "{error}"
    );
    let Err(error) = Data::open(DataSpec::new(SPOTS).option("sides", 6)) else {
        panic!("there is no such option");
    };
    assert!(error.to_string().contains("did you mean `side`?"), "{error}");
    Ok(())
}

#[test]
fn what_we_train_learns_and_repeats() -> Result<()> {
    let train = || -> Result<_> {
        let data = Data::open(DataSpec::new(SPOTS).option("samples", 200))?;
        let training = Training::new(blocks(2, 16, &data.input()), data);
        let training = training.method(Dtrp::new(3)).predictor(LOOKAHEAD).loss(Brier);
        let mut trainer = training.epochs(30).build()?;
        let losses = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&losses);
        trainer.on_event(move |event| {
            if let Event::Step(step) = event {
                to.lock().unwrap().push(step.loss);
            }
        });
        let result = trainer.fit();
        let summary = trainer.summary(&result);
        assert_eq!((summary.end, &*summary.method), (End::Finished, "dtrp"));
        result?;
        let losses = losses.lock().unwrap().clone();
        Ok(losses)
    };
    let losses = train()?;
    assert!(losses[losses.len() - 1] < 0.5 * losses[0], "{losses:?}");
    assert_eq!(losses, train()?);
    Ok(())
}

#[test]
fn settings_are_plain_values() -> Result<()> {
    let mut settings = Settings::default();
    settings.method.name = "dtpr".to_owned();
    let Err(error) = Training::from_settings(settings)?.build() else {
        panic!("there is no such method");
    };
    assert!(error.to_string().contains("did you mean `dtrp`?"), "{error}");
    Ok(())
}
