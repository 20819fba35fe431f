//! Puts findings on an EventBridge event bus.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_eventbridge::{
    Client,
    config::Region,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use aws_types::SdkConfig;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    aws::{backoff::Backoff, error::describe},
    error::Error,
    messages::message::Message,
    network::arn::Arn,
};

/// The source of the events. Sources of AWS begin with `aws.`.
pub const SOURCE: &str = "gatewatch";
/// The detail type of the events.
pub const DETAIL_TYPE: &str = "gatewatch finding";
/// The maximum number of events in a call
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).
const MAX_ENTRIES: usize = 10;
/// The maximum size of a call in bytes: EventBridge accepts 1 MB, and counts source, detail type and detail
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>).
const MAX_BYTES: usize = 1_000_000;
/// The first and the longest wait before events are sent again that EventBridge did not accept.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// The errors of single events that a later attempt can end.
const RETRIED: [&str; 3] = ["InternalFailure", "InternalException", "ThrottlingException"];

/// An event bus.
#[derive(Clone, Debug)]
pub struct EventBus {
    /// Its name or ARN.
    name: String,
    client: Client,
}

/// The ids of the findings in a message, and whether the message was accepted.
type Sent = (BTreeSet<String>, Result<(), Error>);

impl EventBus {
    /// Nothing is sent yet. The bus is the one with this name or ARN. A call reaches only buses of its own Region.
    pub(super) fn new(name: &str, shared: &SdkConfig) -> Self {
        let region = Arn::parse(name).map(|arn| Region::new(arn.region.to_owned()));
        let config = aws_sdk_eventbridge::config::Builder::from(shared);
        let config = config.region(region.or_else(|| shared.region().cloned()));
        Self { name: name.to_owned(), client: Client::from_conf(config.build()) }
    }

    /// Puts one event for each message about a VPC on the bus. EventBridge can refuse single events under HTTP 200. Those are
    /// sent again, alone, while there is time. The results are in the order of the messages.
    ///
    /// Their error is [`Error::PublishFailed`], also if the time ran out.
    pub async fn publish(&self, vpc_id: &str, messages: Vec<Message>, until: Instant) -> Vec<Sent> {
        let mut sent = Vec::with_capacity(messages.len());
        for messages in calls(messages) {
            let mut refused: Vec<Option<String>> =
                vec![Some("not accepted before the invocation's deadline".into()); messages.len()];
            // If the time runs out, `refused` says what was not accepted until then.
            let _ = timeout_at(until, self.put(&messages, &mut refused)).await;
            sent.extend(messages.into_iter().zip(refused).map(|(message, why)| {
                let error = |why| Error::PublishFailed(format!("PutEvents, about {vpc_id}: {why}"));
                (message.finding_ids, why.map_or(Ok(()), |why| Err(error(why))))
            }));
        }
        sent
    }

    /// Sends what is not accepted yet, until all is accepted or a further attempt would not help. `refused` has the reason for
    /// each message that is not accepted.
    async fn put(&self, messages: &[Message], refused: &mut [Option<String>]) {
        let mut waiting: Vec<usize> = (0..messages.len()).collect();
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            let entries = waiting.iter().map(|&at| self.entry(&messages[at])).collect();
            let results = match self.client.put_events().set_entries(Some(entries)).send().await {
                Ok(answer) => answer.entries.unwrap_or_default(),
                Err(error) => {
                    let why = describe(&error);
                    for &at in &waiting {
                        refused[at] = Some(why.clone());
                    }
                    return;
                }
            };
            let mut again = Vec::new();
            for (n, &at) in waiting.iter().enumerate() {
                refused[at] = results.get(n).map_or_else(|| Some("the answer has no result".to_owned()), refusal);
                if refused[at].as_ref().is_some_and(|code| RETRIED.contains(&code.as_str())) {
                    again.push(at);
                }
            }
            if again.is_empty() {
                return;
            }
            waiting = again;
            sleep(backoff.next_wait()).await;
        }
    }

    fn entry(&self, message: &Message) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(DETAIL_TYPE)
            .detail(&message.body)
            .build()
    }
}

/// The error code of an event that was not accepted.
fn refusal(result: &PutEventsResultEntry) -> Option<String> {
    match (&result.event_id, &result.error_code) {
        (Some(_), None) => None,
        (_, Some(code)) => Some(code.clone()),
        (None, None) => Some("the answer has no event id".to_owned()),
    }
}

/// The messages of each call.
fn calls(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut calls: Vec<Vec<Message>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let size = SOURCE.len() + DETAIL_TYPE.len() + message.body.len();
        match calls.last_mut() {
            Some(call) if call.len() < MAX_ENTRIES && bytes + size <= MAX_BYTES => {
                bytes += size;
                call.push(message);
            }
            _ => {
                bytes = size;
                calls.push(vec![message]);
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of messages in each call.
    fn sizes(bodies: &[usize]) -> Vec<usize> {
        let message = |&size: &usize| Message {
            subject: String::new(),
            body: "x".repeat(size),
            attributes: Vec::new(),
            finding_ids: BTreeSet::new(),
        };
        calls(bodies.iter().map(message).collect()).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_call_has_at_most_ten_events_and_a_megabyte() {
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        assert_eq!(sizes(&[1; 21]), [10, 10, 1]);
        let overhead = SOURCE.len() + DETAIL_TYPE.len();
        assert_eq!(sizes(&[500_000 - overhead; 2]), [2]);
        assert_eq!(sizes(&[500_000 - overhead, 500_001 - overhead, 1]), [1, 2]);
    }
}
