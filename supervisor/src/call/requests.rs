//! Many requests, whose responses are taken as they come.
//!
//! Each entry has a waker of its own, which puts the entry's key into the line of those that are
//! there: so responses are taken in the order in which they came, and nobody polls all entries to
//! find the one. A process may have to take another turn before it is given a response that is
//! there, as with any reply; the key then goes back to the head of the line.

use std::collections::BTreeMap;
use std::collections::btree_map::{Entry as BTreeEntry, OccupiedEntry};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use regrow_runtime::{ReplyTo, Timeout, send};

use super::line::{Line, Place};
use super::request::in_time;
use super::{CallError, RequestId, ResponseTimeout, wait_here};
use crate::ServerRef;

/// What came, and the label of the request that it is the response to.
pub type Response<R, L> = (Result<R, CallError>, L);

/// Requests that are waited for together, each with a label (OTP:
/// `gen_server:request_id_collection()`).
///
/// Responses are taken one at a time, in the order in which they come. All requests have
/// replies of one type `R`; labels are whatever tells the requests apart.
///
/// ```
/// # use regrow_supervisor::*;
/// # use regrow_runtime::*;
/// use std::time::Duration;
/// # struct Doubler;
/// enum Request { Double(u64, ReplyTo<u64>) }
/// # impl GenServer for Doubler {
/// #     type Args = ();
/// #     type Message = Request;
/// #     async fn init(_: (), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Doubler) }
/// #     async fn handle(&mut self, request: Request, _: &mut Context<Self>) -> Next {
/// #         let Request::Double(n, reply) = request;
/// #         reply.send(2 * n);
/// #         Next::Continue
/// #     }
/// # }
/// # Runtime::new().unwrap().block_on(async {
/// # let servers = [Doubler::start_link(()).await.unwrap(), Doubler::start_link(()).await.unwrap()];
/// let mut requests = RequestIds::new();
/// for (n, server) in servers.iter().enumerate() {
///     requests.send_request(server, |reply| Request::Double(n as u64, reply), n);
/// }
/// let deadline = ResponseTimeout::At(monotonic_time() + Duration::from_secs(1));
/// while let Some((response, n)) = requests.receive_response(deadline, true).await.unwrap() {
///     assert_eq!(response, Ok(2 * n as u64));
/// }
/// # });
/// ```
///
/// # Handled requests
///
/// The methods that take a response are told whether to `delete` its entry. If not, the entry
/// stays, with its label, and nothing more comes from it; as in OTP a collection of such entries
/// is not empty, and waiting for it ends only when the time is up. The same is true of entries
/// that [`receive_response`](RequestIds::receive_response) has abandoned.
pub struct RequestIds<R: Send + 'static, L> {
    /// In the order of adding.
    entries: BTreeMap<u64, Entry<R, L>>,
    next: u64,
    line: Arc<Line>,
}

struct Entry<R: Send + 'static, L> {
    label: L,
    /// None: handled or abandoned.
    request: Option<RequestId<R>>,
}

impl<R: Send + 'static, L> RequestIds<R, L> {
    /// A collection without requests (OTP: `reqids_new/0`).
    pub fn new() -> Self {
        RequestIds {
            entries: BTreeMap::new(),
            next: 0,
            line: Arc::default(),
        }
    }

    /// Adds a request (OTP: `reqids_add/3`). A request is in one collection at most, because the
    /// collection owns it.
    ///
    /// A response that is there already counts as coming now.
    ///
    /// # Panics
    ///
    /// If the response was taken before.
    pub fn add(&mut self, mut request: RequestId<R>, label: L) {
        let key = self.next;
        self.next += 1;
        let place = Place::new(self.line.clone(), key);
        request.set_waker(&Waker::from(Arc::new(place)));
        let request = Some(request);
        self.entries.insert(key, Entry { label, request });
    }

    /// Sends a request and adds it (OTP: `send_request/4`).
    ///
    /// # Panics
    ///
    /// As [`ServerRef::send_request`].
    #[track_caller]
    pub fn send_request<M: Send + 'static>(
        &mut self,
        server: &ServerRef<M>,
        request: impl FnOnce(ReplyTo<R>) -> M,
        label: L,
    ) {
        match server.open_request() {
            Ok((pid, reply_to, id)) => {
                // Added before it is sent, so that no response is there already.
                self.add(id, label);
                send(pid, request(reply_to));
            }
            Err(failed) => self.add(failed, label),
        }
    }

    /// How many entries there are, handled ones included (OTP: `reqids_size/1`).
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The labels, handled ones included, in the order of adding.
    pub fn labels(&self) -> impl Iterator<Item = &L> {
        self.entries.values().map(|entry| &entry.label)
    }

    /// Takes the next response, waiting for it if there is none yet; `None` if there are no
    /// entries (OTP: `gen_server:receive_response/3`).
    ///
    /// # Errors
    ///
    /// If none comes in time. *All* requests of the collection are abandoned then: late replies
    /// are dropped. To be kept waiting for one more is [`wait_response`](RequestIds::wait_response).
    #[track_caller]
    pub fn receive_response(
        &mut self,
        timeout: impl Into<ResponseTimeout>,
        delete: bool,
    ) -> impl Future<Output = Result<Option<Response<R, L>>, Timeout>> + Send
    where
        L: Clone + Send,
    {
        let limit = timeout.into();
        wait_here(async move {
            let response = in_time(limit, |cx| self.poll_response(cx, delete)).await;
            response.ok_or_else(|| {
                self.abandon();
                Timeout
            })
        })
    }

    /// As [`receive_response`](RequestIds::receive_response), but a timeout abandons nothing
    /// (OTP: `gen_server:wait_response/3`).
    ///
    /// # Errors
    ///
    /// If none comes in time.
    #[track_caller]
    pub fn wait_response(
        &mut self,
        timeout: impl Into<ResponseTimeout>,
        delete: bool,
    ) -> impl Future<Output = Result<Option<Response<R, L>>, Timeout>> + Send
    where
        L: Clone + Send,
    {
        let limit = timeout.into();
        wait_here(async move {
            let response = in_time(limit, |cx| self.poll_response(cx, delete)).await;
            response.ok_or(Timeout)
        })
    }

    /// Takes the next response that has come; `None` if none has, or there are no entries. It
    /// does not wait (OTP: `gen_server:check_response/3`, which is given a message; responses do
    /// not pass through the mailbox here).
    pub fn check_response(&mut self, delete: bool) -> Option<Response<R, L>>
    where
        L: Clone,
    {
        let mut entry = self.next(Waker::noop())?;
        let response = entry.get_mut().request.as_mut()?.check_response()?;
        Some((response, handled(entry, delete)))
    }

    fn poll_response(&mut self, cx: &mut Context<'_>, delete: bool) -> Poll<Option<Response<R, L>>>
    where
        L: Clone,
    {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        let Some(mut entry) = self.next(cx.waker()) else {
            return Poll::Pending;
        };
        let request = entry.get_mut().request.as_mut();
        let polled = request.map(|request| request.poll_response(cx));
        let Some(Poll::Ready(response)) = polled else {
            // It is there: the poll has seen to the next.
            let key = *entry.key();
            self.line.put_back(key);
            return Poll::Pending;
        };
        Poll::Ready(Some((response, handled(entry, delete))))
    }

    /// The first in the line; without one, `waker` is woken when there is. What was abandoned is
    /// passed over.
    fn next(&mut self, waker: &Waker) -> Option<OccupiedEntry<'_, u64, Entry<R, L>>> {
        let is_open = |key: &u64| self.entries.get(key).is_some_and(|it| it.request.is_some());
        let key = loop {
            let key = self.line.pop(waker)?;
            if is_open(&key) {
                break key;
            }
        };
        match self.entries.entry(key) {
            BTreeEntry::Occupied(entry) => Some(entry),
            BTreeEntry::Vacant(_) => None,
        }
    }

    fn abandon(&mut self) {
        for entry in self.entries.values_mut() {
            entry.request = None;
        }
    }
}

/// The label of an entry whose response has been taken.
fn handled<R, L>(mut entry: OccupiedEntry<'_, u64, Entry<R, L>>, delete: bool) -> L
where
    R: Send + 'static,
    L: Clone,
{
    if delete {
        return entry.remove().label;
    }
    let entry = entry.get_mut();
    entry.request = None;
    entry.label.clone()
}

impl<R: Send + 'static, L> Default for RequestIds<R, L> {
    fn default() -> Self {
        RequestIds::new()
    }
}

/// The requests that have not been handled, with their labels (OTP: `reqids_to_list/1`).
impl<R: Send + 'static, L> IntoIterator for RequestIds<R, L> {
    type Item = (RequestId<R>, L);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        let entries = self.entries.into_values();
        let open = entries.filter_map(|entry| Some((entry.request?, entry.label)));
        open.collect::<Vec<_>>().into_iter()
    }
}

impl<R: Send + 'static, L: fmt::Debug> fmt::Debug for RequestIds<R, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.values();
        f.debug_map()
            .entries(entries.map(|entry| (&entry.label, &entry.request)))
            .finish()
    }
}
