//! Where a node comes from.

use super::graph::Called;

/// No network has modules inside one another so deep.
const DEEPEST: usize = 64;

/// `KEY,PATH,CLASS` for each module, between semicolons, the outermost first.
pub(super) fn modules(stack: &str) -> Vec<Called> {
    let called = |entry: &str| {
        let (rest, class) = entry.rsplit_once(',')?;
        let (_, path) = rest.split_once(',')?;
        Some(Called {
            path: path.to_owned(),
            class: class.to_owned(),
        })
    };
    stack
        .split(';')
        .filter_map(called)
        .filter(|module| !module.path.is_empty())
        .take(DEEPEST)
        .collect()
}

/// The innermost line of a trace that is none of PyTorch's own, as `FILE:LINE`; else the innermost.
pub(super) fn line(trace: &str) -> String {
    let lines: Vec<&str> = trace
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("File "))
        .collect();
    let own = lines.iter().rev().find(|line| !line.contains("/torch/nn/"));
    let Some(line) = own.or(lines.last()) else {
        return String::new();
    };
    let mut parts = line.trim_start_matches("File ").split(", ");
    let file = parts.next().unwrap_or_default().trim_matches('"');
    match parts.next().and_then(|part| part.strip_prefix("line ")) {
        Some(number) => format!("{file}:{number}"),
        None => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_node_comes_from() {
        let stack = "L__self__,,a.Net;L__self__layer1,layer1,torch.nn.modules.container.Sequential";
        let [module] = &modules(stack)[..] else { panic!() };
        assert_eq!(
            (module.path.as_str(), module.class.ends_with("Sequential")),
            ("layer1", true)
        );
        let trace = "File \"/a/net.py\", line 28, in forward\n    x = f(x)\n  File \"/b/torch/nn/modules/conv.py\", line 5, in g";
        assert_eq!(line(trace), "/a/net.py:28");
        assert_eq!((line(""), modules("").len()), (String::new(), 0));
    }
}
