//! The message about accounts that a hub cannot read, and about those that it can read again.

use std::collections::BTreeSet;

use super::{
    chat,
    json::enrollment::Enrollment,
    message::{Attribute, Message, counted, string_array, subject},
    untrusted_text::{plain, quoted},
};
use crate::{
    channel::Channel,
    coverage::enrollment_changes::{EnrollmentChange, EnrollmentChanges},
    network::enrollment::NotEnrolled,
};

/// The maximum number of accounts that a message names. The overview has all of them. A chat card has less room.
const MAX_ACCOUNTS: usize = 100;
const MAX_ACCOUNTS_IN_CARD: usize = 10;

/// The message for a channel.
#[must_use]
pub fn render(changes: &EnrollmentChanges, channel: Channel) -> Message {
    let title = title(changes);
    let body = match channel {
        Channel::Json | Channel::Events => {
            let shown = Shown::of(changes, MAX_ACCOUNTS);
            let message = Enrollment::new(shown.not_enrolled, shown.enrolled, shown.omitted);
            serde_json::to_string(&message).unwrap_or_default()
        }
        Channel::Text => lines(&Shown::of(changes, MAX_ACCOUNTS), quoted).join("\n"),
        Channel::Chat => {
            let lines = lines(&Shown::of(changes, MAX_ACCOUNTS_IN_CARD), chat::code);
            chat::plain_card(&title, &lines.join("\n"))
        }
    };
    Message {
        subject: subject(format!("gatewatch: {title}")),
        body,
        attributes: vec![attribute(changes)],
        finding_ids: BTreeSet::new(),
    }
}

/// What a filter policy can match on. A finding never has these changes.
fn attribute(changes: &EnrollmentChanges) -> Attribute {
    let names = [("enrolled", &changes.enrolled), ("not_enrolled", &changes.not_enrolled)];
    string_array("changes", &names.into_iter().filter(|(_, of)| !of.is_empty()).map(|(name, _)| name).collect())
}

/// Such as `2 accounts cannot be read, 1 account can be read again`.
fn title(changes: &EnrollmentChanges) -> String {
    let part = |changes: &[EnrollmentChange], state: &str| {
        let accounts: BTreeSet<&str> = changes.iter().map(|change| change.account.as_str()).collect();
        (!accounts.is_empty()).then(|| format!("{} {state}", counted(accounts.len(), "account")))
    };
    let parts = [part(&changes.not_enrolled, "cannot be read"), part(&changes.enrolled, "can be read again")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The changes that fit into a message.
struct Shown<'a> {
    not_enrolled: &'a [EnrollmentChange],
    enrolled: &'a [EnrollmentChange],
    omitted: usize,
}

impl<'a> Shown<'a> {
    fn of(changes: &'a EnrollmentChanges, max: usize) -> Self {
        let EnrollmentChanges { not_enrolled, enrolled } = changes;
        let first = not_enrolled.len().min(max);
        let second = enrolled.len().min(max - first);
        Self {
            not_enrolled: &not_enrolled[..first],
            enrolled: &enrolled[..second],
            omitted: not_enrolled.len() + enrolled.len() - first - second,
        }
    }
}

/// The text. `show` makes a name safe for the format.
fn lines(shown: &Shown<'_>, show: fn(&str) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    if !shown.not_enrolled.is_empty() {
        lines.push("gatewatch cannot read these accounts, so it does not watch them:".to_owned());
        lines.extend(
            shown
                .not_enrolled
                .iter()
                .map(|change| format!("- {} because {}{}", place(change), why(change.reason), name(change, show))),
        );
        lines.push("The guide docs/organization.md of gatewatch says how to enroll an account.".to_owned());
    }
    if !shown.enrolled.is_empty() {
        lines.push("gatewatch can read these accounts again, and watches them:".to_owned());
        lines.extend(shown.enrolled.iter().map(|change| format!("- {}{}", place(change), name(change, show))));
    }
    if shown.omitted > 0 {
        lines.push(format!(
            "{} more are in the overview: invoke the function with {{\"coverage\": true}}.",
            shown.omitted
        ));
    }
    lines
}

/// Such as `111122223333 in eu-west-1, us-east-1`.
fn place(change: &EnrollmentChange) -> String {
    let regions: Vec<String> = change.regions.iter().map(|region| plain(region)).collect();
    format!("{} in {}", plain(&change.account), regions.join(", "))
}

/// The name of the account, at the end of its line: letters that are written from right to left reorder nothing there.
fn name(change: &EnrollmentChange, show: fn(&str) -> String) -> String {
    change.account_name.as_deref().map_or_else(String::new, |name| format!(". Its name is {}", show(name)))
}

fn why(reason: NotEnrolled) -> &'static str {
    match reason {
        NotEnrolled::AccessDenied => "the member role is missing or does not trust the hub",
        NotEnrolled::RegionDisabled => "the Region is not enabled in the account",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::schemas::assert_enrollment;

    fn change(account: &str, name: Option<&str>, reason: NotEnrolled) -> EnrollmentChange {
        EnrollmentChange {
            account: account.into(),
            account_name: name.map(str::to_owned),
            regions: ["eu-west-1", "us-east-1"].map(str::to_owned).into(),
            reason,
        }
    }

    fn changes() -> EnrollmentChanges {
        EnrollmentChanges {
            not_enrolled: vec![
                change("111122223333", Some("*team*\n[a](b)"), NotEnrolled::AccessDenied),
                change("222233334444", None, NotEnrolled::RegionDisabled),
            ],
            enrolled: vec![change("333344445555", None, NotEnrolled::AccessDenied)],
        }
    }

    #[test]
    fn the_message_for_programs_names_accounts_regions_and_reasons() {
        let message = render(&changes(), Channel::Json);
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_enrollment(&body);
        let regions = json!(["eu-west-1", "us-east-1"]);
        assert_eq!(
            body,
            json!({
                "schema": "gatewatch.enrollment/v1",
                "notEnrolled": [
                    {
                        "account": "111122223333", "accountName": "*team*\n[a](b)", "regions": regions,
                        "reason": "access_denied"
                    },
                    {"account": "222233334444", "regions": regions, "reason": "region_disabled"}
                ],
                "enrolled": [{"account": "333344445555", "regions": regions, "reason": "access_denied"}],
                "omitted": 0
            })
        );
        assert_eq!(message.subject, "gatewatch: 2 accounts cannot be read, 1 account can be read again");
        assert_eq!(
            message.attributes,
            [Attribute { name: "changes", data_type: "String.Array", value: "[\"enrolled\",\"not_enrolled\"]".into() }]
        );
    }

    #[test]
    fn the_text_says_why_an_account_cannot_be_read() {
        assert_eq!(
            render(&changes(), Channel::Text).body,
            "gatewatch cannot read these accounts, so it does not watch them:\n\
             - 111122223333 in eu-west-1, us-east-1 because the member role is missing or does not trust the hub. Its name \
             is \"*team*\\n[a](b)\"\n\
             - 222233334444 in eu-west-1, us-east-1 because the Region is not enabled in the account\n\
             The guide docs/organization.md of gatewatch says how to enroll an account.\n\
             gatewatch can read these accounts again, and watches them:\n\
             - 333344445555 in eu-west-1, us-east-1"
        );
    }

    #[test]
    fn a_card_shows_a_name_as_code_and_fits_into_a_chat() {
        let many = EnrollmentChanges {
            not_enrolled: (0..50)
                .map(|_| change("111122223333", Some(&"`x".repeat(200)), NotEnrolled::AccessDenied))
                .collect(),
            enrolled: Vec::new(),
        };
        let card: Value = serde_json::from_str(&render(&many, Channel::Chat).body).unwrap();
        let description = card["content"]["description"].as_str().unwrap();
        assert!(description.chars().count() <= 8000, "{}", description.chars().count());
        assert!(description.ends_with("40 more are in the overview: invoke the function with {\"coverage\": true}."));
        assert_eq!(card["content"]["title"], "1 account cannot be read");
        assert_eq!(description.matches("``").count(), 0);
    }
}
