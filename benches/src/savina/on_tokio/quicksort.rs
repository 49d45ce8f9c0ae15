//! An actor splits its numbers at a pivot and has two others sort the parts, down to small ones.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedSender};

use super::{Outcome, Size, receive};
use crate::savina::numbers::{checksum, numbers, split};

enum Sorted {
    Left(Vec<u64>),
    Right(Vec<u64>),
}

pub(super) async fn run(size: Size) -> Outcome {
    let data = numbers(size.count);
    let start = Instant::now();
    let (root, mut inbox) = mpsc::unbounded_channel();
    sorter(data, size.room, Sorted::Left, root);
    let (Sorted::Left(sorted) | Sorted::Right(sorted)) = receive(&mut inbox).await;
    let elapsed = start.elapsed();
    Outcome {
        elapsed,
        result: checksum(&sorted),
    }
}

/// Apart from [`sort`], whose future may not contain itself.
fn sorter(
    data: Vec<u64>,
    room: u64,
    side: fn(Vec<u64>) -> Sorted,
    parent: UnboundedSender<Sorted>,
) {
    tokio::spawn(sort(data, room, side, parent));
}

async fn sort(
    mut data: Vec<u64>,
    room: u64,
    side: fn(Vec<u64>) -> Sorted,
    parent: UnboundedSender<Sorted>,
) {
    if data.len() as u64 <= room {
        data.sort_unstable();
        return super::send(&parent, side(data));
    }
    let (this, mut inbox) = mpsc::unbounded_channel();
    let (left, mut equal, right) = split(&data);
    drop(data);
    sorter(left, room, Sorted::Left, this.clone());
    sorter(right, room, Sorted::Right, this);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        match receive(&mut inbox).await {
            Sorted::Left(part) => left = part,
            Sorted::Right(part) => right = part,
        }
    }
    left.append(&mut equal);
    left.append(&mut right);
    super::send(&parent, side(left));
}
