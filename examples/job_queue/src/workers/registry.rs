//! Handlers by kind of job.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value};

use crate::protocol::{NameError, TubeName};

/// A job as its handler gets it: `{"kind": "sleep", "ms": 20, "result_tube": "results"}`.
#[derive(Debug)]
pub(crate) struct Job {
    pub(super) kind: String,
    /// Where the result goes, if anybody wants it.
    pub(super) result_tube: Option<TubeName>,
    fields: Map<String, Value>,
}

/// What a handler has done.
#[derive(Debug)]
pub(crate) struct Done {
    /// The result.
    pub(super) value: Value,
    /// Done when the job is deleted and its result is on disk.
    pub(super) afterwards: Option<fn()>,
}

/// Why a handler has failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Another time it may succeed.
    Now(String),
    /// It never will: the job is not as it should be.
    Always(String),
}

pub(crate) type Handled = Pin<Box<dyn Future<Output = Result<Done, Failure>> + Send>>;
pub(crate) type Handler = fn(Job) -> Handled;

/// The handlers that there are.
#[derive(Default)]
pub(crate) struct Registry(BTreeMap<&'static str, Handler>);

impl Registry {
    /// The ordinary ones, and with `chaos` those that break things.
    pub(crate) fn new(chaos: bool) -> Registry {
        let mut registry = Registry::default();
        super::kinds::register(&mut registry);
        if chaos {
            super::chaos::register(&mut registry);
        }
        registry
    }

    pub(super) fn register(&mut self, kind: &'static str, handler: Handler) {
        self.0.insert(kind, handler);
    }

    pub(super) fn handler(&self, kind: &str) -> Option<Handler> {
        self.0.get(kind).copied()
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<&str> = self.0.keys().copied().collect();
        f.write_str(&kinds.join(", "))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({self})")
    }
}

impl Job {
    /// Reads the body of a job.
    pub(super) fn read(body: &[u8]) -> Result<Job, String> {
        let value: Value =
            serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
        let Value::Object(mut fields) = value else {
            return Err("no JSON object".into());
        };
        let kind = match fields.remove("kind") {
            Some(Value::String(kind)) => kind,
            Some(_) => return Err("its `kind` is no text".into()),
            None => return Err("it has no `kind`".into()),
        };
        let result_tube = match fields.remove("result_tube") {
            Some(Value::String(name)) => Some(
                name.parse()
                    .map_err(|error: NameError| format!("its `result_tube`: {error}"))?,
            ),
            Some(_) => return Err("its `result_tube` is no text".into()),
            None => None,
        };
        Ok(Job {
            kind,
            result_tube,
            fields,
        })
    }

    /// A field that must be there.
    pub(super) fn text(&self, name: &str) -> Result<&str, Failure> {
        let text = self.fields.get(name).and_then(Value::as_str);
        text.ok_or_else(|| self.wants(name, "a text"))
    }

    /// A field that must be there.
    pub(super) fn number(&self, name: &str) -> Result<u64, Failure> {
        let number = self.fields.get(name).and_then(Value::as_u64);
        number.ok_or_else(|| self.wants(name, "a number"))
    }

    fn wants(&self, name: &str, what: &str) -> Failure {
        Failure::Always(format!("{} wants {what} as `{name}`", self.kind))
    }
}

impl From<Value> for Done {
    fn from(value: Value) -> Done {
        Done {
            value,
            afterwards: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_an_object_with_a_kind() {
        let job = Job::read(br#"{"kind":"sleep","ms":3,"result_tube":"r"}"#).expect("a job");
        assert_eq!(job.kind, "sleep");
        assert_eq!(job.result_tube, Some("r".parse().unwrap()));
        assert_eq!(job.number("ms"), Ok(3));
        assert!(matches!(job.text("ms"), Err(Failure::Always(_))));
    }

    #[test]
    fn what_is_no_job_is_refused_in_clear_words() {
        let why = |body: &str| Job::read(body.as_bytes()).expect_err("no job");
        assert!(why("hello").starts_with("no JSON: "));
        assert!(why("").starts_with("no JSON: "));
        assert_eq!(why("[1]"), "no JSON object");
        assert_eq!(why("{}"), "it has no `kind`");
        assert_eq!(why(r#"{"kind":1}"#), "its `kind` is no text");
        assert!(why(r#"{"kind":"a","result_tube":"-"}"#).contains("result_tube"));
        assert!(Job::read(b"\xff\xfe").is_err());
    }

    #[test]
    fn what_breaks_things_is_there_with_chaos_only() {
        assert!(Registry::new(false).handler("panic").is_none());
        assert!(Registry::new(true).handler("panic").is_some());
        assert_eq!(
            Registry::new(false).to_string(),
            "sha256, sleep, word_count"
        );
    }
}
