//! What must not happen.

use std::fmt;

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Violation {
    pub(crate) kind: Kind,
    /// The number that the job's body begins with.
    pub(crate) serial: u64,
    pub(crate) id: Option<u64>,
    pub(crate) detail: String,
}

/// Which promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(crate) enum Kind {
    /// An acknowledged job is not there.
    Lost,
    /// A job was given to a second client before the time of the first was over.
    TwoHolders,
    /// A job was taken from its client before its time was over.
    TakenEarly,
    /// A job whose deletion was acknowledged is there again.
    CameBack,
    /// An acknowledged change of its state or priority is not there.
    WrongState,
    /// Its body, tube or TTR is another.
    Changed,
    /// An id was given to two jobs.
    IdTwice,
    /// A job that nobody has put.
    Unknown,
    /// A server did not end as it should.
    BadEnd,
    /// An answer that makes no sense.
    BadAnswer,
}

impl Kind {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Self; 10] = [
        Self::Lost,
        Self::TwoHolders,
        Self::TakenEarly,
        Self::CameBack,
        Self::WrongState,
        Self::Changed,
        Self::IdTwice,
        Self::Unknown,
        Self::BadEnd,
        Self::BadAnswer,
    ];

    /// In words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Lost => "acknowledged jobs lost",
            Self::TwoHolders => "jobs reserved by two at a time",
            Self::TakenEarly => "jobs taken away before their time",
            Self::CameBack => "deleted jobs that came back",
            Self::WrongState => "acknowledged changes of state lost",
            Self::Changed => "jobs that have changed",
            Self::IdTwice => "ids given twice",
            Self::Unknown => "jobs that nobody has put",
            Self::BadEnd => "ends that are none",
            Self::BadAnswer => "answers that make no sense",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: job {}", self.kind, self.serial)?;
        if let Some(id) = self.id {
            write!(f, " (id {id})")?;
        }
        write!(f, ": {}", self.detail)
    }
}
