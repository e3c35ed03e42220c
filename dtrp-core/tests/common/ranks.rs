//! Processes of a test: its binary starts itself, once for each rank.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a rank was started with.
pub(crate) struct Own {
    pub(crate) rank: usize,
    pub(crate) port: u16,
    pub(crate) placement: Vec<usize>,
    what: String,
}

impl Own {
    /// Whether the rank is to do this.
    pub(crate) fn is(&self, what: &str) -> bool {
        self.what == what
    }

    /// Ends the process with a text.
    pub(crate) fn end(&self, text: &str) -> ! {
        println!("text {}", text.replace('\n', " | "));
        std::process::exit(3)
    }
}

/// What this process was started with, if it is a rank.
pub(crate) fn own() -> Option<Own> {
    let variable = |name: &str| std::env::var(format!("DTRP_TEST_{name}")).ok();
    Some(Own {
        rank: variable("RANK")?.parse().ok()?,
        port: variable("PORT")?.parse().ok()?,
        placement: variable("PLACEMENT")?
            .split(',')
            .map(|rank| rank.parse().unwrap())
            .collect(),
        what: variable("WHAT")?,
    })
}

/// The ranks of a run. Those that are still there when it is dropped are killed.
pub(crate) struct Ranks(Vec<Rank>);

struct Rank {
    child: Child,
    said: Arc<Mutex<String>>,
    stdout: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<String>>,
}

/// How a rank ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// What it ended with.
    pub(crate) fn text(&self) -> &str {
        let found = self
            .stdout
            .lines()
            .find_map(|line| line.split_once("text ").map(|(_, text)| text));
        found.unwrap_or_default()
    }
}

impl Ranks {
    /// Starts the test `entry` once for each rank.
    pub(crate) fn start(entry: &str, placement: &[usize], ranks: usize, what: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let placement: Vec<String> = placement.iter().map(ToString::to_string).collect();
        let start = |rank: usize| {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", entry, "--ignored", "--nocapture"])
                .env("DTRP_TEST_RANK", rank.to_string())
                .env("DTRP_TEST_PORT", port.to_string())
                .env("DTRP_TEST_PLACEMENT", placement.join(","))
                .env("DTRP_TEST_WHAT", what)
                .env("OMP_NUM_THREADS", "1")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let said = Arc::new(Mutex::new(String::new()));
            let (out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
            let saying = Arc::clone(&said);
            let stdout = std::thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    let mut said = saying.lock().unwrap();
                    said.push_str(&line);
                    said.push('\n');
                }
            });
            let stderr = std::thread::spawn(move || {
                let mut text = String::new();
                let _ = err.read_to_string(&mut text);
                text
            });
            Rank {
                child,
                said,
                stdout: Some(stdout),
                stderr: Some(stderr),
            }
        };
        Self((0..ranks).map(start).collect())
    }

    /// Waits until all have said this.
    pub(crate) fn until_all_say(&self, what: &str) {
        let begin = Instant::now();
        while !self.0.iter().all(|rank| rank.said.lock().unwrap().contains(what)) {
            assert!(begin.elapsed() < Duration::from_secs(60), "not all ranks say {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn signal(&self, rank: usize, name: &str) {
        let pid = self.0[rank].child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Seconds of a processor that a rank has used, to a hundredth.
    #[cfg(target_os = "linux")]
    pub(crate) fn computed(&self, rank: usize) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0[rank].child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        // In user and in system mode: fields 14 and 15, and these begin at the third.
        let ticks = fields.split_whitespace().skip(11).take(2);
        ticks.map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
    }

    /// Waits until all have ended, but this one.
    pub(crate) fn until_ended_but(&mut self, other: Option<usize>, limit: Duration) {
        let begin = Instant::now();
        for (index, rank) in self.0.iter_mut().enumerate().filter(|(index, _)| Some(*index) != other) {
            while rank.child.try_wait().unwrap().is_none() {
                let said = rank.said.lock().unwrap().clone();
                assert!(
                    begin.elapsed() < limit,
                    "rank {index} does not end; it has said: {said}"
                );
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// How all of them end.
    pub(crate) fn wait(mut self, limit: Duration) -> Vec<Ended> {
        self.until_ended_but(None, limit);
        let ended = self.0.iter_mut().map(|rank| {
            let success = rank.child.wait().unwrap().success();
            rank.stdout.take().unwrap().join().unwrap();
            let stderr = rank.stderr.take().unwrap().join().unwrap();
            let stdout = rank.said.lock().unwrap().clone();
            Ended {
                success,
                stdout,
                stderr,
            }
        });
        ended.collect()
    }
}

impl Drop for Ranks {
    fn drop(&mut self) {
        for rank in &mut self.0 {
            let _ = rank.child.kill();
            let _ = rank.child.wait();
        }
    }
}
