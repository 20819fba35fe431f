//! STS: lets everybody assume every role. A session names its account, and ends an hour later.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

use crate::place::SESSION;

/// The duration of a session that names none
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const VALIDITY: Duration = Duration::from_hours(1);

/// The answer to `AssumeRole`: status and body.
pub fn answer(form: &HashMap<String, String>, now: SystemTime) -> (u16, String) {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let role: Vec<&str> = field("RoleArn").split(':').collect();
    let [_, partition, "iam", "", account, name] = role[..] else {
        return (400, "<ErrorResponse><Error><Code>ValidationError</Code></Error></ErrorResponse>".to_owned());
    };
    let (role, session) = (name.trim_start_matches("role/"), field("RoleSessionName"));
    let end = Timestamp::try_from(now + VALIDITY).unwrap_or(Timestamp::MAX);
    let body = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <SourceIdentity>{}</SourceIdentity><AssumedRoleUser><AssumedRoleId>AROA0A1B2C3D4E5F:{session}</AssumedRoleId>\
         <Arn>arn:{partition}:sts::{account}:assumed-role/{role}/{session}</Arn></AssumedRoleUser><Credentials>\
         <AccessKeyId>{SESSION}{account}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{end:.0}</Expiration></Credentials></AssumeRoleResult>\
         <ResponseMetadata><RequestId>0a1b2c3d-0000-4000-8000-000000000000</RequestId></ResponseMetadata>\
         </AssumeRoleResponse>",
        field("SourceIdentity"),
        // As long as one of AWS, which is part of each signed request.
        "t".repeat(1000)
    );
    (200, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_names_its_account_and_ends_an_hour_later() {
        let form = [("RoleArn", "arn:aws:iam::111122223333:role/gatewatch-read"), ("RoleSessionName", "gatewatch")];
        let form = form.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let (status, body) = answer(&form, SystemTime::UNIX_EPOCH);
        assert_eq!(status, 200);
        for part in [
            "<AccessKeyId>ASIA111122223333</AccessKeyId>",
            "<Expiration>1970-01-01T01:00:00Z</Expiration>",
            "<Arn>arn:aws:sts::111122223333:assumed-role/gatewatch-read/gatewatch</Arn>",
        ] {
            assert!(body.contains(part), "{body}");
        }
        assert_eq!(answer(&HashMap::new(), SystemTime::UNIX_EPOCH).0, 400);
    }
}
