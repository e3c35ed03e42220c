//! The wheels of libtorch 2.11.0: exact versions, sizes, checksums.
//!
//! The torch wheel is the same for both sets. The versions of the others are those that it requires (its `METADATA`
//! names `cuda-toolkit==13.0.2`, which names them exactly). To move to another libtorch: change `tch` in `Cargo.toml`
//! and `VERSION`, download the wheels as `pip.rs` does, and write down what `sha256sum` prints.

use super::wheels::{Keep, Wheel, WheelSet};
use super::{Flavor, VERSION};

/// For the CPU: `libtorch_cpu.so` and what it loads. It is built with CUDA support, hence the two NVIDIA libraries.
pub(crate) fn cpu() -> WheelSet {
    let keep = |wheel: &Wheel, keep| Wheel { keep, ..wheel.clone() };
    WheelSet {
        flavor: Flavor::Cpu,
        folder: format!("libtorch-{VERSION}-cpu"),
        inside: "",
        wheels: vec![
            keep(&WHEELS[0], TORCH_CPU),
            keep(&WHEELS[1], CUDART_CPU),
            keep(&WHEELS[2], CUPTI_CPU),
        ],
        // The libtorch.so of the wheel would ask for the CUDA libraries, and holds nothing else.
        links: &[("lib/libtorch.so", "libtorch_cpu.so")],
        kept_bytes: 500_000_000,
    }
}

/// For NVIDIA GPUs. The layout is that of the wheels, `torch` and `nvidia` side by side: the libraries find each other by
/// `$ORIGIN/../../nvidia/…`.
pub(crate) fn cuda() -> WheelSet {
    WheelSet {
        flavor: Flavor::Cuda,
        folder: format!("libtorch-{VERSION}-cu130"),
        inside: "torch",
        wheels: WHEELS.to_vec(),
        links: &[],
        kept_bytes: 3_800_000_000,
    }
}

const fn keep(from: &'static str, pattern: &'static str, to: &'static str) -> Keep {
    Keep { from, pattern, to }
}

const TORCH_CPU: &[Keep] = &[
    keep("torch/include/", "*", "include/"),
    keep("torch/lib/", "libtorch_cpu.so", "lib/"),
    keep("torch/lib/", "libc10.so", "lib/"),
    keep("torch/lib/", "libgomp.so.1", "lib/"),
];
const CUDART_CPU: &[Keep] = &[keep("nvidia/cu13/lib/", "libcudart.so.13", "lib/")];
const CUPTI_CPU: &[Keep] = &[keep("nvidia/cu13/lib/", "libcupti.so.13", "lib/")];

/// All but what needs Python.
const TORCH_CUDA: &[Keep] = &[
    keep("torch/include/", "*", "torch/include/"),
    keep("torch/lib/", "libtorch.so", "torch/lib/"),
    keep("torch/lib/", "libtorch_c[pu]*.so", "torch/lib/"),
    keep("torch/lib/", "libtorch_nvshmem.so", "torch/lib/"),
    keep("torch/lib/", "libtorch_global_deps.so", "torch/lib/"),
    keep("torch/lib/", "libc10*.so", "torch/lib/"),
    keep("torch/lib/", "libcaffe2_nvrtc.so", "torch/lib/"),
    keep("torch/lib/", "libgomp.so.1", "torch/lib/"),
];
/// Shared libraries, and the headers that libtorch's CUDA headers include.
const NVIDIA: &[Keep] = &[
    keep("nvidia/", "*/lib/*.so*", "nvidia/"),
    keep("nvidia/", "*/include/*", "nvidia/"),
];

const WHEELS: &[Wheel] = &[
    Wheel {
        name: "torch",
        version: "2.11.0",
        file: "torch-2.11.0-cp312-cp312-manylinux_2_28_x86_64.whl",
        bytes: 530_712_279,
        sha256: "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756",
        keep: TORCH_CUDA,
    },
    Wheel {
        name: "nvidia-cuda-runtime",
        version: "13.0.96",
        file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 2_243_632,
        sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-cuda-cupti",
        version: "13.0.85",
        file: "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
        bytes: 10_715_597,
        sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-cublas",
        version: "13.1.0.3",
        file: "nvidia_cublas-13.1.0.3-py3-none-manylinux_2_27_x86_64.whl",
        bytes: 423_133_236,
        sha256: "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-cuda-nvrtc",
        version: "13.0.88",
        file: "nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        bytes: 90_215_200,
        sha256: "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-cudnn-cu13",
        version: "9.19.0.56",
        file: "nvidia_cudnn_cu13-9.19.0.56-py3-none-manylinux_2_27_x86_64.whl",
        bytes: 366_066_321,
        sha256: "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-cufft",
        version: "12.0.0.61",
        file: "nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 214_085_489,
        sha256: "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-cufile",
        version: "1.15.1.6",
        file: "nvidia_cufile-1.15.1.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 1_223_672,
        sha256: "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-curand",
        version: "10.4.0.35",
        file: "nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl",
        bytes: 59_544_258,
        sha256: "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-cusolver",
        version: "12.0.4.66",
        file: "nvidia_cusolver-12.0.4.66-py3-none-manylinux_2_27_x86_64.whl",
        bytes: 200_941_980,
        sha256: "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-cusparse",
        version: "12.6.3.3",
        file: "nvidia_cusparse-12.6.3.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 145_942_937,
        sha256: "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-cusparselt-cu13",
        version: "0.8.0",
        file: "nvidia_cusparselt_cu13-0.8.0-py3-none-manylinux2014_x86_64.whl",
        bytes: 169_884_119,
        sha256: "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-nccl-cu13",
        version: "2.28.9",
        file: "nvidia_nccl_cu13-2.28.9-py3-none-manylinux_2_18_x86_64.whl",
        bytes: 196_493_177,
        sha256: "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-nvjitlink",
        version: "13.0.88",
        file: "nvidia_nvjitlink-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        bytes: 40_713_933,
        sha256: "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-nvshmem-cu13",
        version: "3.4.5",
        file: "nvidia_nvshmem_cu13-3.4.5-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        bytes: 60_412_546,
        sha256: "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
        keep: NVIDIA,
    },
    Wheel {
        name: "nvidia-nvtx",
        version: "13.0.85",
        file: "nvidia_nvtx-13.0.85-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl",
        bytes: 148_047,
        sha256: "4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4",
        keep: NVIDIA,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_checksums_are_whole() {
        for wheel in WHEELS {
            let stem = format!("{}-{}-", wheel.name.replace('-', "_"), wheel.version);
            assert!(wheel.file.starts_with(&stem), "{}", wheel.file);
            assert!(
                wheel.platforms().all(|tag| tag.starts_with("manylinux")),
                "{}",
                wheel.file
            );
            let digits = wheel.sha256.chars().filter(|c| "0123456789abcdef".contains(*c)).count();
            assert_eq!((digits, wheel.sha256.len()), (64, 64), "{}", wheel.name);
        }
        assert_eq!(WHEELS[0].platforms().collect::<Vec<_>>(), ["manylinux_2_28_x86_64"]);
        let [_, runtime, cupti] = &cpu().wheels[..] else {
            panic!("three wheels")
        };
        assert_eq!((runtime.name, cupti.name), ("nvidia-cuda-runtime", "nvidia-cuda-cupti"));
    }
}
