//! Pages in a real browser: headless Chromium, where there is one.
//!
//! `DTRP_CHROMIUM` names it; otherwise it is looked for. Where there is none these tests say so and pass, but with
//! `DTRP_BROWSER=required` (`cargo xtask test --browser`) they fail.

use crate::reports::{Watching, tiny_runs};
use crate::support::Place;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The browser, if there is one and it starts.
fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("DTRP_CHROMIUM").map(PathBuf::from);
    let usual = ["chromium", "chromium-browser", "google-chrome", "chrome"].map(PathBuf::from);
    let starts = |program: &PathBuf| {
        let version = Command::new(program).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = named.into_iter().chain(usual).find(starts);
    if found.is_none() {
        let required = std::env::var_os("DTRP_BROWSER").is_some_and(|value| value == "required");
        assert!(
            !required,
            "there is no Chromium: install it, or name it in DTRP_CHROMIUM"
        );
        eprintln!("skipped: there is no Chromium (DTRP_CHROMIUM names one)");
    }
    found
}

/// What a browser makes of an address: the document after its scripts have run for so many milliseconds, and what it had to
/// say of it.
fn shown(browser: &Path, address: &str, milliseconds: u32) -> (String, Vec<String>) {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser);
    // Of one's own pages in a profile of one's own; containers have no room for the sandbox.
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-dev-shm-usage",
    ]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.args(["--enable-logging=stderr", "--v=0", "--window-size=1280,2000"]);
    command.arg(format!("--virtual-time-budget={milliseconds}"));
    command.args(["--dump-dom", address]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stderr);
    let console = said.lines().filter(|line| line.contains("CONSOLE"));
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        console.map(str::to_owned).collect(),
    )
}

#[test]
fn the_report_shows_without_an_error() {
    let Some(browser) = chromium() else { return };
    let place = Place::new();
    tiny_runs(&place);
    let ran = place.dtrp(&["report", "runs/a1", "runs/a2", "runs/b", "-o", "report.html"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let address = format!("file://{}", place.file("report.html").display());
    let (document, said) = shown(&browser, &address, 1000);
    assert_eq!(said, [""; 0]);
    // The last thing that the script does where it is not served.
    assert!(document.contains("data-ready=\"yes\""), "{}", &document[..200]);
    for id in ["loss", "accuracy", "test-loss", "lr", "rate", "gain", "busy", "memory"] {
        let figure = document.split(&format!("id=\"{id}\"")).nth(1).unwrap_or_default();
        let figure = figure.split("</figure>").next().unwrap_or_default();
        assert!(figure.contains("<svg"), "{id}: {figure}");
    }
    assert_eq!(document.matches("class=\"chip\"").count(), 2);
    assert!(document.contains("class=\"confusion\"") && document.contains("src=\"data:image/png;base64,"));
}

/// Switches a group off, asks for a logarithmic axis, rests the mouse on a curve and on a computation, and writes down what
/// came of each.
const HANDS: &str = r#"<script>
const all = (words, root = document) => [...root.querySelectorAll(words)];
const visible = marks => marks.filter(mark => mark.style.visibility !== "hidden").length;
const point = plot => {
  const box = plot.querySelector("svg").getBoundingClientRect();
  const at = { bubbles: true, clientX: box.left + box.width * 0.6, clientY: box.top + box.height * 0.5 };
  plot.querySelector("svg").dispatchEvent(new PointerEvent("pointermove", at));
  const tip = document.getElementById("tip");
  return tip.hidden ? "nothing" : tip.innerText.replaceAll("\n", " / ");
};
const done = [];
const loss = document.getElementById("loss"), [chip] = all(".chip"), colour = chip.dataset.colour;
const lines = all(`polyline[stroke="${colour}"]`, loss);
done.push(`lines ${visible(lines)} of ${lines.length}`);
done.push(`tip ${point(all(".plot", loss)[0])}`);
chip.click();
done.push(`lines ${visible(lines)} of ${lines.length}`, `pressed ${all(".chip")[0].getAttribute("aria-pressed")}`);
done.push(`tip ${point(all(".plot", loss)[0])}`);
loss.querySelector(".log").click();
done.push(`plots ${all(".plot", loss).map(plot => plot.hidden)}`);
const scripts = all(".wide .plot");
let said = "nothing";
for (let share = 0.2; share < 0.9 && said === "nothing"; share += 0.01) {
  const plot = scripts[0], box = plot.querySelector("svg").getBoundingClientRect();
  const at = { bubbles: true, clientX: box.left + box.width * share, clientY: box.top + box.height * 0.4 };
  plot.querySelector("svg").dispatchEvent(new PointerEvent("pointermove", at));
  const tip = document.getElementById("tip");
  if (!tip.hidden) said = tip.innerText;
}
done.push(`box ${said}`);
document.documentElement.dataset.done = done.join("; ");
</script></body>"#;

#[test]
fn the_page_answers_to_hands() {
    let Some(browser) = chromium() else { return };
    let place = Place::new();
    tiny_runs(&place);
    let ran = place.dtrp(&["report", "runs/a1", "runs/a2", "runs/b", "--no-evaluation", "-o", "-"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let page = place.file("page.html");
    std::fs::write(&page, ran.stdout.replace("</body>", HANDS)).unwrap();
    let (document, said) = shown(&browser, &format!("file://{}", page.display()), 1000);
    assert_eq!(said, [""; 0]);
    let done = document.split("data-done=\"").nth(1).unwrap_or_default();
    let done: Vec<_> = done.split('"').next().unwrap_or_default().split("; ").collect();
    let [before, both, after, pressed, one, plots, computation] = done[..] else {
        panic!("{done:?}");
    };
    // One of the linear figure, one of the logarithmic.
    assert_eq!(
        (before, after, pressed),
        ("lines 2 of 2", "lines 0 of 2", "pressed false")
    );
    assert!(
        both.contains("tip step ") && both.contains("a (2 seeds): ") && both.contains(" ± ") && both.contains("b: "),
        "{both}"
    );
    assert!(!one.contains("seeds") && one.contains("b: "), "{one}");
    assert_eq!(plots, "plots true,false");
    assert!(
        computation.contains("measured ") && computation.ends_with(" ms"),
        "{computation}"
    );
}

#[test]
fn the_browser_says_what_is_wrong_with_a_page() {
    let Some(browser) = chromium() else { return };
    let place = Place::new();
    let page = place.file("page.html");
    let forbidden = "<meta http-equiv=\"Content-Security-Policy\" content=\"img-src 'none'\"><img src=\"x.png\">";
    for wrong in ["<script>nowhere()</script>", forbidden] {
        std::fs::write(&page, format!("<!DOCTYPE html>{wrong}")).unwrap();
        let (_, said) = shown(&browser, &format!("file://{}", page.display()), 500);
        assert!(!said.is_empty(), "{wrong}");
    }
}

#[test]
fn the_live_page_follows_a_run_to_its_end() {
    let Some(browser) = chromium() else { return };
    let place = Place::new();
    tiny_runs(&place);
    let watching = Watching::start(&place, &["runs/b", "--no-evaluation"]);
    let (document, said) = shown(&browser, &watching.address, 5000);
    assert_eq!(said, [""; 0]);
    assert!(document.contains("data-ready=\"yes\""));
    assert!(document.contains("data-state=\"ended\"") && document.contains(">ended</div>"));
    assert!(document.contains("id=\"loss\"") && document.contains("<svg"));
}
