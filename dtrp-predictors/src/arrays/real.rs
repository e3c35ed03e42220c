//! The two number types that weights come in.

use super::{Arrays, Output, Views};
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

    /// The inputs of a call, of whichever type this is.
    fn arrays(views: Views<'_, Self>) -> Arrays<'_>;

    /// The output of a call, of whichever type this is.
    fn output(out: &mut [Self]) -> Output<'_>;
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

    fn arrays(views: Views<'_, Self>) -> Arrays<'_> {
        Arrays::F32(views)
    }

    fn output(out: &mut [Self]) -> Output<'_> {
        Output::F32(out)
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

    fn arrays(views: Views<'_, Self>) -> Arrays<'_> {
        Arrays::F64(views)
    }

    fn output(out: &mut [Self]) -> Output<'_> {
        Output::F64(out)
    }
}
