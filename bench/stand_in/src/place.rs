//! The account and Region that a call is about. Its signature names both: STS hands out sessions that name their account.

use crate::network::{ACCOUNT, REGION};

/// What the id of a session begins with.
pub const SESSION: &str = "ASIA";

/// An account and a Region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
}

impl Place {
    /// Reads the header `Authorization`, which has `Credential=KEY/DATE/REGION/SERVICE/aws4_request`. Any other key than
    /// that of a session belongs to the account of the function.
    pub fn of(signature: &str) -> Self {
        let scope = signature.split_once("Credential=").map(|(_, scope)| scope).unwrap_or_default();
        let mut parts = scope.split('/');
        let key = parts.next().unwrap_or_default();
        Self {
            account: key.strip_prefix(SESSION).unwrap_or(ACCOUNT).to_owned(),
            region: parts.nth(1).unwrap_or_default().to_owned(),
        }
    }

    /// An answer with the resources of this account and Region. All have the same network.
    pub fn owned(&self, mut answer: String) -> String {
        for (usual, own) in [(ACCOUNT, &self.account), (REGION, &self.region)] {
            if usual != own {
                answer = answer.replace(usual, own);
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_about_the_account_of_its_session_and_the_region_of_its_signature() {
        let place = |key: &str| {
            let place =
                Place::of(&format!("AWS4-HMAC-SHA256 Credential={key}/20261127/us-east-1/ec2/aws4_request, x=y"));
            (
                place.account.clone(),
                place.region.clone(),
                place.owned("123456789012 com.amazonaws.eu-west-1.s3".to_owned()),
            )
        };
        let of = |account: &str| {
            (account.to_owned(), "us-east-1".to_owned(), format!("{account} com.amazonaws.us-east-1.s3"))
        };
        assert_eq!(place("test"), of("123456789012"));
        assert_eq!(place(&format!("{SESSION}111122223333")), of("111122223333"));
    }
}
