//! How to fix a finding, as commands and text that can be copied as they are.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.
//!
//! A gateway endpoint takes more tables through `ModifyVpcEndpoint`, so where an endpoint exists it is extended and only
//! otherwise a new one is made (quota: 20 gateway endpoints per Region,
//! <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-limits-endpoints.html>). Its routes are never made or deleted
//! by hand: EC2 adds and removes them with the table's place in the endpoint's list
//! (<https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html#gateway-endpoint-routing>).

use serde::Serialize;

use crate::{
    ids::{self, is_id},
    service::GatewayService,
    vpc::{Endpoint, RouteTable},
};

/// The same fix for three ways of working. `None` where an id is not shaped as AWS shapes it: such text never becomes a
/// command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remediation {
    /// A command line for a POSIX shell.
    pub aws_cli: Option<String>,
    /// The resource as a template must hold it, with what it assumes in a comment.
    pub cloud_formation: Option<String>,
    /// The resource as a configuration must hold it, with what it assumes in a comment.
    pub terraform: Option<String>,
}

/// What has to be done.
#[derive(Clone, Copy, Debug)]
pub enum Fix<'a> {
    /// Add the table to an available endpoint.
    Extend(&'a Endpoint),
    /// Take the table off an available endpoint that lists it without a route, and add it again.
    Reattach(&'a Endpoint),
    /// The endpoint is on its way to a state; look again.
    Wait(&'a Endpoint),
    /// Make an endpoint for the table.
    Create,
    /// Delete an endpoint that failed for good, then extend an available one, or make a new one where there is none.
    Replace(&'a Endpoint, Option<&'a Endpoint>),
}

/// Writes the fix down for one table and service.
#[must_use]
pub fn remediation(fix: Fix<'_>, table: &RouteTable, service: GatewayService, region: &str) -> Remediation {
    let (broken, working) = match fix {
        Fix::Create => (None, None),
        Fix::Extend(endpoint) | Fix::Reattach(endpoint) | Fix::Wait(endpoint) => (None, Some(endpoint)),
        Fix::Replace(broken, working) => (Some(broken), working),
    };
    let well_formed = is_id(ids::VPC, &table.vpc_id)
        && is_id(ids::ROUTE_TABLE, &table.id)
        && broken.iter().chain(&working).all(|endpoint| is_id(ids::ENDPOINT, &endpoint.id))
        && working.iter().flat_map(|endpoint| &endpoint.route_table_ids).all(|id| is_id(ids::ROUTE_TABLE, id));
    if !well_formed {
        return Remediation::default();
    }
    let job = Job { table, service, region };
    Remediation {
        aws_cli: Some(job.aws_cli(fix)),
        cloud_formation: Some(job.cloud_formation(fix)),
        terraform: Some(job.terraform(fix)),
    }
}

/// The table, service and Region that all three texts are about. Its ids have been checked.
struct Job<'a> {
    table: &'a RouteTable,
    service: GatewayService,
    region: &'a str,
}

impl Job<'_> {
    fn aws_cli(&self, fix: Fix<'_>) -> String {
        let Self { table: RouteTable { id: table, vpc_id, .. }, region, .. } = self;
        let modify = |endpoint: &Endpoint, change: &str| {
            format!(
                "aws ec2 modify-vpc-endpoint --region {region} --vpc-endpoint-id {} --{change}-route-table-ids {table}",
                endpoint.id
            )
        };
        match fix {
            Fix::Extend(endpoint) => modify(endpoint, "add"),
            Fix::Reattach(endpoint) => format!("{} && {}", modify(endpoint, "remove"), modify(endpoint, "add")),
            Fix::Wait(endpoint) => {
                format!("aws ec2 describe-vpc-endpoints --region {region} --vpc-endpoint-ids {}", endpoint.id)
            }
            Fix::Create => format!(
                "aws ec2 create-vpc-endpoint --region {region} --vpc-endpoint-type Gateway --vpc-id {vpc_id} \
                 --service-name {} --route-table-ids {table}",
                self.service.endpoint_service_name(region)
            ),
            Fix::Replace(broken, available) => format!(
                "aws ec2 delete-vpc-endpoints --region {region} --vpc-endpoint-ids {} && {}",
                broken.id,
                self.aws_cli(available.map_or(Fix::Create, Fix::Extend))
            ),
        }
    }

    fn cloud_formation(&self, fix: Fix<'_>) -> String {
        let table = &self.table.id;
        match fix {
            Fix::Extend(endpoint) => {
                let mut tables: Vec<&str> = endpoint.route_table_ids.iter().map(String::as_str).collect();
                tables.push(table);
                tables.sort_unstable();
                format!(
                    "# Assumes that a stack manages {}. RouteTableIds is the whole list: the tables it has, and {table}.\n{}",
                    endpoint.id,
                    self.cloud_formation_resource(&tables)
                )
            }
            Fix::Reattach(endpoint) => format!(
                "# A stack that lists {table} in the RouteTableIds of {} sees nothing to change. Update it once without\n\
                 # the table and once with it, or run the AWS CLI commands.\n",
                endpoint.id
            ),
            Fix::Wait(endpoint) => wait(endpoint),
            Fix::Create => format!(
                "# Assumes that no stack manages a gateway endpoint for this service in {}. One holds all tables of the VPC:\n\
                 # list those that need it too.\n{}",
                self.table.vpc_id,
                self.cloud_formation_resource(&[table])
            ),
            Fix::Replace(broken, available) => format!(
                "# Remove {} ({}) from its stack first.\n{}",
                broken.id,
                broken.state.to_ascii_lowercase(),
                self.cloud_formation(available.map_or(Fix::Create, Fix::Extend))
            ),
        }
    }

    fn cloud_formation_resource(&self, tables: &[&str]) -> String {
        let logical_id = match self.service {
            GatewayService::DynamoDb => "DynamoDbGatewayEndpoint",
            GatewayService::S3 => "S3GatewayEndpoint",
            GatewayService::S3Express => "S3ExpressGatewayEndpoint",
        };
        let mut resource = format!(
            "{logical_id}:\n  Type: AWS::EC2::VPCEndpoint\n  Properties:\n    VpcEndpointType: Gateway\n    VpcId: {}\n    \
             ServiceName: {}\n    RouteTableIds:\n",
            self.table.vpc_id,
            self.service.endpoint_service_name(self.region)
        );
        for table in tables {
            resource.push_str("      - ");
            resource.push_str(table);
            resource.push('\n');
        }
        resource
    }

    fn terraform(&self, fix: Fix<'_>) -> String {
        let Self { table: RouteTable { id: table, vpc_id, .. }, service, region } = self;
        let label = format!("{}_{}", service.name(), table.replace('-', "_"));
        match fix {
            Fix::Extend(endpoint) => format!(
                "# Assumes that no aws_vpc_endpoint lists tables in route_table_ids for {id}. Where one does, add\n\
                 # \"{table}\" to that list instead: the two ways undo each other.\n\
                 resource \"aws_vpc_endpoint_route_table_association\" \"{label}\" {{\n  \
                 vpc_endpoint_id = \"{id}\"\n  route_table_id  = \"{table}\"\n}}\n",
                id = endpoint.id
            ),
            Fix::Reattach(endpoint) => format!(
                "# A configuration that puts {table} on {} sees nothing to change. Apply it with -replace on the\n\
                 # aws_vpc_endpoint_route_table_association, or run the AWS CLI commands.\n",
                endpoint.id
            ),
            Fix::Wait(endpoint) => wait(endpoint),
            Fix::Create => format!(
                "# Assumes that no aws_vpc_endpoint for this service manages tables of {vpc_id}, and that no\n\
                 # aws_vpc_endpoint_route_table_association will add tables to this one. It holds all tables of the VPC: list\n\
                 # those that need it too.\n\
                 resource \"aws_vpc_endpoint\" \"{label}\" {{\n  vpc_endpoint_type = \"Gateway\"\n  \
                 vpc_id            = \"{vpc_id}\"\n  service_name      = \"{}\"\n  route_table_ids   = [\"{table}\"]\n}}\n",
                service.endpoint_service_name(region)
            ),
            Fix::Replace(broken, available) => format!(
                "# Remove {} ({}) from its configuration first.\n{}",
                broken.id,
                broken.state.to_ascii_lowercase(),
                self.terraform(available.map_or(Fix::Create, Fix::Extend))
            ),
        }
    }
}

fn wait(endpoint: &Endpoint) -> String {
    format!("# Nothing to change yet: {} is {}.\n", endpoint.id, endpoint.state.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        testing::{gateway_endpoint, table},
        vpc::EndpointKind,
    };

    const VPC: &str = "vpc-0a1b2c3d4e5f60001";
    const TABLE: &str = "rtb-0a1b2c3d4e5f60004";

    fn written(fix: Fix<'_>, service: GatewayService) -> [String; 3] {
        let Remediation { aws_cli, cloud_formation, terraform } =
            remediation(fix, &table(TABLE, VPC), service, "eu-west-1");
        [aws_cli, cloud_formation, terraform].map(Option::unwrap)
    }

    fn endpoint() -> Endpoint {
        gateway_endpoint("vpce-0a1b2c3d4e5f60001", VPC, GatewayService::S3, &["rtb-0a1b2c3d4e5f60009"])
    }

    #[test]
    fn an_available_endpoint_is_extended() {
        assert_eq!(
            written(Fix::Extend(&endpoint()), GatewayService::S3),
            [
                "aws ec2 modify-vpc-endpoint --region eu-west-1 --vpc-endpoint-id vpce-0a1b2c3d4e5f60001 \
                 --add-route-table-ids rtb-0a1b2c3d4e5f60004",
                "\
# Assumes that a stack manages vpce-0a1b2c3d4e5f60001. RouteTableIds is the whole list: the tables it has, and rtb-0a1b2c3d4e5f60004.
S3GatewayEndpoint:
  Type: AWS::EC2::VPCEndpoint
  Properties:
    VpcEndpointType: Gateway
    VpcId: vpc-0a1b2c3d4e5f60001
    ServiceName: com.amazonaws.eu-west-1.s3
    RouteTableIds:
      - rtb-0a1b2c3d4e5f60004
      - rtb-0a1b2c3d4e5f60009
",
                "\
# Assumes that no aws_vpc_endpoint lists tables in route_table_ids for vpce-0a1b2c3d4e5f60001. Where one does, add
# \"rtb-0a1b2c3d4e5f60004\" to that list instead: the two ways undo each other.
resource \"aws_vpc_endpoint_route_table_association\" \"s3_rtb_0a1b2c3d4e5f60004\" {
  vpc_endpoint_id = \"vpce-0a1b2c3d4e5f60001\"
  route_table_id  = \"rtb-0a1b2c3d4e5f60004\"
}
",
            ]
        );
    }

    #[test]
    fn where_there_is_no_endpoint_one_is_made() {
        assert_eq!(
            written(Fix::Create, GatewayService::DynamoDb),
            [
                "aws ec2 create-vpc-endpoint --region eu-west-1 --vpc-endpoint-type Gateway --vpc-id \
                 vpc-0a1b2c3d4e5f60001 --service-name com.amazonaws.eu-west-1.dynamodb --route-table-ids \
                 rtb-0a1b2c3d4e5f60004",
                "\
# Assumes that no stack manages a gateway endpoint for this service in vpc-0a1b2c3d4e5f60001. One holds all tables of the VPC:
# list those that need it too.
DynamoDbGatewayEndpoint:
  Type: AWS::EC2::VPCEndpoint
  Properties:
    VpcEndpointType: Gateway
    VpcId: vpc-0a1b2c3d4e5f60001
    ServiceName: com.amazonaws.eu-west-1.dynamodb
    RouteTableIds:
      - rtb-0a1b2c3d4e5f60004
",
                "\
# Assumes that no aws_vpc_endpoint for this service manages tables of vpc-0a1b2c3d4e5f60001, and that no
# aws_vpc_endpoint_route_table_association will add tables to this one. It holds all tables of the VPC: list
# those that need it too.
resource \"aws_vpc_endpoint\" \"dynamodb_rtb_0a1b2c3d4e5f60004\" {
  vpc_endpoint_type = \"Gateway\"
  vpc_id            = \"vpc-0a1b2c3d4e5f60001\"
  service_name      = \"com.amazonaws.eu-west-1.dynamodb\"
  route_table_ids   = [\"rtb-0a1b2c3d4e5f60004\"]
}
",
            ]
        );
    }

    #[test]
    fn a_listed_table_without_a_route_is_taken_off_and_added_again() {
        let [cli, cloud_formation, terraform] = written(Fix::Reattach(&endpoint()), GatewayService::S3);
        assert_eq!(
            cli,
            "aws ec2 modify-vpc-endpoint --region eu-west-1 --vpc-endpoint-id vpce-0a1b2c3d4e5f60001 \
             --remove-route-table-ids rtb-0a1b2c3d4e5f60004 && aws ec2 modify-vpc-endpoint --region eu-west-1 \
             --vpc-endpoint-id vpce-0a1b2c3d4e5f60001 --add-route-table-ids rtb-0a1b2c3d4e5f60004"
        );
        for text in [cloud_formation, terraform] {
            assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
        }
    }

    #[test]
    fn an_endpoint_on_its_way_is_looked_at() {
        let pending = Endpoint { state: "Pending".into(), ..endpoint() };
        assert_eq!(
            written(Fix::Wait(&pending), GatewayService::S3),
            [
                "aws ec2 describe-vpc-endpoints --region eu-west-1 --vpc-endpoint-ids vpce-0a1b2c3d4e5f60001",
                "# Nothing to change yet: vpce-0a1b2c3d4e5f60001 is pending.\n",
                "# Nothing to change yet: vpce-0a1b2c3d4e5f60001 is pending.\n",
            ]
        );
    }

    #[test]
    fn a_failed_endpoint_is_deleted_before_another_takes_the_table() {
        let broken = Endpoint { id: "vpce-0a1b2c3d4e5f60007".into(), state: "failed".into(), ..endpoint() };
        let delete = "aws ec2 delete-vpc-endpoints --region eu-west-1 --vpc-endpoint-ids vpce-0a1b2c3d4e5f60007 && ";
        for (available, then) in [(None, Fix::Create), (Some(&endpoint()), Fix::Extend(&endpoint()))] {
            let [cli, cloud_formation, terraform] = written(then, GatewayService::S3);
            assert_eq!(
                written(Fix::Replace(&broken, available), GatewayService::S3),
                [
                    format!("{delete}{cli}"),
                    format!("# Remove vpce-0a1b2c3d4e5f60007 (failed) from its stack first.\n{cloud_formation}"),
                    format!("# Remove vpce-0a1b2c3d4e5f60007 (failed) from its configuration first.\n{terraform}"),
                ]
            );
        }
    }

    #[test]
    fn text_that_is_no_id_never_becomes_a_command() {
        let hostile = "rtb-0a1b2c3d; rm -rf /";
        assert_eq!(
            remediation(Fix::Create, &table(hostile, VPC), GatewayService::S3, "eu-west-1"),
            Remediation::default()
        );
        assert_eq!(
            remediation(Fix::Create, &table(TABLE, "vpc-$(id)"), GatewayService::S3, "eu-west-1"),
            Remediation::default()
        );
        for endpoint in [
            Endpoint { id: "vpce-`id`".into(), ..endpoint() },
            Endpoint { route_table_ids: vec![hostile.into()], ..endpoint() },
        ] {
            assert_eq!(endpoint.kind, EndpointKind::Gateway);
            for fix in [Fix::Extend(&endpoint), Fix::Replace(&endpoint, Some(&endpoint))] {
                assert_eq!(
                    remediation(fix, &table(TABLE, VPC), GatewayService::S3, "eu-west-1"),
                    Remediation::default()
                );
            }
        }
    }
}
