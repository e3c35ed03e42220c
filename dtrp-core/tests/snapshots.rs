//! The programs of every method and order, as tables: read them as the figures of the papers.
//! After a deliberate change: `cargo insta review`, or `INSTA_UPDATE=always cargo test -p dtrp-core --test snapshots`.

mod common;

use dtrp_core::schedule::{Method, Order, Plan, Slots};

#[test]
fn every_method_and_order() {
    for (method, order) in common::variants() {
        let mut text = String::new();
        for modules in 1..=4 {
            let plan = common::plan(method, order, modules, 5, 1, 1);
            let program = method.program(&plan).unwrap();
            text.push_str(&format!("K = {modules}\n\n{}\n", program.table()));
        }
        insta::assert_snapshot!(format!("{}-{order}", method.name), text);
    }
}

#[test]
fn micro_batches_and_accumulation() {
    let table = |name: &str, plan: Plan| Method::named(name).unwrap().program(&plan).unwrap().table();
    insta::assert_snapshot!("gpipe-m3", table("gpipe", Plan::new(3, 2).micro_batches(3)));
    insta::assert_snapshot!("1f1b-m3", table("1f1b", Plan::new(3, 2).micro_batches(3)));
    insta::assert_snapshot!(
        "dtrp-eager-m3",
        table("dtrp", Plan::new(3, 3).order(Order::Eager).micro_batches(3))
    );
    insta::assert_snapshot!("adl-M2", table("fdg", Plan::new(3, 6).accumulate(2)));
}

#[test]
fn text_and_json() {
    let program = Method::named("dtrp").unwrap().program(&Plan::new(2, 3)).unwrap();
    insta::assert_snapshot!("dtrp-text", program.to_string());
    insta::assert_snapshot!("dtrp-json", program.to_json());
    let program = Method::named("gpipe")
        .unwrap()
        .program(&Plan::new(2, 1).micro_batches(2))
        .unwrap();
    insta::assert_snapshot!("gpipe-json", program.to_json());
}

proptest::proptest! {
    /// A table has a row for each slot, and shows every computation once.
    #[test]
    fn tables_show_everything_once((_, _, program) in common::programs(5, 8, 3)) {
        let table = program.table();
        let mut lines = table.lines();
        let head = lines.by_ref().take(2).count();
        let rows: Vec<&str> = lines.collect();
        proptest::prop_assert_eq!((head, rows.len() as u32), (2, Slots::of(&program).count()));
        for (k, actions) in program.workers.iter().enumerate() {
            let cells = rows.iter().filter_map(|row| row.split('|').nth(k + 1));
            let shown: Vec<&str> = cells.flat_map(str::split_whitespace).collect();
            let shown: Vec<&str> = shown.iter().map(|token| token.split('+').next().unwrap_or("")).collect();
            let planned: Vec<String> = actions.iter().filter(|a| !a.op.is_message()).map(|a| a.short()).collect();
            proptest::prop_assert_eq!(shown, planned);
        }
    }
}
