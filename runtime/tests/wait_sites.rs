//! Where a process waits, by file and line.

mod common;

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use common::run;
use futures_lite::AsyncReadExt;
use regrow_runtime::net::{TcpListener, TcpStream};
use regrow_runtime::{
    Down, MailboxPolicy, SpawnOptions, Status, blocking, is_alive, monitor, proc_lib, process_info,
    receive, receive_any, receive_down, receive_exit, reply_channel, self_pid, send, send_wait,
    sleep, spawn, trap_exit, wait_at, yield_now,
};

const LONG: Duration = Duration::from_secs(60);

/// Where the process of `body` waits, once it does.
async fn place_of(body: impl Future<Output = ()> + Send + 'static) -> &'static Location<'static> {
    let pid = spawn(body);
    let info = loop {
        let info = process_info(pid).await.expect("it waits");
        if info.status == Status::Waiting {
            break info;
        }
        assert_eq!(info.waiting_at, None, "it does not wait now");
        yield_now().await;
    };
    regrow_runtime::exit(pid, regrow_runtime::ExitReason::Kill);
    info.waiting_at.expect("a place")
}

/// The place of the one await in a body is the line on which it stands.
macro_rules! assert_waits_here {
    ($body:expr) => {
        let place = place_of(async move {
            let _ = $body;
        })
        .await;
        assert_eq!(
            (place.file(), place.line()),
            (file!(), line!()),
            "{}",
            stringify!($body)
        );
    };
}

#[test]
fn every_wait_for_something_of_the_runtime_is_known_by_its_line() {
    run(2, async {
        assert_waits_here!(receive::<u8>().await);
        assert_waits_here!(receive::<u8>().matching(|n| *n > 1).await);
        assert_waits_here!(receive::<u8>().timeout(LONG).await);
        assert_waits_here!(receive_any().await);
        assert_waits_here!(receive! { n: u8 if *n > 1 => n });
        assert_waits_here!(receive! { n: u8 => n, after LONG => 0 });
        assert_waits_here!(sleep(LONG).await);
        assert_waits_here!(receive_down(monitor(self_pid())).await);
        assert_waits_here!(receive_exit(self_pid()).await);
        let line = line!() + 3;
        let place = place_of(async {
            trap_exit(true);
            let (_held, reply) = reply_channel::<u8>();
            drop(reply.timeout(LONG).await);
        });
        assert_eq!(place.await.line(), line);
        let options = SpawnOptions::new().mailbox_limit(1, MailboxPolicy::Wait);
        let full = options.spawn(std::future::pending::<()>()).unwrap().pid;
        send(full, 1_u8);
        assert_waits_here!(send_wait(full, 2_u8).await);
        assert_waits_here!(proc_lib::stop(full).await);
        let blocks = || std::thread::park_timeout(Duration::from_millis(300));
        assert_waits_here!(blocking(blocks).await);
    });
}

#[test]
fn a_wait_for_a_socket_is_known_by_its_line() {
    run(2, async {
        assert_waits_here!(TcpListener::bind("127.0.0.1:0").unwrap().accept().await);
        // The traits of `futures-io` hand no place on: whoever uses them may.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let place = place_of(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let mut byte = [0];
            let read = stream.read(&mut byte);
            drop(wait_at(Location::caller(), read).await);
        });
        assert_eq!(place.await.file(), file!());
    });
}

#[track_caller]
fn helper() -> impl Future<Output = ()> {
    wait_at(Location::caller(), async {
        receive::<u8>().await;
        sleep(LONG).await;
    })
}

#[test]
fn a_library_can_show_its_callers_line_for_all_that_it_waits_for() {
    run(1, async {
        assert_waits_here!(helper().await);
        let line = line!() + 1;
        let pid = spawn(async { helper().await });
        for _ in 0..2 {
            yield_now().await;
            let place = process_info(pid).await.unwrap().waiting_at.unwrap();
            assert_eq!(place.line(), line);
            send(pid, 1_u8);
        }
    });
}

#[test]
fn who_asks_does_not_wait_somewhere_else_for_it() {
    run(1, async {
        let me = self_pid();
        let other = spawn(async move {
            let info = process_info(me).await.unwrap();
            send(me, info.waiting_at.map(Location::line));
            assert!(is_alive(me).await);
        });
        let line = line!() + 1;
        let seen = receive::<Option<u32>>().await;
        assert_eq!(seen, Some(line));
        monitor(other);
        receive::<Down>().await;
    });
}
