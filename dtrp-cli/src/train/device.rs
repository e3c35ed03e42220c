//! Devices by name.

use crate::config::{Devices, Dtype};
use crate::error::Error;
use tch::{Cuda, Device, Kind};

/// The device of each module.
pub(super) fn devices(names: &Devices, modules: usize) -> Result<Vec<Device>, Error> {
    let devices: Vec<_> = names
        .0
        .iter()
        .map(|name| device(name))
        .collect::<Result<_, _>>()?;
    // A single name stands for all modules; the configuration has been checked for any other number.
    Ok((0..modules)
        .map(|module| devices[module % devices.len()])
        .collect())
}

/// The element type of weights and activations.
pub(super) fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
    }
}

fn device(name: &str) -> Result<Device, Error> {
    let missing = |why: String| Error::Device {
        device: name.to_owned(),
        why,
    };
    if name == "cpu" {
        return Ok(Device::Cpu);
    }
    let Some(index) = name.strip_prefix("cuda") else {
        return Err(missing("the devices are cpu and cuda:N".to_owned()));
    };
    let index = match index {
        "" => 0,
        index => index
            .strip_prefix(':')
            .and_then(|index| index.parse().ok())
            .ok_or_else(|| missing("a GPU is named cuda:N with N from 0".to_owned()))?,
    };
    let count = Cuda::device_count();
    if !Cuda::is_available() || count <= 0 {
        let why = if cfg!(libtorch_cuda) {
            "libtorch sees no GPU; does `nvidia-smi` show one? `dtrp doctor` says more"
        } else {
            "this program is built with a libtorch for CPUs; build it with `cargo xtask build --cuda`, or take \
             `run.device: cpu`"
        };
        return Err(missing(why.to_owned()));
    }
    if index >= count as usize {
        return Err(missing(format!(
            "there are {count}, from cuda:0 to cuda:{}",
            count - 1
        )));
    }
    Ok(Device::Cuda(index))
}
