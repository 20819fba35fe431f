//! What SNS subscribers receive: what there is to tell about one VPC, written for each channel in its own form.
//!
//! Pure: names no SDK type, does no I/O and reads no clock. Names, tags and principals are data: they stand in bodies
//! alone, escaped for the form; subjects, summaries and attributes are made of ids and of our own words.

mod chat;
mod json;
#[cfg(test)]
mod people;
mod text;
mod words;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    channel::Channel,
    ledger::LedgerState,
    notice::{Change, Notice},
    payload::Trigger,
    plan::Plan,
    severity::Severity,
    touched::Touched,
    vpc::Network,
};

/// A message as SNS takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// At most 99 printable ASCII characters.
    pub subject: String,
    /// In the form of its channel. With subject and attributes at most 256 KiB.
    pub body: String,
    /// What filter policies match on
    /// (<https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html>).
    pub attributes: Vec<Attribute>,
    /// The ids of the findings that it tells.
    pub finding_ids: BTreeSet<String>,
}

/// A message attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// `String`, or `String.Array` for a JSON list of strings.
    pub data_type: &'static str,
    /// Its value, never empty: SNS takes no empty one.
    pub value: String,
}

/// The longest subject, in bytes: SNS wants fewer than 100 characters
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
const MAX_SUBJECT: usize = 99;

/// The largest message, in bytes, subject and attributes counted: 256 KiB
/// (<https://docs.aws.amazon.com/general/latest/gr/sns.html>).
const MAX_MESSAGE: usize = 256 * 1024;

/// What there is to tell about one VPC, before it takes a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The account, 12 digits; empty where it is not known.
    pub account: &'a str,
    /// The Region.
    pub region: &'a str,
    /// The VPC.
    pub vpc_id: &'a str,
    /// The value of its `Name` tag. Somebody else wrote it.
    pub vpc_name: Option<&'a str>,
    /// The newest record that touched the VPC.
    pub trigger: Option<&'a Trigger>,
    /// How many records touched it.
    pub triggers: usize,
    /// Whether what is told is remembered.
    pub ledger: LedgerState,
    /// When the spell of trouble began that this belongs to; `None` without a ledger.
    pub thread: Option<Timestamp>,
    /// The key of the tag that exempts.
    pub exempt_tag: &'a str,
    /// What is told, by table and service. Never empty.
    pub notices: Vec<&'a Notice>,
}

/// What all notifications of an invocation have in common.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The network.
    pub network: &'a Network,
    /// What each record touched.
    pub touched: &'a [Touched<'a>],
    /// Whether what is told is remembered.
    pub ledger: LedgerState,
    /// The key of the tag that exempts.
    pub exempt_tag: &'a str,
}

impl<'a> Notification<'a> {
    /// What a plan has to tell on a channel; `None` where that is nothing.
    #[must_use]
    pub fn of(plan: &'a Plan, channel: Channel, circumstances: &Circumstances<'a>) -> Option<Self> {
        let Circumstances { network, touched, ledger, exempt_tag } = *circumstances;
        let notices: Vec<&Notice> = (plan.steps.iter())
            .filter(|step| step.channels.contains(&channel))
            .filter_map(|step| step.notice.as_ref())
            .collect();
        let first = notices.first()?;
        let touching = || touched.iter().filter(|t| t.vpc_ids.contains(&plan.vpc_id)).map(|touched| touched.record);
        Some(Self {
            account: &first.finding.account,
            region: &first.finding.region,
            vpc_id: &plan.vpc_id,
            vpc_name: network.vpcs.iter().find(|vpc| vpc.id == plan.vpc_id).and_then(|vpc| vpc.name.as_deref()),
            // Of records of the same second, and of those without a time, the last in the batch counts as the newest.
            trigger: touching().max_by_key(|record| record.time).map(|record| &record.trigger),
            triggers: touching().count(),
            ledger,
            thread: plan.thread,
            exempt_tag,
            notices,
        })
    }

    /// The messages that tell it on this channel: one, or several where one would be too large.
    #[must_use]
    pub fn messages(&self, channel: Channel) -> Vec<Message> {
        match channel {
            Channel::Json => json::messages(self),
            Channel::Text => text::messages(self),
            Channel::Chat => chat::messages(self),
        }
    }

    /// The worst severity of all that is told, what is over included: who asked for the bad ones is to hear of their end.
    fn severity(&self) -> Severity {
        self.notices.iter().map(|notice| notice.finding.severity).max().unwrap_or(Severity::Low)
    }

    /// The worst severity of what stands; `None` where all is over.
    fn standing_severity(&self) -> Option<Severity> {
        self.standing().map(|notice| notice.finding.severity).max()
    }

    /// What stands.
    fn standing(&self) -> impl Iterator<Item = &'a Notice> {
        self.notices.iter().copied().filter(|notice| !notice.is_resolved())
    }

    /// What is over.
    fn resolved(&self) -> impl Iterator<Item = &'a Notice> {
        self.notices.iter().copied().filter(|notice| notice.is_resolved())
    }

    /// What is in brackets at the start of a subject or title: the severity of what stands, or that nothing does.
    fn label(&self) -> &'static str {
        self.standing_severity().map_or("RESOLVED", Severity::name)
    }

    fn attributes(&self) -> Vec<Attribute> {
        let string = |name, value: &str| Attribute { name, data_type: "String", value: value.to_owned() };
        let services = self.notices.iter().map(|notice| notice.finding.service.name()).collect();
        let changes = self.notices.iter().map(|notice| notice.change).collect::<BTreeSet<Change>>();
        let mut attributes = vec![
            string("severity", self.severity().name()),
            string("account", self.account),
            string("region", self.region),
            string("vpcId", self.vpc_id),
            list("services", &services),
            list("changes", &changes.into_iter().map(Change::name).collect()),
        ];
        attributes.retain(|attribute| !attribute.value.is_empty());
        attributes
    }

    /// The ids of all findings that are told.
    fn finding_ids(&self) -> BTreeSet<String> {
        self.notices.iter().map(|notice| notice.finding.id.clone()).collect()
    }
}

/// A list of words of ours, lower-case letters and digits: quotes around each make the JSON list.
fn list(name: &'static str, words: &BTreeSet<&str>) -> Attribute {
    let words: Vec<&str> = words.iter().copied().collect();
    Attribute { name, data_type: "String.Array", value: format!("[\"{}\"]", words.join("\",\"")) }
}

impl Attribute {
    /// What SNS counts: name, type and value (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>).
    fn size(&self) -> usize {
        self.name.len() + self.data_type.len() + self.value.len()
    }
}

/// A subject that SNS takes. Ids and Regions are ASCII; whatever else an emulator might call an id is left out.
fn subject(mut text: String) -> String {
    text.retain(|c| c == ' ' || c.is_ascii_graphic());
    text.truncate(MAX_SUBJECT);
    text
}

/// Such as `1 finding`, `3 findings`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_short_printable_ascii() {
        assert_eq!(subject("[LOW] a\n\u{1f4a5}\u{7f}\tñ~ b".into()), "[LOW] a~ b");
        assert_eq!(subject("x".repeat(200)), "x".repeat(99));
    }

    #[test]
    fn of_an_attribute_name_type_and_value_count() {
        assert_eq!(Attribute { name: "region", data_type: "String", value: "eu-west-1".into() }.size(), 6 + 6 + 9);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "finding")), ["0 findings", "1 finding", "2 findings"]);
    }
}
