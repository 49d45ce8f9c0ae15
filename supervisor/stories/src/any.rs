//! A story of either kind.

use std::fmt;
use std::sync::Arc;

use crate::server::{self, ServerStory};
use crate::term::{Term, TermError};
use crate::{Story, generate};

/// A story of supervisors or of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyStory {
    /// A supervision tree and what happens to it.
    Supervisors(Arc<Story>),
    /// Servers and what is done to them.
    Servers(Arc<ServerStory>),
}

impl From<Story> for AnyStory {
    fn from(story: Story) -> Self {
        AnyStory::Supervisors(Arc::new(story))
    }
}

impl From<ServerStory> for AnyStory {
    fn from(story: ServerStory) -> Self {
        AnyStory::Servers(Arc::new(story))
    }
}

impl AnyStory {
    /// The story of supervisors that this seed gives.
    pub fn supervisors(seed: u64) -> Self {
        generate(seed).into()
    }

    /// The story of servers that this seed gives.
    pub fn servers(seed: u64) -> Self {
        server::generate(seed).into()
    }

    /// Reads what its display has written: a list is a story of servers.
    ///
    /// # Errors
    ///
    /// If the text is no story.
    pub fn parse(text: &str) -> Result<Self, TermError> {
        AnyStory::read(&Term::parse(text)?)
    }

    pub(crate) fn read(term: &Term) -> Result<Self, TermError> {
        match term {
            Term::List(_) => ServerStory::read(term).map(AnyStory::from),
            _ => Story::read(term).map(AnyStory::from),
        }
    }

    /// The story as a term.
    pub fn term(&self) -> Term {
        match self {
            AnyStory::Supervisors(story) => story.term(),
            AnyStory::Servers(story) => story.term(),
        }
    }

    /// The story as one line for the Erlang side.
    pub(crate) fn line(&self, number: u64) -> String {
        match self {
            AnyStory::Supervisors(story) => story.line(number),
            AnyStory::Servers(story) => format!("{{{number},servers,{}}}.\n", story.term()),
        }
    }

    /// How much there is in it, for progress and for shrinking: less is better.
    pub fn size(&self) -> usize {
        match self {
            AnyStory::Supervisors(story) => story.size(),
            AnyStory::Servers(story) => story.term().size(),
        }
    }
}

impl fmt::Display for AnyStory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}.", self.term().pretty())
    }
}
