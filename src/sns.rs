//! The one place where SNS is written.

use aws_sdk_sns::{Client, types::MessageAttributeValue};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use crate::{
    aws_error::describe,
    error::Error,
    notification::{Attribute, Message, Published},
    settings::Topic,
};

/// How many messages are under way at once. A sweep may find something in many VPCs.
const AT_ONCE: usize = 8;

/// Publishes every message, whatever becomes of the others, and tells how each fared, in their order.
///
/// The error of a message is [`Error::PublishFailed`], also where its time ran out.
pub async fn publish(client: &Client, topic: &Topic, messages: &[Message], until: Instant) -> Vec<Published> {
    stream::iter(messages)
        .map(|message| async move {
            let result = timeout_at(until, publish_one(client, topic, message))
                .await
                .unwrap_or_else(|_| Err(failed(message, "not taken before the invocation's deadline")));
            Published { vpc_id: message.vpc_id.clone(), result }
        })
        .buffered(AT_ONCE)
        .collect()
        .await
}

async fn publish_one(client: &Client, topic: &Topic, message: &Message) -> Result<(), Error> {
    let mut call = client.publish().topic_arn(&topic.arn).subject(&message.subject).message(&message.body);
    for attribute in &message.attributes {
        call = call.message_attributes(attribute.name, value(attribute)?);
    }
    call.send().await.map_err(|error| failed(message, &describe(&error)))?;
    Ok(())
}

fn value(Attribute { name, data_type, value }: &Attribute) -> Result<MessageAttributeValue, Error> {
    MessageAttributeValue::builder()
        .data_type(*data_type)
        .string_value(value)
        .build()
        .map_err(|error| Error::PublishFailed(format!("Publish: attribute {name}: {error}")))
}

fn failed(message: &Message, why: &str) -> Error {
    Error::PublishFailed(format!("Publish, about {}: {why}", message.vpc_id))
}
