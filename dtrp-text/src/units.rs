//! Numbers for people.

/// `1,234,567`
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate to three digits or so: `0.52`, `83.1`, `1,234`.
pub fn rate(number: f64) -> String {
    match number {
        n if n >= 100.0 => thousands(n.round() as u64),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

/// `12.3 MB`; a kB is 1000 bytes.
pub fn bytes(number: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (number as f64, 0);
    while value >= 999.5 && unit + 1 < units.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    let decimals = usize::from(unit > 0 && value < 99.95);
    format!("{value:.decimals$} {}", units[unit])
}

/// A share of 1 as `97.50 %`, or a dash.
pub fn percent(share: Option<f64>, decimals: usize) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.decimals$} %", 100.0 * share))
}

/// `1 epoch`, `2 epochs`
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// A time in the unit that suits it: `12 ns`, `1.50 ms`, `83.10 s`.
pub fn seconds(number: f64) -> String {
    match number {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(
            [0, 999, 1000, 1234567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([0.5234, 83.14, 1234.5].map(rate), ["0.52", "83.1", "1,235"]);
        assert_eq!(
            [0, 999, 1000, 123_456, 999_600, 12_345_678].map(bytes),
            ["0 B", "999 B", "1.0 kB", "123 kB", "1.0 MB", "12.3 MB"]
        );
        assert_eq!(percent(Some(0.97504), 2), "97.50 %");
        assert_eq!(percent(None, 2), "-");
        assert_eq!(
            [0, 1, 1000].map(|n| count(n, "epoch", "epochs")),
            ["0 epochs", "1 epoch", "1,000 epochs"]
        );
        assert_eq!([1.2e-8, 1.5e-3, 83.1].map(seconds), ["12 ns", "1.50 ms", "83.10 s"]);
    }
}
