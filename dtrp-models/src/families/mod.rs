//! The families, one file each.

mod resnet;
mod resnet_cifar;
mod tiny;
mod vgg;
mod wide_resnet;
mod wide_resnet_cifar;
