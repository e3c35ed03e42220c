//! The families, one file each.

mod resnet;
mod resnet_cifar;
mod tiny;
mod vgg;
mod wide_resnet;
mod wide_resnet_cifar;

use std::ops::RangeInclusive;

/// What depths and widths are taken from; larger ones are slips, and products of them would overflow.
const SIZES: RangeInclusive<u64> = 1..=1 << 20;
