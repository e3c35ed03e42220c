//! Colours, words and number formats of the chart.

use crate::schedule::Op;

/// The look of a kind of computation.
pub(super) struct Look {
    pub(super) op: Op,
    /// Class of its boxes in the style sheet.
    pub(super) class: &'static str,
    fill: &'static str,
    text: &'static str,
    pub(super) legend: &'static str,
}

/// Lightness (CIE L*) falls from 88 over 75, 60, 41 to 22, so that a grey print keeps the kinds apart.
pub(super) const LOOKS: [Look; 5] = [
    Look {
        op: Op::Forward,
        class: "F",
        fill: "#cbdff3",
        text: "#1f2a37",
        legend: "F forward, input kept",
    },
    Look {
        op: Op::ForwardGraph,
        class: "G",
        fill: "#8fbde6",
        text: "#1f2a37",
        legend: "G forward with graph",
    },
    Look {
        op: Op::Recompute,
        class: "R",
        fill: "#c9822f",
        text: "#ffffff",
        legend: "R recompute",
    },
    Look {
        op: Op::Backward,
        class: "B",
        fill: "#356b5b",
        text: "#ffffff",
        legend: "B backward",
    },
    Look {
        op: Op::Update,
        class: "U",
        fill: "#33333f",
        text: "#ffffff",
        legend: "U update",
    },
];

/// The look of a computation; messages have none.
pub(super) fn look(op: Op) -> Option<&'static Look> {
    LOOKS.iter().find(|look| look.op == op)
}

/// Classes and colours of the arrows, for activations and gradients.
const ARROWS: [(&str, &str); 2] = [("up", "#4b6b8f"), ("down", "#b3541e")];

/// The arrow heads, as markers `dtrp-up` and `dtrp-down`.
pub(super) fn markers() -> String {
    let marker = |(class, colour)| {
        format!(
            "<marker id=\"dtrp-{class}\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" markerWidth=\"6\" \
             markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L6 3L0 6z\" fill=\"{colour}\"/></marker>\n"
        )
    };
    format!("<defs>\n{}</defs>\n", ARROWS.map(marker).concat())
}

/// The style sheet. Scoped by a class, so that several charts can stand in one page.
pub(super) fn sheet() -> String {
    let mut sheet = "\
.dtrp{font-family:Inter,'Helvetica Neue',Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif;font-size:11px}
.dtrp text{fill:#374151}
.dtrp .title{font-size:15px;font-weight:600;fill:#111827}
.dtrp .note{fill:#6b7280;stroke:#ffffff;stroke-width:3;paint-order:stroke}
.dtrp .end{text-anchor:end}
.dtrp .mid{text-anchor:middle}
.dtrp .lane{fill:#f6f7f9}
.dtrp .grid{stroke:#d6dae0;stroke-width:1;fill:none}
.dtrp .up{fill:none}
.dtrp .down{fill:none;stroke-dasharray:3 2}
"
    .to_owned();
    for look in &LOOKS {
        let (class, fill, text) = (look.class, look.fill, look.text);
        sheet.push_str(&format!(
            ".dtrp .{class} rect,.dtrp rect.{class}{{fill:{fill}}}.dtrp .{class} text{{fill:{text};text-anchor:middle}}\n"
        ));
    }
    for (class, colour) in ARROWS {
        sheet.push_str(&format!(".dtrp .{class}{{stroke:{colour}}}\n"));
    }
    sheet
}

/// The width of a text of the base size, estimated generously: fonts differ from machine to machine.
pub(super) fn text_width(text: &str) -> f64 {
    let wide = |c: char| match c {
        'm' | 'w' | 'M' | 'W' => 9.5,
        'A'..='Z' => 7.6,
        '0'..='9' => 6.5,
        '.' | ',' | ' ' | 'i' | 'l' | 't' | 'f' => 3.6,
        _ => 6.1,
    };
    text.chars().map(wide).sum()
}

/// A coordinate: at most two decimals, no trailing zeros.
pub(super) fn px(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

/// Text for XML, without the characters that XML has no way to write.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A duration for people, to three figures: `12.5 ms`.
pub(super) fn duration(nanoseconds: f64) -> String {
    let (size, name) = scale_of(nanoseconds);
    let value = nanoseconds / size;
    let text = match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => px(v),
    };
    format!("{text} {name}")
}

/// The smallest of 1, 2, 5, 10, 20, 50, … (and 0.1, 0.2, …) that is not below `least`.
pub(super) fn round_up(least: f64) -> f64 {
    let power = 10f64.powi(least.log10().floor() as i32);
    let steps = [1.0, 2.0, 5.0].map(|n| n * power);
    steps.into_iter().find(|step| *step >= least).unwrap_or(10.0 * power)
}

/// A round time on the axis, in the unit of the step between such times: `2175 ms`.
pub(super) fn tick(nanoseconds: f64, step: f64) -> String {
    let (size, name) = scale_of(step);
    format!("{} {name}", px(nanoseconds / size))
}

/// The unit in which a duration is read best, and its length in nanoseconds.
pub(super) fn scale_of(nanoseconds: f64) -> (f64, &'static str) {
    match nanoseconds {
        t if t >= 1e9 => (1e9, "s"),
        t if t >= 1e6 => (1e6, "ms"),
        t if t >= 1e3 => (1e3, "µs"),
        _ => (1.0, "ns"),
    }
}
