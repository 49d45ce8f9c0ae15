//! An actor splits its numbers at a pivot and has two others sort the parts, down to small ones.

use std::time::Instant;

use regrow::{Pid, receive, self_pid, send, spawn_link};

use super::numbers::{checksum, numbers, split};
use super::{Outcome, Size};

enum Sorted {
    Left(Vec<u64>),
    Right(Vec<u64>),
}

pub(super) async fn run(size: Size) -> Outcome {
    let data = numbers(size.count);
    let start = Instant::now();
    sorter(data, size.room, Sorted::Left, self_pid());
    let (Sorted::Left(sorted) | Sorted::Right(sorted)) = receive().await;
    let elapsed = start.elapsed();
    Outcome {
        elapsed,
        result: checksum(&sorted),
    }
}

/// Apart from [`sort`], whose future may not contain itself.
fn sorter(data: Vec<u64>, room: u64, side: fn(Vec<u64>) -> Sorted, parent: Pid) {
    spawn_link(sort(data, room, side, parent));
}

async fn sort(mut data: Vec<u64>, room: u64, side: fn(Vec<u64>) -> Sorted, parent: Pid) {
    if data.len() as u64 <= room {
        data.sort_unstable();
        return send(parent, side(data));
    }
    let this = self_pid();
    let (left, mut equal, right) = split(&data);
    drop(data);
    sorter(left, room, Sorted::Left, this);
    sorter(right, room, Sorted::Right, this);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        match receive().await {
            Sorted::Left(part) => left = part,
            Sorted::Right(part) => right = part,
        }
    }
    left.append(&mut equal);
    left.append(&mut right);
    send(parent, side(left));
}
