//! Looking at a running supervision tree, by asking its supervisors.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use regrow_runtime::{Pid, ReplyTo, process_info};

use crate::call::wait_here;
use crate::{CallError, ChildInfo, ChildState, ChildType, Restart, ServerRef, Strategy};

/// How long a supervisor may take to answer; it may be busy starting a child.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Asks a supervisor of either kind what it is and what children it has.
pub(crate) struct Describe(pub(crate) ReplyTo<Description>);

/// The answer; children in start order if there is one.
pub(crate) enum Description {
    Static {
        strategy: Strategy,
        children: Vec<ChildInfo>,
    },
    Dynamic {
        children: Vec<ChildInfo>,
    },
}

/// What a node of a [`Tree`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeKind {
    /// A process that does work.
    Worker,
    /// A static supervisor, with its strategy.
    Supervisor(Strategy),
    /// A dynamic supervisor.
    DynamicSupervisor,
    /// A child whose spec says supervisor, but which has no process, did not answer as one, or is
    /// one of those above it.
    SilentSupervisor,
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeKind::Worker => f.write_str("worker"),
            NodeKind::Supervisor(strategy) => write!(f, "supervisor, {strategy}"),
            NodeKind::DynamicSupervisor => f.write_str("dynamic supervisor"),
            NodeKind::SilentSupervisor => f.write_str("supervisor, no answer"),
        }
    }
}

/// A snapshot of a supervision tree, from [`print_tree`]. Displays as a drawing.
///
/// It is put together from one answer per supervisor, so what happens in between may show in
/// one part and not in another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tree {
    /// The id in the parent supervisor; none for the root.
    pub id: Option<Arc<str>>,
    /// The registered name.
    pub name: Option<Arc<str>>,
    /// The process, or why there is none.
    pub state: ChildState,
    /// Worker or supervisor, and of which kind.
    pub kind: NodeKind,
    /// The restart type; none for the root.
    pub restart: Option<Restart>,
    /// The children in start order; those of a dynamic supervisor by pid.
    pub children: Vec<Tree>,
}

/// Walks the supervision tree below the supervisor `root`.
///
/// ```
/// use regrow_runtime::{ExitReason, Runtime, sleep, spawn_link};
/// use regrow_supervisor::{ChildSpec, Strategy, Supervisor, print_tree};
/// use std::time::Duration;
///
/// let runtime = Runtime::new().unwrap();
/// let drawing = runtime.block_on(async {
///     let root = Supervisor::new(Strategy::OneForOne)
///         .name("app")
///         .child(ChildSpec::new("ticker", || async {
///             Ok::<_, ExitReason>(spawn_link(sleep(Duration::from_secs(3600))))
///         }))
///         .start_link()
///         .await
///         .unwrap();
///     print_tree(root.pid().unwrap()).await.unwrap().to_string()
/// });
/// assert!(drawing.starts_with("app <"));
/// assert!(drawing.contains("└── ticker <"));
/// ```
///
/// # Errors
///
/// [`CallError::NoReply`] if `root` is a server, but not a supervisor; otherwise what kept it
/// from answering. A supervisor further down that does not answer within five seconds is shown
/// as such.
///
/// # Panics
///
/// Outside a process.
#[track_caller]
pub fn print_tree(root: Pid) -> impl Future<Output = Result<Tree, CallError>> + Send {
    wait_here(async move {
        let description = describe(root).await?;
        let name = process_info(root).await.and_then(|info| info.name);
        let mut tree = Tree {
            id: None,
            name,
            state: ChildState::Running(root),
            kind: NodeKind::Worker,
            restart: None,
            children: Vec::new(),
        };
        fill(&mut tree, description, &mut vec![root]).await;
        Ok(tree)
    })
}

async fn describe(supervisor: Pid) -> Result<Description, CallError> {
    let supervisor = ServerRef::<Describe>::from_pid(supervisor);
    supervisor.call(Describe).timeout(ANSWER_MAX).await
}

/// Puts what a supervisor has said into its node, which is the last of `path`. Boxed, since it
/// recurses.
fn fill<'a>(
    tree: &'a mut Tree,
    description: Description,
    path: &'a mut Vec<Pid>,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
    Box::pin(async move {
        let children = match description {
            Description::Static { strategy, children } => {
                tree.kind = NodeKind::Supervisor(strategy);
                children
            }
            Description::Dynamic { mut children } => {
                tree.kind = NodeKind::DynamicSupervisor;
                children.sort_by_key(|child| child.state.pid());
                children
            }
        };
        for child in children {
            tree.children.push(look_into(child, path).await);
        }
    })
}

async fn look_into(child: ChildInfo, path: &mut Vec<Pid>) -> Tree {
    let name = match child.state.pid() {
        Some(pid) => process_info(pid).await.and_then(|info| info.name),
        None => None,
    };
    let mut tree = Tree {
        id: Some(child.id),
        name,
        state: child.state,
        kind: match child.child_type {
            ChildType::Worker => NodeKind::Worker,
            ChildType::Supervisor => NodeKind::SilentSupervisor,
        },
        restart: Some(child.restart),
        children: Vec::new(),
    };
    // Only children said to be supervisors are asked: a worker would not understand.
    if child.child_type == ChildType::Supervisor
        && let Some(pid) = child.state.pid()
        // A start function may return anybody, one of those above it too.
        && !path.contains(&pid)
        && let Ok(description) = describe(pid).await
    {
        path.push(pid);
        fill(&mut tree, description, path).await;
        path.pop();
    }
    tree
}

impl Tree {
    fn write_node(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.id, &self.name) {
            (Some(id), Some(name)) if id != name => write!(f, "{id} = {name} ")?,
            (Some(id), _) => write!(f, "{id} ")?,
            (None, Some(name)) => write!(f, "{name} ")?,
            (None, None) => {}
        }
        write!(f, "{} ({}", self.state, self.kind)?;
        match self.restart {
            Some(restart) => write!(f, ", {restart})"),
            None => f.write_str(")"),
        }
    }

    fn write_children(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        for (index, child) in self.children.iter().enumerate() {
            let last = index + 1 == self.children.len();
            let (branch, below) = if last {
                ("└── ", "    ")
            } else {
                ("├── ", "│   ")
            };
            write!(f, "\n{indent}{branch}")?;
            child.write_node(f)?;
            child.write_children(f, &format!("{indent}{below}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    /// One line per process, without a final line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_node(f)?;
        self.write_children(f, "")
    }
}
