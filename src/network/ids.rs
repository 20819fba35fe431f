//! The ids of EC2 resources, told apart from any other text.
//!
//! Only text that passes here is ever sent to EC2 in a filter or written into a remediation command, so a tag, a name or
//! a forged record cannot become part of either.

/// The prefix of a VPC's id.
pub const VPC: &str = "vpc-";
/// The prefix of a subnet's id.
pub const SUBNET: &str = "subnet-";
/// The prefix of a route table's id.
pub const ROUTE_TABLE: &str = "rtb-";
/// The prefix of a VPC endpoint's id.
pub const ENDPOINT: &str = "vpce-";

/// Whether `text` is `prefix` and 8 to 17 lower-case hexadecimal digits.
///
/// EC2 gave 8 digits before 2018 and gives 17 since
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>).
#[must_use]
pub fn is_id(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        (8..=17).contains(&digits.len()) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether `text` is, beyond doubt, the id of a resource of another kind than these, such as `i-0a1b2c3d`. An id that
/// begins like one of them may be one of them, misspelled.
#[must_use]
pub fn is_id_of_none(prefixes: &[&str], text: &str) -> bool {
    let Some(hyphen) = text.rfind('-') else { return false };
    let kind = &text[..=hyphen];
    is_id(kind, text)
        && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        && !prefixes.iter().any(|prefix| kind.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_both_lengths_are_ids() {
        assert!(is_id(VPC, "vpc-0a1b2c3d"));
        assert!(is_id(ROUTE_TABLE, "rtb-0a1b2c3d4e5f60001"));
    }

    #[test]
    fn an_id_of_another_kind_is_told_from_a_misspelled_one() {
        for text in ["i-0a1b2c3d", "tgw-attach-0a1b2c3d4e5f60001", "vpce-0a1b2c3d"] {
            assert!(is_id_of_none(&[VPC, ROUTE_TABLE], text), "{text:?}");
        }
        for text in ["vpc-0a1b2c3d", "rtb-i-0a1b2c3d", "rtb-0a1b2c3d-0a1b2c3d", "0a1b2c3d", "i-0a1b", "I-0a1b2c3d", ""]
        {
            assert!(!is_id_of_none(&[VPC, ROUTE_TABLE], text), "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for text in [
            "",
            "vpc-",
            "vpc-0a1b2c3",
            "vpc-0a1b2c3d4e5f600012",
            "vpc-0A1B2C3D",
            "vpce-0a1b2c3d",
            "vpc-0a1b2c3d; rm -rf /",
            "vpc-0a1b2c3g",
            " vpc-0a1b2c3d",
            "vpc-0a1b2c3d\n",
        ] {
            assert!(!is_id(VPC, text), "{text:?}");
        }
    }
}
