//! The last steps of a behaviour, kept until somebody asks for them.

use std::collections::VecDeque;

use super::trace::TraceEvent;

/// At most so many, the oldest first. None until it is turned on.
#[derive(Default)]
pub(super) struct Log {
    max: usize,
    events: VecDeque<TraceEvent>,
}

impl Log {
    pub(super) fn is_on(&self) -> bool {
        self.max > 0
    }

    /// Those that are kept already stay, as far as there is room.
    pub(super) fn set_max(&mut self, max: usize) {
        self.max = max;
        self.shorten(max);
        self.events.shrink_to(max);
    }

    pub(super) fn push(&mut self, event: TraceEvent) {
        if self.is_on() {
            self.shorten(self.max - 1);
            self.events.push_back(event);
        }
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &TraceEvent> {
        self.events.iter()
    }

    fn shorten(&mut self, max: usize) {
        let over = self.events.len().saturating_sub(max);
        self.events.drain(..over);
    }
}
