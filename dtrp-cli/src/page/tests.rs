//! Pages of runs that exist in memory alone.

use super::*;
use crate::history::tests::run;

fn page(runs: &[History], live: Option<u64>) -> String {
    let body = body(runs, &Answers::none("not now")).unwrap();
    whole(&title(runs), &body, live)
}

#[test]
fn nothing_is_fetched() {
    let mut evil = run("<script src='http://evil.example/x.js'>", 1, &[1.0, 0.5]);
    evil.config.settings.data.name = "</pre><img src=https://evil.example>".to_owned();
    evil.config.settings.method.name = "\"><b>".to_owned();
    let page = page(&[evil, run("b", 2, &[1.0])], None);
    // What could be asked of a network stands in a tag or in the style sheet.
    let tags = page.split('<').skip(1);
    for tag in tags.map(|tag| tag.split('>').next().unwrap_or_default().to_lowercase()) {
        for name in ["src", "href", "action", "srcset", "poster", "data"] {
            let name = format!(" {name}=");
            for (at, found) in tag.match_indices(&name) {
                let value = tag[at + found.len()..].trim_start_matches(['"', '\'']);
                // Within a text in quotes there are no quotes.
                assert!(value.starts_with("data:") || value.starts_with("&#39;"), "{tag}");
            }
        }
    }
    for word in [
        "@import",
        "url(",
        "http-equiv=\"refresh\"",
        "<iframe",
        "<link rel=\"stylesheet\"",
        "<img src=https",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"));
    assert_eq!(page.matches("<script").count(), page.matches("</script>").count());
    assert!(page.contains("&lt;script src=&#39;http://evil.example/x.js&#39;&gt;"));
}

#[test]
fn every_section_is_there_whatever_is_missing() {
    let none = run("empty", 1, &[]);
    let some = run("some", 1, &[1.0, 0.5]);
    for runs in [vec![none.clone()], vec![some.clone()], vec![none, some]] {
        let page = page(&runs, None);
        for id in [
            "runs",
            "curves",
            "workers",
            "slots",
            "test-set",
            "configurations",
            "environment",
            "loss",
            "accuracy",
            "busy",
            "memory",
        ] {
            assert!(page.contains(&format!(" id=\"{id}\"")), "{id}");
        }
        for word in ["not now", "run.trace: timed", "broken off", "not recorded this"] {
            assert!(page.contains(word), "{word}");
        }
        assert!(!page.contains("NaN"));
    }
}

#[test]
fn equal_runs_give_equal_bytes() {
    let runs = [run("a", 1, &[1.0, 0.5]), run("b", 2, &[1.0])];
    assert_eq!(page(&runs, None), page(&runs, None));
    assert!(page(&runs, Some(7)).contains("<html lang=\"en\" data-live=\"7\">"));
}

#[test]
fn seeds_are_told_together() {
    let runs = [run("a-s1", 1, &[1.0, 0.5]), run("a-s2", 2, &[2.0, 0.5]), {
        let mut other = run("b", 1, &[1.0]);
        other.config.settings.optimizer.lr = 0.5;
        other
    }];
    let page = page(&runs, None);
    assert!(page.contains("a (2 seeds)</button>") && page.contains("one standard deviation"));
    assert!(page.contains("<td class=\"l\"><code>optimizer.lr</code></td>"));
    assert!(page.contains("<td class=\"l\">1, 2</td>"));
}
