//! The Runtime API of Lambda for one function at a time
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use std::{
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

/// A function that waits for an event.
struct Waiting {
    since: u128,
    event: oneshot::Sender<Bytes>,
}

#[derive(Default)]
struct State {
    waiting: Option<Waiting>,
    handed_at: u128,
    answer: Option<Answer>,
    invocations: usize,
}

/// The state of the function.
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

    /// `GET …/next`: the function has started, or has finished with an event, and waits for the next one.
    pub async fn next(&self) -> Response<Body> {
        let since = now();
        let (event, received) = oneshot::channel();
        self.state().waiting = Some(Waiting { since, event });
        self.changed.notify_waiters();
        let Ok(event) = received.await else { return plain(500, Bytes::new()) };
        let deadline = now() / 1_000_000 + TIMEOUT.as_millis();
        let id = {
            let mut state = self.state();
            state.invocations += 1;
            state.handed_at = now();
            format!("0a1b2c3d-0000-4000-8000-{:012x}", state.invocations)
        };
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

    /// `POST …/response` and `…/error`.
    pub fn answered(&self, path: &str, answer: &[u8]) -> Response<Body> {
        let text = if answer.len() > 1 << 20 { String::new() } else { String::from_utf8_lossy(answer).into_owned() };
        let mut state = self.state();
        let (handed_at, failed) = (state.handed_at, path.ends_with("/error"));
        state.answer = Some(Answer { handed_at, answered_at: now(), failed, bytes: answer.len(), text });
        drop(state);
        self.changed.notify_waiters();
        plain(202, Bytes::new())
    }

    /// Waits until the function waits for an event; since when it does.
    pub async fn ready(&self) -> u128 {
        self.wait_for(|state| {
            let waiting = state.waiting.as_ref().filter(|waiting| !waiting.event.is_closed());
            waiting.map(|waiting| waiting.since)
        })
        .await
    }

    /// Hands an event over and waits for the answer.
    pub async fn invoke(&self, event: Bytes) -> Answer {
        self.ready().await;
        {
            let mut state = self.state();
            state.answer = None;
            if let Some(waiting) = state.waiting.take() {
                let _ = waiting.event.send(event);
            }
        }
        self.wait_for(|state| state.answer.take()).await
    }

    /// Forgets a function that was killed.
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
