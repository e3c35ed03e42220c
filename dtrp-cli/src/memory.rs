//! How much memory there is, and how much the process may ask for.

/// The memory of this machine, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// All of it.
    pub(crate) total: u64,
    /// What can be had without anything else being swapped.
    pub(crate) available: u64,
}

/// The memory of this machine, where the system tells.
pub(crate) fn of_machine() -> Option<Machine> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    Some(Machine {
        total: field(&text, "MemTotal:")?,
        available: field(&text, "MemAvailable:")?,
    })
}

/// Bytes, from a line of `/proc/meminfo`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Lets requests fail that this machine can never meet: more than twice what it has. The allocator asks the system for address
/// space alone, which is granted without limit, and a network a thousand times too large would be killed when it is filled with
/// numbers; so it is told that there is not enough memory. A limit that is lower already stays.
#[cfg(target_os = "linux")]
pub(crate) fn limit() {
    let Some(bytes) = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| machine(&text))
    else {
        return;
    };
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes into `limit`, which is one.
    if unsafe { libc::getrlimit(libc::RLIMIT_DATA, &raw mut limit) } != 0 {
        return;
    }
    limit.rlim_cur = limit.rlim_cur.min(bytes.saturating_mul(2)).min(limit.rlim_max);
    // SAFETY: reads `limit`. Where it fails everything stays as it was.
    let _ = unsafe { libc::setrlimit(libc::RLIMIT_DATA, &raw const limit) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn limit() {}

/// Bytes of memory and swap, from the text of `/proc/meminfo`.
#[cfg(target_os = "linux")]
fn machine(text: &str) -> Option<u64> {
    Some(field(text, "MemTotal:")? + field(text, "SwapTotal:").unwrap_or(0))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_machine_has_some_memory() {
        let text = "MemTotal:       24 kB\nMemFree: 3 kB\nSwapTotal:   8 kB\n";
        assert_eq!(super::machine(text), Some(32 * 1024));
        let bytes = super::machine(&std::fs::read_to_string("/proc/meminfo").unwrap()).unwrap();
        assert!(bytes > 1 << 26, "{bytes}");
    }
}
