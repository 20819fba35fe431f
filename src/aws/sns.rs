//! Publishes messages to SNS topics.

use aws_sdk_sns::{Client, types::MessageAttributeValue};
use tokio::time::{Instant, timeout_at};

use crate::{
    channel::Channel,
    aws::error::describe,
    error::Error,
    messages::message::{Attribute, Message},
};

/// A topic and its client.
#[derive(Clone, Debug)]
pub struct SnsTopic {
    /// The format that its subscribers receive.
    pub channel: Channel,
    /// The ARN of the topic.
    pub topic_arn: String,
    /// A client in the Region of the topic.
    pub client: Client,
}

impl SnsTopic {
    /// Publishes one message about a VPC.
    ///
    /// # Errors
    ///
    /// [`Error::PublishFailed`], also if its time ran out.
    pub async fn publish(&self, vpc_id: &str, message: &Message, until: Instant) -> Result<(), Error> {
        timeout_at(until, self.publish_now(message))
            .await
            .unwrap_or_else(|_| Err("not accepted before the invocation's deadline".to_owned()))
            .map_err(|why| {
                let form = match self.channel {
                    Channel::Json => String::new(),
                    other => format!(" as {}", other.name()),
                };
                Error::PublishFailed(format!("Publish{form}, about {vpc_id}: {why}"))
            })
    }

    async fn publish_now(&self, message: &Message) -> Result<(), String> {
        let mut call =
            self.client.publish().topic_arn(&self.topic_arn).subject(&message.subject).message(&message.body);
        for attribute in &message.attributes {
            call = call.message_attributes(attribute.name, value(attribute)?);
        }
        call.send().await.map_err(|error| describe(&error))?;
        Ok(())
    }
}

fn value(Attribute { name, data_type, value }: &Attribute) -> Result<MessageAttributeValue, String> {
    MessageAttributeValue::builder()
        .data_type(*data_type)
        .string_value(value)
        .build()
        .map_err(|error| format!("attribute {name}: {error}"))
}
