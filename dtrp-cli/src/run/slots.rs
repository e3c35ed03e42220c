//! The first slots of a program as text.

use dtrp_core::schedule::Program;
use dtrp_text::units::count;
use std::fmt::Write;

/// The first slots of a program as a table: enough to see it fill and run steadily.
pub(crate) fn first_slots(program: &Program) -> String {
    const HEAD: usize = 2;
    let rows = 2 * program.modules() + 8;
    // A worker starts at most one batch in a slot, so these batches fill the rows and more.
    let batches = (rows + 2 * program.modules()) as u32;
    let mut start = program.clone();
    for actions in &mut start.workers {
        actions.retain(|action| action.unit.batch <= batches);
    }
    let table = start.table();
    let mut text = format!(
        "{} ({}), {}, {}",
        program.method,
        program.order,
        count(program.modules() as u64, "module", "modules"),
        count(program.batches.into(), "batch", "batches"),
    );
    match program.micro_batches {
        0 | 1 => text.push('\n'),
        parts => {
            let _ = writeln!(text, " of {parts} micro-batches");
        }
    }
    for line in table.lines().take(HEAD + rows) {
        text.push_str(line);
        text.push('\n');
    }
    if table.lines().count() > HEAD + rows {
        text.push_str(" ...\n");
    }
    text
}
