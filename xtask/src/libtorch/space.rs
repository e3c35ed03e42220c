//! Free space on a disk, by the `df` that every Unix has.

use super::SetupError;
use crate::context::Context;
use std::path::Path;

/// What programs say when the disk is full.
pub(crate) const NO_SPACE: &str = "No space left on device";

/// An error where the disk of `folder` has less than `needed` bytes free. Where `df` does not tell, the benefit of the
/// doubt: a disk that does fill up is reported when it happens.
pub(crate) fn check(context: &Context, folder: &Path, needed: u64) -> Result<(), SetupError> {
    match free(context, folder) {
        Some(free) if free < needed => Err(SetupError::DiskFull {
            folder: folder.to_path_buf(),
            needed,
            free: Some(free),
        }),
        _ => Ok(()),
    }
}

fn free(context: &Context, folder: &Path) -> Option<u64> {
    let df = context.find_program("df")?;
    let output = context.command(df).arg("-Pk").arg(folder).output().ok()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// `-Pk` prints kilobytes: `Filesystem 1024-blocks Used Available Capacity Mounted`, and the first name may hold spaces.
fn parse(text: &str) -> Option<u64> {
    let fields: Vec<_> = text.lines().nth(1)?.split_whitespace().collect();
    let capacity = fields.iter().position(|field| field.ends_with('%'))?;
    let available: u64 = fields.get(capacity.checked_sub(1)?)?.parse().ok()?;
    Some(available * 1024)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn df_lines() {
        let head = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
        let check = |line: &str, free| assert_eq!(parse(&format!("{head}{line}\n")), free);
        check("/dev/vda 264000000 14000000 80000000 16% /", Some(80_000_000 * 1024));
        check("my share 100 50 50 50% /mnt/a b", Some(50 * 1024));
        check("odd", None);
    }
}
