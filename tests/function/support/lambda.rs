//! The Runtime API of Lambda (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>): sends one event to the real
//! binary and receives its answer.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

use crate::schemas::{assert_answer, assert_error};

/// The result of an event.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// It answered.
    Response(Value),
    /// It failed: the error type of the header, and the message.
    Error(String, String),
    /// It did not start: the error type of the header, and the message.
    InitError(String, String),
}

/// An invocation, and what the function wrote to its log.
#[derive(Debug)]
pub struct Invocation {
    pub outcome: Outcome,
    pub log: String,
}

/// How long after its deadline a function may still answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);
const REQUEST_ID: &str = "0a1b2c3d-0000-4000-8000-0000000000ff";

/// Starts the binary with these variables and sends it one event with this time left.
pub async fn invoke(variables: &[(&str, &str)], event: &Value, time_left: Duration) -> Invocation {
    invoke_after(variables, &[], event, time_left).await
}

/// The same, after other events that the same process has handled. Their answers are not looked at.
pub async fn invoke_after(
    variables: &[(&str, &str)],
    earlier: &[Value],
    event: &Value,
    time_left: Duration,
) -> Invocation {
    let api = runtime_api(earlier, event, time_left).await;
    let mut function = start(variables, &api.uri());
    let outcome = answer(&api, earlier.len(), time_left + LONGEST_ANSWER).await;
    let _ = function.kill();
    let mut log = String::new();
    if let Some(output) = function.stdout.as_mut() {
        let _ = output.read_to_string(&mut log);
    }
    let _ = function.wait();
    // A server that is dropped waits for a lock of tokio. A task that has used up its budget would wait forever
    // (<https://docs.rs/tokio/latest/tokio/task/coop/index.html>), so the task starts with a new one.
    tokio::task::yield_now().await;
    match outcome {
        Some(outcome) => Invocation { outcome, log },
        None => panic!("the function answered nothing; its log:\n{log}"),
    }
}

/// The report that an invocation answered.
pub fn report(invocation: Invocation) -> Value {
    match invocation.outcome {
        Outcome::Response(report) => report,
        other => panic!("{other:?}\n{}", invocation.log),
    }
}

/// Starts the binary without an event. Returns how long it took until it waited for one.
pub async fn start_without_event(variables: &[(&str, &str)]) -> Duration {
    let api = MockServer::builder().start().await;
    let waiting = ResponseTemplate::new(200).set_delay(LONGEST_ANSWER * 2);
    Mock::given(method("GET")).respond_with(waiting).mount(&api).await;
    let started_at = Instant::now();
    let mut function = start(variables, &api.uri());
    while api.received_requests().await.unwrap_or_default().is_empty() && started_at.elapsed() < LONGEST_ANSWER {
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = started_at.elapsed();
    let _ = function.kill();
    let _ = function.wait();
    tokio::task::yield_now().await;
    took
}

async fn runtime_api(earlier: &[Value], event: &Value, time_left: Duration) -> MockServer {
    let api = MockServer::builder().start().await;
    let deadline = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + time_left;
    let next = || Mock::given(method("GET")).and(path("/2018-06-01/runtime/invocation/next"));
    for event in earlier.iter().chain([event]) {
        let answer = ResponseTemplate::new(200)
            .set_body_json(event)
            .insert_header("lambda-runtime-aws-request-id", REQUEST_ID)
            .insert_header("lambda-runtime-deadline-ms", deadline.as_millis().to_string().as_str())
            .insert_header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-west-1:123456789012:function:gatewatch",
            );
        next().respond_with(answer).up_to_n_times(1).mount(&api).await;
    }
    // There is no other event. The wait is short, because on a busy machine the server may outlive its test by it.
    let never = time_left + LONGEST_ANSWER + Duration::from_secs(5);
    next().respond_with(ResponseTemplate::new(200).set_delay(never)).mount(&api).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(202)).mount(&api).await;
    api
}

/// Starts the binary without the environment of this process, so that no real account is ever reached.
fn start(variables: &[(&str, &str)], runtime_api: &str) -> Child {
    let address = runtime_api.trim_start_matches("http://");
    let spawned = Command::new(env!("CARGO_BIN_EXE_gatewatch"))
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", address),
            ("AWS_LAMBDA_FUNCTION_NAME", "gatewatch"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/gatewatch"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "1"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ])
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .spawn();
    match spawned {
        Ok(child) => child,
        Err(error) => panic!("the binary does not start: {error}"),
    }
}

/// Waits for the answer of the function that follows so many other answers.
async fn answer(api: &MockServer, others: usize, longest: Duration) -> Option<Outcome> {
    let until = Instant::now() + longest;
    while Instant::now() < until {
        let requests = api.received_requests().await.unwrap_or_default();
        if let Some(post) = requests.iter().filter(|request| request.method == "POST").nth(others) {
            let body: Value = serde_json::from_slice(&post.body).unwrap_or_default();
            let error_type = post
                .headers
                .get("lambda-runtime-function-error-type")
                .map_or("", |value| value.to_str().unwrap_or_default());
            let message = body["errorMessage"].as_str().unwrap_or_default().to_owned();
            return Some(match post.url.path().rsplit('/').take(2).collect::<Vec<_>>().as_slice() {
                ["response", REQUEST_ID] => {
                    assert_answer(&body);
                    Outcome::Response(body)
                }
                ["error", "init"] => {
                    assert_error(&body);
                    Outcome::InitError(error_type.to_owned(), message)
                }
                ["error", REQUEST_ID] => {
                    assert_error(&body);
                    Outcome::Error(body["errorType"].as_str().unwrap_or_default().to_owned(), message)
                }
                other => panic!("the function posted to {other:?}"),
            });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}
