//! The checks that read Route 53, its Profiles and Resolver, or API Gateway: which calls they make, and what they make of
//! the answers.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    dynamodb::DynamoDb,
    ec2::{Ec2, Page},
    lambda::{Invocation, Outcome, invoke, report},
    optional_services::{Answer, OptionalServices},
    sns::Sns,
};

const VPC: &str = "vpc-0a1b2c3d4e5f60001";
const OTHER_VPC: &str = "vpc-0a1b2c3d4e5f60002";
const ZONES: &str = "ListHostedZonesByVPC vpc-0a1b2c3d4e5f60001 eu-west-1";
const PROFILES: &str = "ListProfileAssociations vpc-0a1b2c3d4e5f60001";
const RESOURCES: &str = "ListProfileResourceAssociations rp-0a1b2c3d4e5f";
const RULES: &str = "ListResolverRuleAssociations vpc-0a1b2c3d4e5f60001";
const DENIED: Answer = Answer::Error(403, "AccessDeniedException");

fn vpc(id: &str) -> String {
    format!("<item><vpcId>{id}</vpcId><ownerId>123456789012</ownerId><cidrBlock>10.0.0.0/16</cidrBlock></item>")
}

fn subnet(id: &str, vpc: &str) -> String {
    format!(
        "<item><subnetId>{id}</subnetId><vpcId>{vpc}</vpcId><ownerId>123456789012</ownerId>\
         <cidrBlock>10.0.1.0/24</cidrBlock><availabilityZoneId>euw1-az1</availabilityZoneId></item>"
    )
}

const SERVICE: &str = "<item><serviceName>com.amazonaws.eu-west-1.ssm</serviceName><serviceType><item>\
    <serviceType>Interface</serviceType></item></serviceType><privateDnsNameSet><item>\
    <privateDnsName>ssm.eu-west-1.amazonaws.com</privateDnsName></item></privateDnsNameSet></item>";

/// Two VPCs without endpoints, and the service SSM.
async fn ec2(endpoints: &str) -> Ec2 {
    Ec2::answering([
        ("DescribeVpcs", vec![Page::Items(vpc(VPC) + &vpc(OTHER_VPC))]),
        (
            "DescribeSubnets",
            vec![Page::Items(subnet("subnet-0a1b2c3d4e5f60001", VPC) + &subnet("subnet-0a1b2c3d4e5f60002", OTHER_VPC))],
        ),
        ("DescribeVpcEndpoints", vec![Page::items(endpoints)]),
        ("DescribeVpcEndpointServices", vec![Page::items(SERVICE)]),
    ])
    .await
}

/// Sends the event to a function that runs this check, with more variables.
async fn invoke_with(
    check: &str,
    (ec2, services, sns): (&Ec2, &OptionalServices, &Sns),
    more: &[(&str, &str)],
    event: &Value,
) -> Invocation {
    let (ec2, sns, urls) = (ec2.url(), sns.url(), services.variables());
    let mut variables = vec![
        ("TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:gatewatch"),
        ("CHECKS", check),
        ("REQUIRED_INTERFACES", "ssm"),
        ("AWS_ENDPOINT_URL_EC2", ec2.as_str()),
        ("AWS_ENDPOINT_URL_SNS", sns.as_str()),
    ];
    variables.extend(urls.iter().map(|(name, url)| (*name, url.as_str())));
    variables.extend(more);
    invoke(&variables, event, Duration::from_mins(1)).await
}

async fn run(check: &str, ec2: &Ec2, services: &OptionalServices, event: &Value) -> Outcome {
    invoke_with(check, (ec2, services, &Sns::accepting_all().await), &[], event).await.outcome
}

/// What `required-endpoints` says about one VPC: `found`, `served`, or the reason why it is not assessed and the ids.
async fn verdict(answers: impl IntoIterator<Item = (&'static str, Vec<Answer>)>, calls: &[&str]) -> String {
    let services = OptionalServices::answering(answers).await;
    let event = json!({"check": {"vpcIds": [VPC]}, "publish": false});
    let ec2 = Ec2::answering([
        ("DescribeVpcs", vec![Page::Items(vpc(VPC))]),
        ("DescribeSubnets", vec![Page::Items(subnet("subnet-0a1b2c3d4e5f60001", VPC))]),
        ("DescribeVpcEndpointServices", vec![Page::items(SERVICE)]),
    ]);
    let outcome = run("required-endpoints", &ec2.await, &services, &event).await;
    assert_eq!(services.calls().await, calls);
    let Outcome::Response(report) = outcome else { return format!("{outcome:?}") };
    match (report["findings"].as_array().unwrap().as_slice(), report["unassessed"].as_array().unwrap().as_slice()) {
        ([found], []) => {
            assert_eq!([&found["check"], &found["subject"]["id"]], [&json!("required-endpoints"), &json!(VPC)]);
            "found".to_owned()
        }
        ([], []) => "served".to_owned(),
        ([], [doubt]) => format!("{} {}", doubt["reason"].as_str().unwrap(), doubt["inDoubt"]),
        _ => panic!("{report:#}"),
    }
}

fn items(items: &Value) -> Vec<Answer> {
    vec![Answer::Items(items.clone())]
}

fn profile(arns: &[&str]) -> [(&'static str, Vec<Answer>); 2] {
    let resources: Vec<Value> = arns.iter().map(|arn| json!({"ResourceArn": arn, "Status": "COMPLETE"})).collect();
    [
        ("ListProfileAssociations", items(&json!([{"ProfileId": "rp-0a1b2c3d4e5f", "ResourceId": VPC}]))),
        ("ListProfileResourceAssociations", items(&json!(resources))),
    ]
}

#[tokio::test]
async fn a_vpc_that_nothing_serves_is_found() {
    assert_eq!(verdict([], &[ZONES, PROFILES, RULES]).await, "found");
    let elsewhere = [
        ("ListHostedZonesByVPC", items(&json!(["corp.example.", "ssm.eu-west-2.amazonaws.com."]))),
        ("ListResolverRuleAssociations", items(&json!([{"ResolverRuleId": "rslvr-rr-1", "VPCId": VPC}]))),
        (
            "ListResolverRules",
            items(&json!([{"Id": "rslvr-rr-1", "DomainName": "corp.example.", "RuleType": "FORWARD"}])),
        ),
    ];
    assert_eq!(verdict(elsewhere, &[ZONES, PROFILES, RULES, "ListResolverRules"]).await, "found");
}

#[tokio::test]
async fn a_hosted_zone_of_any_page_serves_the_names() {
    let pages = vec![Answer::Items(json!(["corp.example."])), Answer::Items(json!(["ssm.eu-west-1.amazonaws.com."]))];
    let second = format!("{ZONES} page 2");
    assert_eq!(verdict([("ListHostedZonesByVPC", pages)], &[ZONES, &second, PROFILES, RULES]).await, "served");
}

#[tokio::test]
async fn a_profile_may_serve_the_names() {
    let zone = "arn:aws:route53:::hostedzone/Z0A1B2C3D4";
    let endpoint = "arn:aws:ec2:eu-west-1:210987654321:vpc-endpoint/vpce-0a1b2c3d4e5f60009";
    let firewall = "arn:aws:route53resolver:eu-west-1:123456789012:firewall-rule-group/rslvr-frg-1";
    let calls = [ZONES, PROFILES, RESOURCES, RULES];
    assert_eq!(verdict(profile(&[firewall]), &calls).await, "found");
    assert_eq!(verdict(profile(&[zone]), &calls).await, format!("may_be_served_centrally [\"{zone}\"]"));
    assert_eq!(
        verdict(profile(&[endpoint]), &calls).await,
        "may_be_served_centrally [\"vpce-0a1b2c3d4e5f60009\"]",
        "EC2 does not return an endpoint of another account"
    );
}

#[tokio::test]
async fn an_endpoint_in_a_profile_serves_the_names_of_its_service() {
    let endpoint = "<item><vpcEndpointId>vpce-0a1b2c3d4e5f60009</vpcEndpointId><vpcEndpointType>Interface\
        </vpcEndpointType><vpcId>vpc-0a1b2c3d4e5f60002</vpcId><serviceName>com.amazonaws.eu-west-1.ssm</serviceName>\
        <state>available</state><ownerId>123456789012</ownerId></item>";
    let arn = "arn:aws:ec2:eu-west-1:123456789012:vpc-endpoint/vpce-0a1b2c3d4e5f60009";
    let services = OptionalServices::answering(profile(&[arn])).await;
    let (ec2, event) = (ec2(endpoint).await, json!({"check": {"vpcIds": [VPC]}, "publish": false}));
    let Outcome::Response(report) = run("required-endpoints", &ec2, &services, &event).await else { panic!() };
    assert_eq!([&report["findings"], &report["unassessed"]], [&json!([]), &json!([])]);
    let lookup = "DescribeVpcEndpoints vpc-endpoint-id=vpce-0a1b2c3d4e5f60009".to_owned();
    assert!(ec2.calls().await.contains(&lookup));
}

#[tokio::test]
async fn a_resolver_rule_may_forward_the_names() {
    let associated = |id: &str| ("ListResolverRuleAssociations", items(&json!([{"ResolverRuleId": id, "VPCId": VPC}])));
    let rule = |kind: &str| {
        ("ListResolverRules", items(&json!([{"Id": "rslvr-rr-1", "DomainName": "amazonaws.com.", "RuleType": kind}])))
    };
    let calls = [ZONES, PROFILES, RULES, "ListResolverRules"];
    let doubt = |domain: &str| format!("may_be_served_centrally [\"{domain}\"]");
    assert_eq!(verdict([associated("rslvr-rr-1"), rule("FORWARD")], &calls).await, doubt("amazonaws.com."));
    assert_eq!(verdict([associated("rslvr-rr-1"), rule("SYSTEM")], &calls).await, "found");
    assert_eq!(
        verdict([associated("rslvr-rr-2"), rule("FORWARD")], &calls).await,
        doubt("."),
        "a rule that is not shared"
    );
    let predefined = associated("rslvr-autodefined-rr-internet-resolver");
    assert_eq!(verdict([predefined], &calls[..3]).await, "found");
    // A rule in a profile.
    let in_profile = profile(&["arn:aws:route53resolver:eu-west-1:123456789012:resolver-rule/rslvr-rr-1"]);
    let answers = in_profile.into_iter().chain([rule("FORWARD")]);
    assert_eq!(
        verdict(answers, &[ZONES, PROFILES, RESOURCES, RULES, "ListResolverRules"]).await,
        doubt("amazonaws.com.")
    );
}

#[tokio::test]
async fn a_denied_read_is_not_assessed_unless_something_else_serves_the_names() {
    let calls = [ZONES, PROFILES, RULES];
    for operation in ["ListProfileAssociations", "ListResolverRuleAssociations"] {
        assert_eq!(verdict([(operation, vec![DENIED])], &calls).await, "read_denied []", "{operation}");
        let zone = ("ListHostedZonesByVPC", items(&json!(["ssm.eu-west-1.amazonaws.com."])));
        assert_eq!(verdict([(operation, vec![DENIED]), zone], &calls).await, "served", "{operation}");
    }
    let denied_by_route53 = ("ListHostedZonesByVPC", vec![Answer::Error(403, "AccessDenied")]);
    assert_eq!(verdict([denied_by_route53], &calls).await, "read_denied []");
    let [associations, _] = profile(&[]);
    let denied = [associations, ("ListProfileResourceAssociations", vec![DENIED])];
    assert_eq!(verdict(denied, &[ZONES, PROFILES, RESOURCES, RULES]).await, "read_denied []");
}

#[tokio::test]
async fn what_is_gone_during_the_read_is_not_assessed() {
    let gone = ("ListHostedZonesByVPC", vec![Answer::Error(400, "InvalidInput")]);
    assert_eq!(verdict([gone], &[ZONES, PROFILES, RULES]).await, "fact_missing []");
}

#[tokio::test]
async fn what_is_throttled_after_all_attempts_is_not_assessed() {
    let throttled = ("ListHostedZonesByVPC", vec![Answer::Error(400, "Throttling")]);
    let calls = [ZONES, ZONES, ZONES, ZONES, ZONES, PROFILES, RULES];
    assert_eq!(verdict([throttled], &calls).await, "fact_missing []");
}

#[tokio::test]
async fn an_answer_of_route_53_that_breaks_off_fails_the_invocation() {
    let outcome = verdict([("ListHostedZonesByVPC", vec![Answer::Truncated])], &[ZONES, PROFILES, RULES]).await;
    assert!(outcome.contains("Ec2ReadFailed") && outcome.contains("ListHostedZonesByVPC"), "{outcome}");
}

#[tokio::test]
async fn a_service_that_does_not_answer_in_the_region_is_not_assessed() {
    let services = OptionalServices::answering([]).await;
    let (ec2, sns) = (ec2("").await, Sns::accepting_all().await);
    let nobody = [("AWS_ENDPOINT_URL_ROUTE53PROFILES", "http://127.0.0.1:9")];
    let event = json!({"check": {"vpcIds": [VPC]}, "publish": false});
    let invocation = invoke_with("required-endpoints", (&ec2, &services, &sns), &nobody, &event).await;
    let line = invocation.log.lines().find(|line| line.contains("ListProfileAssociations")).unwrap().to_owned();
    assert!(line.contains("\"WARN\"") && line.contains("what else serves private names is not known"), "{line}");
    let report = report(invocation);
    assert_eq!([&report["findings"], &report["unassessed"][0]["reason"]], [&json!([]), &json!("fact_missing")]);
}

#[tokio::test]
async fn any_other_failure_fails_the_invocation() {
    for (operation, code) in [
        ("ListHostedZonesByVPC", "InternalError"),
        ("ListProfileAssociations", "InternalServiceErrorException"),
        ("ListResolverRuleAssociations", "InternalServiceErrorException"),
    ] {
        let services = OptionalServices::answering([(operation, vec![Answer::Error(400, code)])]).await;
        let event = json!({"check": {"vpcIds": [VPC]}, "publish": false});
        let outcome = run("required-endpoints", &ec2("").await, &services, &event).await;
        let Outcome::Error(kind, message) = outcome else { panic!("{outcome:?}") };
        assert_eq!(kind, "Ec2ReadFailed");
        assert!(message.starts_with(&format!("{operation}: {code}")) && !message.contains("secret"), "{message}");
    }
}

#[tokio::test]
async fn a_sweep_reads_the_associations_of_all_vpcs_at_once() {
    let rules = json!([
        {"ResolverRuleId": "rslvr-rr-1", "VPCId": OTHER_VPC},
        {"ResolverRuleId": "rslvr-rr-2", "VPCId": "vpc-0a1b2c3d4e5f60009"}
    ]);
    let rule = json!([{"Id": "rslvr-rr-1", "DomainName": ".", "RuleType": "FORWARD"}]);
    let services = OptionalServices::answering([
        ("ListResolverRuleAssociations", items(&rules)),
        ("ListResolverRules", items(&rule)),
    ]);
    let services = services.await;
    let event = json!({"check": "region", "publish": false});
    let Outcome::Response(report) = run("required-endpoints", &ec2("").await, &services, &event).await else {
        panic!()
    };
    assert_eq!(report["findings"][0]["subject"]["id"], json!(VPC));
    assert_eq!(report["unassessed"][0]["subject"]["id"], json!(OTHER_VPC));
    assert_eq!(
        services.calls().await,
        [
            ZONES,
            "ListHostedZonesByVPC vpc-0a1b2c3d4e5f60002 eu-west-1",
            "ListProfileAssociations",
            "ListResolverRuleAssociations",
            "ListResolverRules",
        ]
    );
}

/// Six VPCs take more than two seconds, so the network is read again before the messages are sent. What else serves names is
/// not.
#[tokio::test]
async fn what_else_serves_names_is_read_once_per_invocation() {
    let ids: Vec<String> = (1..=6).map(|n| format!("vpc-0a1b2c3d4e5f6000{n}")).collect();
    let vpcs: String = ids.iter().map(|id| vpc(id)).collect();
    let subnets: String = (1..).zip(&ids).map(|(n, id)| subnet(&format!("subnet-0a1b2c3d4e5f6000{n}"), id)).collect();
    let ec2 = Ec2::answering([
        ("DescribeVpcs", vec![Page::Items(vpcs)]),
        ("DescribeSubnets", vec![Page::Items(subnets)]),
        ("DescribeVpcEndpointServices", vec![Page::items(SERVICE)]),
    ])
    .await;
    let services = OptionalServices::answering([]).await;
    let (sns, dynamodb) = (Sns::accepting_all().await, DynamoDb::holding(Vec::new()).await);
    let url = dynamodb.url();
    let history = [("LEDGER_TABLE", "gatewatch-ledger"), ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str())];
    let sweep = json!({"check": "region"});
    let report = report(invoke_with("required-endpoints", (&ec2, &services, &sns), &history, &sweep).await);
    assert_eq!([&report["published"], &report["unassessed"]], [&json!(6), &json!([])]);
    let zones: Vec<String> = ids.iter().map(|id| format!("ListHostedZonesByVPC {id} eu-west-1")).collect();
    let of_all = ["ListProfileAssociations", "ListResolverRuleAssociations"].map(str::to_owned);
    assert_eq!(services.calls().await, [&zones[..], &of_all].concat());
    let reads = ec2.calls().await.iter().filter(|call| call.starts_with("DescribeVpcs")).count();
    assert_eq!(reads, 2, "the network is read again");
}

/// A private API with a policy that bounds its source, or with one that does not.
fn api(id: &str, endpoint: &str, is_bounded: bool) -> Value {
    let condition = if is_bounded { json!({"StringEquals": {"aws:SourceVpc": VPC}}) } else { json!({}) };
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Condition": condition,
        "Resource": "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    // API Gateway escapes the policy once more than its JSON needs.
    let policy = policy.replace('"', "\\\"").replace('/', "\\/");
    json!({"id": id, "name": "orders", "createdDate": 1_763_600_000, "policy": policy,
        "endpointConfiguration": {"types": ["PRIVATE"], "vpcEndpointIds": [endpoint]}})
}

const ENDPOINT: &str = "vpce-0a1b2c3d4e5f60007";
const ENDPOINTS: &str = "<item><vpcEndpointId>vpce-0a1b2c3d4e5f60007</vpcEndpointId><vpcEndpointType>Interface\
    </vpcEndpointType><vpcId>vpc-0a1b2c3d4e5f60001</vpcId><serviceName>com.amazonaws.eu-west-1.execute-api</serviceName>\
    <state>available</state><ownerId>123456789012</ownerId></item>";

fn event_of_api_gateway(name: &str) -> Value {
    json!({
        "version": "0", "id": "0a1b2c3d-0000-4000-8000-000000000001", "source": "aws.apigateway",
        "detail-type": "AWS API Call via CloudTrail", "account": "123456789012", "region": "eu-west-1",
        "time": "2026-11-20T10:00:00Z", "resources": [],
        "detail": {"eventName": name, "requestParameters": {"restApiId": "a1b2c3d4e5"}}
    })
}

#[tokio::test]
async fn a_changed_api_has_all_private_apis_judged() {
    let public = json!({"id": "f6a1b2c3d4", "policy": "{}", "endpointConfiguration": {"types": ["REGIONAL"]}});
    let pages = vec![
        Answer::Items(json!([public, api("a1b2c3d4e5", ENDPOINT, false)])),
        Answer::Items(json!([api("b2c3d4e5f6", ENDPOINT, true)])),
    ];
    let services = OptionalServices::answering([("GetRestApis", pages)]).await;
    let ec2 = ec2(ENDPOINTS).await;
    let outcome = run("private-api", &ec2, &services, &event_of_api_gateway("PutRestApi")).await;
    let Outcome::Response(report) = outcome else { panic!("{outcome:?}") };
    let [found] = report["findings"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    assert_eq!(
        ["check", "defect", "subject"].map(|key| found[key].clone()),
        [
            json!("private-api"),
            json!("policy_without_source_vpc"),
            json!({"type": "rest_api", "id": "a1b2c3d4e5", "name": "orders"})
        ]
    );
    assert_eq!(report["unassessed"], json!([]));
    assert_eq!(services.calls().await, ["GetRestApis", "GetRestApis page 2"]);
    assert_eq!(ec2.calls().await, ["DescribeVpcEndpoints vpc-endpoint-id=vpce-0a1b2c3d4e5f60007"]);
}

/// Runs an event of API Gateway with an alert history of these rows. Returns the one message, and the row that is stored
/// last.
async fn alert(apis: &Value, rows: &[Value]) -> (Value, Value) {
    let services = OptionalServices::answering([("GetRestApis", items(apis))]).await;
    let pages = if rows.is_empty() { Vec::new() } else { vec![json!(rows)] };
    let (ec2, sns, dynamodb) = (ec2(ENDPOINTS).await, Sns::accepting_all().await, DynamoDb::holding(pages).await);
    let url = dynamodb.url();
    let history = [("LEDGER_TABLE", "gatewatch-ledger"), ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str())];
    let event = event_of_api_gateway("UpdateRestApi");
    report(invoke_with("private-api", (&ec2, &services, &sns), &history, &event).await);
    let [message] = <[_; 1]>::try_from(sns.calls_of("Publish").await).unwrap();
    let last = dynamodb.calls().await.len() - 1;
    let row = dynamodb.rows_of_call(last).await.swap_remove(0);
    (serde_json::from_str(&message["Message"]).unwrap(), row["Put"]["Item"].clone())
}

#[tokio::test]
async fn a_finding_about_an_api_is_opened_and_resolved() {
    let (message, row) = alert(&json!([api("a1b2c3d4e5", ENDPOINT, false)]), &[]).await;
    let id = message["findings"][0]["id"].clone();
    assert_eq!(message["findings"][0]["change"], json!("opened"), "{message:#}");
    for (apis, cause) in [(json!([api("a1b2c3d4e5", ENDPOINT, true)]), "fixed"), (json!([]), "api_deleted")] {
        let (message, row) = alert(&apis, std::slice::from_ref(&row)).await;
        let [resolved] = message["findings"].as_array().unwrap().as_slice() else { panic!("{message:#}") };
        assert_eq!(
            [&resolved["id"], &resolved["change"], &resolved["resolution"]["cause"]],
            [&id, &json!("resolved"), &json!(cause)]
        );
        assert_eq!(row["state"], json!({"S": "resolved"}));
    }
}

#[tokio::test]
async fn an_api_names_an_endpoint_that_an_event_says_is_deleted() {
    let gone = "vpce-0a1b2c3d4e5f60008";
    let apis = json!([api("a1b2c3d4e5", gone, true)]);
    let mut deletion = event_of_api_gateway("DeleteVpcEndpoints");
    deletion["source"] = json!("aws.ec2");
    deletion["detail"]["requestParameters"] =
        json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": {"content": gone}}});
    let sweep = json!({"check": "region", "publish": false});
    for (event, finding, doubt) in [
        (deletion, json!("associated_endpoint_gone"), json!(null)),
        (sweep, json!(null), json!("endpoint_not_visible")),
    ] {
        let services = OptionalServices::answering([("GetRestApis", items(&apis))]).await;
        let Outcome::Response(report) = run("private-api", &ec2("").await, &services, &event).await else { panic!() };
        assert_eq!([&report["findings"][0]["defect"], &report["unassessed"][0]["reason"]], [&finding, &doubt]);
    }
}

#[tokio::test]
async fn apis_are_read_only_if_the_scope_includes_them() {
    let services = OptionalServices::answering([]).await;
    let event = json!({"check": {"vpcIds": [VPC]}, "publish": false});
    let outcome = run("private-api", &ec2("").await, &services, &event).await;
    assert!(matches!(outcome, Outcome::Response(_)), "{outcome:?}");
    let outcome = run("gateway-route,dns-bypass", &ec2("").await, &services, &event_of_api_gateway("PutRestApi")).await;
    assert!(matches!(outcome, Outcome::Response(_)), "{outcome:?}");
    assert_eq!(services.calls().await, Vec::<String>::new());
}

#[tokio::test]
async fn apis_that_cannot_be_read_fail_the_invocation() {
    let services = OptionalServices::answering([("GetRestApis", vec![DENIED])]).await;
    let outcome = run("private-api", &ec2("").await, &services, &event_of_api_gateway("PutRestApi")).await;
    let Outcome::Error(kind, message) = outcome else { panic!("{outcome:?}") };
    assert_eq!(kind, "Ec2ReadFailed");
    assert!(message.starts_with("GetRestApis: AccessDeniedException"), "{message}");
}
