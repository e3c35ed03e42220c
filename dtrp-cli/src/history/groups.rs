//! Runs that are the same experiment: their configurations differ in the seed alone.

use super::History;
use dtrp_train::settings::{CheckpointSettings, Settings};

/// Runs whose configurations differ in `run.seed` alone, in the order in which they were given.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    /// For legends.
    pub(crate) name: String,
    /// At least one.
    pub(crate) runs: Vec<&'a History>,
}

impl<'a> Group<'a> {
    /// The run that stands for the group where only one can be shown.
    pub(crate) fn first(&self) -> &'a History {
        self.runs[0]
    }

    /// The name, and over how many seeds the mean is.
    pub(crate) fn label(&self) -> String {
        match self.runs.len() {
            1 => self.name.clone(),
            seeds => format!("{} ({seeds} seeds)", self.name),
        }
    }
}

/// The groups, in the order of their first runs.
pub(crate) fn groups(runs: &[History]) -> Vec<Group<'_>> {
    let mut keyed: Vec<(Settings, Group<'_>)> = Vec::new();
    for run in runs {
        let key = without_seed(run);
        // A second run with the same seed is an experiment of its own, as is one that the user calls something else.
        let same = |group: &Group<'_>| {
            let seeds = group.runs.iter().map(|run| run.config.settings.run.seed);
            !seeds.into_iter().any(|seed| seed == run.config.settings.run.seed) && chosen(run) == chosen(group.first())
        };
        match keyed.iter_mut().find(|(of, group)| *of == key && same(group)) {
            Some((_, group)) => group.runs.push(run),
            None => keyed.push((
                key,
                Group {
                    name: run.name.clone(),
                    runs: vec![run],
                },
            )),
        }
    }
    let mut groups: Vec<_> = keyed.into_iter().map(|(_, group)| group).collect();
    for group in &mut groups {
        group.name = common_name(&group.runs);
    }
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    for group in &mut groups {
        if names.iter().filter(|name| **name == group.name).count() > 1 {
            group.name.clone_from(&group.first().name);
        }
    }
    groups
}

/// The name that the user has given it.
fn chosen(run: &History) -> Option<&str> {
    run.named.then_some(run.name.as_str())
}

fn without_seed(run: &History) -> Settings {
    let mut settings = run.config.settings.clone();
    settings.run.seed = 0;
    // It changes nothing of what is trained.
    settings.checkpoint = CheckpointSettings::off();
    settings
}

/// What the names have in common: `dtrp` of `dtrp-s1` and `dtrp-s2`, `…-k2` of `…-k2-seed7` and `…-k2-seed8`.
fn common_name(runs: &[&History]) -> String {
    let first = &runs[0].name;
    if runs.len() == 1 || runs.iter().all(|run| run.name == *first) {
        return first.clone();
    }
    let mut common = first.as_str();
    for run in runs {
        while !run.name.starts_with(common) {
            let last = common.char_indices().next_back().map_or(0, |(at, _)| at);
            common = &common[..last];
        }
    }
    let separator = |c: char| matches!(c, '-' | '_' | '.' | '/' | ' ');
    let mut name = common.trim_end_matches(|c: char| c.is_ascii_digit());
    for word in ["seed", "s"] {
        if let Some(before) = name.strip_suffix(word).filter(|before| before.ends_with(separator)) {
            name = before;
            break;
        }
    }
    match name.trim_end_matches(separator) {
        "" => first.clone(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn seeds_are_one_group_and_nothing_else_is() {
        let mut other = run("b-s1", 1, &[]);
        other.config.settings.optimizer.lr *= 2.0;
        let mut named = run("mine", 3, &[]);
        named.named = true;
        let runs = [
            run("a-s1", 1, &[]),
            other,
            run("a-s2", 2, &[]),
            run("again", 2, &[]),
            named,
        ];
        let groups = groups(&runs);
        let names: Vec<_> = groups.iter().map(|group| (group.label(), group.runs.len())).collect();
        let expected = [("a (2 seeds)", 2), ("b-s1", 1), ("again", 1), ("mine", 1)];
        assert_eq!(names, expected.map(|(name, runs)| (name.to_owned(), runs)));
    }

    #[test]
    fn names_without_seeds() {
        for (names, expected) in [
            (["x-k2-seed7", "x-k2-seed8"], "x-k2"),
            (["dtrp-s1", "dtrp-s12"], "dtrp"),
            (["loss", "losses"], "loss"),
            (["a", "b"], "a"),
            (["bp/1", "bp/2"], "bp"),
        ] {
            let runs = names.map(|name| run(name, 1, &[]));
            assert_eq!(common_name(&runs.iter().collect::<Vec<_>>()), expected);
        }
    }
}
