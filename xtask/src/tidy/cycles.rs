//! No cycles between the rooms of a crate: what uses what can be drawn from the ground up.

use super::names::{Name, names};
use super::sources::Source;
use std::collections::{BTreeMap, BTreeSet};

/// Where rooms lie: the modules right below each of these. The module itself ties its rooms together and is none of them.
const HOUSES: [&str; 11] = [
    "dtrp-build/src",
    "dtrp-text/src",
    "dtrp-predictors/src",
    "dtrp-data/src",
    "dtrp-core/src",
    "dtrp-core/src/torch",
    "dtrp-models/src",
    "dtrp-train/src",
    "dtrp-train/gpu-check/src",
    "dtrp-cli/src",
    "xtask/src",
];

/// What each room uses of the others, and an example of it.
type Uses<'a> = BTreeMap<&'a str, BTreeMap<String, String>>;

/// Every cycle between rooms, as a list of uses.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let cycles = HOUSES.iter().flat_map(|house| {
        let uses = uses(house, sources);
        let cycles = cycles(&uses).into_iter();
        let told = cycles.map(|rooms| format!("{house}: a cycle: {}", tell(&rooms, &uses)));
        told.collect::<Vec<_>>()
    });
    cycles.collect()
}

fn uses<'a>(house: &str, sources: &'a [Source]) -> Uses<'a> {
    let inside = sources.iter().filter_map(|source| {
        let below = source.path.strip_prefix(house)?.strip_prefix('/')?;
        let room = below.split('/').next()?.trim_end_matches(".rs");
        (!source.is_test()).then_some((room, source))
    });
    let (own, rooms): (Vec<_>, Vec<_>) = inside.partition(|(room, _)| ["mod", "lib", "main"].contains(room));
    let names_of_rooms: BTreeSet<_> = rooms.iter().map(|(room, _)| *room).collect();
    let exports: BTreeMap<_, _> = own.iter().flat_map(|(_, source)| exports(source)).collect();
    let crate_path = house.split("src").nth(1).unwrap_or_default();
    let root = format!("crate{}::", crate_path.replace('/', "::"));
    let mut uses: Uses<'_> = BTreeMap::new();
    for (room, source) in rooms {
        let used = uses.entry(room).or_default();
        for Name { line, path, .. } in names(source) {
            let Some(first) = path.strip_prefix(&root).and_then(|rest| rest.split("::").next()) else {
                continue;
            };
            let first = first.trim_end_matches('!');
            // What the house's own module passes on belongs to the room that it comes from.
            let is_room = names_of_rooms.contains(first);
            let other = exports.get(first).filter(|_| !is_room).map_or(first, String::as_str);
            if other != room && names_of_rooms.contains(other) {
                let place = || format!("{}:{line}", source.path);
                used.entry(other.to_owned()).or_insert_with(place);
            }
        }
    }
    uses
}

/// Names that a house's own module passes on, with the room that each comes from.
fn exports(source: &Source) -> Vec<(String, String)> {
    let imports = names(source).into_iter().filter(|name| name.is_import);
    let exports = imports.filter_map(|Name { path, .. }| {
        let parts: Vec<_> = path.split("::").collect();
        match parts[..] {
            [room, .., name] if room != "crate" => Some((name.to_owned(), room.to_owned())),
            _ => None,
        }
    });
    exports.collect()
}

/// Sets of rooms of which each reaches each.
fn cycles<'a>(uses: &Uses<'a>) -> Vec<Vec<&'a str>> {
    let reached = |from: &'a str| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(room) = next.pop() {
            let used = uses[room].keys().map(String::as_str);
            let used = uses.keys().filter(|known| used.clone().any(|name| name == **known));
            next.extend(used.filter(|room| seen.insert(**room)));
        }
        seen
    };
    let reached: BTreeMap<_, _> = uses.keys().map(|room| (*room, reached(room))).collect();
    let mut cycles: Vec<Vec<_>> = Vec::new();
    for (room, others) in &reached {
        let is_new = !cycles.iter().flatten().any(|known| known == room);
        if is_new && others.contains(room) {
            cycles.push(
                others
                    .iter()
                    .filter(|other| reached[*other].contains(room))
                    .copied()
                    .collect(),
            );
        }
    }
    cycles
}

/// `a uses b (a.rs:1), b uses a (b.rs:2)`.
fn tell(rooms: &[&str], uses: &Uses<'_>) -> String {
    let arrows = rooms.iter().flat_map(|room| {
        let inside = uses[room].iter().filter(|(other, _)| rooms.contains(&other.as_str()));
        inside.map(move |(other, place)| format!("{room} uses {other} ({place})"))
    });
    arrows.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_that_use_each_other() {
        let sources = [
            Source::new("dtrp-core/src/lib.rs", "use crate::a::A;\nuse crate::b::B;\n"),
            Source::new("dtrp-core/src/a/mod.rs", "use crate::b::B;\n"),
            Source::new("dtrp-core/src/b/mod.rs", "use std::fmt;\n"),
            Source::new("dtrp-core/src/b/deep.rs", "fn f() -> crate::c::C {}\n"),
            Source::new("dtrp-core/src/c.rs", "use super::a::A;\n"),
            Source::new("dtrp-core/src/d.rs", "use crate::a::A;\n\n#[cfg(test)]\nmod tests {}\n"),
        ];
        let told = "dtrp-core/src: a cycle: a uses b (dtrp-core/src/a/mod.rs:1), b uses c (dtrp-core/src/b/deep.rs:1), c \
                    uses a (dtrp-core/src/c.rs:1)";
        assert_eq!(check(&sources), [told]);
        assert_eq!(check(&sources[..4]), [""; 0]);
    }

    #[test]
    fn what_is_passed_on_belongs_to_its_room() {
        let sources = [
            Source::new("dtrp-core/src/torch/mod.rs", "pub use a::{A, Other};\npub use b::B;\n"),
            Source::new("dtrp-core/src/torch/a.rs", "use super::B;\n"),
            Source::new("dtrp-core/src/torch/b/mod.rs", "use crate::torch::A;\n"),
        ];
        let breaches = check(&sources);
        assert_eq!(breaches.len(), 1, "{breaches:?}");
        assert!(
            breaches[0].contains("b uses a (dtrp-core/src/torch/b/mod.rs:1)"),
            "{breaches:?}"
        );
    }
}
