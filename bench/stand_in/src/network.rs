//! The synthetic network, in the XML of EC2.
//!
//! Each VPC has 4 route tables and 8 subnets, each tenth has 20 and 40. The first table is the main table; the subnets are
//! associated with the others in turn, which lead to a NAT gateway. Each VPC has a gateway endpoint for S3 and one for
//! DynamoDB, which cover every table. In the first VPCs, as many as asked for, the S3 endpoint does not cover the last table.
//! The first VPCs, as many as asked for, have an interface endpoint for SSM with a security group of its own. It has no
//! defect, and the DNS attributes of every VPC are on.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write,
    ops::Range,
};

/// The account of the function, which owns everything that it reads with its own credentials.
pub const ACCOUNT: &str = "123456789012";
/// Its Region, which the names of services and zones contain.
pub const REGION: &str = "eu-west-1";

/// The resources of one kind, in the order of their VPCs.
#[derive(Default)]
pub struct Resources {
    /// Each in XML.
    items: Vec<String>,
    /// The positions of the resources of a VPC.
    of_vpc: HashMap<String, Range<usize>>,
    by_id: HashMap<String, usize>,
    by_last_digit: HashMap<String, Vec<usize>>,
    /// The positions of the endpoints of type Interface.
    interface_endpoints: Vec<usize>,
}

impl Resources {
    fn add(&mut self, vpc: &str, id: String, xml: String) {
        let position = self.items.len();
        self.items.push(xml);
        let last_digit = id[id.len() - 1..].to_owned();
        self.by_last_digit.entry(last_digit).or_default().push(position);
        self.by_id.insert(id, position);
        self.of_vpc.entry(vpc.to_owned()).or_insert(position..position).end = position + 1;
    }

    /// The positions of the resources with this id, or whose id ends with a digit, such as `rtb-*0`. There are no other
    /// wildcards.
    fn matching(&self, id: &str) -> &[usize] {
        match id.split_once('*') {
            Some((_, digit)) => self.by_last_digit.get(digit).map_or(&[], Vec::as_slice),
            None => self.by_id.get(id).map_or(&[], std::slice::from_ref),
        }
    }

    /// Whether there is a resource with this id.
    pub fn has(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// One page of the resources that a filter selects, and the position of the next page.
    pub fn page(&self, filter: Option<&Filter>, from: usize, size: usize) -> (String, Option<usize>) {
        let Some(filter) = filter else {
            let to = self.items.len().min(from.saturating_add(size));
            return (self.items[from.min(to)..to].concat(), (to < self.items.len()).then_some(to));
        };
        let positions: BTreeSet<usize> = match filter {
            Filter::Vpcs(ids) => ids.iter().filter_map(|id| self.of_vpc.get(id)).flat_map(Range::clone).collect(),
            Filter::Ids(ids) => ids.iter().flat_map(|id| self.matching(id)).copied().collect(),
            Filter::InterfaceEndpoints => self.interface_endpoints.iter().copied().collect(),
        };
        let page = positions.iter().skip(from).take(size).map(|position| self.items[*position].as_str()).collect();
        let next = from.saturating_add(size);
        (page, (next < positions.len()).then_some(next))
    }
}

/// What a call asks for.
pub enum Filter {
    /// The resources of these VPCs.
    Vpcs(Vec<String>),
    /// The resources with these ids.
    Ids(Vec<String>),
    /// The endpoints of type Interface.
    InterfaceEndpoints,
}

/// All resources.
#[derive(Default)]
pub struct Network {
    pub vpcs: Resources,
    pub subnets: Resources,
    pub route_tables: Resources,
    pub endpoints: Resources,
    /// The groups of the interface endpoints.
    pub security_groups: Resources,
    pub nat_gateways: Resources,
}

impl Network {
    /// A network of as many VPCs, the first ones with a gap, and the first ones with an interface endpoint.
    pub fn new(vpcs: usize, gaps: usize, interface_endpoints: usize) -> Self {
        let mut network = Self::default();
        for number in 0..vpcs {
            let first_subnet = network.subnets.items.len();
            network.add_vpc(number, number < gaps);
            if number < interface_endpoints {
                network.add_interface_endpoint(number, first_subnet);
            }
        }
        network
    }

    /// Adds an endpoint to the VPC that was added last.
    fn add_interface_endpoint(&mut self, number: usize, first_subnet: usize) {
        let (vpc, group) = (id("vpc", number), id("sg", number));
        let endpoint = id("vpce", 1_000_000 + number);
        let xml = interface_endpoint_xml(&endpoint, &vpc, &group, &id("subnet", first_subnet));
        self.endpoints.interface_endpoints.push(self.endpoints.items.len());
        self.endpoints.add(&vpc, endpoint, xml);
        self.security_groups.add(&vpc, group.clone(), security_group_xml(&group, &vpc));
    }

    fn add_vpc(&mut self, number: usize, gap: bool) {
        let (tables, subnets) = if number % 10 == 9 { (20, 40) } else { (4, 8) };
        let vpc = id("vpc", number);
        let nat = id("nat", number);
        let [s3, dynamodb] = [0, 1].map(|n| id("vpce", 2 * number + n));
        let first_table = self.route_tables.items.len();
        let first_subnet = self.subnets.items.len();
        self.vpcs.add(&vpc, vpc.clone(), vpc_xml(&vpc, number));
        self.nat_gateways.add(&vpc, nat.clone(), nat_xml(&nat, &vpc, &id("subnet", first_subnet)));
        let is_covered = |table: usize| !(gap && table == tables - 1);
        for table in 0..tables {
            let table_id = id("rtb", first_table + table);
            let mut routes = route("destinationCidrBlock", "10.0.0.0/16", "gatewayId", "local", "CreateRouteTable");
            routes += &route("destinationCidrBlock", "0.0.0.0/0", "natGatewayId", &nat, "CreateRoute");
            routes += &route("destinationPrefixListId", "pl-66a5400f", "gatewayId", &dynamodb, "CreateRoute");
            if is_covered(table) {
                routes += &route("destinationPrefixListId", "pl-6da54004", "gatewayId", &s3, "CreateRoute");
            }
            let associations: String = if table == 0 {
                association(&table_id, &id("rtbassoc", first_table), "<main>true</main>")
            } else {
                (0..subnets)
                    .filter(|subnet| 1 + subnet % (tables - 1) == table)
                    .map(|subnet| {
                        let subnet = first_subnet + subnet;
                        let what = format!("<subnetId>{}</subnetId><main>false</main>", id("subnet", subnet));
                        association(&table_id, &id("rtbassoc", 1_000_000 + subnet), &what)
                    })
                    .collect()
            };
            let xml = format!(
                "<item><routeTableId>{table_id}</routeTableId><vpcId>{vpc}</vpcId><ownerId>{ACCOUNT}</ownerId>\
                 <routeSet>{routes}</routeSet><associationSet>{associations}</associationSet><propagatingVgwSet/>{}</item>",
                tags(&format!("private-{number}-{table}"))
            );
            self.route_tables.add(&vpc, table_id, xml);
        }
        for subnet in 0..subnets {
            let subnet_id = id("subnet", first_subnet + subnet);
            let xml = subnet_xml(&subnet_id, &vpc, number, subnet);
            self.subnets.add(&vpc, subnet_id, xml);
        }
        for (endpoint, service) in [(s3, "s3"), (dynamodb, "dynamodb")] {
            let mut listed = String::new();
            for table in (0..tables).filter(|table| service != "s3" || is_covered(*table)) {
                let _ = write!(listed, "<item>{}</item>", id("rtb", first_table + table));
            }
            let xml = format!(
                "<item><vpcEndpointId>{endpoint}</vpcEndpointId><vpcEndpointType>Gateway</vpcEndpointType>\
                 <vpcId>{vpc}</vpcId><serviceName>com.amazonaws.eu-west-1.{service}</serviceName>\
                 <state>available</state><policyDocument>{{&quot;Version&quot;:&quot;2008-10-17&quot;,\
                 &quot;Statement&quot;:[{{&quot;Effect&quot;:&quot;Allow&quot;,&quot;Principal&quot;:&quot;*&quot;,\
                 &quot;Action&quot;:&quot;*&quot;,&quot;Resource&quot;:&quot;*&quot;}}]}}</policyDocument>\
                 <routeTableIdSet>{listed}</routeTableIdSet><subnetIdSet/><groupSet/>\
                 <privateDnsEnabled>false</privateDnsEnabled><requesterManaged>false</requesterManaged>\
                 <networkInterfaceIdSet/><dnsEntrySet/><creationTimestamp>2026-01-01T00:00:00.000Z</creationTimestamp>\
                 <ownerId>{ACCOUNT}</ownerId>{}</item>",
                tags(service)
            );
            self.endpoints.add(&vpc, endpoint, xml);
        }
    }
}

fn id(kind: &str, number: usize) -> String {
    format!("{kind}-{:017x}", number + 1)
}

fn tags(name: &str) -> String {
    format!(
        "<tagSet><item><key>Name</key><value>{name}</value></item><item><key>Environment</key>\
         <value>production</value></item></tagSet>"
    )
}

fn route(destination: &str, block: &str, target: &str, target_id: &str, origin: &str) -> String {
    format!(
        "<item><{destination}>{block}</{destination}><{target}>{target_id}</{target}><state>active</state>\
         <origin>{origin}</origin></item>"
    )
}

fn association(table: &str, association: &str, what: &str) -> String {
    format!(
        "<item><routeTableAssociationId>{association}</routeTableAssociationId><routeTableId>{table}</routeTableId>\
         {what}<associationState><state>associated</state></associationState></item>"
    )
}

fn vpc_xml(vpc: &str, number: usize) -> String {
    format!(
        "<item><vpcId>{vpc}</vpcId><ownerId>{ACCOUNT}</ownerId><state>available</state>\
         <cidrBlock>10.0.0.0/16</cidrBlock><cidrBlockAssociationSet><item><cidrBlock>10.0.0.0/16</cidrBlock>\
         <associationId>vpc-cidr-assoc-1</associationId><cidrBlockState><state>associated</state></cidrBlockState></item>\
         </cidrBlockAssociationSet><dhcpOptionsId>dopt-1</dhcpOptionsId><instanceTenancy>default</instanceTenancy>\
         <isDefault>false</isDefault>{}</item>",
        tags(&format!("network-{number}"))
    )
}

fn interface_endpoint_xml(endpoint: &str, vpc: &str, group: &str, subnet: &str) -> String {
    format!(
        "<item><vpcEndpointId>{endpoint}</vpcEndpointId><vpcEndpointType>Interface</vpcEndpointType>\
         <vpcId>{vpc}</vpcId><serviceName>com.amazonaws.eu-west-1.ssm</serviceName><state>available</state>\
         <routeTableIdSet/><subnetIdSet><item>{subnet}</item></subnetIdSet>\
         <groupSet><item><groupId>{group}</groupId><groupName>endpoints</groupName></item></groupSet>\
         <ipAddressType>ipv4</ipAddressType><dnsOptions><dnsRecordIpType>ipv4</dnsRecordIpType></dnsOptions>\
         <privateDnsEnabled>true</privateDnsEnabled><requesterManaged>false</requesterManaged>\
         <networkInterfaceIdSet><item>eni-1</item></networkInterfaceIdSet><dnsEntrySet/>\
         <creationTimestamp>2026-01-01T00:00:00.000Z</creationTimestamp><ownerId>{ACCOUNT}</ownerId>{}</item>",
        tags("ssm")
    )
}

fn security_group_xml(group: &str, vpc: &str) -> String {
    format!(
        "<item><ownerId>{ACCOUNT}</ownerId><groupId>{group}</groupId><groupName>endpoints</groupName>\
         <groupDescription>HTTPS from the VPC</groupDescription><vpcId>{vpc}</vpcId><ipPermissions><item>\
         <ipProtocol>tcp</ipProtocol><fromPort>443</fromPort><toPort>443</toPort><groups/><ipRanges><item>\
         <cidrIp>10.0.0.0/16</cidrIp></item></ipRanges><ipv6Ranges/><prefixListIds/></item></ipPermissions>{}</item>",
        tags("endpoints")
    )
}

fn nat_xml(nat: &str, vpc: &str, subnet: &str) -> String {
    format!(
        "<item><natGatewayId>{nat}</natGatewayId><vpcId>{vpc}</vpcId><subnetId>{subnet}</subnetId>\
         <state>available</state><connectivityType>public</connectivityType>\
         <createTime>2026-01-01T00:00:00.000Z</createTime></item>"
    )
}

fn subnet_xml(subnet_id: &str, vpc: &str, number: usize, subnet: usize) -> String {
    let zone = ["a", "b", "c"][subnet % 3];
    format!(
        "<item><subnetId>{subnet_id}</subnetId>\
         <subnetArn>arn:aws:ec2:eu-west-1:{ACCOUNT}:subnet/{subnet_id}</subnetArn><state>available</state>\
         <ownerId>{ACCOUNT}</ownerId><vpcId>{vpc}</vpcId><cidrBlock>10.0.{subnet}.0/24</cidrBlock>\
         <ipv6CidrBlockAssociationSet/><availableIpAddressCount>251</availableIpAddressCount>\
         <availabilityZone>eu-west-1{zone}</availabilityZone><availabilityZoneId>euw1-az1</availabilityZoneId>\
         <defaultForAz>false</defaultForAz><mapPublicIpOnLaunch>false</mapPublicIpOnLaunch>\
         <assignIpv6AddressOnCreation>false</assignIpv6AddressOnCreation><enableDns64>false</enableDns64>\
         <ipv6Native>false</ipv6Native><mapCustomerOwnedIpOnLaunch>false</mapCustomerOwnedIpOnLaunch>\
         <privateDnsNameOptionsOnLaunch><hostnameType>ip-name</hostnameType></privateDnsNameOptionsOnLaunch>{}</item>",
        tags(&format!("app-{number}-{subnet}"))
    )
}
