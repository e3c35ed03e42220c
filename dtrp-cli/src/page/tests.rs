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

/// A run that has ended, with this accuracy.
fn ended(name: &str, seed: u64, accuracy: f64) -> History {
    let mut run = run(name, seed, &[1.0, 0.5]);
    run.config.settings.optimizer.lr = if name.starts_with('a') { 0.1 } else { 0.05 };
    let summary = dtrp_train::Summary {
        seed,
        final_test_accuracy: Some(accuracy),
        best_test_accuracy: Some(accuracy),
        final_train_loss: Some(0.25),
        images_per_second: Some(1000.0),
        ..crate::history::tests::summary()
    };
    run.summary = Some(summary);
    run
}

#[test]
fn means_and_their_test_are_told() {
    let accuracies = [0.90, 0.92, 0.94];
    let runs: Vec<_> = [("a", [0.0; 3]), ("b<", [0.03, 0.01, 0.02])]
        .into_iter()
        .flat_map(|(name, more)| {
            (0..3).map(move |seed| ended(&format!("{name}-s{seed}"), seed as u64, accuracies[seed] + more[seed]))
        })
        .collect();
    let all = page(&runs, None);
    // Differences 3, 1, 2: mean 2, deviation 1, t = 2 √3, p = 1 − √(6/7).
    for says in [
        "<section id=\"means\"><h2>Means over the seeds</h2>",
        "<td class=\"l\">a</td><td>3</td><td>92.00 ± 2.00 %</td><td>–</td><td>–</td>",
        "<td class=\"l\">b&lt;</td><td>3</td><td>94.00 ± 1.73 %</td><td>+2.00</td><td>0.074</td>",
        "against a over the same seeds",
    ] {
        assert!(all.contains(says), "{says}");
    }
    // One run has no mean, and one group nothing to be tested against.
    assert!(!page(&runs[..1], None).contains("id=\"means\""));
    let one = page(&runs[..3], None);
    assert!(one.contains("id=\"means\"") && !one.contains("t-test"));
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
