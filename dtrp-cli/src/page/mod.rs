//! The page of `dtrp report` and `dtrp watch`: one HTML file that needs nothing beside it, nor a network.
//!
//! ```text
//! runs, answers ── body ──> sections: runs, means, curves, workers, test set, configurations, environment
//!                  whole ─> with style sheet and script; of `watch` the script asks for a new body now and then
//! ```

mod answers;
mod charts;
mod html;
mod means;
mod tables;

use answers::Answered;
pub(crate) use html::escape;

use crate::error::Error;
use crate::figures::all;
use crate::history::{Group, History, groups};
use std::fmt::Write as _;

/// What the networks answer to the test set.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    known: Vec<Answered>,
    /// Why there is nothing of others, a sentence each.
    missing: Vec<String>,
}

/// What the page shows, between its head and its end.
pub(crate) fn body(runs: &[History], answers: &Answers) -> Result<String, Error> {
    let groups = groups(runs);
    let mut out = String::new();
    head(&mut out, runs, &groups);
    tables::runs(&mut out, &groups);
    means::means(&mut out, &groups);
    charts::curves(&mut out, &groups)?;
    charts::workers(&mut out, &groups)?;
    charts::gantts(&mut out, &groups)?;
    answers::section_of(&mut out, answers)?;
    tables::configurations(&mut out, &groups)?;
    tables::environment(&mut out, &groups);
    Ok(out)
}

/// The title, and a switch for each group.
fn head(out: &mut String, runs: &[History], groups: &[Group<'_>]) {
    let _ = writeln!(out, "<header><h1>{}</h1>", escape(&title(runs)));
    if groups.len() > 1 {
        out.push_str("<div class=\"chips\" role=\"group\" aria-label=\"Runs shown\">\n");
        for (index, group) in groups.iter().enumerate() {
            let colour = crate::figures::series(index).css();
            let _ = writeln!(
                out,
                "<button class=\"chip\" aria-pressed=\"true\" data-colour=\"{colour}\"><i style=\"background:{}\"></i>{}</button>",
                html::variable(&colour),
                escape(&group.label())
            );
        }
        out.push_str("</div>\n");
    }
    if groups.iter().any(|group| group.runs.len() > 1) {
        out.push_str(
            "<p class=\"note\">Runs whose configurations differ in run.seed alone are one curve: the mean over the runs that have \
             come so far, in a band of one standard deviation (n − 1) to each side.</p>\n",
        );
    }
    out.push_str("</header>\n");
}

/// What the page is called.
pub(crate) fn title(runs: &[History]) -> String {
    match runs {
        [one] => one.name.clone(),
        runs => format!("{} runs", runs.len()),
    }
}

/// The whole page around a body. A page that is served asks for new bodies until it is told that the runs have ended.
pub(crate) fn whole(title: &str, body: &str, live: Option<u64>) -> String {
    let live = live.map_or(String::new(), |version| format!(" data-live=\"{version}\""));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"{live}>\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{} · dtrp</title>\n<style>\n{}{}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         <footer>Made by dtrp {}.</footer>\n<div id=\"tip\" hidden></div>\n<script>\n{}</script>\n</body>\n</html>\n",
        escape(title),
        include_str!("style.css"),
        colours(),
        env!("CARGO_PKG_VERSION"),
        include_str!("page.js"),
    )
}

/// The figures' colours as variables, and those for a dark ground.
fn colours() -> String {
    let (mut light, mut dark, mut rules) = (String::new(), String::new(), String::new());
    for colour in all(64) {
        let css = colour.css();
        let name = css.trim_start_matches('#');
        let _ = write!(light, "--c{name}:{css};");
        let _ = write!(dark, "--c{name}:{};", colour.dark());
        let _ = writeln!(
            rules,
            "svg [fill=\"{css}\"]{{fill:var(--c{name})}}svg [stroke=\"{css}\"]{{stroke:var(--c{name})}}"
        );
    }
    format!(":root{{{light}}}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n{rules}")
}

#[cfg(test)]
mod tests;
