//! A message as SNS accepts it, and the limits of SNS.

use std::collections::BTreeSet;

/// A message as SNS accepts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// At most 99 printable ASCII characters.
    pub subject: String,
    /// The text in the format of its channel. Together with subject and attributes at most 256 KiB.
    pub body: String,
    /// The attributes that filter policies match on
    /// (<https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html>).
    pub attributes: Vec<Attribute>,
    /// The ids of the findings in the message.
    pub finding_ids: BTreeSet<String>,
}

/// A message attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// `String`, or `String.Array` for a JSON list of strings.
    pub data_type: &'static str,
    /// Its value, never empty: SNS accepts no empty value.
    pub value: String,
}

/// The maximum length of a subject, in bytes: SNS accepts fewer than 100 characters
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
pub(super) const MAX_SUBJECT: usize = 99;

/// The maximum size of a message, in bytes, including subject and attributes: 256 KiB
/// (<https://docs.aws.amazon.com/general/latest/gr/sns.html>).
pub(super) const MAX_MESSAGE: usize = 256 * 1024;

/// An attribute with a list of words. A list of text can always be written as JSON.
pub(super) fn string_array(name: &'static str, words: &BTreeSet<&str>) -> Attribute {
    Attribute { name, data_type: "String.Array", value: serde_json::to_string(words).unwrap_or_default() }
}

impl Attribute {
    /// The size that SNS counts, in bytes: name, type and value
    /// (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>).
    pub(super) fn size(&self) -> usize {
        self.name.len() + self.data_type.len() + self.value.len()
    }
}

/// A subject that SNS accepts. Ids and Regions are ASCII; only an emulator could send other characters, and these are
/// removed.
pub(super) fn subject(mut text: String) -> String {
    text.retain(|c| c == ' ' || c.is_ascii_graphic());
    text.truncate(MAX_SUBJECT);
    text
}

/// A count with its noun, such as `1 finding` or `3 findings`.
pub(super) fn counted(count: usize, noun: &str) -> String {
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
    fn the_size_of_an_attribute_includes_name_type_and_value() {
        assert_eq!(Attribute { name: "region", data_type: "String", value: "eu-west-1".into() }.size(), 6 + 6 + 9);
    }

    #[test]
    fn a_noun_is_singular_after_one_only() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "finding")), ["0 findings", "1 finding", "2 findings"]);
    }
}
