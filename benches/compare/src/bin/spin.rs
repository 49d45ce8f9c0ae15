//! How long a ping-pong takes while eight processes compute on two workers.
//!
//! ```text
//! cargo run --release -p regrow-compare --bin spin -- [SECONDS]
//! ```
//!
//! Each engine runs in a child of its own, one after the other: regrow, the BEAM (if `erl` and
//! `erlc` are installed), tokio. The spinners either never let go, or yield every 20 ms. The pair
//! plays with one ball, so that one of the two waits at any time and one worker is enough for
//! both; or with two, and works 10 us on each, so that both want a worker. A pair that has no
//! round trip at all within the time is printed as `never`.
//!
//! On a virtual machine the host may take a processor away for a while; nobody in it can answer
//! then. The last column says for how long it did during the row, in sum over the processors.
#![forbid(unsafe_code)]

use std::env;
use std::path::Path;
use std::process::{Command, exit};
use std::time::{Duration, Instant};

const SPINNERS: usize = 8;
const SLICE: Duration = Duration::from_millis(20);
/// What a player of two balls does on each.
const WORK: Duration = Duration::from_micros(10);
/// Round trips that are kept for the percentiles; the rest only counts.
const SAMPLES: usize = 1 << 24;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["child", engine, yields, balls, seconds] => {
            let time = Duration::from_secs(seconds.parse().unwrap_or(10));
            let balls = balls.parse().unwrap_or(1);
            match engine {
                "regrow" => on_regrow(yields == "yield", balls, time),
                _ => on_tokio(yields == "yield", balls, time),
            }
        }
        [] => run_all("10"),
        [seconds] => run_all(seconds),
        _ => eprintln!("usage: spin [SECONDS]"),
    }
}

fn run_all(seconds: &str) {
    println!("engine   spinners     balls      p50 us      p99 us      max us   trips/s stolen ms");
    let me = env::current_exe().expect("this program has a path");
    let beam = compile();
    for (yields, balls) in [
        ("forever", "1"),
        ("forever", "2"),
        ("yield", "1"),
        ("yield", "2"),
    ] {
        let row = |engine, command: &mut Command| print_row(engine, yields, balls, command);
        let child = ["child", "regrow", yields, balls, seconds];
        row("regrow", Command::new(&me).args(child));
        if let Some(modules) = &beam {
            let mut erl = Command::new("erl");
            erl.args(["-noshell", "+S", "2:2", "-pa"]).arg(modules);
            row(
                "beam",
                erl.args(["-run", "spin", "main", yields, balls, seconds]),
            );
        }
        // It never answers, or it does so from the start.
        let child = ["child", "tokio", yields, balls, "2"];
        row("tokio", Command::new(&me).args(child));
    }
}

/// Compiles the BEAM's side; None if that is not installed.
fn compile() -> Option<std::path::PathBuf> {
    let modules = env::temp_dir().join(format!("regrow-spin-{}", std::process::id()));
    std::fs::create_dir_all(&modules).ok()?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("beam/spin.erl");
    let compiled = Command::new("erlc")
        .arg("-o")
        .arg(&modules)
        .arg(source)
        .status();
    compiled.is_ok_and(|it| it.success()).then_some(modules)
}

fn print_row(engine: &str, yields: &str, balls: &str, command: &mut Command) {
    let spinners = match yields {
        "yield" => "20 ms, yield",
        _ => "for ever",
    };
    let before = stolen();
    match command.output() {
        Ok(output) => {
            let row = String::from_utf8_lossy(&output.stdout);
            let stolen = match stolen().zip(before) {
                Some((after, before)) => (after - before).to_string(),
                None => "?".to_owned(),
            };
            let row = row.trim_end();
            println!("{engine:8} {spinners:12} {balls:>5} {row:45} {stolen:>9}");
        }
        Err(error) => println!("{engine:8} {spinners:12} {balls:>5} {error}"),
    }
}

/// Milliseconds that the host has run something else since the machine began, if it says so.
fn stolen() -> Option<u64> {
    let statistics = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks = statistics.lines().next()?.split_whitespace().nth(8)?;
    // A tick here is a hundredth of a second on every Linux, whatever the kernel's own is.
    Some(ticks.parse::<u64>().ok()? * 10)
}

/// What a player does on a ball.
fn work(balls: usize) {
    if balls > 1 {
        spin(WORK);
    }
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Prints p50, p99 and maximum in microseconds and the trips a second, and ends the program:
/// the spinners never would.
fn report(mut nanos: Vec<u32>, trips: u64, max: u32, time: Duration) -> ! {
    if nanos.is_empty() {
        println!("{:>11}", "never");
        exit(0);
    }
    nanos.sort_unstable();
    let at = |part: f64| f64::from(nanos[(nanos.len() as f64 * part) as usize]) / 1e3;
    println!(
        "{:11.1} {:11.1} {:11.1} {:9.0}",
        at(0.5),
        at(0.99),
        f64::from(max) / 1e3,
        trips as f64 / time.as_secs_f64()
    );
    exit(0);
}

/// What the pinger has measured.
#[derive(Default)]
struct Trips {
    nanos: Vec<u32>,
    count: u64,
    max: u32,
}

impl Trips {
    fn add(&mut self, since: Instant) {
        let nanos = u32::try_from(since.elapsed().as_nanos()).unwrap_or(u32::MAX);
        self.count += 1;
        self.max = self.max.max(nanos);
        if self.nanos.len() < SAMPLES {
            self.nanos.push(nanos);
        }
    }
}

fn on_regrow(yields: bool, balls: usize, time: Duration) {
    use regrow::{Pid, Runtime, receive, self_pid, send, spawn, yield_now};
    let runtime = Runtime::builder().workers(2).build().expect("a runtime");
    let (told, telling) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        let pong = spawn(async move {
            loop {
                let (asker, since) = receive::<(Pid, Instant)>().await;
                work(balls);
                send(asker, since);
            }
        });
        for _ in 0..SPINNERS {
            spawn(async move {
                loop {
                    match yields {
                        true => spin(SLICE),
                        false => spin(Duration::MAX),
                    }
                    yield_now().await;
                }
            });
        }
        let mut trips = Trips::default();
        let start = Instant::now();
        for _ in 0..balls {
            send(pong, (self_pid(), Instant::now()));
        }
        while start.elapsed() < time {
            trips.add(receive::<Instant>().await);
            work(balls);
            send(pong, (self_pid(), Instant::now()));
        }
        let _ = told.send(trips);
    });
    let trips = telling.recv_timeout(time * 3).unwrap_or_default();
    report(trips.nanos, trips.count, trips.max, time);
}

fn on_tokio(yields: bool, balls: usize, time: Duration) {
    use tokio::sync::mpsc::unbounded_channel;
    let builder = &mut tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).build().expect("a runtime");
    let (told, telling) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        let (ping, mut pings) = unbounded_channel::<Instant>();
        let (pong, mut pongs) = unbounded_channel::<Instant>();
        tokio::spawn(async move {
            while let Some(since) = pings.recv().await {
                work(balls);
                let _ = pong.send(since);
            }
        });
        for _ in 0..SPINNERS {
            tokio::spawn(async move {
                loop {
                    match yields {
                        true => spin(SLICE),
                        false => spin(Duration::MAX),
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        let mut trips = Trips::default();
        let start = Instant::now();
        // The spinners have their workers first.
        tokio::task::yield_now().await;
        for _ in 0..balls {
            let _ = ping.send(Instant::now());
        }
        while start.elapsed() < time {
            let Some(since) = pongs.recv().await else {
                break;
            };
            trips.add(since);
            work(balls);
            let _ = ping.send(Instant::now());
        }
        let _ = told.send(trips);
    });
    let trips = telling.recv_timeout(time * 2).unwrap_or_default();
    report(trips.nanos, trips.count, trips.max, time);
}
