//! Workers in several processes: the test binary starts itself as ranks on this machine. Stages are of integers, carried as
//! tensors, so that nothing can hide a difference.
#![cfg(all(feature = "torch", unix))]

#[path = "common/exact.rs"]
mod exact;
#[path = "common/ranks.rs"]
mod ranks;

use dtrp_core::engine::{self, EngineError, EngineOptions, Executor, Placement, Stage};
use dtrp_core::schedule::{Method, Plan, Program, Unit};
use dtrp_core::torch::TorchError;
use dtrp_core::torch::group::{Carried, Meeting, Parcel, Peers};
use exact::{Exact, Failure};
use ranks::{Ended, Ranks};
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

/// How soon all others end after one has failed.
const SOON: Duration = Duration::from_secs(2);

/// Whether many zeros travel with every number, so that some are on their way at every moment.
static LARGE: AtomicBool = AtomicBool::new(false);

/// A number that travels as a tensor.
#[derive(Debug)]
struct Number(u64);

impl Carried for Number {
    fn pack(self) -> Result<Parcel, TorchError> {
        let large = LARGE.load(Ordering::Relaxed);
        let zeros = large.then(|| Tensor::zeros([1 << 23], (Kind::Float, Device::Cpu)));
        Ok(Parcel {
            tensors: vec![zeros, Some(Tensor::from_slice(&[self.0 as i64]))],
            share: 1.0,
            parts: 1,
        })
    }
    fn unpack(parcel: Parcel) -> Result<Self, TorchError> {
        assert_eq!(parcel.tensors[0].is_some(), LARGE.load(Ordering::Relaxed));
        let number = parcel.tensors[1].as_ref().unwrap().int64_value(&[0]);
        Ok(Self(number as u64))
    }
}

/// An integer stage between processes.
struct Ranked {
    inner: Exact,
    /// What it does with a batch.
    batch: Box<dyn Fn(Unit) -> Result<(), Failure> + Send>,
}

impl Ranked {
    fn network(
        modules: usize,
        own: &[usize],
        batch: impl Fn(u64, Unit) -> Result<(), Failure> + Send + Copy + 'static,
    ) -> Vec<Self> {
        let all = Exact::network(modules, None).into_iter().enumerate();
        all.filter(|(index, _)| own.contains(index))
            .map(|(_, inner)| {
                let k = inner.k;
                let batch = Box::new(move |unit| batch(k, unit));
                Self { inner, batch }
            })
            .collect()
    }
}

impl Stage for Ranked {
    type Up = Number;
    type Down = Number;
    type Error = Failure;

    fn input(&mut self, unit: Unit) -> Result<Number, Failure> {
        self.inner.input(unit).map(Number)
    }
    fn forward(&mut self, unit: Unit, input: Number, horizon: Option<u32>) -> Result<Number, Failure> {
        (self.batch)(unit)?;
        self.inner.forward(unit, input.0, horizon).map(Number)
    }
    fn forward_graph(&mut self, unit: Unit, input: Number, horizon: Option<u32>) -> Result<Option<Number>, Failure> {
        (self.batch)(unit)?;
        let output = self.inner.forward_graph(unit, input.0, horizon)?;
        Ok(output.map(Number))
    }
    fn recompute(&mut self, unit: Unit) -> Result<(), Failure> {
        self.inner.recompute(unit)
    }
    fn backward(&mut self, unit: Unit, delta: Option<Number>) -> Result<Option<Number>, Failure> {
        let down = self.inner.backward(unit, delta.map(|delta| delta.0))?;
        Ok(down.map(Number))
    }
    fn update(&mut self, batch: u32) -> Result<(), Failure> {
        self.inner.update(batch)
    }
}

/// All programs that methods make for so many modules, with and without micro-batches.
fn programs(modules: usize) -> Vec<(String, Program)> {
    let mut all = Vec::new();
    for method in Method::all() {
        for order in method.orders {
            for micro in if method.micro_batches { 1..=3 } else { 1..=1 } {
                let plan = Plan::new(modules, 20).order(*order).micro_batches(micro);
                let name = format!("{} {order} {micro}", method.name);
                all.push((name, method.program(&plan).unwrap()));
            }
        }
    }
    all
}

/// One line for each stage: where it is, and everything that it ever computed.
fn line(name: &str, stage: &Exact) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for number in &stage.history {
        hash = (hash ^ number).wrapping_mul(0x0100_0000_01b3);
    }
    let Exact { k, weight, updates, .. } = stage;
    format!("result {name}: module {k} weight {weight} updates {updates} all {hash:016x}")
}

/// The whole program in this process.
fn in_threads(modules: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, program) in programs(modules) {
        let mut stages = Exact::network(modules, None);
        let options = EngineOptions {
            executor: Executor::Threads,
            ..EngineOptions::default()
        };
        engine::run(&program, &mut stages, &options).unwrap();
        lines.extend(stages.iter().map(|stage| line(&name, stage)));
    }
    lines
}

/// What a rank does, as the test that has started it says.
#[test]
#[ignore = "started as a process of its own"]
fn a_rank() {
    let Some(own) = ranks::own() else { return };
    let placement = Placement::new(own.placement.clone());
    let modules = own.placement.len();
    let mut meeting = Meeting::new(own.rank, placement.clone(), "127.0.0.1", own.port);
    meeting.patience = Duration::from_secs(20);
    if !own.is("wait") {
        meeting.beat = Duration::from_millis(200);
    }
    meeting.silence = Duration::from_secs(if own.is("quiet") { 1 } else { 20 });
    if own.is("late") {
        meeting.patience = Duration::from_secs(1);
    }
    if own.rank == 1 {
        for (what, change) in [
            ("version", (|m| m.version = "0.0.9".to_owned()) as fn(&mut Meeting)),
            ("size", |m| m.size += 1),
            ("configuration", |m| m.configuration = "abc".to_owned()),
            ("twice", |m| m.rank = 0),
        ] {
            if own.is(what) {
                change(&mut meeting);
                meeting.opens = false;
                if what == "size" {
                    meeting.placement = Placement::new([own.placement.clone(), vec![2]].concat());
                }
            }
        }
    }
    let peers = match Peers::meet(&meeting) {
        Ok(peers) => peers,
        Err(error) => own.end(&error.to_string()),
    };
    let stalls = own.is("stall") || own.is("hang");
    let options = EngineOptions {
        watchdog: Duration::from_secs(if stalls { 1 } else { 60 }),
        ..EngineOptions::default()
    };
    LARGE.store(own.is("large"), Ordering::Relaxed);
    let mine = placement.own(own.rank);
    if own.is("all") {
        for (name, program) in programs(modules) {
            let mut stages = Ranked::network(modules, &mine, |_, _| Ok(()));
            let ran = peers.run(&program, &mut stages, &options).unwrap();
            for k in &mine {
                assert_eq!(ran.trace.logical(k + 1), program.workers[*k]);
            }
            for stage in &stages {
                println!("{}", line(&name, &stage.inner));
            }
        }
        peers.close().unwrap();
        return;
    }
    if own.is("gather") {
        println!("begins");
        loop {
            let mine = Tensor::full([1 << 20], own.rank as f64, (Kind::Float, Device::Cpu));
            match peers.gather(vec![(format!("of {}", own.rank), mine)]) {
                Ok(None) => assert!(own.rank > 0),
                Ok(Some(all)) => {
                    for (rank, (name, tensor)) in all.iter().enumerate() {
                        assert_eq!((name, tensor.double_value(&[7])), (&format!("of {rank}"), rank as f64));
                    }
                    assert_eq!(all.len(), peers.members().len());
                }
                Err(failure) => own.end(&failure.to_string()),
            }
        }
    }
    // A long run, in which something happens to one of them.
    let program = Method::named("dtrp")
        .unwrap()
        .program(&Plan::new(modules, 2000))
        .unwrap();
    let (fails, panics) = (own.is("fail"), own.is("panic"));
    let pause = Duration::from_secs(if own.is("hang") { 3600 } else { 3 });
    let waits = own.is("wait");
    let mut stages = Ranked::network(modules, &mine, move |k, unit| {
        if waits && k == 1 && unit.batch == 20 {
            std::thread::sleep(Duration::from_secs(3600));
        }
        std::thread::sleep(Duration::from_millis(5));
        if unit.batch == 40 && k == 2 {
            assert!(!panics, "this stage panics");
            if stalls {
                std::thread::sleep(pause);
            }
            if fails {
                return Err(Failure("this stage fails".to_owned()));
            }
        }
        Ok(())
    });
    println!("begins");
    let error: EngineError<Failure> = peers.run(&program, &mut stages, &options).unwrap_err();
    let text = match &error {
        EngineError::Worker {
            worker,
            action,
            failure,
            ..
        } => format!(
            "rank {} on {}: worker {worker} failed at {action}: {failure}",
            own.rank,
            peers.members()[own.rank].host
        ),
        other => other.to_string(),
    };
    own.end(&text);
}

#[test]
fn all_methods_give_the_bits_of_threads() {
    for (placement, ranks) in [
        (&[0][..], 1),
        (&[0, 1], 2),
        (&[0, 1, 2], 3),
        (&[0, 1, 2, 3], 4),
        (&[0, 0, 1, 1], 2),
        (&[1, 0, 1, 0], 2),
    ] {
        let ended = Ranks::start("a_rank", placement, ranks, "all").wait(Duration::from_secs(120));
        let mut lines = Vec::new();
        for (rank, ended) in ended.iter().enumerate() {
            assert!(ended.success, "rank {rank} of {placement:?}: {ended:?}");
            let own = ended
                .stdout
                .lines()
                .filter_map(|line| Some(&line[line.find("result ")?..]));
            lines.extend(own.map(str::to_owned));
        }
        let mut wanted = in_threads(placement.len());
        wanted.sort();
        lines.sort();
        assert_eq!(lines, wanted, "{placement:?}");
    }
}

/// Runs a long program on these ranks until one of them ends by itself or by this signal, and checks that all others end soon, with the
/// same text.
fn all_end(placement: &[usize], what: &str, signal: Option<(usize, &str)>, wanted: &str) {
    all_end_after(Duration::from_millis(300), placement, what, signal, wanted);
}

fn all_end_after(moment: Duration, placement: &[usize], what: &str, signal: Option<(usize, &str)>, wanted: &str) {
    let size = placement.iter().max().unwrap() + 1;
    let mut ranks = Ranks::start("a_rank", placement, size, what);
    if let Some((rank, name)) = signal {
        ranks.until_all_say("begins");
        std::thread::sleep(moment);
        ranks.signal(rank, name);
    }
    let begin = Instant::now();
    let stopped = signal.filter(|(_, name)| *name == "-STOP").map(|(rank, _)| rank);
    let victim = signal.map(|(rank, _)| rank);
    ranks.until_ended_but(stopped, Duration::from_secs(20));
    let took = begin.elapsed();
    if let Some(rank) = stopped {
        ranks.signal(rank, "-KILL");
    }
    let ended = ranks.wait(Duration::from_secs(5));
    let mut texts: Vec<&Ended> = Vec::new();
    for (rank, ended) in ended.iter().enumerate().filter(|(rank, _)| Some(*rank) != victim) {
        assert!(ended.text().starts_with(wanted), "{what}, rank {rank}: {ended:?}");
        assert!(!ended.stderr.contains("frame #"), "{what}, rank {rank}: {ended:?}");
        texts.push(ended);
    }
    let same = texts.windows(2).all(|pair| pair[0].text() == pair[1].text());
    assert!(same, "{what}: {texts:?}");
    if signal.is_some() && stopped.is_none() {
        assert!(took < SOON, "{what}: the others took {took:?}");
    }
    println!("{what} {placement:?} {signal:?}: the others ended within {took:?}");
}

#[test]
fn a_rank_that_is_killed_ends_all_with_one_text() {
    for (placement, victim) in [
        (&[0, 1][..], 1),
        (&[0, 1], 0),
        (&[0, 1, 2], 1),
        (&[0, 1, 2, 3], 3),
        (&[0, 1, 2, 3], 0),
        (&[0, 0, 1, 1], 1),
    ] {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let mut workers = String::new();
        let own: Vec<_> = (1..)
            .zip(placement)
            .filter(|(_, rank)| **rank == victim)
            .map(|(k, _)| k)
            .collect();
        match own[..] {
            [k] => write!(workers, "worker {k} is").unwrap(),
            [k, l] => write!(workers, "workers {k} and {l} are").unwrap(),
            _ => unreachable!(),
        }
        let wanted = format!("rank {victim} on {}: {workers} gone without a word", host.trim());
        all_end(placement, "kill", Some((victim, "-KILL")), &wanted);
    }
}

/// `DTRP_TEST_KILLS` says how many, each at another moment.
#[test]
fn whenever_a_rank_is_killed_all_end() {
    let kills = std::env::var("DTRP_TEST_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let mut state = u64::from(std::process::id());
    for kill in 0..kills {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (victim, moment) = (
            (state >> 33) as usize % 3,
            Duration::from_micros((state >> 35) % 400_000),
        );
        // In the middle of a transfer, and between them.
        let what = ["large", "kill", "gather"][kill % 3];
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let wanted = format!(
            "rank {victim} on {}: worker {} is gone without a word",
            host.trim(),
            victim + 1
        );
        all_end_after(moment, &[0, 1, 2], what, Some((victim, "-KILL")), &wanted);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_rank_that_waits_leaves_the_processor_alone() {
    let time = Duration::from_secs(3);
    let ranks = Ranks::start("a_rank", &[0, 1, 2], 3, "wait");
    ranks.until_all_say("begins");
    std::thread::sleep(Duration::from_secs(1));
    let before: Vec<f64> = (0..3).map(|rank| ranks.computed(rank)).collect();
    std::thread::sleep(time);
    for (rank, before) in before.into_iter().enumerate() {
        let share = (ranks.computed(rank) - before) / time.as_secs_f64();
        println!(
            "rank {rank} uses {:.2} % of a processor while all wait for rank 0",
            100.0 * share
        );
        assert!(share < 0.02, "rank {rank} uses {share} of a processor while it waits");
    }
}

#[test]
fn a_rank_that_is_stopped_is_given_up() {
    let wanted = |text: &str| {
        format!(
            "rank 1 on {}: {text}",
            std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim()
        )
    };
    all_end(
        &[0, 1, 2],
        "quiet",
        Some((1, "-STOP")),
        &wanted("worker 2 has given no sign of life for 1 s"),
    );
    all_end(
        &[0, 1, 2],
        "fail",
        None,
        &wanted("worker 2 failed at F40@38+1: this stage fails"),
    );
    all_end(
        &[0, 1, 2],
        "panic",
        None,
        &wanted("worker 2 failed at F40@38+1: panic: this stage panics"),
    );
    for what in ["stall", "hang"] {
        let wanted = wanted("worker 2 failed at F40@38+1: nothing happened for 1 s, so the run is given up");
        all_end(&[0, 1, 2], what, None, &wanted);
    }
}

#[test]
fn who_does_not_fit_is_refused_by_name() {
    for (what, wanted) in [
        ("version", "runs dtrp 0.0.9, but rank 0 on "),
        ("size", "was started as one of 3 processes, but rank 0 on "),
        ("configuration", "has another configuration than rank 0 on "),
        ("twice", "there are two processes of rank 0: pid "),
    ] {
        let ended = Ranks::start("a_rank", &[0, 1], 2, what).wait(Duration::from_secs(30));
        for ended in &ended {
            assert!(!ended.success && ended.text().contains(wanted), "{what}: {ended:?}");
        }
        assert_eq!(ended[0].text(), ended[1].text(), "{what}");
    }
    let late = Ranks::start("a_rank", &[0, 1, 2], 2, "late").wait(Duration::from_secs(30));
    for ended in &late {
        assert!(
            ended
                .text()
                .contains("waits for rank 2, but it has not come within 1 s: start 3 processes"),
            "{ended:?}"
        );
    }
}

#[test]
fn a_port_in_use_says_what_to_do() {
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Peers::meet(&Meeting::new(0, Placement::even(2, 2), "127.0.0.1", port)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("port {port} is in use on this machine")),
        "{error}"
    );
}
