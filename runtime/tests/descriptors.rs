//! Any file descriptor, as a process waits for it.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::net::Fd;
use regrow_runtime::{receive, self_pid, send, spawn};
use rustix::event::{EventfdFlags, eventfd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use common::run;

mod common;

#[test]
fn a_pipe_carries_more_than_it_holds() {
    const BYTES: usize = 4 << 20;
    run(2, async {
        let (reader, writer) = std::io::pipe().unwrap();
        let (mut reader, mut writer) = (Fd::new(reader).unwrap(), Fd::new(writer).unwrap());
        let data: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
        let sent = data.clone();
        spawn(async move {
            writer.write_all(&sent).await?;
            writer.close().await
        });
        let mut seen = Vec::new();
        reader.read_to_end(&mut seen).await.unwrap();
        assert!(seen == data);
    });
}

#[test]
fn a_pipe_without_readers_is_broken() {
    run(1, async {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut writer = Fd::new(writer).unwrap();
        drop(reader);
        let error = writer.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn readable_and_writable_wait_until_it_is_so() {
    run(2, async {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let reader = Fd::new(reader).unwrap();
        for _ in 0..10 {
            assert!(poll_once(reader.readable()).await.is_none());
            let (readable, ()) = zip(reader.readable(), async {
                writer.write_all(b"xy").unwrap();
            })
            .await;
            readable.unwrap();
            // Not taken: it stays readable until it is empty.
            reader.readable().await.unwrap();
            assert_eq!(reader.get_ref().read(&mut [0]).unwrap(), 1);
            reader.readable().await.unwrap();
            assert_eq!(reader.get_ref().read(&mut [0]).unwrap(), 1);
        }
        let writer = Fd::new(writer).unwrap();
        writer.writable().await.unwrap();
        while writer.get_ref().write(&[0; 4096]).is_ok() {}
        assert!(poll_once(writer.writable()).await.is_none());
        let (writable, ()) = zip(writer.writable(), async {
            let mut all = vec![0; 64 * 1024];
            assert!(reader.get_ref().read(&mut all).unwrap() > 4096);
        })
        .await;
        writable.unwrap();
        drop(writer);
        while reader.get_ref().read(&mut [0; 4096]).unwrap() > 0 {}
        reader.readable().await.unwrap();
    });
}

#[test]
fn a_counter_wakes_its_reader_each_time() {
    run(2, async {
        let me = self_pid();
        let counter = Arc::new(Fd::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap()).unwrap());
        let reader = counter.clone();
        spawn(async move {
            loop {
                let mut count = [0; 8];
                let read = reader.read_with(|fd| Ok(rustix::io::read(fd, &mut count)?));
                assert_eq!(read.await.unwrap(), 8);
                send(me, u64::from_ne_bytes(count));
            }
        });
        for number in 1..=100u64 {
            let bytes = number.to_ne_bytes();
            let written = counter.write_with(|fd| Ok(rustix::io::write(fd, &bytes)?));
            assert_eq!(written.await.unwrap(), 8);
            assert_eq!(receive::<u64>().await, number);
        }
    });
}

#[test]
fn a_timer_of_the_system_can_be_waited_for() {
    run(1, async {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).unwrap();
        let timer = Fd::new(timer).unwrap();
        let start = std::time::Instant::now();
        let often = Timespec {
            tv_sec: 0,
            tv_nsec: 2_000_000,
        };
        let each = Itimerspec {
            it_interval: often,
            it_value: often,
        };
        timerfd_settime(timer.get_ref(), TimerfdTimerFlags::empty(), &each).unwrap();
        let mut times = 0;
        while times < 5 {
            let mut count = [0; 8];
            let read = timer.read_with(|fd| Ok(rustix::io::read(fd, &mut count)?));
            assert_eq!(read.await.unwrap(), 8);
            times += u64::from_ne_bytes(count);
        }
        assert!(start.elapsed() >= Duration::from_millis(10));
    });
}

#[test]
fn a_child_is_talked_to_through_its_pipes() {
    run(2, async {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = OwnedFd::from(child.stdin.take().unwrap());
        let output = OwnedFd::from(child.stdout.take().unwrap());
        let mut input = Fd::new(File::from(input)).unwrap();
        let mut output = Fd::new(File::from(output)).unwrap();
        for line in [&b"one"[..], b"two", b"three"] {
            input.write_all(line).await.unwrap();
            let mut echo = vec![0; line.len()];
            output.read_exact(&mut echo).await.unwrap();
            assert_eq!(echo, line);
        }
        drop(input);
        assert_eq!(output.read(&mut [0]).await.unwrap(), 0);
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_regular_file_is_refused_and_left_as_it_was() {
    run(1, async {
        let file = File::open("Cargo.toml").unwrap();
        let error = Fd::new(&file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("regular files"), "{error}");
        let socket = socket2::SockRef::from(&file);
        assert!(!socket.nonblocking().unwrap());
    });
}

#[test]
fn a_descriptor_has_one_wrapper_at_a_time() {
    run(1, async {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let first = Fd::new(&reader).unwrap();
        let error = Fd::new(&reader).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        drop(first);
        let again = Fd::new(&reader).unwrap();
        writer.write_all(b"x").unwrap();
        again.readable().await.unwrap();
    });
}

#[test]
fn a_descriptor_needs_a_process() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let error = Fd::new(reader).unwrap_err();
    assert_eq!(error.to_string(), "must be used inside a regrow process");
}
