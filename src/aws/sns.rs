//! Publishes messages to SNS topics.

use aws_sdk_sns::{
    Client,
    config::retry::RetryConfig,
    error::SdkError,
    operation::get_topic_attributes::{
        GetTopicAttributesError, GetTopicAttributesOutput, builders::GetTopicAttributesFluentBuilder,
    },
    types::MessageAttributeValue,
};
use tokio::time::{Instant, timeout_at};

use crate::{
    aws::error::describe,
    channel::Channel,
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

    /// Whether the topic has a confirmed subscription. SNS accepts messages for a topic without one, and nobody receives
    /// them (<https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html>).
    ///
    /// # Errors
    ///
    /// Why it is not known, for the log.
    pub async fn has_subscribers(&self) -> Result<bool, String> {
        has_subscribers(self.get_attributes().send().await)
    }

    /// As [`SnsTopic::has_subscribers`], but a failed call is not repeated.
    ///
    /// # Errors
    ///
    /// Why it is not known, for the log.
    pub async fn has_subscribers_in_one_attempt(&self) -> Result<bool, String> {
        let one_attempt = aws_sdk_sns::config::Builder::new().retry_config(RetryConfig::disabled());
        has_subscribers(self.get_attributes().customize().config_override(one_attempt).send().await)
    }

    fn get_attributes(&self) -> GetTopicAttributesFluentBuilder {
        self.client.get_topic_attributes().topic_arn(&self.topic_arn)
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

fn has_subscribers(
    answer: Result<GetTopicAttributesOutput, SdkError<GetTopicAttributesError>>,
) -> Result<bool, String> {
    let attributes = answer.map_err(|error| describe(&error))?.attributes.unwrap_or_default();
    let confirmed = attributes.get("SubscriptionsConfirmed").and_then(|count| count.parse::<u64>().ok());
    confirmed.map(|count| count > 0).ok_or_else(|| "the answer has no SubscriptionsConfirmed".to_owned())
}

fn value(Attribute { name, data_type, value }: &Attribute) -> Result<MessageAttributeValue, String> {
    MessageAttributeValue::builder()
        .data_type(*data_type)
        .string_value(value)
        .build()
        .map_err(|error| format!("attribute {name}: {error}"))
}
