//! Canned answers of EC2, in its XML.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::method};

use super::{answer_pings, api_calls, form};

/// One page of the answer to a call.
#[derive(Clone)]
pub enum Page {
    /// The members of the set, and a token where more pages follow.
    Items(String),
    /// An error, with its status.
    Error(u16, &'static str),
    /// The members without an end tag: a proxy or the connection cut the answer.
    Truncated(&'static str),
    /// No members in the first answers, as many as the number says, and then these: EC2 is eventually consistent.
    Late(usize, String),
    /// The first members in the first answer, which takes this time, and the others in the answers after it.
    Changing(Duration, String, String),
    /// The DNS attributes of each VPC.
    Attributes { support: bool, host_names: bool },
    /// A token that leads back to the same page.
    Endless,
    /// No answer for two minutes.
    Hangs,
}

impl Page {
    pub fn items(items: &str) -> Self {
        Self::Items(items.to_owned())
    }
}

/// A server that answers calls that read, each with its own pages. A call without pages gets an empty set.
pub struct Ec2 {
    server: MockServer,
}

struct Pages {
    of: HashMap<&'static str, Vec<Page>>,
    /// How many answers of [`Page::Late`] have been given.
    late: AtomicUsize,
    /// How many answers of [`Page::Changing`] have been given.
    changing: AtomicUsize,
}

impl Ec2 {
    pub async fn answering(pages: impl IntoIterator<Item = (&'static str, Vec<Page>)>) -> Self {
        let server = MockServer::builder().start().await;
        let pages = Pages { of: pages.into_iter().collect(), late: AtomicUsize::new(0), changing: AtomicUsize::new(0) };
        Mock::given(method("POST")).respond_with(pages).mount(&server).await;
        Self { server }
    }

    /// Answers the pings of the warm-up like this.
    pub async fn with_pings(self, answer: ResponseTemplate) -> Self {
        answer_pings(&self.server, answer).await;
        self
    }

    /// A server that knows these resources of a Region, each with its id and its XML, and lists them in pages of this size.
    /// It has the filter by the id of a VPC, and the one by the id of a route table, with or without wildcards. Without them,
    /// no id matches.
    pub async fn of_region(resources: Resources, page_size: usize, has_wildcards: bool) -> Self {
        let server = MockServer::builder().start().await;
        let region = Region { resources, page_size, has_wildcards };
        Mock::given(method("POST")).respond_with(region).mount(&server).await;
        Self { server }
    }

    pub fn url(&self) -> String {
        self.server.uri()
    }

    /// The calls that were made: the action and its filters, such as `DescribeSubnets vpc-id=vpc-1`, sorted.
    pub async fn calls(&self) -> Vec<String> {
        let requests = api_calls(&self.server).await;
        let mut calls: Vec<String> = requests
            .iter()
            .map(|request| {
                let form = form(request);
                let mut call = form["Action"].clone();
                if let Some(list) = form.get("PrefixListId") {
                    call = format!("{call} {list}");
                }
                if let Some(attribute) = form.get("Attribute") {
                    call = format!("{call} {} {attribute}", form["VpcId"]);
                }
                for n in 1.. {
                    let Some(name) = form.get(&format!("Filter.{n}.Name")) else { break };
                    let values: Vec<&str> =
                        (1..).map_while(|v| form.get(&format!("Filter.{n}.Value.{v}")).map(String::as_str)).collect();
                    call = format!("{call} {name}={}", values.join(","));
                }
                call
            })
            .collect();
        calls.sort();
        calls
    }
}

impl Respond for Pages {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let form = form(request);
        let action = form["Action"].as_str();
        let pages = self.of.get(action).map_or(&[][..], Vec::as_slice);
        let n: usize = form.get("NextToken").map_or(0, |token| token.parse().unwrap_or_default());
        if let Some(Page::Attributes { support, host_names }) = pages.first() {
            let (name, value) = match form["Attribute"].as_str() {
                "enableDnsSupport" => ("enableDnsSupport", support),
                _ => ("enableDnsHostnames", host_names),
            };
            let vpc_id = &form["VpcId"];
            return ResponseTemplate::new(200).set_body_string(format!(
                "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>0a1b-request</requestId>\
                 <vpcId>{vpc_id}</vpcId><{name}><value>{value}</value></{name}></{action}Response>"
            ));
        }
        let next = if n + 1 < pages.len() { format!("<nextToken>{}</nextToken>", n + 1) } else { String::new() };
        match pages.get(n) {
            None | Some(Page::Attributes { .. }) => set(action, "", ""),
            Some(Page::Items(items)) => set(action, items, &next),
            Some(Page::Truncated(items)) => ResponseTemplate::new(200).set_body_string(format!(
                "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><{}>{items}",
                set_name(action)
            )),
            Some(Page::Endless) => set(action, "", &format!("<nextToken>{n}</nextToken>")),
            Some(Page::Late(empty, items)) => {
                let given = self.late.fetch_add(1, Ordering::Relaxed);
                set(action, if given < *empty { "" } else { items }, &next)
            }
            Some(Page::Changing(delay, first, later)) => match self.changing.fetch_add(1, Ordering::Relaxed) {
                0 => set(action, first, &next).set_delay(*delay),
                _ => set(action, later, &next),
            },
            Some(Page::Error(status, code)) => ResponseTemplate::new(*status).insert_header("x-amzn-requestid", "0a1b-request").set_body_string(format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>You are not authorized. Encoded authorization \
                 failure message: c2VjcmV0</Message></Error></Errors><RequestID>0a1b-request</RequestID></Response>"
            )),
            Some(Page::Hangs) => set(action, "", "").set_delay(Duration::from_mins(2)),
        }
    }
}

/// The resources of each call that lists them: ids and XML.
pub type Resources = HashMap<&'static str, Vec<(String, String)>>;

struct Region {
    resources: Resources,
    page_size: usize,
    has_wildcards: bool,
}

impl Respond for Region {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let form = form(request);
        let action = form["Action"].as_str();
        let values: Vec<&String> = (1..).map_while(|n| form.get(&format!("Filter.1.Value.{n}"))).collect();
        let filter = form.get("Filter.1.Name");
        let is_about_vpcs = filter.is_some_and(|name| name == "vpc-id");
        let matches = |(id, xml): &(String, String), value: &str| match value.split_once('*') {
            _ if is_about_vpcs => xml.contains(&format!("<vpcId>{value}</vpcId>")),
            Some((start, end)) => self.has_wildcards && id.starts_with(start) && id.ends_with(end),
            None => id == value,
        };
        let from: usize = form.get("NextToken").map_or(0, |token| token.parse().unwrap());
        let mut selected = (self.resources.get(action).into_iter().flatten())
            .filter(|resource| filter.is_none() || values.iter().any(|value| matches(resource, value)))
            .skip(from);
        let page: String = selected.by_ref().take(self.page_size).map(|(_, xml)| xml.as_str()).collect();
        let next = selected.next().map(|_| format!("<nextToken>{}</nextToken>", from + self.page_size));
        set(action, &page, &next.unwrap_or_default())
    }
}

fn set(action: &str, items: &str, next: &str) -> ResponseTemplate {
    let set = set_name(action);
    ResponseTemplate::new(200).set_body_string(format!(
        "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>0a1b-request</requestId>\
         <{set}>{items}</{set}>{next}</{action}Response>"
    ))
}

fn set_name(action: &str) -> &'static str {
    match action {
        "DescribeVpcs" => "vpcSet",
        "DescribeSubnets" => "subnetSet",
        "DescribeRouteTables" => "routeTableSet",
        "DescribeNatGateways" => "natGatewaySet",
        "GetManagedPrefixListEntries" => "entrySet",
        "DescribeSecurityGroups" => "securityGroupInfo",
        "DescribeVpcEndpointServices" => "serviceDetailSet",
        _ => "vpcEndpointSet",
    }
}
