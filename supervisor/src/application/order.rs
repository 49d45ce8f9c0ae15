//! In which order applications are started: pure.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::{Application, Dependency, Needed, Parts, StartType};

#[cfg(test)]
mod tests;

/// One application without the others.
pub(super) struct Single {
    pub(super) name: Arc<str>,
    pub(super) start_type: StartType,
    /// What must run before it is started.
    pub(super) needs: Vec<Arc<str>>,
    pub(super) parts: Parts,
}

/// An application and all that it brings along, each once (the first of a name counts), each
/// after what it needs. There can be no cycle: who contains whom is a tree.
pub(super) fn in_order(application: Application) -> Vec<Single> {
    let mut order = Vec::new();
    add(application, &mut FxHashSet::default(), &mut order);
    order
}

fn add(application: Application, seen: &mut FxHashSet<Arc<str>>, order: &mut Vec<Single>) {
    if !seen.insert(application.name.clone()) {
        return;
    }
    let mut needs = Vec::with_capacity(application.needs.len());
    for Dependency(needed) in application.needs {
        match needed {
            Needed::Name(name) => needs.push(name),
            Needed::Application(other) => {
                needs.push(other.name.clone());
                add(*other, seen, order);
            }
        }
    }
    order.push(Single {
        name: application.name,
        start_type: application.start_type,
        needs,
        parts: application.parts,
    });
}
