//! Losses of the reader's own, evaluation, and what a source of data can say.

use crate::run::{Run, assert_same_bits, state};
use dtrp_core::engine::{EngineError, EngineOptions};
use dtrp_core::schedule::{Local, Program, Unit};
use dtrp_core::torch::{CrossEntropy, Evaluation, Input, Loss, Mode, Pass, Source, TorchError, TorchStage, evaluate};
use std::error::Error;
use std::sync::Arc;
use tch::{Kind, Reduction, Tensor};

/// Cross-entropy from its parts; judges by other standards.
struct ByHand;

impl Loss for ByHand {
    fn of(&self, output: &Tensor, labels: &Tensor) -> Result<Tensor, TorchError> {
        let likely = output.f_log_softmax(1, None::<Kind>)?;
        Ok(likely.f_nll_loss::<Tensor>(labels, None, Reduction::Mean, -100)?)
    }

    fn of_evaluation(&self, output: &Tensor, _: &Tensor) -> Result<Tensor, TorchError> {
        Ok(output.f_square()?.f_mean(None::<Kind>)?)
    }

    /// Any answer but the right one.
    fn right(&self, output: &Tensor, labels: &Tensor) -> Result<Tensor, TorchError> {
        Ok(output.f_argmax(1, false)?.f_ne_tensor(labels)?.f_sum(Kind::Int64)?)
    }
}

fn with(loss: impl Loss + 'static, run: Run) -> Run {
    Run {
        loss: Some(Arc::new(loss)),
        ..run
    }
}

#[test]
fn a_loss_of_the_readers_own_trains_like_ours() {
    for modules in [1, 3] {
        let run = Run {
            micro_batches: 2,
            ..Run::new("dtrp", modules)
        };
        let ours = run.weights();
        assert_same_bits(&format!("K={modules}"), &with(ByHand, run).weights(), &ours);
    }
}

fn local(run: &Run) -> Program {
    Local::new(run.modules).batches(run.batches).program().unwrap()
}

fn evaluated(run: &Run, stages: &mut Vec<TorchStage>) -> Evaluation {
    evaluate(stages, &local(run), run.source(), &EngineOptions::default()).unwrap()
}

/// Mean over all samples of what `measure` gives for the logits of one network in one piece.
fn plain(run: &Run, stage: &TorchStage, measure: impl Fn(&Tensor, &Tensor) -> Tensor) -> (f64, u64) {
    let (mut sum, mut samples) = (0.0, 0);
    for batch in 1..=run.batches {
        let (images, labels) = run.data(batch);
        let pass = Pass {
            mode: Mode::Evaluate,
            seed: 1,
            batch: 0,
            block: 0,
        };
        let logits = tch::no_grad(|| stage.module().forward(stage.weights(), &[images], pass)).unwrap();
        sum += measure(&logits[0], &labels).double_value(&[]) * labels.size()[0] as f64;
        samples += labels.size()[0] as u64;
    }
    (sum / samples as f64, samples)
}

#[test]
fn evaluation_is_a_mean_over_samples_by_the_measure_of_the_loss() {
    let exact = |run: Run| Run {
        kind: Kind::Double,
        ..run
    };
    let one = exact(Run::new("bp", 1));
    let mut whole = one.stages();
    let right = |logits: &Tensor, labels: &Tensor| {
        let right = logits.argmax(1, false).eq_tensor(labels);
        right.to_kind(Kind::Double).mean(None::<Kind>)
    };
    let (accuracy, samples) = plain(&one, &whole[0], right);
    let (loss, _) = plain(&one, &whole[0], |x, y| CrossEntropy::default().of(x, y).unwrap());
    let (squares, _) = plain(&one, &whole[0], |x, _| x.square().mean(None::<Kind>));
    for modules in [1, 3] {
        let run = exact(Run::new("bp", modules));
        let mut stages = run.stages();
        let before = state(&stages);
        let found = evaluated(&run, &mut stages);
        assert_eq!(found.samples, samples);
        assert!((found.accuracy - accuracy).abs() < 1e-12, "{found:?} {accuracy}");
        assert!((found.loss - loss).abs() < 1e-12, "{found:?} {loss}");
        assert_same_bits("weights and statistics", &state(&stages), &before);

        let found = evaluated(&run, &mut with(ByHand, run.clone()).stages());
        assert!((found.accuracy - (1.0 - accuracy)).abs() < 1e-12, "{found:?}");
        assert!((found.loss - squares).abs() < 1e-12, "{found:?} {squares}");
    }
    // Whatever forwards a program has, they are those of evaluation.
    let mut program = local(&one);
    program.workers[0].retain(|action| action.unit.batch <= 2);
    program.batches = 2;
    let found = evaluate(&mut whole, &program, one.source(), &EngineOptions::default()).unwrap();
    assert_eq!(found.samples, 16);
}

/// Smoothing belongs to what is learnt; what is reported of a test set is the loss with the labels as they are.
#[test]
fn label_smoothing_is_not_in_the_loss_of_an_evaluation() {
    let smooth = |label_smoothing| Run {
        label_smoothing,
        kind: Kind::Double,
        ..Run::new("bp", 2)
    };
    let (with, without) = (smooth(0.1), smooth(0.0));
    let found = evaluated(&with, &mut with.stages());
    assert_eq!(found, evaluated(&without, &mut without.stages()));
    let (logits, labels) = (
        Tensor::from_slice(&[0.0, 3.0]).view([1, 2]),
        Tensor::from_slice(&[1i64]),
    );
    let loss = CrossEntropy { label_smoothing: 0.1 };
    let trained = loss.of(&logits, &labels).unwrap().double_value(&[]);
    let reported = loss.of_evaluation(&logits, &labels).unwrap().double_value(&[]);
    assert!((reported - (1.0 + (-3f64).exp()).ln()).abs() < 1e-12, "{reported}");
    // 0.95 on the right class, 0.05 on the other one, which is 3 less likely in logarithm.
    assert!((trained - (reported + 0.05 * 3.0)).abs() < 1e-12, "{trained}");
}

/// Says what it is told to.
struct Says(Option<TorchError>);

impl Source for Says {
    fn next(&mut self, _: Unit) -> Result<Input, TorchError> {
        Err(self.0.take().unwrap_or(TorchError::Stopped))
    }
}

#[test]
fn what_a_source_says_arrives() {
    let run = Run::new("dtrp", 2);
    let say = |error: TorchError| -> EngineError<TorchError> {
        let source = Box::new(Says(Some(error)));
        evaluate(&mut run.stages(), &local(&run), source, &EngineOptions::default()).unwrap_err()
    };
    assert!(matches!(
        say(TorchError::Stopped).stage_error(),
        Some(TorchError::Stopped)
    ));
    let lost = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
    let error = say(TorchError::data(lost));
    assert!(error.to_string().contains("no such file"), "{error}");
    let mut cause: &dyn Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let cause = cause.downcast_ref::<std::io::Error>();
    assert_eq!(cause.map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound));
}
