//! What a reference points at.

use std::any::{Any, TypeId};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use regrow_runtime::{Handle, Pid, try_self_pid, whereis};

use crate::Via;
use crate::name::Text;

#[derive(Clone)]
pub(crate) enum Target {
    Pid(Pid),
    Name(Text),
    /// In this runtime, whoever asks.
    NameOn(Arc<(Handle, Text)>),
    Via(Arc<dyn Via>),
}

/// Without the table of functions, of which one type may have several.
fn address(via: &Arc<dyn Via>) -> *const () {
    Arc::as_ptr(via).cast()
}

/// Two types may have names that are equal, and registries of their own.
fn kind(via: &Arc<dyn Via>) -> TypeId {
    let via: &dyn Any = &**via;
    via.type_id()
}

fn is_same(one: &Arc<dyn Via>, other: &Arc<dyn Via>) -> bool {
    if address(one) == address(other) {
        return true;
    }
    match (one.name(), other.name()) {
        (Some(name), Some(same)) => kind(one) == kind(other) && name.is(same),
        _ => false,
    }
}

#[cold]
#[track_caller]
fn no_runtime(name: &str) -> ! {
    panic!(
        "the server name `{name}` can only be looked up in a process; \
         elsewhere use `Name::server_ref_on` with a `Handle` (`Runtime::handle`)"
    )
}

impl Target {
    /// Who is meant now.
    ///
    /// # Panics
    ///
    /// For a name of the current runtime, where there is none.
    #[inline]
    #[track_caller]
    pub(crate) fn pid(&self) -> Option<Pid> {
        match self {
            Target::Pid(pid) => Some(*pid),
            Target::Name(name) if try_self_pid().is_some() => whereis(name.as_str()),
            Target::Name(name) => no_runtime(name.as_str()),
            Target::NameOn(name) => name.0.whereis(name.1.as_str()),
            Target::Via(via) => via.whereis(),
        }
    }
}

impl Eq for Target {}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Target::Pid(one), Target::Pid(other)) => one == other,
            (Target::Name(one), Target::Name(other)) => one == other,
            (Target::NameOn(one), Target::NameOn(other)) => Arc::ptr_eq(one, other),
            (Target::Via(one), Target::Via(other)) => is_same(one, other),
            _ => false,
        }
    }
}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Target::Pid(pid) => pid.hash(state),
            Target::Name(name) => name.hash(state),
            Target::NameOn(name) => Arc::as_ptr(name).hash(state),
            Target::Via(via) => match via.name() {
                Some(name) => name.hash_into(state),
                None => address(via).hash(state),
            },
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Pid(pid) => pid.fmt(f),
            Target::Name(name) => name.as_str().fmt(f),
            Target::NameOn(name) => name.1.as_str().fmt(f),
            Target::Via(via) => via.fmt(f),
        }
    }
}
