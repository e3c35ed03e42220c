//! Devices by name.

use crate::error::{Result, TrainError};
use crate::settings::Devices;
use dtrp_core::torch::GpuFault;
use tch::{Cuda, Device};

/// The device of each module.
pub(crate) fn devices(names: &Devices, modules: usize) -> Result<Vec<Device>> {
    let devices: Vec<_> = names
        .names()
        .iter()
        .map(|name| device(name))
        .collect::<Result<_, _>>()?;
    // A single name stands for all modules; the settings have been checked for any other number.
    Ok((0..modules).map(|module| devices[module % devices.len()]).collect())
}

/// Why no GPU can be used, and what to do.
pub fn why_no_gpu(fault: Option<&GpuFault>) -> String {
    match fault {
        Some(GpuFault::NoLibrary) => {
            "this program runs with a libtorch for CPUs; build it with `cargo xtask build --cuda`, \
             or take `run.device: cpu`"
                .to_owned()
        }
        Some(GpuFault::NoDriver) => "there is no NVIDIA driver; install one, or take `run.device: cpu`".to_owned(),
        Some(GpuFault::OldDriver(version)) => format!(
            "the NVIDIA driver is too old: it knows CUDA up to {version}, this libtorch is for CUDA 13.0; install a newer driver"
        ),
        Some(GpuFault::NoGpu) | None => {
            "there is a driver but no GPU; does `nvidia-smi` show one? CUDA_VISIBLE_DEVICES may hide it".to_owned()
        }
        Some(GpuFault::Other(message)) => format!("libtorch cannot use it: {message}"),
    }
}

fn device(name: &str) -> Result<Device> {
    let error = |exists, why: String| TrainError::Device {
        device: name.to_owned(),
        exists,
        why,
    };
    let missing = |why| error(true, why);
    let unknown = |why: &str| error(false, why.to_owned());
    if name == "cpu" {
        return Ok(Device::Cpu);
    }
    let Some(index) = name.strip_prefix("cuda") else {
        return Err(unknown("the devices are cpu and cuda:N"));
    };
    let index = match index {
        "" => 0,
        index => index
            .strip_prefix(':')
            .and_then(|index| index.parse().ok())
            .ok_or_else(|| unknown("a GPU is named cuda:N with N from 0"))?,
    };
    let count = Cuda::device_count();
    if !Cuda::is_available() || count <= 0 {
        return Err(missing(why_no_gpu(GpuFault::find().as_ref())));
    }
    if index >= count as usize {
        return Err(missing(format!("there are {count}, from cuda:0 to cuda:{}", count - 1)));
    }
    Ok(Device::Cuda(index))
}
