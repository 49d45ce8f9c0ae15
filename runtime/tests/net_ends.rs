//! The end of a connection, in all timings: no byte before it is missed, and neither is it.

use std::io::Write;
use std::net::Shutdown;
use std::sync::mpsc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::net::{TcpListener, TcpStream};
use regrow_runtime::{Pid, receive, self_pid, send, spawn, yield_now};

use common::run;

mod common;

/// Random enough for pauses: a multiplicative generator.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }

    fn pause(&mut self) {
        for _ in 0..self.below(2_000) {
            std::hint::spin_loop();
        }
    }
}

/// What a writer did: how many bytes it wrote.
struct Wrote(usize);

/// Reads to the end, with room for more than there ever is at once, or less.
async fn count(stream: &mut TcpStream, room: usize) -> usize {
    let mut buffer = vec![0; room];
    let mut seen = 0;
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return seen,
            count => seen += count,
        }
    }
}

#[test]
fn a_process_that_writes_and_ends_at_once_is_read_to_the_end() {
    const READERS: usize = 10;
    const ROUNDS: usize = 500;
    run(2, async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let me = self_pid();
        spawn(async move {
            let mut number = 0;
            while let Ok((mut stream, _)) = listener.accept().await {
                number += 1;
                spawn(async move {
                    let mut chance = Chance(number);
                    // The reader says whom to tell.
                    let mut packed = [0; 8];
                    stream.read_exact(&mut packed).await.unwrap();
                    let chunks = chance.below(4) as usize;
                    for _ in 0..chunks {
                        stream.write_all(&[7; 10]).await.unwrap();
                        match chance.below(4) {
                            0 => yield_now().await,
                            1 => chance.pause(),
                            _ => {}
                        }
                    }
                    if chance.below(2) == 0 {
                        stream.shutdown(Shutdown::Write).unwrap();
                        // Until the other end has closed too.
                        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
                    }
                    send(me, (u64::from_be_bytes(packed), Wrote(chunks * 10)));
                });
            }
        });
        for reader in 0..READERS {
            spawn(async move {
                for round in 0..ROUNDS {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    let id = (reader * ROUNDS + round) as u64;
                    stream.write_all(&id.to_be_bytes()).await.unwrap();
                    let seen = count(&mut stream, [64, 10, 3][round % 3]).await;
                    drop(stream);
                    send(me, (id, seen));
                }
            });
        }
        let (mut wrote, mut seen) = (Vec::new(), Vec::new());
        for _ in 0..READERS * ROUNDS {
            let (id, Wrote(count)) = receive::<(u64, Wrote)>().await;
            wrote.push((id, count));
            seen.push(receive::<(u64, usize)>().await);
        }
        wrote.sort();
        seen.sort();
        assert!(wrote == seen);
    });
}

#[test]
fn a_thread_that_writes_and_closes_at_once_is_read_to_the_end() {
    const ROUNDS: u64 = 10_000;
    run(2, async {
        let (streams, writes) = mpsc::channel::<(std::net::TcpStream, u64, Pid)>();
        let writer = std::thread::spawn(move || {
            for (mut stream, round, reader) in writes {
                let mut chance = Chance(round);
                let chunks = chance.below(4) as usize;
                chance.pause();
                for _ in 0..chunks {
                    stream.write_all(&[7; 10]).unwrap();
                    if chance.below(2) == 0 {
                        chance.pause();
                    }
                }
                drop(stream);
                send(reader, Wrote(chunks * 10));
            }
        });
        // Not the runtime's: it blocks for no time on the loopback.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        for round in 0..ROUNDS {
            let far = std::net::TcpStream::connect(address).unwrap();
            let near = listener.accept().unwrap().0;
            let mut near = TcpStream::from_std(near).unwrap();
            streams.send((far, round, self_pid())).unwrap();
            let seen = count(&mut near, [64, 10, 3][round as usize % 3]).await;
            let Wrote(wrote) = receive().await;
            assert_eq!(seen, wrote, "in round {round}");
        }
        drop(streams);
        writer.join().unwrap();
    });
}
