//! What is done because somebody asks for it.

use regrow_runtime::{ExitReason, is_alive};

use super::super::check_spec;
use super::super::error::{
    DeleteChildError, GetChildSpecError, RestartChildError, StartChildError, TerminateChildError,
    WhichChildError,
};
use super::super::reference::Request;
use super::Process;
use crate::report::Started;
use crate::tree::Description;
use crate::{Child, ChildInfo, ChildSpec, ChildState, Counts, Next, Restart, StartError};

impl Process {
    pub(super) async fn answer(&mut self, request: Request) -> Next {
        match request {
            Request::StartChild(spec, reply) => reply.send(self.start_child(spec).await),
            Request::TerminateChild(id, reply) => reply.send(self.terminate_child(&id).await),
            Request::RestartChild(id, reply) => reply.send(self.restart_child(&id).await),
            Request::DeleteChild(id, reply) => reply.send(self.delete_child(&id)),
            Request::GetChildSpec(id, reply) => reply.send(self.get_childspec(&id)),
            Request::WhichChild(id, reply) => reply.send(self.which_child(&id)),
            Request::WhichChildren(reply) => {
                reply.send(self.children.iter().rev().map(|(_, e)| e.info()).collect());
            }
            Request::CountChildren(reply) => reply.send(self.count_children().await),
            Request::Retry(retry) => return self.retry(retry).await,
        }
        Next::Continue
    }

    async fn start_child(&mut self, spec: ChildSpec) -> Result<Child, StartChildError> {
        check_spec(&spec, Some(self.auto_shutdown)).map_err(StartChildError::BadSpec)?;
        match self.find(&spec.id) {
            Some((_, ChildState::Running(pid))) => {
                return Err(StartChildError::AlreadyStarted(pid));
            }
            Some(_) => return Err(StartChildError::AlreadyPresent),
            None => {}
        }
        let key = self.children.insert(spec);
        match self.start(key, Started::OnRequest).await {
            Ok(child) if child.pid().is_some() => Ok(child),
            Ok(_) => Err(StartChildError::Ignored),
            Err(reason) => {
                self.children.remove(key);
                Err(start_failed(reason))
            }
        }
    }

    async fn terminate_child(&mut self, id: &str) -> Result<(), TerminateChildError> {
        let (key, _) = self.find(id).ok_or(TerminateChildError::NotFound)?;
        self.stop(key).await;
        self.retries.forget(key);
        if self
            .children
            .get(key)
            .is_some_and(|entry| entry.spec.restart == Restart::Temporary)
        {
            self.children.remove(key);
        }
        Ok(())
    }

    async fn restart_child(&mut self, id: &str) -> Result<Child, RestartChildError> {
        match self.find(id) {
            None => Err(RestartChildError::NotFound),
            Some((_, ChildState::Running(_))) => Err(RestartChildError::Running),
            Some((_, ChildState::Restarting)) => Err(RestartChildError::Restarting),
            Some((key, ChildState::Stopped)) => match self.start(key, Started::OnRequest).await {
                Ok(child) if child.pid().is_some() => Ok(child),
                Ok(_) => Err(RestartChildError::Ignored),
                Err(reason) => Err(RestartChildError::Failed(reason)),
            },
        }
    }

    fn delete_child(&mut self, id: &str) -> Result<(), DeleteChildError> {
        match self.find(id) {
            None => Err(DeleteChildError::NotFound),
            Some((_, ChildState::Running(_))) => Err(DeleteChildError::Running),
            Some((_, ChildState::Restarting)) => Err(DeleteChildError::Restarting),
            Some((key, ChildState::Stopped)) => {
                self.children.remove(key);
                self.retries.forget(key);
                Ok(())
            }
        }
    }

    fn get_childspec(&self, id: &str) -> Result<ChildSpec, GetChildSpecError> {
        let key = self.children.key_of_id(id);
        let entry = key.and_then(|key| self.children.get(key));
        entry
            .map(|entry| entry.spec.clone())
            .ok_or(GetChildSpecError::NotFound)
    }

    fn which_child(&self, id: &str) -> Result<ChildInfo, WhichChildError> {
        let key = self.children.key_of_id(id);
        let entry = key.and_then(|key| self.children.get(key));
        entry.map(|e| e.info()).ok_or(WhichChildError::NotFound)
    }

    async fn count_children(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, entry) in self.children.iter() {
            // Asked, since a child that has unlinked itself ends unseen.
            let active = match entry.state() {
                ChildState::Running(pid) => is_alive(pid).await,
                _ => false,
            };
            counts.add(entry.spec.child_type, active);
        }
        counts
    }

    pub(super) fn describe(&self) -> Description {
        Description::Static {
            strategy: self.strategy,
            children: self
                .children
                .iter()
                .map(|(_, entry)| entry.info())
                .collect(),
        }
    }

    fn find(&self, id: &str) -> Option<(u64, ChildState)> {
        let key = self.children.key_of_id(id)?;
        Some((key, self.children.get(key)?.state()))
    }
}

/// What a failed start is to the caller of `start_child`.
pub(crate) fn start_failed(reason: ExitReason) -> StartChildError {
    if let ExitReason::Error(error) = &reason
        && let Some(StartError::AlreadyStarted(pid)) = error.downcast_ref::<StartError>()
    {
        return StartChildError::AlreadyStarted(*pid);
    }
    StartChildError::Failed(reason)
}
