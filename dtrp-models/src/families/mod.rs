//! The families, one file each.

mod resnet_cifar;
