//! The smallest story that is still told differently.

use crate::AnyStory;
use crate::server::simpler;
use crate::story::*;

/// Makes the story smaller for as long as what is left `differs`. Calls `progress` with each
/// smaller one.
pub fn shrink<E>(
    mut story: AnyStory,
    mut differs: impl FnMut(&AnyStory) -> Result<bool, E>,
    mut progress: impl FnMut(&AnyStory),
) -> Result<AnyStory, E> {
    'smaller: loop {
        let candidates: Vec<AnyStory> = match &story {
            AnyStory::Supervisors(story) => {
                candidates(story).into_iter().map(AnyStory::from).collect()
            }
            AnyStory::Servers(story) => {
                let simpler = simpler(&story.term()).into_iter();
                simpler
                    .filter_map(|term| AnyStory::read(&term).ok())
                    .collect()
            }
        };
        for candidate in candidates {
            if candidate != story && differs(&candidate)? {
                progress(&candidate);
                story = candidate;
                continue 'smaller;
            }
        }
        return Ok(story);
    }
}

/// Stories that are a bit simpler, the boldest first.
fn candidates(story: &Story) -> Vec<Story> {
    let mut all = Vec::new();
    let with_steps = |steps| Story {
        root: story.root.clone(),
        steps,
    };
    all.extend(shorter(&story.steps).into_iter().map(with_steps));
    for root in simpler_nodes(&story.root) {
        all.push(Story {
            root,
            steps: story.steps.clone(),
        });
    }
    all.extend(simpler_in_place(&story.steps).into_iter().map(with_steps));
    all
}

/// Without some steps: halves, quarters, ..., single ones.
fn shorter(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut all = Vec::new();
    let mut chunk = steps.len();
    while chunk > 0 {
        let mut start = 0;
        while start < steps.len() {
            let end = (start + chunk).min(steps.len());
            all.push([&steps[..start], &steps[end..]].concat());
            start = end;
        }
        chunk /= 2;
    }
    all
}

/// The same steps, one of them simpler.
fn simpler_in_place(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut all = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        for simpler in simpler_steps(step) {
            all.push([&steps[..index], &simpler[..], &steps[index + 1..]].concat());
        }
    }
    all
}

/// What may stand in for a step.
fn simpler_steps(step: &Step) -> Vec<Vec<Step>> {
    match step {
        Step::Hold(target, inner) => {
            let mut all = vec![inner.clone()];
            let held = |inner| vec![Step::Hold(target.clone(), inner)];
            all.extend(shorter(inner).into_iter().map(held));
            all.extend(simpler_in_place(inner).into_iter().map(held));
            all
        }
        Step::StartChild(by, Some(node)) => simpler_nodes(node)
            .into_iter()
            .map(|node| vec![Step::StartChild(by.clone(), Some(Box::new(node)))])
            .collect(),
        Step::Kill(target) => vec![vec![Step::Crash(target.clone(), Reason::Boom)]],
        Step::Exit(target, _) => vec![vec![Step::Kill(target.clone())]],
        Step::Crash(target, why) if *why != Reason::Boom => {
            vec![vec![Step::Crash(target.clone(), Reason::Boom)]]
        }
        _ => Vec::new(),
    }
}

/// The node with a child less, a child simpler, or an option at its default.
fn simpler_nodes(node: &Node) -> Vec<Node> {
    let mut all = Vec::new();
    let mut change = |change: &dyn Fn(&mut Node)| {
        let mut simpler = node.clone();
        change(&mut simpler);
        if simpler != *node {
            all.push(simpler);
        }
    };
    change(&|node| node.start = Plan::Ok);
    change(&|node| node.significant = false);
    change(&|node| node.restart = Restart::Permanent);
    match &node.kind {
        Kind::Worker { stop, .. } => {
            change(&|node| {
                node.kind = Kind::Worker {
                    trap: true,
                    unlinks: false,
                    stop: Stop::Same,
                };
                node.shutdown = Shutdown::Timeout(30_000);
            });
            let stubborn = *stop == Stop::Never;
            change(&|node| {
                if let Kind::Worker { unlinks, .. } = &mut node.kind {
                    *unlinks = false;
                }
            });
            change(&|node| {
                if let (Kind::Worker { stop, .. }, false) = (&mut node.kind, stubborn) {
                    *stop = Stop::Same;
                }
            });
            change(&|node| {
                if !stubborn {
                    node.shutdown = Shutdown::Timeout(30_000);
                }
            });
        }
        Kind::Supervisor { strategy, .. } => {
            change(&|node| node.shutdown = Shutdown::Infinity);
            let dynamic = *strategy == Strategy::Dynamic;
            change(&|node| {
                if let (Kind::Supervisor { strategy, .. }, false) = (&mut node.kind, dynamic) {
                    *strategy = Strategy::OneForOne;
                }
            });
            change(&|node| {
                if let Kind::Supervisor { intensity, .. } = &mut node.kind {
                    *intensity = intensity.saturating_sub(1);
                }
            });
            change(&|node| {
                let significant = node.children().iter().any(|child| child.significant);
                if let (Kind::Supervisor { auto, .. }, false) = (&mut node.kind, significant) {
                    *auto = Auto::Never;
                }
            });
            if !dynamic {
                for index in 0..node.children().len() {
                    change(&|node| {
                        if let Kind::Supervisor { children, .. } = &mut node.kind {
                            children.remove(index);
                        }
                    });
                }
            }
            for (index, child) in node.children().iter().enumerate() {
                for simpler in simpler_nodes(child) {
                    change(&|node| {
                        if let Kind::Supervisor { children, .. } = &mut node.kind {
                            children[index] = simpler.clone();
                        }
                    });
                }
            }
        }
    }
    all
}
