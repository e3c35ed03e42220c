//! What the crate promises, through its public items alone.

mod augmentations;
mod checking;
mod cifar_files;
mod decoding;
#[cfg(feature = "fetch")]
mod fetching;
mod folder_layouts;
mod idx_files;
mod image_folders;
mod in_memory;
mod loading;
mod names;
mod photographs;
mod pictures;
mod resampling;
mod shipped;
mod support;
