//! Which requests come through an endpoint: actions and resources of its service that no policy names. Whether a statement is
//! about them is tried, for every service that it may be.

use gatewatch::network::model::Endpoint;

use super::policy::{Element, Statement, is_one_like};

/// Whether a statement is about all requests of strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whether {
    No,
    /// Nobody knows the service, or which resources it has.
    Perhaps,
    Yes,
}

/// The prefix of the actions of each service, and resources of a stranger.
const SERVICES: [(&str, &[&str]); 12] = [
    ("s3", &["arn:aws:s3:::stranger", "arn:aws:s3:::stranger/object"]),
    ("sqs", &["arn:aws:sqs:eu-west-1:444455556666:stranger"]),
    (
        "dynamodb",
        &[
            "arn:aws:dynamodb:eu-west-1:444455556666:table/stranger",
            "arn:aws:dynamodb:eu-west-1:444455556666:table/stranger/index/other",
        ],
    ),
    (
        "ssm",
        &[
            "arn:aws:ssm:eu-west-1:444455556666:parameter/stranger",
            "arn:aws:ssm:eu-west-1:444455556666:document/stranger",
        ],
    ),
    ("kms", &["arn:aws:kms:eu-west-1:444455556666:key/stranger", "arn:aws:kms:eu-west-1:444455556666:alias/stranger"]),
    ("s3express", &["arn:aws:s3express:eu-west-1:444455556666:bucket/stranger"]),
    ("ecr", &["arn:aws:ecr:eu-west-1:444455556666:repository/stranger"]),
    ("cloudwatch", &["arn:aws:cloudwatch:eu-west-1:444455556666:alarm:stranger"]),
    ("groundstation", &["arn:aws:groundstation:eu-west-1:444455556666:config/stranger"]),
    ("cassandra", &["arn:aws:cassandra:eu-west-1:444455556666:/keyspace/stranger/"]),
    (
        "iot",
        &["arn:aws:iot:eu-west-1:444455556666:topic/stranger", "arn:aws:iot:eu-west-1:444455556666:thing/stranger"],
    ),
    ("unheardof", &["arn:aws:unheardof:eu-west-1:444455556666:stranger"]),
];

/// What an endpoint serves: the only service, or every service that it may be.
pub(super) struct Served(Vec<(&'static str, &'static [&'static str])>);

impl Served {
    pub(super) fn by(endpoint: &Endpoint, statements: &[Statement]) -> Self {
        let prefix = match endpoint.service_name.as_str().trim_start_matches("cn.") {
            "com.amazonaws.eu-west-1.s3" | "com.amazonaws.s3-global.accesspoint" => "s3",
            "com.amazonaws.eu-west-1.s3express" => "s3express",
            "com.amazonaws.eu-west-1.dynamodb" | "com.amazonaws.eu-west-1.dynamodb-streams" => "dynamodb",
            "com.amazonaws.eu-west-1.ssm" => "ssm",
            "com.amazonaws.eu-west-1.sqs" => "sqs",
            "com.amazonaws.eu-west-1.kms" | "com.amazonaws.eu-west-1.kms-fips" => "kms",
            "com.amazonaws.eu-west-1.ecr.dkr" => "ecr",
            "com.amazonaws.eu-west-1.monitoring" => "cloudwatch",
            "com.amazonaws.eu-west-1.cassandra" | "com.amazonaws.eu-west-1.cassandra-fips" => "cassandra",
            "com.amazonaws.eu-west-1.iot.data" => "iot",
            // No table has it, but a policy may show it.
            "com.amazonaws.eu-west-1.groundstation" => {
                let actions = statements.iter().flat_map(|statement| &statement.actions.values);
                let is_shown = actions.into_iter().any(|action| action.to_lowercase().starts_with("groundstation:"));
                if is_shown { "groundstation" } else { "" }
            }
            _ => "",
        };
        Self(SERVICES.into_iter().filter(|(name, _)| prefix.is_empty() || *name == prefix).collect())
    }

    /// Whether the statement is about an action that no policy names.
    pub(super) fn every_action(&self, statement: &Statement) -> Whether {
        let actions: Vec<String> = self.0.iter().map(|(prefix, _)| format!("{prefix}:stranger")).collect();
        let patterns: Vec<String> = statement.actions.values.iter().map(|action| action.to_lowercase()).collect();
        let is_listed = |action: &String| is_one_like(&patterns, &[action]);
        negated(&statement.actions, of_all(actions.iter().map(is_listed)))
    }

    /// Whether the statement may be about any resource of the service.
    pub(super) fn some_resource(&self, statement: &Statement) -> bool {
        let [(only @ ("s3" | "s3express" | "dynamodb"), _)] = self.0[..] else { return true };
        let is_of_service = |arn: &String| match arn.splitn(4, ':').collect::<Vec<_>>()[..] {
            [_, _, service, ..] => is_one_like(&[service.to_owned()], &[only]),
            _ => true,
        };
        statement.resources.is_negated || statement.resources.values.iter().any(is_of_service)
    }

    /// Whether the statement is about resources that no policy names. Actions may concern resources of another service,
    /// except those of S3 and DynamoDB. To allow one type of resources is enough; to deny it, or to allow all others,
    /// perhaps is.
    pub(super) fn every_resource(&self, statement: &Statement) -> Whether {
        let patterns = &statement.resources.values;
        let one_type_is_enough = statement.is_allow != statement.resources.is_negated;
        let is_listed = |resources: &[&str]| is_one_like(patterns, resources);
        let own = self.0.iter().map(|(_, resources)| {
            let are_all_listed = resources.iter().all(|resource| is_listed(&[resource]));
            match (is_listed(resources), are_all_listed || one_type_is_enough) {
                (false, _) => Whether::No,
                (true, false) => Whether::Perhaps,
                (true, true) => Whether::Yes,
            }
        });
        let own = own.reduce(|one, other| if one == other { one } else { Whether::Perhaps }).unwrap_or(Whether::No);
        let has_only_own = matches!(self.0[..], [("s3" | "s3express" | "dynamodb", _)]);
        let may_be_listed = !has_only_own && SERVICES.iter().any(|(_, resources)| is_listed(resources));
        negated(&statement.resources, if may_be_listed { own.max(Whether::Perhaps) } else { own })
    }
}

fn of_all(listed: impl Iterator<Item = bool>) -> Whether {
    let listed: Vec<bool> = listed.collect();
    match (listed.contains(&true), listed.contains(&false)) {
        (true, false) => Whether::Yes,
        (true, true) => Whether::Perhaps,
        _ => Whether::No,
    }
}

fn negated(element: &Element, listed: Whether) -> Whether {
    match (element.is_negated, listed) {
        (true, Whether::Yes) => Whether::No,
        (true, Whether::No) => Whether::Yes,
        _ => listed,
    }
}
