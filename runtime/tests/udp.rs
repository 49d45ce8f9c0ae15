//! UDP sockets as a process sees them.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_lite::future::zip;
use regrow_runtime::net::UdpSocket;
use regrow_runtime::{Pid, Status, process_info, receive, self_pid, send, spawn, yield_now};

use common::run;

mod common;

fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[test]
fn a_datagram_arrives_whole_and_says_where_it_is_from() {
    run(2, async {
        let ((near, near_address), (far, far_address)) = (socket(), socket());
        assert_eq!(near.send_to(b"one", far_address).await.unwrap(), 3);
        assert_eq!(near.send_to(b"", far_address).await.unwrap(), 0);
        let mut buffer = [0; 16];
        let (count, from) = far.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..count], from), (&b"one"[..], near_address));
        assert_eq!(far.recv_from(&mut buffer).await.unwrap(), (0, near_address));
    });
}

#[test]
fn what_does_not_fit_is_lost_with_its_datagram() {
    run(2, async {
        let ((near, _), (far, address)) = (socket(), socket());
        near.send_to(b"long", address).await.unwrap();
        near.send_to(b"next", address).await.unwrap();
        let mut buffer = [0; 2];
        assert_eq!(far.recv(&mut buffer).await.unwrap(), 2);
        assert_eq!(&buffer, b"lo");
        assert_eq!(far.recv(&mut buffer).await.unwrap(), 2);
        assert_eq!(&buffer, b"ne");
    });
}

#[test]
fn a_peek_leaves_the_datagram_for_the_next() {
    run(2, async {
        let ((near, near_address), (far, address)) = (socket(), socket());
        let mut buffer = [0; 16];
        let (peeked, sent) = zip(far.peek_from(&mut buffer), near.send_to(b"x", address)).await;
        assert_eq!((peeked.unwrap(), sent.unwrap()), ((1, near_address), 1));
        assert_eq!(far.peek(&mut buffer).await.unwrap(), 1);
        assert_eq!(far.recv(&mut buffer).await.unwrap(), 1);
    });
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    run(2, async {
        let ((near, near_address), (far, far_address), (stranger, _)) =
            (socket(), socket(), socket());
        assert_eq!(
            near.peer_addr().unwrap_err().kind(),
            ErrorKind::NotConnected
        );
        assert!(near.send(b"to whom").await.is_err());
        near.connect(far_address).unwrap();
        assert_eq!(near.peer_addr().unwrap(), far_address);
        stranger.send_to(b"strange", near_address).await.unwrap();
        far.send_to(b"known", near_address).await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(near.recv(&mut buffer).await.unwrap(), 5);
        assert_eq!(&buffer[..5], b"known");
    });
}

#[test]
fn sending_to_nobody_is_told_to_a_connected_socket() {
    run(2, async {
        let ((near, _), (far, address)) = (socket(), socket());
        near.connect(address).unwrap();
        drop(far);
        near.send(b"hello").await.unwrap();
        let error = near.recv(&mut [0; 16]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        // It goes on: the error was about one datagram.
        let mut back = UdpSocket::bind(address);
        while back.is_err() {
            regrow_runtime::yield_now().await;
            back = UdpSocket::bind(address);
        }
        near.send(b"again").await.unwrap();
        assert_eq!(back.unwrap().recv(&mut [0; 16]).await.unwrap(), 5);
    });
}

#[test]
fn an_address_in_use_cannot_be_bound() {
    run(1, async {
        let (_socket, address) = socket();
        let error = UdpSocket::bind(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn a_datagram_that_is_too_long_is_refused() {
    run(1, async {
        let ((near, _), (_far, address)) = (socket(), socket());
        let error = near.send_to(&vec![0; 70_000], address).await.unwrap_err();
        assert_eq!(
            error.raw_os_error(),
            Some(rustix::io::Errno::MSGSIZE.raw_os_error())
        );
    });
}

#[test]
fn each_of_many_receivers_gets_a_datagram() {
    const RECEIVERS: u32 = 20;
    run(2, async {
        let ((near, _), (far, address)) = (socket(), socket());
        let (me, far) = (self_pid(), Arc::new(far));
        for _ in 0..RECEIVERS {
            let far = far.clone();
            let receiver = spawn(async move {
                let mut buffer = [0; 4];
                far.recv(&mut buffer).await.unwrap();
                send(me, (self_pid(), u32::from_be_bytes(buffer)));
            });
            while process_info(receiver).await.unwrap().status != Status::Waiting {
                yield_now().await;
            }
        }
        for number in 0..RECEIVERS {
            near.send_to(&number.to_be_bytes(), address).await.unwrap();
        }
        let (mut pids, mut numbers) = (Vec::new(), Vec::new());
        for _ in 0..RECEIVERS {
            let (pid, number) = receive::<(Pid, u32)>().await;
            pids.push(pid);
            numbers.push(number);
        }
        numbers.sort();
        assert_eq!(numbers, Vec::from_iter(0..RECEIVERS));
        pids.sort();
        pids.dedup();
        assert_eq!(pids.len(), RECEIVERS as usize);
    });
}

#[test]
fn many_send_and_many_receive_side_by_side() {
    const PROCESSES: usize = 8;
    const DATAGRAMS: usize = 200;
    run(2, async {
        let ((server, address), me) = (socket(), self_pid());
        let server = Arc::new(server);
        for _ in 0..PROCESSES {
            let server = server.clone();
            spawn(async move {
                let mut buffer = [0; 64];
                loop {
                    let (count, from) = server.recv_from(&mut buffer).await.unwrap();
                    server.send_to(&buffer[..count], from).await.unwrap();
                }
            });
        }
        for _ in 0..PROCESSES {
            spawn(async move {
                let (client, _) = socket();
                client.connect(address).unwrap();
                for number in 0..DATAGRAMS {
                    // One at a time, so that no buffer overflows: on the loopback nothing is lost.
                    client.send(&number.to_be_bytes()).await.unwrap();
                    let mut answer = [0; 8];
                    assert_eq!(client.recv(&mut answer).await.unwrap(), 8);
                    assert_eq!(usize::from_be_bytes(answer), number);
                }
                send(me, ());
            });
        }
        for _ in 0..PROCESSES {
            receive::<()>().await;
        }
    });
}

#[test]
fn options_can_be_read_back() {
    run(1, async {
        let (socket, _) = socket();
        assert!(!socket.broadcast().unwrap());
        socket.set_broadcast(true).unwrap();
        assert!(socket.broadcast().unwrap());
        socket.set_ttl(9).unwrap();
        assert_eq!(socket.ttl().unwrap(), 9);
        socket.set_multicast_ttl_v4(3).unwrap();
        assert_eq!(socket.multicast_ttl_v4().unwrap(), 3);
        socket.set_multicast_loop_v4(false).unwrap();
        assert!(!socket.multicast_loop_v4().unwrap());
        assert!(socket.take_error().unwrap().is_none());
        assert!(format!("{socket:?}").contains("127.0.0.1"));
    });
}

#[test]
fn a_member_of_a_group_hears_what_is_sent_to_it() {
    run(2, async {
        let group = Ipv4Addr::new(239, 255, 77, 1);
        let member = UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = member.local_addr().unwrap().port();
        member
            .join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
            .unwrap();
        let (speaker, _) = socket();
        let options = socket2::SockRef::from(&speaker);
        options.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        speaker.set_multicast_loop_v4(true).unwrap();
        speaker.send_to(b"all", (group, port).into()).await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(member.recv(&mut buffer).await.unwrap(), 3);
        member
            .leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
            .unwrap();
        let again = member.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST);
        assert!(again.is_err(), "it is no member any more");
    });
}

#[test]
fn a_socket_needs_a_process() {
    let error = UdpSocket::bind("127.0.0.1:0").unwrap_err();
    assert_eq!(error.to_string(), "must be used inside a regrow process");
}
