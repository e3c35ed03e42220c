//! `dtrp doctor`: looks at what a run depends on, and says what to do about what is wrong.

use crate::error::Error;
use crate::output;
use dtrp_core::torch::{GpuFault, build_information, parallel_information};
use dtrp_text::without_frames;
use dtrp_train::why_no_gpu;
use std::collections::BTreeSet;
use std::fmt;
use tch::{Cuda, Device, Kind, Tensor};
use tikv_jemalloc_ctl::{raw, thread};

/// The version of libtorch that `tch` 0.24 speaks to.
const LIBTORCH: &str = "2.11.0";

/// What one look came to.
enum Verdict {
    Ok,
    /// Works, but not as well as it could.
    Warning,
    /// Does not work.
    Broken,
}

/// One line of the report.
struct Finding {
    what: &'static str,
    verdict: Verdict,
    says: String,
    /// What to do about it.
    advice: Option<String>,
}

impl Finding {
    fn ok(what: &'static str, says: impl Into<String>) -> Self {
        Self {
            what,
            verdict: Verdict::Ok,
            says: says.into(),
            advice: None,
        }
    }

    fn warning(what: &'static str, says: impl Into<String>, advice: &str) -> Self {
        Self {
            verdict: Verdict::Warning,
            advice: Some(advice.to_owned()),
            ..Self::ok(what, says)
        }
    }

    fn broken(what: &'static str, says: impl Into<String>, advice: &str) -> Self {
        Self {
            verdict: Verdict::Broken,
            ..Self::warning(what, says, advice)
        }
    }
}

/// Looks at everything, and fails if anything is broken.
pub(super) fn run() -> Result<(), Error> {
    let loaded = loaded_libraries();
    let findings = [
        Finding::ok("dtrp", env!("CARGO_PKG_VERSION")),
        Finding::ok("tch", format!("0.24, made for libtorch {LIBTORCH}")),
        libtorch(),
        computes(),
        library("libtorch_cpu", &loaded),
        cuda_library(&loaded),
        devices(),
        threads(),
        allocator(),
        memory(),
    ];
    let broken = findings.iter().filter(|f| matches!(f.verdict, Verdict::Broken)).count();
    output::print(&output::wrapped(
        &findings.iter().map(ToString::to_string).collect::<String>(),
    ))?;
    match broken {
        0 => Ok(()),
        1 => Err(Error::Unhealthy("one thing is broken, see above".to_owned())),
        some => Err(Error::Unhealthy(format!("{some} things are broken, see above"))),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Broken => "BROKEN",
        };
        writeln!(f, "{mark:<8} {:<14} {}", self.what, self.says)?;
        match &self.advice {
            Some(advice) => writeln!(f, "{:<23} -> {advice}", ""),
            None => Ok(()),
        }
    }
}

fn libtorch() -> Finding {
    let information = build_information();
    let version = information.lines().find_map(torch_version);
    let cpu = information
        .lines()
        .find_map(|line| line.split_once("CPU capability usage: "));
    let cpu = cpu.map_or(String::new(), |(_, capability)| format!(", {}", capability.trim()));
    match version {
        Some(found) if found.starts_with(LIBTORCH) => Finding::ok("libtorch", format!("{found}{cpu}")),
        Some(found) => Finding::broken(
            "libtorch",
            found,
            "this is not the version that dtrp is made for: run `cargo xtask setup --force`, or set LIBTORCH to another",
        ),
        None => Finding::ok("libtorch", format!("does not tell its version{cpu}")),
    }
}

/// The version in a line of the build's information such as `TORCH_VERSION=2.11.0, USE_CUDA=OFF`.
fn torch_version(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("TORCH_VERSION=")?;
    let end = rest.find([',', ' ', ';']).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

/// A convolution with a known result.
fn computes() -> Finding {
    let run = || -> Result<f64, tch::TchError> {
        let options = (Kind::Float, Device::Cpu);
        let input = Tensor::f_ones([1, 2, 4, 4], options)?;
        let weight = Tensor::f_ones([3, 2, 3, 3], options)?;
        let output = input.f_conv2d::<Tensor>(&weight, None, [1, 1], [0, 0], [1, 1], 1)?;
        output.f_sum(Kind::Double)?.f_double_value(&[])
    };
    match run() {
        // 2 · 3 · 3 ones for each of 3 · 2 · 2 outputs.
        Ok(216.0) => Finding::ok("computes", "a convolution gives what it should"),
        Ok(sum) => Finding::broken(
            "computes",
            format!("a convolution gives {sum} instead of 216"),
            "libtorch is damaged: run `cargo xtask setup --force`",
        ),
        Err(error) => Finding::broken(
            "computes",
            without_frames(&error.to_string()).to_owned(),
            "libtorch cannot run a convolution: run `cargo xtask setup --force`",
        ),
    }
}

/// The files that are mapped into this process and look like libraries of libtorch.
fn loaded_libraries() -> BTreeSet<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let paths = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    let wanted = |path: &&str| {
        let name = path.rsplit('/').next().unwrap_or("");
        name.starts_with("libtorch") || name.starts_with("libc10")
    };
    paths.filter(wanted).map(str::to_owned).collect()
}

fn library(name: &'static str, loaded: &BTreeSet<String>) -> Finding {
    match loaded.iter().find(|path| path.contains(&format!("/{name}."))) {
        Some(path) => Finding::ok(name, path.as_str()),
        None if loaded.is_empty() => Finding::ok(name, "this system does not tell where from"),
        None => Finding::warning(
            name,
            format!(
                "not loaded by this name; loaded: {}",
                Vec::from_iter(loaded.iter().cloned()).join(", ")
            ),
            "if training works, nothing need be done",
        ),
    }
}

/// A program built with a CUDA libtorch whose linker dropped the CUDA libraries trains on the CPU without a word.
fn cuda_library(loaded: &BTreeSet<String>) -> Finding {
    let name = "libtorch_cuda";
    let found = loaded.iter().find(|path| path.contains("/libtorch_cuda."));
    match (cfg!(libtorch_cuda), found) {
        (true, Some(path)) => Finding::ok(name, path.as_str()),
        (true, None) if loaded.is_empty() => Finding::ok(name, "this system does not tell where from"),
        (true, None) => Finding::broken(
            name,
            "dtrp was built with a CUDA libtorch, but its CUDA library is not loaded",
            "the program must be linked with `-Wl,--no-as-needed -ltorch_cuda`, see dtrp-cli/build.rs; rebuild it",
        ),
        (false, Some(path)) => Finding::ok(name, format!("{path} (dtrp was built with a libtorch for CPUs)")),
        (false, None) => Finding::ok(name, "none: dtrp was built with a libtorch for CPUs"),
    }
}

fn devices() -> Finding {
    let count = Cuda::device_count().max(0);
    match (cfg!(libtorch_cuda), Cuda::is_available() && count > 0) {
        (_, true) => {
            let cudnn = if Cuda::cudnn_is_available() { "with" } else { "without" };
            Finding::ok(
                "devices",
                format!("cpu and {count} GPUs, cuda:0 to cuda:{}, {cudnn} cuDNN", count - 1),
            )
        }
        (true, false) => Finding::warning(
            "devices",
            "cpu; libtorch could use GPUs but cannot",
            &why_no_gpu(GpuFault::find().as_ref()),
        ),
        (false, false) => Finding::ok("devices", "cpu"),
    }
}

fn threads() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let information = parallel_information();
    let openmp = information.lines().find(|line| line.contains("OpenMP "));
    let openmp = openmp.map_or(String::new(), |line| format!("; {}", line.trim()));
    let says = format!("{cores} cores, {} intra-op{openmp}", tch::get_num_threads());
    match cores {
        1 => Finding::warning(
            "threads",
            says,
            "on one core workers take turns: results are right, but nothing gets faster",
        ),
        _ => Finding::ok("threads", says),
    }
}

/// Whether memory that libtorch asks for comes from jemalloc: jemalloc must see a tensor being made.
fn allocator() -> Finding {
    const ELEMENTS: i64 = 1 << 20;
    let bytes = 4 * ELEMENTS as u64;
    let seen = || -> Result<(u64, String), String> {
        let told = |error: tikv_jemalloc_ctl::Error| error.to_string();
        let allocated = thread::allocatedp::mib().and_then(|mib| mib.read()).map_err(told)?;
        let before = allocated.get();
        let tensor = Tensor::f_ones([ELEMENTS], (Kind::Float, Device::Cpu)).map_err(|e| e.to_string())?;
        let after = allocated.get();
        drop(tensor);
        Ok((
            after - before,
            tikv_jemalloc_ctl::version::read().map_err(told)?.to_owned(),
        ))
    };
    match seen() {
        Ok((grown, version)) if grown >= bytes => {
            let version = version.split('-').next().unwrap_or("").to_owned();
            Finding::ok("allocator", format!("jemalloc {version} also serves libtorch"))
        }
        Ok(_) => Finding::warning(
            "allocator",
            "libtorch does not take its memory from jemalloc",
            "expect some 15 % fewer images per second; is another allocator set in LD_PRELOAD?",
        ),
        Err(error) => Finding::warning(
            "allocator",
            error,
            "jemalloc does not answer; training works all the same",
        ),
    }
}

/// Whether jemalloc keeps freed memory, and may have it in huge pages, as `main.rs` asks.
fn memory() -> Finding {
    let name = "memory";
    // SAFETY: jemalloc documents `opt.dirty_decay_ms` as an `ssize_t`, which is an `isize`.
    let decay = unsafe { raw::read::<isize>(b"opt.dirty_decay_ms\0") };
    let pages = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let pages = pages.unwrap_or_default();
    let faster = "expect a few percent fewer images per second";
    match decay {
        Ok(-1) if pages.contains("[never]") => Finding::warning(
            name,
            "freed memory is kept for reuse, but the system has no transparent huge pages",
            &format!("{faster}; `echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled` allows them"),
        ),
        Ok(-1) => Finding::ok(name, "freed memory is kept for reuse, in huge pages"),
        _ => Finding::warning(
            name,
            "freed memory goes back to the system",
            &format!("{faster}; is MALLOC_CONF set?"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found() {
        let line = "  - Build settings: BLAS_INFO=mkl, TORCH_VERSION=2.11.0, USE_CUDA=OFF, ";
        assert_eq!(torch_version(line).as_deref(), Some("2.11.0"));
        assert_eq!(torch_version("TORCH_VERSION=2.12.1").as_deref(), Some("2.12.1"));
        assert_eq!(torch_version("PyTorch built with:"), None);
    }
}
