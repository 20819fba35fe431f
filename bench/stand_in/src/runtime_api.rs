//! The Runtime API of Lambda, for one or more processes of a function
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use hyper::{Response, body::Bytes};
use serde::Serialize;
use tokio::sync::{Notify, oneshot};

use crate::{Body, body};

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:measured";
/// The timeout of the function in the template, and more than a throttled twin needs.
const TIMEOUT: Duration = Duration::from_mins(5);

/// An answer, and when it was there.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// When the event was handed over, in nanoseconds since 1970, like all times here.
    pub handed_at: u128,
    /// When the answer had arrived.
    pub answered_at: u128,
    /// Whether the function reported an error.
    pub failed: bool,
    /// The length of the answer.
    pub bytes: usize,
    /// The answer itself, unless it is very long.
    pub text: String,
}

/// A process that waits for an event.
struct Waiting {
    since: u128,
    event: oneshot::Sender<(String, Bytes)>,
}

#[derive(Default)]
struct State {
    /// The processes that wait for an event, in the order in which they began to.
    waiting: Vec<Waiting>,
    /// When the event of each invocation without an answer was handed over.
    handed_at: HashMap<String, u128>,
    /// The answers that nobody has picked up yet.
    answers: HashMap<String, Answer>,
    invocations: usize,
}

impl State {
    /// The process that began to wait last. One that was killed does not count.
    fn last_waiting(&mut self) -> Option<&Waiting> {
        self.waiting.retain(|waiting| !waiting.event.is_closed());
        self.waiting.last()
    }
}

/// The state of the processes.
#[derive(Default)]
pub struct RuntimeApi {
    state: Mutex<State>,
    changed: Notify,
}

/// The time now.
pub fn now() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos()
}

impl RuntimeApi {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `GET …/next`: a process has started, or has finished with an event, and waits for the next one.
    pub async fn next(&self) -> Response<Body> {
        let since = now();
        let (event, received) = oneshot::channel();
        self.state().waiting.push(Waiting { since, event });
        self.changed.notify_waiters();
        let Ok((id, event)) = received.await else { return plain(500, Bytes::new()) };
        let deadline = now() / 1_000_000 + TIMEOUT.as_millis();
        self.state().handed_at.insert(id.clone(), now());
        let mut response = plain(200, event);
        for (name, value) in [
            ("lambda-runtime-aws-request-id", id),
            ("lambda-runtime-deadline-ms", deadline.to_string()),
            ("lambda-runtime-invoked-function-arn", ARN.to_owned()),
            ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".to_owned()),
            ("content-type", "application/json".to_owned()),
        ] {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// `POST …/invocation/ID/response` and `…/error`.
    pub fn answered(&self, path: &str, answer: &[u8]) -> Response<Body> {
        let text = if answer.len() > 1 << 20 { String::new() } else { String::from_utf8_lossy(answer).into_owned() };
        let id = path.rsplit('/').nth(1).unwrap_or_default();
        let mut state = self.state();
        let (handed_at, failed) = (state.handed_at.remove(id).unwrap_or_default(), path.ends_with("/error"));
        let answer = Answer { handed_at, answered_at: now(), failed, bytes: answer.len(), text };
        state.answers.insert(id.to_owned(), answer);
        drop(state);
        self.changed.notify_waiters();
        plain(202, Bytes::new())
    }

    /// Waits until a process waits for an event; since when it does.
    pub async fn ready(&self) -> u128 {
        self.wait_for(|state| state.last_waiting().map(|waiting| waiting.since)).await
    }

    /// Hands an event over to a process that waits, and waits for its answer.
    pub async fn invoke(&self, event: Bytes) -> Answer {
        let mut event = Some(event);
        let id = self
            .wait_for(|state| {
                state.last_waiting()?;
                let (waiting, event) = (state.waiting.pop()?, event.take()?);
                state.invocations += 1;
                let id = format!("0a1b2c3d-0000-4000-8000-{:012x}", state.invocations);
                let _ = waiting.event.send((id.clone(), event));
                Some(id)
            })
            .await;
        self.wait_for(|state| state.answers.remove(&id)).await
    }

    /// Forgets all processes: they were killed.
    pub fn forget(&self) {
        *self.state() = State::default();
    }

    async fn wait_for<T>(&self, mut get: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            // Registered before the check, so that no change is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(value) = get(&mut self.state()) {
                return value;
            }
            changed.await;
        }
    }
}

/// A response with this status and body.
pub fn plain(status: u16, content: Bytes) -> Response<Body> {
    let mut response = Response::new(body(content));
    *response.status_mut() = status.try_into().unwrap_or_default();
    response
}
