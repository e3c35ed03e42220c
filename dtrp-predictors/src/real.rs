//! The two number types that weights come in.

use crate::{Context, Predictor, PredictorError, Views};
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A number type that weights are stored in: `f32` or `f64`, and no other (the trait is sealed).
pub trait Real:
    sealed::Sealed
    + Copy
    + std::fmt::Debug
    + PartialEq
    + PartialOrd
    + Into<f64>
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Send
    + Sync
    + 'static
{
    /// Zero.
    const ZERO: Self;
    /// How error messages and descriptions name the type: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// The nearest number of this type.
    fn from_f64(value: f64) -> Self;

    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;

    /// The bits, in the low end of the result.
    fn bits(self) -> u64;

    /// Calls [`Predictor::predict_f32`] or [`Predictor::predict_f64`], whichever fits.
    fn predict(
        predictor: &mut dyn Predictor,
        context: &Context<'_>,
        views: Views<'_, Self>,
        out: &mut [Self],
    ) -> Result<(), PredictorError>;

    /// Calls [`Predictor::observe_f32`] or [`Predictor::observe_f64`], whichever fits.
    fn observe(
        predictor: &mut dyn Predictor,
        context: &Context<'_>,
        views: Views<'_, Self>,
    ) -> Result<(), PredictorError>;
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const NAME: &'static str = "f32";

    fn from_f64(value: f64) -> Self {
        value as Self
    }

    fn is_finite(self) -> bool {
        self.is_finite()
    }

    fn bits(self) -> u64 {
        self.to_bits().into()
    }

    fn predict(
        predictor: &mut dyn Predictor,
        context: &Context<'_>,
        views: Views<'_, Self>,
        out: &mut [Self],
    ) -> Result<(), PredictorError> {
        predictor.predict_f32(context, views, out)
    }

    fn observe(
        predictor: &mut dyn Predictor,
        context: &Context<'_>,
        views: Views<'_, Self>,
    ) -> Result<(), PredictorError> {
        predictor.observe_f32(context, views)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const NAME: &'static str = "f64";

    fn from_f64(value: f64) -> Self {
        value
    }

    fn is_finite(self) -> bool {
        self.is_finite()
    }

    fn bits(self) -> u64 {
        self.to_bits()
    }

    fn predict(
        predictor: &mut dyn Predictor,
        context: &Context<'_>,
        views: Views<'_, Self>,
        out: &mut [Self],
    ) -> Result<(), PredictorError> {
        predictor.predict_f64(context, views, out)
    }

    fn observe(
        predictor: &mut dyn Predictor,
        context: &Context<'_>,
        views: Views<'_, Self>,
    ) -> Result<(), PredictorError> {
        predictor.observe_f64(context, views)
    }
}
