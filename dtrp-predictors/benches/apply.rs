//! How near [`Coefficients::apply`] comes to memory speed: its time against that of a memcpy which moves the same
//! number of bytes, read and written together, on arrays larger than the cache. `cargo bench -p dtrp-predictors`.

use dtrp_predictors::{Coefficients, Views};
use std::{hint::black_box, time::Instant};

/// Parameters: 256 MiB an array in f32.
const N: usize = 64 << 20;
const ROUNDS: usize = 9;

/// The middle of several timings, in seconds.
fn median(mut work: impl FnMut()) -> f64 {
    work(); // touches the pages
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn main() {
    let (w, d) = (vec![0.5_f32; N], vec![0.2_f32; N]);
    let (g, x) = (vec![0.1_f32; N], vec![0.3_f32; N]);
    let mut out = vec![0.0_f32; N];
    let views = Views {
        weights: &w,
        direction: Some(&d),
        gradient: Some(&g),
        displacement: Some(&x),
    };
    println!("{:<28}{:>10}{:>10}{:>10}", "arrays read", "ms", "GB/s", "x memcpy");
    for (name, rule) in [
        ("w (identity)", Coefficients::IDENTITY),
        (
            "w, d",
            Coefficients {
                direction: -0.1,
                ..Coefficients::IDENTITY
            },
        ),
        (
            "w, d, g",
            Coefficients {
                weights: 0.9,
                direction: -0.1,
                gradient: -0.2,
                displacement: 0.0,
            },
        ),
        (
            "w, d, g, displacement",
            Coefficients {
                weights: 0.9,
                direction: -0.1,
                gradient: -0.2,
                displacement: 0.5,
            },
        ),
    ] {
        let inputs = 1 + [rule.direction, rule.gradient, rule.displacement]
            .iter()
            .filter(|c| **c != 0.0)
            .count();
        // k arrays read and one written are as many bytes as a memcpy of (k + 1)/2 arrays; measured as whole copies.
        let copy = median(|| {
            for half in 0..=inputs {
                let part = half % 2 * (N / 2)..(half % 2 + 1) * (N / 2);
                black_box(&mut out)[part.clone()].copy_from_slice(&black_box(&w)[part]);
            }
        });
        let apply = median(|| black_box(rule).apply(black_box(views), black_box(&mut out)));
        let bytes = ((inputs + 1) * N * size_of::<f32>()) as f64;
        println!(
            "{name:<28}{:>10.1}{:>10.1}{:>10.2}",
            apply * 1e3,
            bytes / apply / 1e9,
            apply / copy
        );
    }
}
