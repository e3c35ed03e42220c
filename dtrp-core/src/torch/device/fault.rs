//! What libtorch's messages about GPUs and memory mean.

use crate::torch::shim::check;
use std::ffi::c_char;

unsafe extern "C" {
    fn dtrp_initialise_gpus() -> *mut c_char;
}

/// Why no GPU can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuFault {
    /// libtorch is one for CPUs, or its CUDA library is not loaded.
    NoLibrary,
    /// There is no NVIDIA driver.
    NoDriver,
    /// The driver is older than this libtorch needs; it knows CUDA up to this version.
    OldDriver(String),
    /// There is a driver, but no GPU that may be used.
    NoGpu,
    /// Something else, in libtorch's words.
    Other(String),
}

impl GpuFault {
    /// Tries to use the GPUs; `None` if they can be used.
    pub fn find() -> Option<Self> {
        // SAFETY: takes nothing.
        let result = check("CUDA", unsafe { dtrp_initialise_gpus() });
        result.err().map(|error| Self::of(&error.to_string()))
    }

    /// What a message of libtorch's means.
    fn of(message: &str) -> Self {
        let known = |text: &str| message.contains(text);
        if known("without ATen_cuda library") {
            return Self::NoLibrary;
        }
        if known("Found no NVIDIA driver") {
            return Self::NoDriver;
        }
        if let Some(version) = between(message, "too old (found version ", ")") {
            return Self::OldDriver(cuda_version(version));
        }
        if known("No CUDA GPUs are available") || known("no CUDA-capable device") {
            return Self::NoGpu;
        }
        Self::Other(message.lines().next().unwrap_or_default().to_owned())
    }
}

/// CUDA counts its versions as 1000 · major + 10 · minor.
fn cuda_version(number: &str) -> String {
    match number.parse::<u32>() {
        Ok(number) => format!("{}.{}", number / 1000, number % 1000 / 10),
        Err(_) => number.to_owned(),
    }
}

/// Memory that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfMemory {
    /// N of cuda:N; `None` for host memory.
    pub gpu: Option<usize>,
    /// What was asked for, such as `20.00 MiB`, if libtorch tells.
    pub asked: Option<String>,
    /// What was free, if libtorch tells.
    pub free: Option<String>,
}

impl OutOfMemory {
    /// Recognises libtorch's messages.
    pub fn of(message: &str) -> Option<Self> {
        if let Some(bytes) = between(message, "you tried to allocate ", " bytes") {
            return Some(Self {
                gpu: None,
                asked: Some(format!("{bytes} bytes")),
                free: None,
            });
        }
        // C++'s own words, and what oneDNN says when it has no room for its buffers; a size that no address has.
        let of_host = [
            "bad_alloc",
            "could not create a primitive",
            "Storage size calculation overflowed",
        ];
        if of_host.iter().any(|words| message.contains(words)) {
            return Some(Self {
                gpu: None,
                asked: None,
                free: None,
            });
        }
        let (_, told) = message.split_once("out of memory. Tried to allocate ")?;
        Some(Self {
            gpu: between(told, "GPU ", " ").and_then(|index| index.parse().ok()),
            asked: Some(told.split_once(". ")?.0.to_owned()),
            free: between(told, "of which ", " is free").map(str::to_owned),
        })
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_that_cannot_be_used() {
        for (message, fault) in [
            (
                "Cannot initialize CUDA without ATen_cuda library. PyTorch splits its backend into two",
                GpuFault::NoLibrary,
            ),
            (
                "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver",
                GpuFault::NoDriver,
            ),
            (
                "The NVIDIA driver on your system is too old (found version 12040). Please update your GPU driver by",
                GpuFault::OldDriver("12.4".to_owned()),
            ),
            ("No CUDA GPUs are available", GpuFault::NoGpu),
            (
                "CUDA unknown error - this may be due to an incorrectly set up environment\nmore",
                GpuFault::Other("CUDA unknown error - this may be due to an incorrectly set up environment".to_owned()),
            ),
        ] {
            assert_eq!(GpuFault::of(message), fault);
        }
    }

    #[test]
    fn memory_that_could_not_be_had() {
        let gpu = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 1 has a total capacity of 15.77 GiB of which \
                   13.56 MiB is free. Process 4242 has 15.75 GiB memory in use. Of the allocated memory 14.99 GiB is \
                   allocated by PyTorch, and 275.05 MiB is reserved by PyTorch but unallocated.";
        let host = "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried \
                    to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)";
        assert_eq!(
            OutOfMemory::of(gpu),
            Some(OutOfMemory {
                gpu: Some(1),
                asked: Some("20.00 MiB".to_owned()),
                free: Some("13.56 MiB".to_owned()),
            })
        );
        assert_eq!(
            OutOfMemory::of(host),
            Some(OutOfMemory {
                gpu: None,
                asked: Some("4000000000000 bytes".to_owned()),
                free: None,
            })
        );
        for words in ["std::bad_alloc", "could not create a primitive"] {
            let found = OutOfMemory::of(words).unwrap();
            assert_eq!((found.gpu, found.asked), (None, None), "{words}");
        }
        assert_eq!(OutOfMemory::of("expected 4-dimensional input"), None);
    }

    #[test]
    fn the_host_says_when_it_has_no_memory() {
        // Real messages: more than any address space holds, and more than can be counted.
        for shape in [vec![1 << 60], vec![1 << 40, 1 << 40]] {
            let error = tch::Tensor::f_empty(shape, (tch::Kind::Float, tch::Device::Cpu));
            let message = error.unwrap_err().to_string();
            let found = OutOfMemory::of(&message);
            assert!(found.is_some_and(|found| found.gpu.is_none()), "{message}");
        }
    }
}
