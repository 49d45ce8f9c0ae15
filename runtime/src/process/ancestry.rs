//! Ancestors: who started whom, kept for people who read crash reports.
//!
//! All children of one process share what they know of their ancestors, and each
//! list shares its rest with that of the parent. So knowing costs a child nothing
//! but the pointer that takes the place of its parent's pid.

use std::fmt;
use std::sync::Arc;

use super::cell::Header;
use super::{owner, table};
use crate::local::Local;
use crate::pid::Pid;

/// A process that another descends from, as it was called when it first had
/// children.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ancestor {
    /// The process; it may have ended.
    pub pid: Pid,
    /// Its registered name.
    pub name: Option<Arc<str>>,
}

impl fmt::Display for Ancestor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => self.pid.fmt(f),
        }
    }
}

/// The parent of a process, its parent, and so on.
pub(crate) struct Ancestry {
    parent: Ancestor,
    further: Option<Arc<Ancestry>>,
}

impl Ancestry {
    pub(crate) fn parent(&self) -> Pid {
        self.parent.pid
    }

    /// From the parent outwards.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Ancestor> + Clone {
        std::iter::successors(Some(self), |at| at.further.as_deref()).map(|at| &at.parent)
    }

    /// What the children of the current process have for ancestors.
    #[cold]
    pub(super) fn of_children(local: &Local, mother: &Header, pid: Pid) -> Arc<Ancestry> {
        let named = table::slot(pid.index()).is_some_and(|slot| owner::is_named(&slot.inbox));
        let known = mother.with_relations(|it| it.existing()?.heirs.clone());
        if let Some(known) = known
            && (known.parent.name.is_some() || !named)
        {
            return known;
        }
        let name = named.then(|| local.worker.get()?.shared.names.name_of(pid));
        let fresh = Arc::new(Ancestry {
            parent: Ancestor {
                pid,
                name: name.flatten(),
            },
            further: mother.ancestry().cloned(),
        });
        mother.with_relations(|it| it.more().heirs = Some(fresh.clone()));
        fresh
    }
}

/// One by one: a long line of ancestors must not become a deep recursion.
impl Drop for Ancestry {
    fn drop(&mut self) {
        let mut next = self.further.take();
        while let Some(mut last) = next.and_then(Arc::into_inner) {
            next = last.further.take();
        }
    }
}

/// A list for a report, cut off where it would be a report of its own.
pub(crate) struct Listed<I>(pub(crate) I);

impl<I> fmt::Display for Listed<I>
where
    I: Iterator<Item: fmt::Display> + Clone,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX: usize = 32;
        f.write_str("[")?;
        for (at, item) in self.0.clone().take(MAX + 1).enumerate() {
            match at {
                0 => {}
                MAX => return f.write_str(", ...]"),
                _ => f.write_str(", ")?,
            }
            item.fmt(f)?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_million_ancestors_is_dropped_without_a_deep_stack() {
        let mut youngest = None;
        for index in 0..1_000_000 {
            let parent = Ancestor {
                pid: Pid::local(index, 1),
                name: None,
            };
            let further = youngest.take();
            youngest = Some(Arc::new(Ancestry { parent, further }));
        }
        let youngest = youngest.unwrap();
        assert_eq!(youngest.iter().count(), 1_000_000);
        assert_eq!(youngest.parent(), Pid::local(999_999, 1));
        drop(youngest);
    }

    #[test]
    fn a_list_in_a_report_has_an_end() {
        assert_eq!(Listed([1, 2].iter()).to_string(), "[1, 2]");
        assert_eq!(Listed([0_u8; 0].iter()).to_string(), "[]");
        let long = Listed((1..=1_000_000).map(|_| 'x')).to_string();
        assert_eq!(long.matches('x').count(), 32);
        assert!(long.ends_with("x, ...]"));
    }
}
