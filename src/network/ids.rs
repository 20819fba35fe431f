//! The format of EC2 resource ids.
//!
//! Only text that passes these checks is sent to EC2 in a filter or written into a remediation command. So a tag, a
//! name or a forged record cannot become part of either.

/// The prefix of a VPC id.
pub const VPC: &str = "vpc-";
/// The prefix of a subnet id.
pub const SUBNET: &str = "subnet-";
/// The prefix of a route table id.
pub const ROUTE_TABLE: &str = "rtb-";
/// The prefix of a VPC endpoint id.
pub const ENDPOINT: &str = "vpce-";

/// The prefix of the id of a prefix list.
pub const PREFIX_LIST: &str = "pl-";
/// The prefix of a NAT gateway id.
pub const NAT_GATEWAY: &str = "nat-";
/// The prefix of a security group id.
pub const SECURITY_GROUP: &str = "sg-";

/// Whether `text` is `prefix` followed by 8 to 17 lower-case hexadecimal digits.
///
/// EC2 assigned 8 digits before 2018, and has assigned 17 since then
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>).
#[must_use]
pub fn is_id(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        (8..=17).contains(&digits.len()) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether `text` is certainly the id of another kind of resource than those with these prefixes, such as `i-0a1b2c3d`.
/// An id that begins with one of the prefixes may be a misspelled id of that kind, so it does not count.
#[must_use]
pub fn is_id_of_other_kind(prefixes: &[&str], text: &str) -> bool {
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
    fn short_and_long_ids_are_ids() {
        assert!(is_id(VPC, "vpc-0a1b2c3d"));
        assert!(is_id(ROUTE_TABLE, "rtb-0a1b2c3d4e5f60001"));
    }

    #[test]
    fn a_misspelled_id_is_not_an_id_of_another_kind() {
        for text in ["i-0a1b2c3d", "tgw-attach-0a1b2c3d4e5f60001", "vpce-0a1b2c3d"] {
            assert!(is_id_of_other_kind(&[VPC, ROUTE_TABLE], text), "{text:?}");
        }
        for text in ["vpc-0a1b2c3d", "rtb-i-0a1b2c3d", "rtb-0a1b2c3d-0a1b2c3d", "0a1b2c3d", "i-0a1b", "I-0a1b2c3d", ""]
        {
            assert!(!is_id_of_other_kind(&[VPC, ROUTE_TABLE], text), "{text:?}");
        }
    }

    #[test]
    fn other_text_is_not_an_id() {
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
