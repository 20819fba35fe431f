//! Canned answers of the services that only some checks read: Route 53, its Profiles and Resolver, and API Gateway.

use std::{collections::HashMap, time::Duration};

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

/// The pages of the answer to each call, by the name of the operation. A call without pages gets an empty list.
pub type Answers = HashMap<&'static str, Vec<Answer>>;

/// One page of an answer.
#[derive(Clone)]
pub enum Answer {
    /// The members of the list.
    Items(Value),
    /// An error with this status and code.
    Error(u16, &'static str),
    /// A list of hosted zones that breaks off.
    Truncated,
}

pub struct OptionalServices {
    server: MockServer,
}

impl OptionalServices {
    pub async fn answering(answers: impl IntoIterator<Item = (&'static str, Vec<Answer>)>) -> Self {
        let server = MockServer::builder().start().await;
        let answers: Answers = answers.into_iter().collect();
        Mock::given(any()).respond_with(Pages(answers)).mount(&server).await;
        Self { server }
    }

    /// The variables that lead the calls to this server.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        ["ROUTE_53", "ROUTE53PROFILES", "ROUTE53RESOLVER", "API_GATEWAY"]
            .map(|service| (service, self.server.uri()))
            .map(|(service, url)| (variable(service), url))
            .into()
    }

    /// The calls that were made, each with what it asks for, sorted.
    pub async fn calls(&self) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap_or_default();
        let mut calls: Vec<String> = requests.iter().map(|request| call(request).described()).collect();
        calls.sort();
        calls
    }
}

fn variable(service: &str) -> &'static str {
    match service {
        "ROUTE_53" => "AWS_ENDPOINT_URL_ROUTE_53",
        "ROUTE53PROFILES" => "AWS_ENDPOINT_URL_ROUTE53PROFILES",
        "ROUTE53RESOLVER" => "AWS_ENDPOINT_URL_ROUTE53RESOLVER",
        _ => "AWS_ENDPOINT_URL_API_GATEWAY",
    }
}

struct Call {
    operation: &'static str,
    /// What it asks for: a VPC, a profile, or nothing.
    about: String,
    page: usize,
}

impl Call {
    fn described(&self) -> String {
        let page = if self.page == 0 { String::new() } else { format!("page {}", self.page + 1) };
        [self.operation, &self.about, &page].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

fn call(request: &Request) -> Call {
    let query: HashMap<String, String> = request.url.query_pairs().into_owned().collect();
    let field = |name: &str| query.get(name).cloned().unwrap_or_default();
    let of = |operation, about: String, token: String| Call { operation, about, page: token.parse().unwrap_or(0) };
    let path = request.url.path();
    if path.ends_with("/hostedzonesbyvpc") {
        of("ListHostedZonesByVPC", format!("{} {}", field("vpcid"), field("vpcregion")), field("nexttoken"))
    } else if path == "/profileassociations" {
        of("ListProfileAssociations", field("resourceId"), field("nextToken"))
    } else if let Some(id) = path.strip_prefix("/profileresourceassociations/profileid/") {
        of("ListProfileResourceAssociations", id.to_owned(), field("nextToken"))
    } else if path == "/restapis" {
        of("GetRestApis", String::new(), field("position"))
    } else {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let token = body["NextToken"].as_str().unwrap_or_default().to_owned();
        let filter = &body["Filters"][0];
        let about = filter["Values"][0].as_str().map_or(String::new(), |value| {
            assert_eq!(filter["Name"], json!("VPCId"));
            value.to_owned()
        });
        let operation = match request.headers["x-amz-target"].to_str().unwrap() {
            "Route53Resolver.ListResolverRules" => "ListResolverRules",
            "Route53Resolver.ListResolverRuleAssociations" => "ListResolverRuleAssociations",
            other => panic!("{other}"),
        };
        of(operation, about, token)
    }
}

struct Pages(Answers);

impl Respond for Pages {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let Call { operation, page, .. } = call(request);
        let pages = self.0.get(operation).map_or(&[][..], Vec::as_slice);
        let next = (page + 1 < pages.len()).then(|| (page + 1).to_string());
        let is_xml = operation == "ListHostedZonesByVPC";
        match pages.get(page).cloned().unwrap_or_else(|| Answer::Items(json!([]))) {
            Answer::Error(status, code) if is_xml => ResponseTemplate::new(status).set_body_string(format!(
                "<ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error><Type>Sender</Type>\
                 <Code>{code}</Code><Message>secret</Message></Error><RequestId>0a1b-request</RequestId></ErrorResponse>"
            )),
            // Late enough that the calls beside it are made: a call that fails cancels them.
            Answer::Truncated => ResponseTemplate::new(200).set_delay(Duration::from_millis(500)).set_body_string(
                "<ListHostedZonesByVPCResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
                 <HostedZoneSummaries>",
            ),
            Answer::Error(status, code) => ResponseTemplate::new(status)
                .insert_header("x-amzn-errortype", code)
                .set_body_json(json!({"__type": code, "message": "secret"})),
            Answer::Items(names) if is_xml => {
                let zone = |name: &Value| {
                    format!(
                        "<HostedZoneSummary><HostedZoneId>Z0A1B2C3D4</HostedZoneId><Name>{}</Name><Owner>\
                         <OwningAccount>123456789012</OwningAccount></Owner></HostedZoneSummary>",
                        name.as_str().unwrap()
                    )
                };
                let zones: String = names.as_array().unwrap().iter().map(zone).collect();
                let next = next.map_or(String::new(), |token| format!("<NextToken>{token}</NextToken>"));
                ResponseTemplate::new(200).set_body_string(format!(
                    "<ListHostedZonesByVPCResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
                     <HostedZoneSummaries>{zones}</HostedZoneSummaries><MaxItems>100</MaxItems>{next}\
                     </ListHostedZonesByVPCResponse>"
                ))
            }
            Answer::Items(items) => {
                let (list, token) = match operation {
                    "ListProfileAssociations" => ("ProfileAssociations", "NextToken"),
                    "ListProfileResourceAssociations" => ("ProfileResourceAssociations", "NextToken"),
                    "ListResolverRules" => ("ResolverRules", "NextToken"),
                    "ListResolverRuleAssociations" => ("ResolverRuleAssociations", "NextToken"),
                    _ => ("item", "position"),
                };
                let mut body = json!({list: items});
                if let Some(next) = next {
                    body[token] = json!(next);
                }
                ResponseTemplate::new(200).set_body_json(body)
            }
        }
    }
}
