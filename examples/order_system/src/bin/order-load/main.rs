//! `order-load`: many customers order at once while things are killed, and every order is accounted
//! for.
//!
//! ```text
//! cargo run --release -p order-system --bin order-load -- --seconds 60 --kills 100
//! cargo run --release -p order-system --bin order-load -- --kill-9 100
//! cargo run --release -p order-system --bin order-load -- --seconds 10 --term
//! ```
//!
//! It starts a shop of its own on a free port with a fresh database, and *is* the bank, which so
//! survives all that happens to the shop. Now and then the bank takes the money and loses its
//! answer (`--bank-faults`).
//!
//! A customer orders with an idempotency key of its own, and orders again with the same one until it
//! hears that the order is accepted. In the end everybody has stopped and the shop has come to
//! rest, is told to end by SIGTERM, and must do so with code 0. Then its database and the bank's books
//! are compared with what the customers were told.
//!
//! The exit code is 0 if all held and 1 if not.

#![forbid(unsafe_code)]

mod bank;
mod checks;
mod customer;
mod figures;
mod options;
mod server;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use regrow::{Runtime, Task, sleep};

use crate::customer::Customer;
use crate::figures::Figures;
use crate::options::Options;
use crate::server::{Folder, Server};

/// What a part of the program fails with.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// How long the shop may take to come to rest.
const REST: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let options = Options::parse();
    match run(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("order-load: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the whole program; `Ok(false)` if a check failed.
fn run(options: Options) -> Result<bool, Trouble> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let runtime = Runtime::builder().tokio(tokio.handle().clone()).build()?;
    let mut folder = Folder::new()?;
    let (told, figures, mut complaints) = {
        let (options, path) = (options.clone(), folder.path().to_owned());
        runtime.block_on(async move { conduct(options, Folder::at(path)).await })?
    };
    drop(runtime);
    println!("{figures}");
    complaints.extend(checks::check(&folder, &told)?);
    for complaint in &complaints {
        println!("FAILED: {complaint}");
    }
    if complaints.is_empty() {
        println!("nothing lost, nothing paid twice");
    } else {
        println!("the files are kept in {}", folder.keep().display());
    }
    Ok(complaints.is_empty())
}

type Course = (Vec<customer::Told>, Figures, Vec<String>);

/// The load, the storm, and the calm after it.
async fn conduct(options: Options, folder: Folder) -> Result<Course, Trouble> {
    let mut complaints = Vec::new();
    let bank = bank::open(folder.file("bank.db"), options.bank_faults).await?;
    let mut server = Server::start(&options, &folder, &bank).await?;
    let address = server.address();
    println!("shop at {address}, bank at {bank}, {options}");

    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let customers = (0..options.customers).map(|number| {
        let customer = Customer::new(number, address, &options, &stop);
        Task::spawn(customer.shop())
    });
    let customers: Vec<_> = customers.collect();

    let mut cycles = 0;
    while cycles < options.kill_9 {
        sleep(options.pause(cycles)).await;
        server.kill().await?;
        server = Server::again(server, &options, &folder, &bank).await?;
        cycles += 1;
    }
    sleep(Duration::from_secs(options.seconds).saturating_sub(start.elapsed())).await;
    if options.term {
        complaints.extend(server.terminate().await?);
        server = Server::again(server, &options, &folder, &bank).await?;
    }
    let lasted = start.elapsed();
    stop.store(true, Ordering::SeqCst);

    let mut told = Vec::new();
    let mut figures = Figures::new(lasted, cycles);
    for customer in customers {
        let (heard, seen) = customer.no_timeout().await?;
        told.extend(heard);
        figures.add(seen);
    }
    figures.kills = server.kills().await;
    let rest = Instant::now();
    loop {
        let left = checks::unfinished(&folder)?;
        if left == 0 {
            break;
        }
        if rest.elapsed() > REST {
            complaints.push(format!("{left} orders have not come to their end"));
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    figures.rest = rest.elapsed();
    complaints.extend(server.terminate().await?);
    Ok((told, figures, complaints))
}
