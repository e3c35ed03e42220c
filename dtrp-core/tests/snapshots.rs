//! The programs of every method and order, as tables: read them as the figures of the papers.
//! After a deliberate change: `cargo insta review`, or `INSTA_UPDATE=always cargo test -p dtrp-core --test snapshots`.

mod common;

use dtrp_core::schedule::{Method, Order, Plan};

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
    let table =
        |name: &str, plan: Plan| Method::named(name).unwrap().program(&plan).unwrap().table();
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
    let program = Method::named("dtrp")
        .unwrap()
        .program(&Plan::new(2, 3))
        .unwrap();
    insta::assert_snapshot!("dtrp-text", program.to_string());
    insta::assert_snapshot!("dtrp-json", program.to_json());
    let program = Method::named("gpipe")
        .unwrap()
        .program(&Plan::new(2, 1).micro_batches(2))
        .unwrap();
    insta::assert_snapshot!("gpipe-json", program.to_json());
}
