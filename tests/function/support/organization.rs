//! The accounts of an organization: STS that hands out sessions, and EC2 that tells them apart by their session.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::json;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::method};

use super::{api_calls, form};

/// STS and EC2.
pub struct Organization {
    sts: MockServer,
    ec2: MockServer,
}

/// What STS or EC2 answers instead of what was asked for.
#[derive(Clone, Copy)]
pub enum Fault {
    /// STS answers this error for the role of the account.
    Sts(u16, &'static str),
    /// STS denies access to the account after this many calls.
    StsLater(usize),
    /// EC2 refuses the first session in the account.
    FirstSession,
    /// EC2 answers this error in this Region.
    Ec2(&'static str, u16, &'static str),
    /// STS does not answer for two minutes.
    StsHangs,
    /// EC2 does not answer in this Region for two minutes.
    Ec2Hangs(&'static str),
}

/// By account.
type Faults = HashMap<&'static str, Vec<Fault>>;

impl Organization {
    /// Accounts that each have one VPC with one private subnet behind a NAT gateway, in every Region. These accounts have
    /// faults.
    pub async fn with(faults: impl IntoIterator<Item = (&'static str, Fault)>) -> Self {
        let mut by_account = Faults::new();
        for (account, fault) in faults {
            by_account.entry(account).or_default().push(fault);
        }
        let (sts, ec2) = (MockServer::builder().start().await, MockServer::builder().start().await);
        Mock::given(method("POST"))
            .respond_with(Sts { faults: by_account.clone(), calls: AtomicUsize::new(0) })
            .mount(&sts)
            .await;
        Mock::given(method("POST")).respond_with(Ec2(by_account)).mount(&ec2).await;
        Self { sts, ec2 }
    }

    /// The variables that lead the calls to these servers.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        [("AWS_ENDPOINT_URL_STS", self.sts.uri()), ("AWS_ENDPOINT_URL_EC2", self.ec2.uri())]
    }

    /// The forms of the calls to STS.
    pub async fn sts_calls(&self) -> Vec<HashMap<String, String>> {
        api_calls(&self.sts).await.iter().map(form).collect()
    }

    /// The accounts and Regions whose networks were read, sorted.
    pub async fn accounts_read(&self) -> Vec<(String, String)> {
        let mut places: Vec<(String, String)> = api_calls(&self.ec2).await.iter().map(place).collect();
        places.sort();
        places.dedup();
        places
    }

    /// The calls to EC2 in an account and Region, sorted.
    pub async fn ec2_calls(&self, account: &str, region: &str) -> Vec<String> {
        let requests = api_calls(&self.ec2).await;
        let here = requests.iter().filter(|request| place(request) == (account.to_owned(), region.to_owned()));
        let mut calls: Vec<String> = here.map(|request| form(request)["Action"].clone()).collect();
        calls.sort();
        calls
    }
}

/// The account and Region of a call: those of its signature. The sessions that [`Sts`] hands out name their account. The
/// function's own key is `test`.
fn place(request: &Request) -> (String, String) {
    let header = request.headers["authorization"].to_str().unwrap();
    let scope: Vec<&str> = header.split_once("Credential=").unwrap().1.split('/').collect();
    (scope[0].trim_start_matches(FIRST_SESSION).trim_start_matches("ASIB").to_owned(), scope[2].to_owned())
}

/// Whether the call has the first session that STS handed out.
fn has_first_session(request: &Request) -> bool {
    request.headers["authorization"].to_str().unwrap().contains(&format!("Credential={FIRST_SESSION}"))
}

const HANGING: Duration = Duration::from_mins(2);
/// How the key of the first session begins.
const FIRST_SESSION: &str = "ASIA";

struct Sts {
    faults: Faults,
    calls: AtomicUsize,
}

impl Respond for Sts {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let role = form(request)["RoleArn"].clone();
        let account = role.split(':').nth(4).unwrap().to_owned();
        let faults = self.faults.get(account.as_str()).map_or(&[][..], Vec::as_slice);
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some((status, code)) = faults.iter().find_map(|fault| match fault {
            Fault::Sts(status, code) => Some((*status, *code)),
            Fault::StsLater(calls) => (call >= *calls).then_some((403, "AccessDenied")),
            Fault::FirstSession | Fault::Ec2(..) | Fault::StsHangs | Fault::Ec2Hangs(_) => None,
        }) {
            let error = ResponseTemplate::new(status).insert_header("x-amzn-requestid", "0a1b-request");
            return error.set_body_string(format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                 <Code>{code}</Code><Message>secret</Message></Error><RequestId>0a1b-request</RequestId></ErrorResponse>"
            ));
        }
        let session = if call == 0 { FIRST_SESSION } else { "ASIB" };
        let hangs = faults.iter().any(|fault| matches!(fault, Fault::StsHangs));
        let delay = if hangs { HANGING } else { Duration::ZERO };
        ResponseTemplate::new(200).set_delay(delay).set_body_string(format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
             <SourceIdentity>gatewatch</SourceIdentity><AssumedRoleUser>\
             <AssumedRoleId>AROA0A1B2C3D4E5F:gatewatch</AssumedRoleId>\
             <Arn>arn:aws:sts::{account}:assumed-role/gatewatch-read/gatewatch</Arn></AssumedRoleUser><Credentials>\
             <AccessKeyId>{session}{account}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
             <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
             </AssumeRoleResult><ResponseMetadata><RequestId>0a1b-request</RequestId></ResponseMetadata>\
             </AssumeRoleResponse>"
        ))
    }
}

struct Ec2(Faults);

impl Respond for Ec2 {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let (account, region) = place(request);
        let faults = self.0.get(account.as_str()).map_or(&[][..], Vec::as_slice);
        if let Some((status, code)) = faults.iter().find_map(|fault| match fault {
            Fault::Ec2(in_region, status, code) if *in_region == region => Some((*status, *code)),
            Fault::FirstSession if has_first_session(request) => Some((401, "AuthFailure")),
            _ => None,
        }) {
            let error = ResponseTemplate::new(status).insert_header("x-amzn-requestid", "0a1b-request");
            return error.set_body_string(format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>secret</Message></Error></Errors>\
                 <RequestID>0a1b-request</RequestID></Response>"
            ));
        }
        let account = if account == "test" { "123456789012".to_owned() } else { account };
        let action = form(request)["Action"].clone();
        let (set, items) = match action.as_str() {
            "DescribeVpcs" => (
                "vpcSet",
                format!(
                    "<item><vpcId>vpc-0000000a</vpcId><ownerId>{account}</ownerId><cidrBlock>10.0.0.0/16</cidrBlock></item>"
                ),
            ),
            "DescribeSubnets" => (
                "subnetSet",
                format!(
                    "<item><subnetId>subnet-0000000a</subnetId><vpcId>vpc-0000000a</vpcId><ownerId>{account}</ownerId>\
                     <cidrBlock>10.0.1.0/24</cidrBlock></item>"
                ),
            ),
            "DescribeRouteTables" => (
                "routeTableSet",
                format!(
                    "<item><routeTableId>rtb-0000000a</routeTableId><vpcId>vpc-0000000a</vpcId><ownerId>{account}</ownerId>\
                     <routeSet><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>\
                     <natGatewayId>nat-0000000a</natGatewayId><state>active</state></item></routeSet><associationSet>\
                     <item><main>true</main><associationState><state>associated</state></associationState></item>\
                     </associationSet></item>"
                ),
            ),
            "DescribeVpcEndpoints" => ("vpcEndpointSet", String::new()),
            other => panic!("{other}"),
        };
        let hangs = |fault: &Fault| matches!(fault, Fault::Ec2Hangs(in_region) if *in_region == region);
        let delay = if faults.iter().any(hangs) { HANGING } else { Duration::ZERO };
        ResponseTemplate::new(200).set_delay(delay).set_body_string(format!(
            "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>0a1b-request</requestId>\
             <{set}>{items}</{set}></{action}Response>"
        ))
    }
}

/// An event bus.
pub struct EventBus {
    server: MockServer,
}

impl EventBus {
    /// Refuses the first entry of each of the first calls with this code, as many as the number says.
    pub async fn refusing_first_entry(code: &'static str, calls: u64) -> Self {
        let server = MockServer::builder().start().await;
        let answer = |refused: Option<&'static str>| {
            move |request: &Request| {
                let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
                let count = asked["Entries"].as_array().unwrap().len();
                let entry = |n: usize| match refused {
                    Some(code) if n == 0 => json!({"ErrorCode": code, "ErrorMessage": "secret"}),
                    _ => json!({"EventId": format!("0a1b2c3d-0000-4000-8000-{n:012}")}),
                };
                let entries: Vec<serde_json::Value> = (0..count).map(entry).collect();
                ResponseTemplate::new(200)
                    .set_body_json(json!({"FailedEntryCount": usize::from(refused.is_some()), "Entries": entries}))
            }
        };
        if calls > 0 {
            let refusing = Mock::given(method("POST")).respond_with(answer(Some(code)));
            refusing.up_to_n_times(calls).mount(&server).await;
        }
        Mock::given(method("POST")).respond_with(answer(None)).mount(&server).await;
        Self { server }
    }

    pub fn url(&self) -> String {
        self.server.uri()
    }

    /// The Regions that the calls were signed for.
    pub async fn regions(&self) -> Vec<String> {
        api_calls(&self.server).await.iter().map(|request| place(request).1).collect()
    }

    /// The entries of each call.
    pub async fn calls(&self) -> Vec<Vec<serde_json::Value>> {
        let entries = |request: &Request| {
            let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            asked["Entries"].as_array().unwrap().clone()
        };
        api_calls(&self.server).await.iter().map(entries).collect()
    }
}
