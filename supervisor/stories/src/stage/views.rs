//! What the supervisors tell about themselves.

use regrow_supervisor::{
    ChildInfo, ChildSpec, ChildState, ChildType, DynamicSupervisorRef, Shutdown, SupervisorRef,
};

use super::director::World;
use super::recorder::{Found, Request, Type, ask};

async fn which(found: Found) -> Option<Vec<ChildInfo>> {
    match found.kind {
        Type::Worker => None,
        Type::Supervisor => SupervisorRef::from_pid(found.pid)
            .which_children()
            .await
            .ok(),
        Type::DynamicSupervisor => {
            let supervisor = DynamicSupervisorRef::from_pid(found.pid);
            supervisor.which_children().await.ok()
        }
    }
}

/// Whether a supervisor answers, and is not trying to restart anybody.
pub(super) async fn nobody_restarting(supervisor: Found) -> bool {
    which(supervisor).await.is_some_and(|children| {
        children
            .iter()
            .all(|child| child.state != ChildState::Restarting)
    })
}

/// The lines of all supervisors that can be asked.
pub(super) async fn of(world: &World) -> Vec<String> {
    let census = ask(world.recorder, Request::Census).await;
    let mut views = Vec::new();
    for found in census.live {
        if found.kind != Type::Worker && world.held != Some(found.pid) {
            let name = world.name(found.pid).await;
            let lines = view(world, &name, found).await;
            views.push((name, lines));
        }
    }
    views.sort();
    views.into_iter().flat_map(|(_, lines)| lines).collect()
}

async fn view(world: &World, name: &str, found: Found) -> Vec<String> {
    let mut shown = Vec::new();
    for child in which(found).await.unwrap_or_default() {
        shown.push(show(world, found.kind, child).await);
    }
    let numbers = match found.kind {
        Type::DynamicSupervisor => {
            shown.sort();
            // [difference] One spec in OTP, one for each child here.
            DynamicSupervisorRef::from_pid(found.pid)
                .count_children()
                .await
                .map(|n| vec![n.active, n.supervisors, n.workers])
        }
        _ => SupervisorRef::from_pid(found.pid)
            .count_children()
            .await
            .map(|n| vec![n.specs, n.active, n.supervisors, n.workers]),
    };
    let mut which = format!("  which {name}");
    for child in shown {
        which.push(' ');
        which.push_str(&child);
    }
    let mut count = format!("  count {name}");
    for number in numbers.unwrap_or_default() {
        count.push_str(&format!(" {number}"));
    }
    vec![which, count]
}

async fn show(world: &World, kind: Type, child: ChildInfo) -> String {
    let no_process = |state: &str| match kind {
        Type::DynamicSupervisor => state.to_owned(),
        _ => format!("{}={state}", child.id),
    };
    let who = match child.state {
        ChildState::Running(pid) => world.name(pid).await,
        ChildState::Stopped => no_process("undefined"),
        ChildState::Restarting => no_process("restarting"),
    };
    match child.child_type {
        ChildType::Worker => who,
        ChildType::Supervisor => format!("{who}/s"),
    }
}

/// The answer to `get_childspec`.
pub(super) fn spec(spec: &ChildSpec) -> String {
    let shutdown = match spec.shutdown {
        Shutdown::Timeout(time) => time.as_millis().to_string(),
        other => other.to_string(),
    };
    format!(
        "ok {} {shutdown} {} {}",
        spec.restart, spec.child_type, spec.significant
    )
}
