//! Random scripts.

use super::tree::{self, Place};
use super::{Known, KnownSupervisor};
use crate::random::Random;
use crate::story::*;

pub(super) fn steps(random: &mut Random, known: &mut Known) -> Vec<Step> {
    let count = random.range(2, 12);
    let mut steps = Vec::new();
    for supervisor in known.supervisors.iter().filter(|s| s.dynamic) {
        for _ in 0..random.below(4) {
            steps.push(Step::StartChild(latest(&supervisor.id), None));
        }
    }
    for index in 0..count {
        let mut next = step(random, known);
        // What ends a story belongs at its end.
        while index * 4 < count * 3 && ends_all(&next) && random.percent(95) {
            next = step(random, known);
        }
        steps.push(next);
    }
    steps
}

/// Whether nothing is left after the step.
fn ends_all(step: &Step) -> bool {
    let root = |target: &Target| target.id == "root";
    match step {
        Step::Parent(_) => true,
        Step::Kill(target) | Step::Stop(target, _) => root(target),
        Step::Hold(_, inner) => inner.iter().any(ends_all),
        _ => false,
    }
}

#[derive(Clone, Copy)]
enum What {
    Crash,
    Kill,
    Exit,
    Call,
    Stop,
    Parent,
    Hold,
}

fn step(random: &mut Random, known: &mut Known) -> Step {
    let what = random.pick(&[
        (30, What::Crash),
        (12, What::Kill),
        (5, What::Exit),
        (32, What::Call),
        (3, What::Stop),
        (2, What::Parent),
        (18, What::Hold),
    ]);
    let Some(supervisor) = random.one(&known.supervisors).cloned() else {
        return Step::Parent(Reason::Normal);
    };
    match what {
        What::Crash => Step::Crash(child(random, &supervisor), crash_reason(random)),
        What::Kill => {
            let own = random.percent(30);
            let who = if own {
                target(random, &supervisor.id)
            } else {
                child(random, &supervisor)
            };
            Step::Kill(who)
        }
        What::Exit => {
            let own = random.percent(30);
            let who = if own {
                target(random, &supervisor.id)
            } else {
                child(random, &supervisor)
            };
            Step::Exit(who, signal_reason(random))
        }
        What::Call => call(random, known, &supervisor),
        What::Stop => Step::Stop(target(random, &supervisor.id), signal_reason(random)),
        What::Parent => Step::Parent(crash_reason(random)),
        What::Hold => hold(random, known),
    }
}

fn hold(random: &mut Random, known: &mut Known) -> Step {
    // Where there may be several, what is below one may be below another.
    let one: Vec<_> = known
        .supervisors
        .iter()
        .filter(|s| !s.several)
        .cloned()
        .collect();
    let Some(held) = random.one(&one).cloned() else {
        return Step::Parent(Reason::Normal);
    };
    let count = random.range(1, 6);
    let mut inner = Vec::new();
    if held.auto_shutdown && random.percent(40) {
        // One may be to be restarted when another ends for good.
        inner.push(Step::Crash(child(random, &held), Reason::Boom));
        inner.push(Step::Crash(child(random, &held), Reason::Normal));
    }
    for _ in 0..count {
        let what = random.pick(&[
            (45, What::Crash),
            (10, What::Kill),
            (5, What::Exit),
            (40, What::Call),
            (2, What::Stop),
            (2, What::Parent),
        ]);
        inner.push(match what {
            What::Crash => Step::Crash(child(random, &held), crash_reason(random)),
            What::Kill if random.percent(5) => Step::Kill(target(random, &held.id)),
            What::Kill => Step::Kill(child(random, &held)),
            What::Exit if random.percent(30) => {
                Step::Exit(target(random, &held.id), signal_reason(random))
            }
            What::Exit => Step::Exit(child(random, &held), signal_reason(random)),
            What::Stop => Step::Stop(latest(&held.id), signal_reason(random)),
            What::Parent if held.id == "root" => Step::Parent(crash_reason(random)),
            _ => call(random, known, &held),
        });
    }
    Step::Hold(latest(&held.id), inner)
}

fn call(random: &mut Random, known: &mut Known, supervisor: &KnownSupervisor) -> Step {
    let by = target(random, &supervisor.id);
    if supervisor.dynamic {
        return match random.percent(65) {
            true => Step::StartChild(by, None),
            false => Step::TerminateChild(by, child(random, supervisor)),
        };
    }
    let which = random.below(100);
    if which < 30 {
        return Step::StartChild(by, Some(Box::new(new_child(random, known, supervisor))));
    }
    let id = match random.percent(92) {
        true => child(random, supervisor).id,
        false => random
            .one(&known.supervisors)
            .map_or("root".into(), |s| s.id.clone()),
    };
    match which {
        30..55 => Step::TerminateChild(by, latest(&id)),
        55..75 => Step::RestartChild(by, id),
        75..92 => Step::DeleteChild(by, id),
        _ => Step::GetChildSpec(by, id),
    }
}

fn new_child(random: &mut Random, known: &mut Known, supervisor: &KnownSupervisor) -> Node {
    let place = Place {
        depth: supervisor.depth + 1,
        several: supervisor.several,
        template: false,
        auto_shutdown: supervisor.auto_shutdown,
        faulty: 8,
    };
    if random.percent(40)
        && let Some(id) = random.one(&supervisor.children).cloned()
    {
        return tree::worker(random, id, place);
    }
    let node = tree::node(random, known, place);
    let same = known.supervisors.iter_mut().find(|s| s.id == supervisor.id);
    if let Some(same) = same {
        same.children.push(node.id.clone());
    }
    node
}

fn latest(id: &str) -> Target {
    Target {
        id: id.to_owned(),
        number: 0,
    }
}

fn target(random: &mut Random, id: &str) -> Target {
    let number = if random.percent(90) {
        0
    } else {
        random.range(1, 4)
    };
    Target {
        id: id.to_owned(),
        number,
    }
}

/// A child of the supervisor, or by a slip somebody who does not exist.
fn child(random: &mut Random, supervisor: &KnownSupervisor) -> Target {
    match random.one(&supervisor.children) {
        Some(id) if supervisor.dynamic => {
            let number = random.pick(&[(50, 0), (20, 1), (15, 2), (10, 3), (5, 4)]);
            Target {
                id: id.clone(),
                number,
            }
        }
        Some(id) => target(random, id),
        None => latest("nobody"),
    }
}

fn crash_reason(random: &mut Random) -> Reason {
    random.pick(&[
        (6, Reason::Boom),
        (2, Reason::Panic),
        (3, Reason::Normal),
        (2, Reason::Shutdown),
        (2, Reason::ShutdownWith),
        (1, Reason::Kill),
    ])
}

fn signal_reason(random: &mut Random) -> Reason {
    random.pick(&[
        (2, Reason::Boom),
        (1, Reason::Normal),
        (2, Reason::Shutdown),
        (1, Reason::ShutdownWith),
    ])
}
