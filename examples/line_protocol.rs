//! One counter, three ways in: a line protocol over a Unix socket, one datagram for each command
//! over UDP, and messages between processes. Each connection is a process; the counter is one too.
//!
//! ```sh
//! cargo run --example line_protocol
//! ```

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use futures_lite::io::BufReader;
use futures_lite::{AsyncBufReadExt, AsyncWriteExt, StreamExt};
use regrow::net::{UdpSocket, UnixListener, UnixStream};
use regrow::{Pid, ReplyTo, Runtime, receive, reply_channel, send, spawn, spawn_link};

/// To the counter: add, and tell the sum.
struct Add(i64, ReplyTo<i64>);

async fn counter() {
    let mut sum = 0;
    loop {
        let Add(number, reply) = receive().await;
        sum += number;
        reply.send(sum);
    }
}

/// Both protocols: a number is added, and the answer is the sum or what was wrong.
async fn answer(counter: Pid, command: &str) -> String {
    let Ok(number) = command.trim().parse() else {
        return format!("not a number: {}\n", command.trim());
    };
    let (reply_to, reply) = reply_channel();
    send(counter, Add(number, reply_to));
    match reply.await {
        Ok(sum) => format!("{sum}\n"),
        Err(error) => format!("no answer: {error}\n"),
    }
}

async fn serve_connection(counter: Pid, stream: UnixStream) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next().await {
        writer
            .write_all(answer(counter, &line?).await.as_bytes())
            .await?;
    }
    Ok(())
}

async fn serve_datagrams(counter: Pid, socket: UdpSocket) -> io::Result<()> {
    let mut buffer = [0; 512];
    loop {
        let (count, from) = socket.recv_from(&mut buffer).await?;
        let command = String::from_utf8_lossy(&buffer[..count]);
        let answer = answer(counter, &command).await;
        socket.send_to(answer.as_bytes(), from).await?;
    }
}

async fn over_unix(path: PathBuf, commands: &[&str]) -> io::Result<()> {
    let stream = UnixStream::connect(path).await?;
    let mut lines = BufReader::new(&stream).lines();
    for command in commands {
        (&stream)
            .write_all(format!("{command}\n").as_bytes())
            .await?;
        if let Some(line) = lines.next().await {
            println!("unix: {command} -> {}", line?);
        }
    }
    Ok(())
}

async fn over_udp(address: SocketAddr, commands: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    let mut buffer = [0; 512];
    for command in commands {
        socket.send(command.as_bytes()).await?;
        let count = socket.recv(&mut buffer).await?;
        let answer = String::from_utf8_lossy(&buffer[..count]);
        println!("udp: {command} -> {}", answer.trim_end());
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let name = format!("regrow-counter-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let served = Runtime::new()?.block_on(run(path.clone()));
    std::fs::remove_file(path)?;
    served
}

async fn run(path: PathBuf) -> io::Result<()> {
    let listener = UnixListener::bind(&path)?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;

    let counter = spawn(counter());
    // Linked: without its ways in, the program is of no use.
    spawn_link(serve_datagrams(counter, socket));
    spawn_link(async move {
        loop {
            let (stream, _) = listener.accept().await?;
            spawn(serve_connection(counter, stream));
        }
        #[allow(unreachable_code)]
        Ok::<(), io::Error>(())
    });

    over_unix(path, &["1", "two", "3"]).await?;
    over_udp(address, &["10", "nonsense", "-4"]).await
}
