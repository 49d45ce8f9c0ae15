//! Random trees.

use super::{Known, KnownSupervisor};
use crate::random::Random;
use crate::story::*;

/// A supervisor below the root, one below that, and workers below that.
const DEPTH_MAX: u32 = 3;

/// For start functions that never change their minds.
const EVER: u32 = 1_000_000;

/// What a node is made for.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) depth: u32,
    /// Below a template.
    pub(super) several: bool,
    pub(super) template: bool,
    pub(super) auto_shutdown: bool,
    /// Percent of nodes that are wrong in themselves, or do not start at the first attempt.
    pub(super) faulty: u32,
}

pub(super) fn tree(random: &mut Random) -> (Node, Known) {
    let mut known = Known::default();
    let place = Place {
        depth: 0,
        several: false,
        template: false,
        auto_shutdown: false,
        faulty: 1,
    };
    let mut root = supervisor(random, &mut known, "root".into(), place);
    root.restart = Restart::Permanent;
    root.significant = false;
    root.shutdown = Shutdown::Infinity;
    root.start = Plan::Ok;
    (root, known)
}

pub(super) fn node(random: &mut Random, known: &mut Known, place: Place) -> Node {
    if place.depth < DEPTH_MAX && random.percent(30) {
        if place.depth > 0 && !place.template && random.percent(12) {
            return stuck_supervisor(random, known, place);
        }
        let id = format!("s{}", known.supervisors.len());
        supervisor(random, known, id, place)
    } else {
        let id = worker_id(known);
        worker(random, id, place)
    }
}

/// A supervisor that is not done with stopping when its own supervisor kills it because its time is up. It has no name in the script: what makes it stop, or restart, comes from above.
fn stuck_supervisor(random: &mut Random, known: &mut Known, place: Place) -> Node {
    let below = Place {
        depth: place.depth + 1,
        auto_shutdown: false,
        faulty: 0,
        ..place
    };
    let mut children = Vec::new();
    for _ in 0..=random.below(2) {
        let id = worker_id(known);
        let mut child = worker(random, id, below);
        child.start = Plan::Ok;
        children.push(child);
    }
    // The last one is the first to be stopped, so nothing else is told before the time is up.
    if let Some(last) = children.last_mut() {
        last.restart = Restart::Permanent;
        // Far more than its supervisor has, and the end of it if nobody is there to kill that one.
        last.shutdown = Shutdown::Timeout(2_000);
        last.kind = Kind::Worker {
            trap: true,
            unlinks: false,
            stop: Stop::Never,
        };
    }
    let kind = Kind::Supervisor {
        strategy: Strategy::OneForOne,
        intensity: 1_000,
        auto: Auto::Never,
        children,
    };
    let id = format!("t{}", known.workers);
    options(random, id, Shutdown::Timeout(20), kind, place)
}

pub(super) fn worker_id(known: &mut Known) -> String {
    let number = known.workers;
    known.workers += 1;
    match u8::try_from(number) {
        Ok(letter @ 0..18) => char::from(b'a' + letter).to_string(),
        _ => format!("w{number}"),
    }
}

pub(super) fn worker(random: &mut Random, id: String, place: Place) -> Node {
    let trap = random.percent(70);
    let time = random.range(1, 6);
    let stop = random.pick(&[
        (50, Stop::Same),
        (8, Stop::Slow(time)),
        (5, Stop::Other(Reason::Normal)),
        (5, Stop::Other(Reason::ShutdownWith)),
        (8, Stop::Other(Reason::Boom)),
        (4, Stop::Other(Reason::Panic)),
        (12, Stop::Never),
    ]);
    // Whether somebody stops in time must never be a question of luck.
    let shutdown = if trap && stop == Stop::Never {
        random.pick(&[(50, Shutdown::BrutalKill), (50, Shutdown::Timeout(5))])
    } else {
        random.pick(&[
            (60, Shutdown::Timeout(30_000)),
            (20, Shutdown::Infinity),
            (20, Shutdown::BrutalKill),
        ])
    };
    // [difference] Elixir's dynamic supervisors do not look whether children are alive.
    let unlinks = !place.template && random.percent(5);
    let kind = Kind::Worker {
        trap,
        unlinks,
        stop,
    };
    options(random, id, shutdown, kind, place)
}

pub(super) fn supervisor(random: &mut Random, known: &mut Known, id: String, place: Place) -> Node {
    let strategy = random.pick(&[
        (28, Strategy::OneForOne),
        (28, Strategy::OneForAll),
        (28, Strategy::RestForOne),
        (16, Strategy::Dynamic),
    ]);
    let dynamic = strategy == Strategy::Dynamic;
    let auto = match dynamic {
        // [difference] Newer OTP and we refuse it.
        true => Auto::Never,
        false => random.pick(&[
            (if place.depth == 0 { 120 } else { 50 }, Auto::Never),
            (25, Auto::AnySignificant),
            (25, Auto::AllSignificant),
        ]),
    };
    let index = known.supervisors.len();
    known.supervisors.push(KnownSupervisor {
        id: id.clone(),
        dynamic,
        auto_shutdown: auto != Auto::Never,
        depth: place.depth,
        several: place.several || place.template,
        children: Vec::new(),
    });
    let below = Place {
        depth: place.depth + 1,
        several: place.several || place.template,
        template: dynamic,
        auto_shutdown: auto != Auto::Never,
        faulty: place.faulty,
    };
    let count = match (dynamic, place.depth) {
        (true, _) => 1,
        (false, 0) => random.range(2, 4),
        (false, _) => random.range(0, 3),
    };
    let mut children: Vec<Node> = (0..count).map(|_| node(random, known, below)).collect();
    if !dynamic && count > 1 && random.percent(place.faulty) {
        children[1].id = children[0].id.clone();
    }
    known.supervisors[index].children = children.iter().map(|child| child.id.clone()).collect();
    let intensity = match place.depth {
        // The end of the root is the end of the story.
        0 => random.pick(&[(1, 0), (1, 1), (2, 3), (4, 8), (8, 20)]),
        _ => random.pick(&[(2, 0), (3, 1), (4, 2), (4, 3), (3, 5), (1, 9)]),
    };
    let shutdown = random.pick(&[
        (60, Shutdown::Infinity),
        (20, Shutdown::Timeout(30_000)),
        (20, Shutdown::BrutalKill),
    ]);
    let kind = Kind::Supervisor {
        strategy,
        intensity,
        auto,
        children,
    };
    options(random, id, shutdown, kind, place)
}

fn options(random: &mut Random, id: String, shutdown: Shutdown, kind: Kind, place: Place) -> Node {
    let restart = random.pick(&[
        (45, Restart::Permanent),
        (33, Restart::Transient),
        (22, Restart::Temporary),
    ]);
    let may_be = place.auto_shutdown && restart != Restart::Permanent;
    let significant =
        (may_be && random.percent(65)) || (!place.template && random.percent(place.faulty));
    let supervisor = matches!(kind, Kind::Supervisor { .. });
    let mut start = plan(random, place, restart, supervisor);
    // Nobody ever sees it end.
    let unlinks = matches!(kind, Kind::Worker { unlinks: true, .. });
    if unlinks && matches!(start, Plan::But(Outcome::Stillborn(_), ..)) {
        start = Plan::Ok;
    }
    Node {
        id,
        restart,
        shutdown,
        significant,
        start,
        kind,
    }
}

fn plan(random: &mut Random, place: Place, restart: Restart, supervisor: bool) -> Plan {
    if random.percent(70) {
        return Plan::Ok;
    }
    let reason = random.pick(&[
        (5, Reason::Boom),
        (1, Reason::Normal),
        (1, Reason::Shutdown),
        (1, Reason::ShutdownWith),
        (1, Reason::Kill),
    ]);
    let time = random.range(1, 4);
    let mut outcome = random.pick(&[
        (30, Outcome::Error(reason)),
        (10, Outcome::Panic),
        (15, Outcome::Ignore),
        (10, Outcome::Hang(time)),
        (10, Outcome::HangError(time)),
        (15, Outcome::Init(reason)),
        (8, Outcome::Init(Reason::Panic)),
        (20, Outcome::Stillborn(reason)),
    ]);
    // [difference] OTP 25 keeps a bogus instance when a restart is ignored.
    let never_again = restart == Restart::Temporary;
    if (outcome == Outcome::Ignore && place.template && !never_again)
        || (supervisor && matches!(outcome, Outcome::Init(_) | Outcome::Stillborn(_)))
    {
        outcome = Outcome::Error(reason);
    }
    // An error in the first attempt is the end of the story, unless nobody waits for it.
    let harmless = matches!(
        outcome,
        Outcome::Hang(_) | Outcome::Ignore | Outcome::Stillborn(_)
    );
    let early = harmless || place.template || random.percent(place.faulty);
    let from = random.range(if early { 1 } else { 2 }, 4);
    let until = random.pick(&[(3, from + 1), (2, from + 2), (1, from + 4), (2, EVER)]);
    Plan::But(outcome, from, until)
}
