//! An actor splits its numbers at a pivot and has two others sort the parts, down to small ones.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::yield_now;

use super::{Outcome, Size, blocking, receive};
use crate::savina::numbers::{CHUNK, Split, checksum, numbers};

enum Sorted {
    Left(Vec<u64>),
    Right(Vec<u64>),
}

pub(super) async fn run(size: Size) -> Outcome {
    let data = blocking(move || numbers(size.count)).await;
    let start = Instant::now();
    let (root, mut inbox) = mpsc::unbounded_channel();
    sorter(data, size.room, Sorted::Left, root);
    let (Sorted::Left(sorted) | Sorted::Right(sorted)) = receive(&mut inbox).await;
    let elapsed = start.elapsed();
    Outcome {
        elapsed,
        result: blocking(move || checksum(&sorted)).await,
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
    let mut parts = Split::of(&data);
    for chunk in data.chunks(CHUNK) {
        parts.add(chunk);
        yield_now().await;
    }
    let count = data.len();
    drop(data);
    sorter(parts.left, room, Sorted::Left, this.clone());
    sorter(parts.right, room, Sorted::Right, this);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        match receive(&mut inbox).await {
            Sorted::Left(part) => left = part,
            Sorted::Right(part) => right = part,
        }
    }
    let mut sorted = Vec::with_capacity(count);
    for part in [left, parts.equal, right] {
        for chunk in part.chunks(CHUNK) {
            sorted.extend_from_slice(chunk);
            yield_now().await;
        }
    }
    super::send(&parent, side(sorted));
}
