//! Which actions and resources of a policy belong to the service that an endpoint serves?
//!
//! | given an endpoint for | then the prefix of its actions is |
//! |---|---|
//! | a service of [`SAME_NAME`], by the first part of its short name, such as `ecr` of `ecr.api` | that name |
//! | a service with a name such as `aws.sagemaker.<Region>.notebook` or `aws.api.<Region>.qbusiness` | `sagemaker`, `qbusiness` |
//! | a service of [`OTHER_NAME`] | the name there |
//! | another service, if a statement names actions with the first part of its short name | that name |
//! | any other | not known |
//!
//! AWS publishes no list of prefixes by endpoint. The two tables have what both the services with interface endpoints
//! (<https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html>) and the prefixes of IAM
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>)
//! name. The third line trusts the author of the policy. IAM has no prefix for a few names of endpoints, and ignores a
//! statement with such a name; the second table has those that are known. A name with `-fips` at the end means the same
//! service.
//!
//! | given a value of `Action` | then it covers |
//! |---|---|
//! | `*`, or every action of every service | every action |
//! | every action of the service, such as `s3:*` | every action |
//! | every action of another service | no action, or nobody knows if the prefix is not known |
//! | any other | no action: it never covers all |
//!
//! | given a value of `Resource` that leaves nothing out | then it covers |
//! |---|---|
//! | `*`, or an ARN for every service | every resource |
//! | an ARN of the service, such as `arn:aws:s3:::*` | every resource |
//! | an ARN for one type, such as `arn:aws:s3:::*/*` | every resource if an `Allow` names it; nobody knows if a `Deny` does |
//! | an ARN of another service | no resource of a service of [`OWN_RESOURCES`]; nobody knows for the rest |
//!
//! Actions of other services may have resources of several: those of `ssm` also concern instances of EC2.

use crate::checks::policy::{Policy, Statement, Values, is_everything, is_wildcard, matches};

/// The services whose endpoints and actions have the same name, in alphabetical order.
const SAME_NAME: [&str; 131] = [
    "access-analyzer",
    "account",
    "acm",
    "acm-pca",
    "airflow",
    "apigateway",
    "appconfig",
    "application-autoscaling",
    "appmesh",
    "apprunner",
    "appstream",
    "aps",
    "athena",
    "autoscaling",
    "backup",
    "batch",
    "bedrock",
    "bedrock-agentcore",
    "cassandra",
    "ce",
    "cloudformation",
    "cloudtrail",
    "codeartifact",
    "codebuild",
    "codecommit",
    "codedeploy",
    "codepipeline",
    "cognito-identity",
    "cognito-idp",
    "comprehend",
    "compute-optimizer",
    "config",
    "databrew",
    "datasync",
    "datazone",
    "dms",
    "ds",
    "dynamodb",
    "ebs",
    "ec2",
    "ec2messages",
    "ecr",
    "ecs",
    "eks",
    "eks-auth",
    "elasticache",
    "elasticbeanstalk",
    "elasticfilesystem",
    "elasticloadbalancing",
    "elasticmapreduce",
    "emr-containers",
    "emr-serverless",
    "events",
    "execute-api",
    "forecast",
    "fsx",
    "glue",
    "grafana",
    "guardduty",
    "imagebuilder",
    "inspector2",
    "iot",
    "iotsitewise",
    "iotwireless",
    "kafka",
    "kafkaconnect",
    "kendra",
    "kms",
    "lakeformation",
    "lambda",
    "license-manager",
    "logs",
    "macie2",
    "medical-imaging",
    "memorydb",
    "mgn",
    "mq",
    "neptune-graph",
    "network-firewall",
    "networkflowmonitor",
    "omics",
    "organizations",
    "personalize",
    "pi",
    "pipes",
    "polly",
    "q",
    "qbusiness",
    "ram",
    "rds",
    "rds-data",
    "redshift",
    "redshift-data",
    "redshift-serverless",
    "rekognition",
    "resource-groups",
    "rolesanywhere",
    "rum",
    "s3",
    "s3-outposts",
    "s3express",
    "s3tables",
    "s3vectors",
    "sagemaker",
    "scheduler",
    "schemas",
    "secretsmanager",
    "securityhub",
    "servicecatalog",
    "servicediscovery",
    "shield",
    "sns",
    "sqs",
    "ssm",
    "ssm-contacts",
    "ssm-incidents",
    "ssmmessages",
    "states",
    "storagegateway",
    "sts",
    "swf",
    "synthetics",
    "textract",
    "transcribe",
    "transfer",
    "translate",
    "vpc-lattice",
    "wafv2",
    "workspaces",
    "workspaces-web",
    "xray",
];

/// The services whose actions have another name than their endpoint: the short name of the endpoint, and the prefix.
const OTHER_NAME: [(&str, &str); 55] = [
    ("analytics-omics", "omics"),
    ("appconfigdata", "appconfig"),
    ("appmesh-envoy-management", "appmesh"),
    ("appsync-api", "appsync"),
    ("aps-workspaces", "aps"),
    ("arsenal-discovery", "arsenal"),
    ("bedrock-agent", "bedrock"),
    ("bedrock-agent-runtime", "bedrock"),
    ("bedrock-data-automation", "bedrock"),
    ("bedrock-data-automation-runtime", "bedrock"),
    ("bedrock-runtime", "bedrock"),
    ("cloudcontrolapi", "cloudformation"),
    ("cloudhsmv2", "cloudhsm"),
    // Endpoints for services that are in no Region.
    ("com.amazonaws.iam", "iam"),
    ("com.amazonaws.route53", "route53"),
    ("com.amazonaws.s3-global.accesspoint", "s3"),
    ("com.amazonaws.savingsplans", "savingsplans"),
    ("control-storage-omics", "omics"),
    ("data-servicediscovery", "servicediscovery"),
    ("deviceadvisor.iot", "iotdeviceadvisor"),
    ("dicom-medical-imaging", "medical-imaging"),
    ("dynamodb-streams", "dynamodb"),
    ("ecs-agent", "ecs"),
    ("ecs-telemetry", "ecs"),
    ("elasticbeanstalk-health", "elasticbeanstalk"),
    ("email", "ses"),
    ("email-smtp", "ses"),
    ("emr-serverless-services.livy", "emr-serverless"),
    ("eventsv2", "events"),
    ("forecastquery", "forecast"),
    ("git-codecommit", "codecommit"),
    ("iot.fleethub.api", "iotfleethub"),
    ("kinesis-firehose", "firehose"),
    ("kinesis-streams", "kinesis"),
    ("mail-manager", "ses"),
    ("memory-db", "memorydb"),
    ("models-v2-lex", "lex"),
    ("monitoring", "cloudwatch"),
    ("neptune-graph-data", "neptune-graph"),
    ("networkflowmonitorreports", "networkflowmonitor"),
    ("personalize-events", "personalize"),
    ("personalize-runtime", "personalize"),
    ("pinpoint", "mobiletargeting"),
    ("pinpoint-sms-voice-v2", "sms-voice"),
    ("rum-dataplane", "rum"),
    ("runtime-medical-imaging", "medical-imaging"),
    ("runtime-v2-lex", "lex"),
    ("servicecatalog-appregistry", "servicecatalog"),
    ("storage-omics", "omics"),
    ("streaming-rekognition", "rekognition"),
    ("sync-states", "states"),
    ("tagging", "tag"),
    ("tags-omics", "omics"),
    ("transcribestreaming", "transcribe"),
    ("workflows-omics", "omics"),
];

/// The services whose actions concern resources of no other service. A few of S3 concern access points of S3 Object Lambda,
/// which have an endpoint of their own.
const OWN_RESOURCES: [&str; 3] = ["dynamodb", "s3", "s3express"];

/// The services with one type of resource that has all data, and the pattern of that type.
const ALL_DATA: [(&str, &str); 3] =
    [("dynamodb", "table/*"), ("s3express", "bucket/*"), ("secretsmanager", "secret:*")];

/// How much of the actions, or of the resources, of the service is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Coverage {
    /// Nothing, or a part.
    NotAll,
    /// Nobody knows.
    Unknown,
    /// Everything. All but a few also counts.
    All,
}

/// The service that an endpoint serves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service<'a> {
    /// The prefix of its actions, such as `s3`. `None` if it is not known.
    prefix: Option<&'a str>,
}

impl<'a> Service<'a> {
    /// The service of an endpoint with this [short name](crate::checks::endpoint_context::short_name) and this policy.
    pub(super) fn of(short_name: &'a str, policy: &Policy) -> Self {
        let name = short_name.strip_suffix("-fips").unwrap_or(short_name);
        let other = OTHER_NAME.iter().find(|(endpoint, _)| *endpoint == name).map(|(_, prefix)| *prefix);
        let first = match name.split('.').collect::<Vec<_>>()[..] {
            ["aws", "api", _, service, ..] | ["aws", service, ..] | [service, ..] => service,
            [] => name,
        };
        let same = || (SAME_NAME.contains(&first) || names_actions_of(policy, first)).then_some(first);
        Self { prefix: other.or_else(same) }
    }

    /// How much of its actions these values of `Action` or `NotAction` cover.
    pub(super) fn actions(self, values: &Values) -> Coverage {
        coverage(values, |pattern| self.action(pattern))
    }

    fn action(self, pattern: &str) -> Coverage {
        let (prefix, action) = pattern.split_once(':').unwrap_or(("*", pattern));
        match self.prefix {
            _ if !is_wildcard(action) => Coverage::NotAll,
            _ if is_wildcard(prefix) => Coverage::All,
            Some(own) if matches(&prefix.to_ascii_lowercase(), own) => Coverage::All,
            Some(_) => Coverage::NotAll,
            None => Coverage::Unknown,
        }
    }

    /// How much of its resources the statement covers with `Resource` or `NotResource`.
    pub(super) fn resources(self, statement: &Statement) -> Coverage {
        let is_listed = matches!(statement.resources, Values::Listed(_));
        // Every object, but no bucket: an `Allow` of that is open, and a `Deny` of all else leaves it open. Nobody can say
        // whether strangers need more than what a `Deny` of it leaves, or an `Allow` of all else.
        let nearly_all = if statement.is_allow == is_listed { Coverage::All } else { Coverage::Unknown };
        coverage(&statement.resources, |pattern| self.resource(pattern, nearly_all))
    }

    /// Whether a resource of these values of `Resource` or `NotResource` may be one of the service.
    pub(super) fn may_have(self, values: &Values) -> bool {
        let Some(own) = self.prefix.filter(|prefix| OWN_RESOURCES.contains(prefix)) else { return true };
        match values {
            Values::Listed(patterns) => patterns.iter().any(|pattern| matches(service_of(pattern), own)),
            Values::Except(_) => true,
        }
    }

    /// Whether the pattern leaves out resources of another type, as `arn:aws:s3:::*/*` and `arn:aws:ssm:*:*:parameter/*` do.
    /// A type that has [all data](ALL_DATA) of the service leaves out nothing that matters.
    fn names_a_type(self, pattern: &str) -> bool {
        let has_all_data = |resource: &str| self.prefix.is_some_and(|own| ALL_DATA.contains(&(own, resource)));
        let is_a_type = |resource: &str| !is_wildcard(resource) && !has_all_data(resource);
        pattern.splitn(6, ':').nth(5).is_some_and(is_a_type)
    }

    fn resource(self, pattern: &str, nearly_all: Coverage) -> Coverage {
        let of_service = service_of(pattern);
        let all = if self.names_a_type(pattern) { nearly_all } else { Coverage::All };
        match self.prefix {
            _ if !is_everything(pattern) => Coverage::NotAll,
            _ if is_wildcard(of_service) => all,
            Some(own) if matches(of_service, own) => all,
            Some(own) if OWN_RESOURCES.contains(&own) => Coverage::NotAll,
            _ => Coverage::Unknown,
        }
    }
}

/// The service of an ARN: its third part. A shorter pattern is for every service.
fn service_of(pattern: &str) -> &str {
    pattern.split(':').nth(2).unwrap_or("*")
}

/// Whether a statement names actions with this prefix.
fn names_actions_of(policy: &Policy, prefix: &str) -> bool {
    let is_named = |pattern: &String| {
        pattern.split_once(':').is_some_and(|(of_pattern, _)| of_pattern.eq_ignore_ascii_case(prefix))
    };
    policy.statements.iter().any(|statement| match &statement.actions {
        Values::Listed(patterns) | Values::Except(patterns) => patterns.iter().any(is_named),
    })
}

/// How much the values cover. One value that covers everything is enough.
fn coverage(values: &Values, of_value: impl Fn(&str) -> Coverage) -> Coverage {
    let most = |values: &[String]| values.iter().map(|value| of_value(value)).max().unwrap_or(Coverage::NotAll);
    match values {
        Values::Listed(values) => most(values),
        Values::Except(values) => match most(values) {
            Coverage::NotAll => Coverage::All,
            Coverage::Unknown => Coverage::Unknown,
            Coverage::All => Coverage::NotAll,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use Coverage::{All, NotAll, Unknown};

    /// A policy that names these actions.
    fn policy(actions: &[&str]) -> Policy {
        let statement = json!({"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": "*"});
        Policy::parse(&json!({"Statement": statement}).to_string()).unwrap()
    }

    #[test]
    fn the_prefix_is_known_from_the_tables_or_from_the_policy() {
        for (endpoint, actions, expected) in [
            ("s3", &["*"][..], Some("s3")),
            ("s3", &["sqs:*"], Some("s3")),
            ("com.amazonaws.s3-global.accesspoint", &["*"], Some("s3")),
            ("s3express", &["*"], Some("s3express")),
            ("s3-outposts", &["*"], Some("s3-outposts")),
            ("dynamodb", &["*"], Some("dynamodb")),
            ("dynamodb-fips", &["*"], Some("dynamodb")),
            ("dynamodb-streams", &["*"], Some("dynamodb")),
            ("ecr.api", &["*"], Some("ecr")),
            ("ecr.dkr", &["*"], Some("ecr")),
            ("sagemaker.runtime-fips", &["*"], Some("sagemaker")),
            ("monitoring", &["monitoring:*"], Some("cloudwatch")),
            ("email-smtp", &["*"], Some("ses")),
            ("kinesis-streams-fips", &["*"], Some("kinesis")),
            ("execute-api", &["*"], Some("execute-api")),
            ("iot.data", &["*"], Some("iot")),
            ("iot.fleethub.api", &["*"], Some("iotfleethub")),
            ("groundstation", &["*"], None),
            ("groundstation", &["sqs:*"], None),
            ("groundstation", &["sqs:*", "GroundStation:GetConfig"], Some("groundstation")),
            ("airflow.env", &["*"], Some("airflow")),
            ("lorawan.lns", &["lorawan:*"], Some("lorawan")),
            ("eventsv2", &["eventsv2:*"], Some("events")),
            ("memory-db", &["*"], Some("memorydb")),
            ("memorydb-fips", &["*"], Some("memorydb")),
            ("emr-serverless-services.livy", &["*"], Some("emr-serverless")),
            ("com.amazonaws.iam", &["*"], Some("iam")),
            ("aws.sagemaker.eu-west-1.notebook", &["*"], Some("sagemaker")),
            ("aws.api.eu-west-1.qbusiness", &["*"], Some("qbusiness")),
            // A Region that is not the one of the function.
            ("com.amazonaws.us-east-1.s3", &["s3:*"], None),
        ] {
            assert_eq!(Service::of(endpoint, &policy(actions)).prefix, expected, "{endpoint} {actions:?}");
        }
    }

    #[test]
    fn each_service_is_in_one_table_and_in_order() {
        assert!(SAME_NAME.is_sorted() && OTHER_NAME.is_sorted() && OWN_RESOURCES.is_sorted());
        assert!(OTHER_NAME.iter().all(|(endpoint, _)| !SAME_NAME.contains(endpoint)));
        assert!(OWN_RESOURCES.iter().all(|service| SAME_NAME.contains(service)));
    }

    fn listed(values: &[&str]) -> Values {
        Values::Listed(values.iter().map(|&value| value.to_owned()).collect())
    }

    fn except(values: &[&str]) -> Values {
        Values::Except(values.iter().map(|&value| value.to_owned()).collect())
    }

    #[test]
    fn only_the_actions_of_the_service_count() {
        let of =
            |prefix| move |values: &[&str]| [listed(values), except(values)].map(|v| Service { prefix }.actions(&v));
        let (s3, other) = (of(Some("s3")), of(None));
        for (values, of_s3, of_other) in [
            (&["*"][..], [All, NotAll], [All, NotAll]),
            (&["*:*"], [All, NotAll], [All, NotAll]),
            (&["**"], [All, NotAll], [All, NotAll]),
            (&["s3:*"], [All, NotAll], [Unknown, Unknown]),
            (&["S3:?*"], [All, NotAll], [Unknown, Unknown]),
            (&["s*:*"], [All, NotAll], [Unknown, Unknown]),
            (&["sqs:*"], [NotAll, All], [Unknown, Unknown]),
            (&["s3-object-lambda:*"], [NotAll, All], [Unknown, Unknown]),
            (&["sqs:*", "s3:*"], [All, NotAll], [Unknown, Unknown]),
            (&["sqs:*", "*"], [All, NotAll], [All, NotAll]),
            (&["s3:Get*"], [NotAll, All], [NotAll, All]),
            (&["s3:Get*", "sqs:*"], [NotAll, All], [Unknown, Unknown]),
            (&["*:GetObject"], [NotAll, All], [NotAll, All]),
            (&[], [NotAll, All], [NotAll, All]),
        ] {
            assert_eq!(s3(values), of_s3, "{values:?}");
            assert_eq!(other(values), of_other, "{values:?}");
        }
    }

    /// An `Allow` of these resources.
    fn allow_of(resources: Values) -> Statement {
        Statement { resources, ..policy(&["*"]).statements.remove(0) }
    }

    #[test]
    fn only_the_resources_of_the_service_count() {
        let of = |prefix| {
            move |values: &[&str]| [listed(values), except(values)].map(|v| Service { prefix }.resources(&allow_of(v)))
        };
        let (s3, ssm, other) = (of(Some("s3")), of(Some("ssm")), of(None));
        let (yes, no, perhaps) = ([All, NotAll], [NotAll, All], [Unknown, Unknown]);
        for (values, of_s3, of_ssm, of_other) in [
            (&["*"][..], yes, yes, yes),
            (&["arn:*"], yes, yes, yes),
            (&["arn:aws:*"], yes, yes, yes),
            (&["arn:*:*:*:*:*"], yes, yes, yes),
            (&["arn:aws:s3:::*"], yes, perhaps, perhaps),
            (&["arn:aws:s3*"], yes, perhaps, perhaps),
            (&["arn:aws:s*:::*"], yes, yes, perhaps),
            (&["arn:aws:sqs:*:*:*"], no, perhaps, perhaps),
            (&["arn:aws:ssm:*:*:*"], no, yes, perhaps),
            (&["arn:aws:sqs:*:*:*", "arn:aws:s3:::*/*"], [All, Unknown], perhaps, perhaps),
            (&["arn:aws:s3:::ours/*"], no, no, no),
            (&[], no, no, no),
        ] {
            assert_eq!(s3(values), of_s3, "{values:?}");
            assert_eq!(ssm(values), of_ssm, "{values:?}");
            assert_eq!(other(values), of_other, "{values:?}");
        }
    }
}
