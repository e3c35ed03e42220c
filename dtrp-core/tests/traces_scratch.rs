use dtrp_core::schedule::*;
use dtrp_core::trace::*;
use std::time::Duration;

#[test]
fn scratch() {
    let save = |name: &str, t: &Timeline| {
        std::fs::write(format!("/tmp/tracedev/{name}.svg"), t.to_svg()).unwrap();
        std::fs::write(format!("/tmp/tracedev/{name}.json"), t.to_chrome()).unwrap();
    };
    let make = |m: &str, p: Plan| Method::named(m).unwrap().program(&p).unwrap();
    for k in 2..=4 {
        save(
            &format!("lockstep{k}"),
            &Timeline::planned(&make("dtrp", Plan::new(k, 6))),
        );
        save(
            &format!("eager{k}"),
            &Timeline::planned(&make("dtrp", Plan::new(k, 6).order(Order::Eager))),
        );
        save(
            &format!("gpipe{k}"),
            &Timeline::planned(&make("gpipe", Plan::new(k, 2).micro_batches(4))),
        );
        save(
            &format!("bp{k}"),
            &Timeline::planned(&make("bp", Plan::new(k, 3))),
        );
        save(
            &format!("ddg{k}"),
            &Timeline::planned(&make("ddg", Plan::new(k, 6))),
        );
        save(
            &format!("fr{k}"),
            &Timeline::planned(&make("features-replay", Plan::new(k, 6))),
        );
    }
    save(
        "big",
        &Timeline::planned(&make("dtrp", Plan::new(100, 200))),
    );
    save("long", &Timeline::planned(&make("dtrp", Plan::new(3, 200))));
    save("empty", &Timeline::planned(&make("dtrp", Plan::new(3, 0))));
    // a toy simulation
    for (name, m, p) in [
        ("sim3", "dtrp", Plan::new(3, 8)),
        ("sim3e", "dtrp", Plan::new(3, 8).order(Order::Eager)),
        ("simlong", "dtrp", Plan::new(4, 400)),
        ("simg", "1f1b", Plan::new(4, 2).micro_batches(6)),
    ] {
        let program = make(m, p);
        let events = toy(&program);
        save(name, &Timeline::simulated(&program, events));
    }
}

fn toy(program: &Program) -> Vec<Vec<Event>> {
    let mut seed = 7u64;
    let k = program.modules();
    let mut at = vec![0; k];
    let mut now = vec![0u64; k];
    let mut out = vec![Vec::new(); k];
    let mut sent = std::collections::HashMap::new();
    loop {
        let mut progress = false;
        for w in 0..k {
            while let Some(a) = program.workers[w].get(at[w]) {
                let begin = now[w];
                if a.op.is_receive() {
                    let key = (
                        a.op.peer(w + 1).unwrap(),
                        a.op.counterpart().unwrap(),
                        a.unit,
                    );
                    let Some(t) = sent.get(&key) else { break };
                    now[w] = now[w].max(*t);
                } else if a.op.is_message() {
                    now[w] += 20_000;
                    sent.insert((w + 1, a.op, a.unit), now[w] + 200_000);
                } else {
                    seed = seed
                        .wrapping_mul(6364136223846793005)
                        .wrapping_add(1442695040888963407);
                    let jitter = 80 + (seed >> 33) % 60;
                    let base = match a.op {
                        Op::Backward => 2_000_000,
                        Op::Update => 150_000,
                        _ => 1_000_000,
                    };
                    now[w] += base * jitter / 100 * (10 + w as u64) / 10;
                }
                out[w].push(Event {
                    action: *a,
                    begin: Duration::from_nanos(begin),
                    end: Duration::from_nanos(now[w]),
                });
                at[w] += 1;
                progress = true;
            }
        }
        if !progress {
            return out;
        }
    }
}
