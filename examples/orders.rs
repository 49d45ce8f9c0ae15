//! A shop that takes orders, as two applications, and a day on which everything goes wrong there.
//!
//! ```text
//! bank                    an agent: what was taken from whose card. Outside of the shop
//! shop (rest_for_one)     each part uses only what stands above it
//! ├── repo                the orders, and how far each has come
//! ├── services (rest_for_one)
//! │   ├── inventory
//! │   ├── payment
//! │   └── notification
//! ├── orders              registry: the process of an order, by its number
//! ├── processors          dynamic: a process for each order that is worked on
//! └── endpoint            takes orders, and says how they are
//! ```
//!
//! The repo knows how far each order has come, so whoever is started again goes on from there.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use regrow::{
    Agent, Application, Applications, CallError, ChildSpec, Context, DynamicSupervisor,
    DynamicSupervisorRef, ExitReason, GenServer, Info, Name, Next, Pid, Registry, ReplyTo, Restart,
    ServerRef, StartChildError, Strategy, Supervisor, Task, exit, monitor, print_tree, send_after,
    sleep, spawn, sys, trap_exit, whereis,
};

const REPO: Name<Query> = Name::new("repo");
const INVENTORY: Name<Stock> = Name::new("inventory");
const PAYMENT: Name<Charge> = Name::new("payment");
const NOTIFICATION: Name<Ended> = Name::new("notification");
const ENDPOINT: Name<Request> = Name::new("endpoint");
const ORDERS: Registry<OrderId> = Registry::unique("orders");
const PROCESSORS: &str = "processors";
const PAUSE: Duration = Duration::from_millis(5);

type OrderId = u64;

#[derive(Clone, Debug)]
struct Order {
    item: &'static str,
    quantity: u32,
    card: &'static str,
    status: Status,
}

#[derive(Clone, Debug, PartialEq)]
enum Status {
    Placed,
    Reserved,
    /// Payment is about to ask the bank; or was, when it crashed.
    Charging,
    Paid,
    Completed,
    Failed(String),
}

fn is_final(status: &Status) -> bool {
    matches!(status, Status::Completed | Status::Failed(_))
}

/// What the services say to a request: what went wrong, if it is the order's fault.
type Outcome = Result<(), String>;

/// Who has paid. The bank is another application, which no crash of the shop touches.
fn bank() -> Agent<Vec<OrderId>> {
    Agent::named("bank")
}

/// What a callback comes to: an error stops the server, which is then started afresh.
type Done = Result<(), ExitReason>;

fn answer<T: Send + 'static>(reply: ReplyTo<T>, result: Result<T, CallError>) -> Done {
    reply.send(result?);
    Ok(())
}

/// The orders, in memory; in real life a database.
struct Repo(BTreeMap<OrderId, Order>);

enum Query {
    Insert(OrderId, Order, ReplyTo<()>),
    Get(OrderId, ReplyTo<Order>),
    Set(OrderId, Status, ReplyTo<()>),
    All(ReplyTo<BTreeMap<OrderId, Order>>),
}

impl GenServer for Repo {
    type Args = ();
    type Message = Query;
    async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Repo(BTreeMap::new()))
    }

    async fn handle(&mut self, query: Query, _: &mut Context<Self>) -> Next {
        match query {
            Query::Insert(id, order, reply) => {
                self.0.entry(id).or_insert(order); // the second time it is the same
                reply.send(());
            }
            Query::Get(id, reply) => match self.0.get(&id) {
                Some(order) => reply.send(order.clone()),
                None => reply.fail(ExitReason::error(format!("there is no order {id}"))),
            },
            Query::Set(id, status, reply) => {
                self.0.entry(id).and_modify(|it| it.status = status);
                reply.send(());
            }
            Query::All(reply) => reply.send(self.0.clone()),
        }
        Next::Continue
    }
}

async fn get(id: OrderId) -> Result<Order, CallError> {
    REPO.call(|reply| Query::Get(id, reply)).await
}

async fn status(id: OrderId) -> Result<Status, CallError> {
    Ok(get(id).await?.status)
}

async fn set(id: OrderId, status: Status) -> Result<(), CallError> {
    REPO.call(|reply| Query::Set(id, status, reply)).await
}

/// Which orders have got what they want.
struct Inventory(BTreeMap<OrderId, Order>);

enum Stock {
    Reserve(OrderId, ReplyTo<Outcome>),
    Release(OrderId),
}

impl GenServer for Inventory {
    type Args = ();
    type Message = Stock;
    async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        let mut orders = REPO.call(Query::All).await?;
        orders.retain(|_, it| !matches!(it.status, Status::Placed | Status::Failed(_)));
        Ok(Inventory(orders))
    }

    async fn handle(&mut self, message: Stock, _: &mut Context<Self>) -> Next {
        match message {
            Stock::Reserve(id, reply) => return answer(reply, self.reserve(id).await).into(),
            Stock::Release(id) => drop(self.0.remove(&id)),
        }
        Next::Continue
    }
}

impl Inventory {
    async fn reserve(&mut self, id: OrderId) -> Result<Outcome, CallError> {
        let order = get(id).await?;
        let all = if order.item == "orchids" { 2 } else { 1000 };
        let others = self
            .0
            .iter()
            .filter(|it| *it.0 != id && it.1.item == order.item);
        let taken: u32 = others.map(|(_, it)| it.quantity).sum();
        if taken + order.quantity > all {
            return Ok(Err(format!("not enough {}", order.item)));
        }
        set(id, Status::Reserved).await?;
        self.0.insert(id, order);
        Ok(Ok(()))
    }
}

struct Payment;
struct Charge(OrderId, ReplyTo<Outcome>);

impl GenServer for Payment {
    type Args = ();
    type Message = Charge;
    async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Payment)
    }

    async fn handle(&mut self, Charge(id, reply): Charge, _: &mut Context<Self>) -> Next {
        answer(reply, charge(id).await).into()
    }
}

async fn charge(id: OrderId) -> Result<Outcome, CallError> {
    let order = get(id).await?;
    match order.status {
        Status::Paid => return Ok(Ok(())),
        // An incarnation before this one may have been at the bank.
        Status::Charging if bank().get(move |paid| paid.contains(&id)).await? => {}
        _ => {
            set(id, Status::Charging).await?;
            if order.card == "declined" {
                return Ok(Err("the card was declined".into()));
            }
            bank().update(move |paid| paid.push(id)).await?;
            assert_ne!(order.card, "odd", "paid, and not written down");
        }
    }
    set(id, Status::Paid).await.map(Ok)
}

struct Notification;
struct Ended(OrderId, Status);

impl GenServer for Notification {
    type Args = ();
    type Message = Ended;
    async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Notification)
    }

    async fn handle(&mut self, Ended(id, status): Ended, _: &mut Context<Self>) -> Next {
        if let Status::Failed(why) = status {
            println!("  order {id} has failed: {why}");
        }
        Next::Continue
    }
}

/// Takes one order from where it is to its end.
struct Processor(OrderId);

enum Work {
    Proceed,
    Status(ReplyTo<Status>),
}

impl GenServer for Processor {
    type Args = OrderId;
    type Message = Work;
    async fn init(id: OrderId, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        cx.server_ref().cast(Work::Proceed);
        Ok(Processor(id))
    }

    async fn handle(&mut self, work: Work, cx: &mut Context<Self>) -> Next {
        match work {
            Work::Status(reply) => return answer(reply, status(self.0).await).into(),
            Work::Proceed => match step(self.0).await {
                Ok(true) => return Next::Stop(ExitReason::Normal),
                Ok(false) => cx.server_ref().cast(Work::Proceed),
                Err(_) => {
                    // Whoever was asked has ended, and is being started again.
                    send_after(PAUSE, cx.pid(), Work::Proceed);
                }
            },
        }
        Next::Continue
    }
}

/// One step of an order; true after the last.
async fn step(id: OrderId) -> Result<bool, CallError> {
    let order = get(id).await?;
    assert_ne!(order.quantity, 5000, "who wants so many?");
    match order.status {
        Status::Placed => {
            if let Err(why) = INVENTORY.call(|reply| Stock::Reserve(id, reply)).await? {
                end(id, Status::Failed(why)).await?;
            }
        }
        Status::Reserved | Status::Charging => {
            if let Err(why) = PAYMENT.call(|reply| Charge(id, reply)).await? {
                end(id, Status::Failed(why)).await?;
                INVENTORY.cast(Stock::Release(id));
            }
        }
        Status::Paid => end(id, Status::Completed).await?,
        Status::Completed | Status::Failed(_) => return Ok(true),
    }
    Ok(false)
}

async fn end(id: OrderId, status: Status) -> Result<(), CallError> {
    set(id, status.clone()).await?;
    NOTIFICATION.cast(Ended(id, status));
    Ok(())
}

/// What plays the HTTP side.
struct Endpoint(BTreeMap<Pid, OrderId>);

enum Request {
    PlaceOrder(OrderId, Order, ReplyTo<()>),
    OrderStatus(OrderId, ReplyTo<Status>),
}

impl GenServer for Endpoint {
    type Args = ();
    type Message = Request;
    async fn init(_: (), cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        cx.after_init(Next::HandleContinue);
        Ok(Endpoint(BTreeMap::new()))
    }

    /// Goes on with the orders that somebody was working on when the tree fell.
    async fn handle_continue(&mut self, _: &mut Context<Self>) -> Next {
        self.resume().await.into()
    }

    async fn handle(&mut self, request: Request, _: &mut Context<Self>) -> Next {
        match request {
            Request::PlaceOrder(id, order, reply) => self.place(id, order, reply).await.into(),
            Request::OrderStatus(id, reply) => {
                // Who waits for a busy processor is not the endpoint.
                spawn(async move { answer(reply, status_now(id).await) });
                Next::Continue
            }
        }
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        match info {
            Info::Down(down) => self.ended(down.pid, down.reason).await.into(),
            _ => Next::Continue,
        }
    }
}

impl Endpoint {
    async fn place(&mut self, id: OrderId, order: Order, reply: ReplyTo<()>) -> Done {
        REPO.call(|reply| Query::Insert(id, order, reply)).await?;
        self.process(id).await?;
        answer(reply, Ok(()))
    }

    async fn resume(&mut self) -> Done {
        for (id, order) in REPO.call(Query::All).await? {
            if !is_final(&order.status) {
                self.process(id).await?;
            }
        }
        Ok(())
    }

    /// Starts the process of an order; one that it has already is as good.
    async fn process(&mut self, id: OrderId) -> Done {
        let start = move || Processor::start_link(id).via(ORDERS.via(id));
        let spec = ChildSpec::new("processor", start).restart(Restart::Temporary);
        let processors = DynamicSupervisorRef::named(PROCESSORS);
        let pid = match processors.start_child(spec).await {
            Ok(pid) | Err(StartChildError::AlreadyStarted(pid)) => pid,
            Err(error) => return Err(error.into()),
        };
        monitor(pid);
        self.0.insert(pid, id);
        Ok(())
    }

    /// An order that its own process could not bear has failed; all others go on.
    async fn ended(&mut self, pid: Pid, reason: ExitReason) -> Done {
        let Some(id) = self.0.remove(&pid) else {
            return Ok(());
        };
        match (status(id).await?, reason) {
            (status, _) if is_final(&status) => Ok(()),
            (Status::Placed, reason @ ExitReason::Panic(_)) => {
                Ok(end(id, Status::Failed(reason.to_string())).await?)
            }
            _ => self.process(id).await,
        }
    }
}

/// Asks the process of an order. There is none before it begins, and after it is done.
async fn status_now(id: OrderId) -> Result<Status, CallError> {
    if let Ok(status) = ServerRef::via(ORDERS.via(id)).call(Work::Status).await {
        return Ok(status);
    }
    status(id).await
}

fn services() -> Supervisor {
    let inventory = || Inventory::start_link(()).name(INVENTORY);
    let payment = || Payment::start_link(()).name(PAYMENT);
    let notification = || Notification::start_link(()).name(NOTIFICATION);
    Supervisor::new(Strategy::RestForOne)
        .name("services")
        .intensity(10, Duration::from_secs(5))
        .child(ChildSpec::new("inventory", inventory))
        .child(ChildSpec::new("payment", payment))
        .child(ChildSpec::new("notification", notification))
}

fn shop() -> Supervisor {
    let services = || services().start_link();
    let processors = || DynamicSupervisor::new().name(PROCESSORS).start_link();
    let endpoint = || Endpoint::start_link(()).name(ENDPOINT);
    Supervisor::new(Strategy::RestForOne)
        .name("shop")
        .intensity(10, Duration::from_secs(5))
        .child(ChildSpec::new("repo", || Repo::start_link(()).name(REPO)))
        .child(ChildSpec::supervisor("services", services))
        .child(ORDERS.child_spec())
        .child(ChildSpec::supervisor(PROCESSORS, processors))
        .child(ChildSpec::new("endpoint", endpoint))
}

fn main() -> ExitCode {
    let bank = || Agent::start_link(Vec::<OrderId>::new).name("bank");
    Application::new("shop")
        .depends_on(Application::new("bank").root(bank))
        .root(|| shop().start_link())
        .started(|root| async move {
            spawn(run(root));
        })
        .prep_stop(|_| async { println!("closing time") })
        .stopped(|| async { println!("closed") })
        .run()
}

/// Runs the scenario, and ends the program: in order, or with code 1.
async fn run(root: Pid) {
    trap_exit(true); // to see it fail
    match Task::spawn(scenario(root)).no_timeout().await {
        Ok(()) => Applications::current().begin_shut_down(),
        Err(error) => {
            println!("the scenario has failed: {error}");
            exit(root, ExitReason::Kill);
        }
    }
}

async fn scenario(root: Pid) {
    println!("{}", print_tree(root).await.unwrap());
    for id in 0..36 {
        let order = match id {
            4 => order("seeds", 5, "declined"),
            11 => order("seeds", 5, "odd"),
            20 => order("seeds", 5000, "good"), // more than its process can bear
            _ if id % 6 == 0 => order("orchids", 1, "good"), // there are two
            _ => order("spades", 1, "good"),
        };
        place(id, order).await;
        match id {
            16 => kill("inventory", || INVENTORY.whereis()).await,
            // Who pays waits from here on, until payment is killed.
            23 => while sys::suspend(&PAYMENT).await.is_err() {},
            25 => kill("the process of order 25", || ORDERS.whereis(&25)).await,
            28 => kill("payment", || PAYMENT.whereis()).await,
            32 => kill("the registry", || whereis(ORDERS.name())).await,
            _ => {}
        }
    }

    let ends = Task::async_stream(0..36, end_of).max_concurrency(8);
    let ends: Result<Vec<Status>, _> = ends.collect().await.into_iter().collect();
    let ends = ends.expect("each order ends");
    println!("{}", print_tree(root).await.unwrap());
    let completed = ends.iter().filter(|it| **it == Status::Completed).count();
    println!("{completed} of {} orders completed", ends.len());

    // Four orchids too many, a card declined, an order that no process can bear.
    assert_eq!(completed, 30, "{ends:?}");
    assert!(matches!(&ends[20], Status::Failed(why) if why.contains("who wants so many?")));
    let mut paid = bank().get(|paid| paid.clone()).await.unwrap();
    assert_eq!(paid.len(), completed, "who has paid has got it");
    paid.sort_unstable();
    paid.dedup();
    assert_eq!(paid.len(), completed, "nobody has paid twice");
}

fn order(item: &'static str, quantity: u32, card: &'static str) -> Order {
    Order {
        item,
        quantity,
        card,
        status: Status::Placed,
    }
}

/// Tries again while the endpoint, or something below it, is being started again.
async fn place(id: OrderId, order: Order) {
    let request = |reply| Request::PlaceOrder(id, order.clone(), reply);
    while ENDPOINT.call(request).await.is_err() {
        sleep(PAUSE).await;
    }
}

async fn end_of(id: OrderId) -> Status {
    loop {
        match ENDPOINT.call(|reply| Request::OrderStatus(id, reply)).await {
            Ok(status) if is_final(&status) => return status,
            _ => sleep(PAUSE).await,
        }
    }
}

/// Kills a process, and waits for the one that takes its place.
async fn kill(what: &str, whereis: impl Fn() -> Option<Pid>) {
    let pid = whereis().expect(what);
    println!("killing {what}, {pid}");
    exit(pid, ExitReason::Kill);
    while whereis().is_none_or(|now| now == pid) {
        sleep(PAUSE).await;
    }
}
