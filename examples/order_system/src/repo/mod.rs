//! The repo: who has the database, and the only one to change an order.

pub(crate) mod lock;
pub(crate) mod orders;
pub(crate) mod schema;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use regrow::{
    CallError, Context, ExitReason, GenServer, Handle, Info, Name, Next, ReplyTo, ServerRef,
    receive, reply_channel, self_pid, trap_exit,
};
use rusqlite::Connection;

pub(crate) use self::orders::{Inserted, Page, Product};
pub(crate) use self::worker::{Job, Refused};
use self::worker::{ThreadEnded, Transaction};
use crate::order::{Event, Order, OrderId, Request};
use crate::processing::{DISPATCHER, Dispatch};
use crate::services::notification::{Ended, NOTIFICATION};

/// Its name, also among its supervisor's children.
pub(crate) const NAME: &str = "repo";
/// The repo, whichever process it is at the moment.
const REPO: Name<Box<dyn Job>> = Name::new(NAME);
/// How long the thread has to finish when the program stops.
pub(crate) const DRAIN: Duration = Duration::from_secs(8);

/// Where the database is, and how careful to be with it.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    pub(crate) path: PathBuf,
    pub(crate) sync: schema::Sync,
}

/// Why the repo gave no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum RepoError {
    /// It was not there, or ended meanwhile; what was asked may or may not have been done.
    #[error("the repo does not answer: {0}")]
    Call(#[from] CallError),
    /// The database would not do it.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// The process: it hands work to its thread, and ends with it.
pub(crate) struct RepoServer {
    jobs: Option<Sender<Box<dyn Job>>>,
}

impl RepoServer {
    /// How a supervisor starts it.
    pub(crate) fn spec(location: Location) -> regrow::ChildSpec {
        let start = move || RepoServer::start_link(location.clone()).name(REPO);
        // What has been accepted is written before it ends.
        regrow::ChildSpec::new(NAME, start)
            .shutdown(regrow::Shutdown::Timeout(DRAIN + Duration::from_secs(2)))
    }
}

impl GenServer for RepoServer {
    type Args = Location;
    type Message = Box<dyn Job>;

    async fn init(location: Location, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        // So that `terminate` can wait until everything is written.
        trap_exit(true);
        let (jobs, waiting) = unbounded();
        let (opened, answer) = reply_channel();
        worker::spawn(self_pid(), location, waiting, opened)?;
        answer.await.map_err(ExitReason::error)??;
        Ok(RepoServer { jobs: Some(jobs) })
    }

    async fn handle(&mut self, job: Box<dyn Job>, _: &mut Context<Self>) -> Next {
        // A job that cannot be handed on is dropped, which tells the one who waits for it.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
        Next::Continue
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        match info {
            Info::Message(message) if message.is::<ThreadEnded>() => {
                Next::Stop(ExitReason::error("the database thread has ended"))
            }
            _ => Next::Continue,
        }
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        // The thread finishes what it has; after a crash without us.
        self.jobs = None;
        if reason.is_normal_like() && receive::<ThreadEnded>().timeout(DRAIN).await.is_err() {
            tracing::warn!(target: "order::repo", "the database thread is still busy");
        }
    }
}

/// A way to the repo, from processes and from tasks of tokio.
#[derive(Clone, Debug)]
pub(crate) struct Repo {
    server: ServerRef<Box<dyn Job>>,
    handle: Handle,
}

impl Repo {
    /// The repo of that runtime.
    pub(crate) fn on(handle: &Handle) -> Self {
        Repo {
            server: REPO.server_ref_on(handle),
            handle: handle.clone(),
        }
    }

    /// The repo of the current process's runtime.
    ///
    /// # Panics
    ///
    /// Outside a process.
    pub(crate) fn here() -> Self {
        Repo::on(&Handle::current())
    }

    /// Does the work in a transaction; the result comes when that is in the database.
    async fn transaction<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, RepoError> {
        self.transaction_then(work, |_| {}).await
    }

    /// As [`transaction`](Repo::transaction); `then` is told before the caller, even if that is
    /// gone.
    async fn transaction_then<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
        then: impl FnOnce(&R) + Send + 'static,
    ) -> Result<R, RepoError> {
        let job = |reply: ReplyTo<Result<R, Refused>>| -> Box<dyn Job> {
            let then = move |result: Result<R, Refused>| {
                if let Ok(result) = &result {
                    then(result);
                }
                reply.send(result);
            };
            Box::new(Transaction { work, then })
        };
        Ok(self.server.call(job).await??)
    }

    /// Whether it is there and the database can be used.
    pub(crate) async fn ping(&self) -> Result<(), RepoError> {
        self.transaction(|db| db.query_row("SELECT 1", [], |_| Ok(())))
            .await
    }

    /// Accepts an order. If it is new, the dispatcher hears of it, whatever becomes of the caller.
    pub(crate) async fn insert(
        &self,
        key: String,
        request: Request,
    ) -> Result<Inserted, RepoError> {
        let dispatcher = DISPATCHER.server_ref_on(&self.handle);
        self.transaction_then(
            move |db| orders::insert(db, &key, &request),
            move |inserted| {
                if let Inserted::New(order) = inserted {
                    dispatcher.cast(Dispatch::Process(order.id));
                }
            },
        )
        .await
    }

    pub(crate) async fn get(&self, id: OrderId) -> Result<Option<Order>, RepoError> {
        self.transaction(move |db| orders::get(db, id)).await
    }

    pub(crate) async fn list(&self, page: Page) -> Result<Vec<Order>, RepoError> {
        self.transaction(move |db| orders::list(db, page)).await
    }

    pub(crate) async fn products(&self) -> Result<Vec<Product>, RepoError> {
        self.transaction(orders::products).await
    }

    pub(crate) async fn unfinished(&self) -> Result<Vec<OrderId>, RepoError> {
        self.transaction(orders::unfinished).await
    }

    /// The order after the event; unchanged if that does not fit.
    pub(crate) async fn apply(
        &self,
        id: OrderId,
        event: Event,
    ) -> Result<Option<Order>, RepoError> {
        let tell = self.tell_of_ends();
        self.transaction_then(
            move |db| orders::apply(db, id, &event),
            move |order| tell(order.as_slice()),
        )
        .await
    }

    /// Reserves for all of these in one transaction.
    pub(crate) async fn reserve(&self, ids: Vec<OrderId>) -> Result<Vec<Option<Order>>, RepoError> {
        let tell = self.tell_of_ends();
        self.transaction_then(
            move |db| ids.iter().map(|id| orders::reserve(db, *id)).collect(),
            move |orders: &Vec<_>| orders.iter().for_each(|it| tell(Option::as_slice(it))),
        )
        .await
    }

    /// Has notification hear of orders at their end, whatever becomes of whoever brought it about.
    fn tell_of_ends(&self) -> impl Fn(&[Order]) + Send + 'static {
        let notification = NOTIFICATION.server_ref_on(&self.handle);
        move |orders| {
            if orders.iter().any(|order| order.state.is_final()) {
                notification.cast(Ended);
            }
        }
    }

    pub(crate) async fn unsent(&self, limit: u32) -> Result<Vec<Order>, RepoError> {
        self.transaction(move |db| orders::unsent(db, limit)).await
    }

    pub(crate) async fn sent(&self, ids: Vec<OrderId>) -> Result<(), RepoError> {
        self.transaction(move |db| orders::sent(db, &ids)).await
    }
}
