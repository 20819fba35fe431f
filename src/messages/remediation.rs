//! How to fix a finding, rendered for the AWS CLI, CloudFormation and Terraform: text that can be copied as it is.
//!
//! Pure: names no SDK type, does no I/O and reads no clock.

use crate::{
    checks::{
        exemption,
        finding::Finding,
        fix::{Endpoint, Fix},
    },
    network::{
        account::is_region,
        ids::{self, is_id},
        service::GatewayService,
    },
};

/// One fix for three ways of working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RenderedFix {
    /// Command lines for a POSIX shell. Each is to be run only if the one before it succeeded.
    pub(super) commands: Vec<String>,
    /// The resource as a template has to declare it, with what it assumes in a comment.
    pub(super) cloud_formation: String,
    /// The resource as a configuration has to declare it, with what it assumes in a comment.
    pub(super) terraform: String,
}

impl RenderedFix {
    /// All commands on one line.
    pub(super) fn aws_cli(&self) -> String {
        self.commands.join(" && ")
    }
}

/// Renders the fix. `None` where an id is not shaped as AWS shapes it: such text never becomes a command.
pub(super) fn render(finding: &Finding) -> Option<RenderedFix> {
    let table = &finding.route_table.id;
    let context = Context::of(finding)?;
    Some(RenderedFix {
        commands: context.commands(&finding.fix, &[table]),
        cloud_formation: context.cloud_formation(&finding.fix, table),
        terraform: context.terraform(&finding.fix, table),
    })
}

/// The commands alone, for one or more tables that need the same fix as this finding. `None` like [`render`].
pub(super) fn commands(finding: &Finding, tables: &[&str]) -> Option<Vec<String>> {
    Some(Context::of(finding)?.commands(&finding.fix, tables))
}

/// The VPC, service and Region that all texts name. The ids in the fix have been checked.
struct Context<'a> {
    vpc_id: &'a str,
    service: GatewayService,
    region: &'a str,
}

impl<'a> Context<'a> {
    fn of(finding: &'a Finding) -> Option<Self> {
        let (failed, used) = match &finding.fix {
            Fix::Create => (None, None),
            Fix::AddTable(endpoint) | Fix::ReattachTable(endpoint) | Fix::Wait(endpoint) => (None, Some(endpoint)),
            Fix::Replace { failed, available } => (Some(failed), available.as_ref()),
        };
        let well_formed = is_id(ids::VPC, &finding.vpc_id)
            && is_id(ids::ROUTE_TABLE, &finding.route_table.id)
            && failed.iter().chain(&used).all(|endpoint| is_id(ids::ENDPOINT, &endpoint.id))
            && used.iter().flat_map(|endpoint| &endpoint.route_table_ids).all(|id| is_id(ids::ROUTE_TABLE, id));
        well_formed.then_some(Self { vpc_id: &finding.vpc_id, service: finding.service, region: &finding.region })
    }

    fn commands(&self, fix: &Fix, tables: &[&str]) -> Vec<String> {
        let Self { vpc_id, region, .. } = self;
        let tables = tables.join(" ");
        let modify = |endpoint: &Endpoint, change: &str| {
            format!(
                "aws ec2 modify-vpc-endpoint --region {region} --vpc-endpoint-id {} --{change}-route-table-ids {tables}",
                endpoint.id
            )
        };
        let create = || {
            format!(
                "aws ec2 create-vpc-endpoint --region {region} --vpc-endpoint-type Gateway --vpc-id {vpc_id} \
                 --service-name {} --route-table-ids {tables}",
                self.service.endpoint_service_name(region)
            )
        };
        match fix {
            Fix::AddTable(endpoint) => vec![modify(endpoint, "add")],
            Fix::ReattachTable(endpoint) => vec![modify(endpoint, "remove"), modify(endpoint, "add")],
            Fix::Wait(endpoint) => {
                vec![format!("aws ec2 describe-vpc-endpoints --region {region} --vpc-endpoint-ids {}", endpoint.id)]
            }
            Fix::Create => vec![create()],
            Fix::Replace { failed, available } => vec![
                format!("aws ec2 delete-vpc-endpoints --region {region} --vpc-endpoint-ids {}", failed.id),
                available.as_ref().map_or_else(create, |endpoint| modify(endpoint, "add")),
            ],
        }
    }

    fn cloud_formation(&self, fix: &Fix, table: &str) -> String {
        let create = || {
            format!(
                "# Assumes that no stack manages a gateway endpoint for this service in {}. One holds all tables of the VPC:\n\
                 # list those that need it too.\n{}",
                self.vpc_id,
                self.cloud_formation_resource(&[table])
            )
        };
        let add_table = |endpoint: &Endpoint| {
            let mut tables: Vec<&str> = endpoint.route_table_ids.iter().map(String::as_str).collect();
            tables.push(table);
            tables.sort_unstable();
            format!(
                "# Assumes that a stack manages {}. RouteTableIds is the whole list: the tables it has, and {table}.\n{}",
                endpoint.id,
                self.cloud_formation_resource(&tables)
            )
        };
        match fix {
            Fix::AddTable(endpoint) => add_table(endpoint),
            Fix::ReattachTable(endpoint) => format!(
                "# A stack that lists {table} in the RouteTableIds of {} sees nothing to change. Update it once without\n\
                 # the table and once with it, or run the AWS CLI commands.\n",
                endpoint.id
            ),
            Fix::Wait(endpoint) => wait(endpoint),
            Fix::Create => create(),
            Fix::Replace { failed, available } => format!(
                "# Remove {} ({}) from its stack first.\n{}",
                failed.id,
                failed.state,
                available.as_ref().map_or_else(create, add_table)
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
            self.vpc_id,
            self.service.endpoint_service_name(self.region)
        );
        for table in tables {
            resource.push_str("      - ");
            resource.push_str(table);
            resource.push('\n');
        }
        resource
    }

    fn terraform(&self, fix: &Fix, table: &str) -> String {
        let Self { vpc_id, service, region } = self;
        let label = format!("{}_{}", service.name(), table.replace('-', "_"));
        let create = || {
            format!(
                "# Assumes that no aws_vpc_endpoint for this service manages tables of {vpc_id}, and that no\n\
                 # aws_vpc_endpoint_route_table_association will add tables to this one. It holds all tables of the VPC: list\n\
                 # those that need it too.\n\
                 resource \"aws_vpc_endpoint\" \"{label}\" {{\n  vpc_endpoint_type = \"Gateway\"\n  \
                 vpc_id            = \"{vpc_id}\"\n  service_name      = \"{}\"\n  route_table_ids   = [\"{table}\"]\n}}\n",
                service.endpoint_service_name(region)
            )
        };
        let add_table = |endpoint: &Endpoint| {
            format!(
                "# Assumes that no aws_vpc_endpoint lists tables in route_table_ids for {id}. Where one does, add\n\
                 # \"{table}\" to that list instead: the two ways undo each other.\n\
                 resource \"aws_vpc_endpoint_route_table_association\" \"{label}\" {{\n  \
                 vpc_endpoint_id = \"{id}\"\n  route_table_id  = \"{table}\"\n}}\n",
                id = endpoint.id
            )
        };
        match fix {
            Fix::AddTable(endpoint) => add_table(endpoint),
            Fix::ReattachTable(endpoint) => format!(
                "# A configuration that puts {table} on {} sees nothing to change. Apply it with -replace on the\n\
                 # aws_vpc_endpoint_route_table_association, or run the AWS CLI commands.\n",
                endpoint.id
            ),
            Fix::Wait(endpoint) => wait(endpoint),
            Fix::Create => create(),
            Fix::Replace { failed, available } => format!(
                "# Remove {} ({}) from its configuration first.\n{}",
                failed.id,
                failed.state,
                available.as_ref().map_or_else(create, add_table)
            ),
        }
    }
}

fn wait(endpoint: &Endpoint) -> String {
    format!("# Nothing to change yet: {} is {}.\n", endpoint.id, endpoint.state)
}

/// The command that exempts a route table. `None` where an id, the Region or the key of the tag is not what it should be:
/// such text never becomes a command.
pub(super) fn exempt_command(table_id: &str, region: &str, tag_key: &str, value: &str) -> Option<String> {
    // None of the characters of a tag key ends a single quote or a JSON string.
    let is_safe = is_id(ids::ROUTE_TABLE, table_id)
        && is_region(region)
        && !tag_key.is_empty()
        && tag_key.chars().all(exemption::is_tag_character);
    if !is_safe {
        return None;
    }
    let is_one_word = tag_key.chars().all(|c| c.is_ascii_alphanumeric() || "-._:/".contains(c))
        && tag_key.starts_with(|c: char| c.is_ascii_alphanumeric());
    let tags = if is_one_word {
        format!("Key={tag_key},Value={value}")
    } else {
        format!("'[{{\"Key\":\"{tag_key}\",\"Value\":\"{value}\"}}]'")
    };
    Some(format!("aws ec2 create-tags --region {region} --resources {table_id} --tags {tags}"))
}

/// The value of the tag that exempts for these services: one word, so that a shell needs no quotes.
pub(super) fn exempt_value(services: &[GatewayService]) -> String {
    services.iter().map(|service| service.name()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing;

    const VPC: &str = "vpc-0a1b2c3d4e5f60001";
    const TABLE: &str = "rtb-0a1b2c3d4e5f60004";

    /// A finding on this table with this fix.
    fn finding(fix: Fix, table: &str, vpc_id: &str, service: GatewayService) -> Finding {
        Finding { service, fix, ..testing::finding(vpc_id, table) }
    }

    fn rendered(fix: Fix, service: GatewayService) -> [String; 3] {
        let rendered = render(&finding(fix, TABLE, VPC, service)).unwrap();
        [rendered.aws_cli(), rendered.cloud_formation, rendered.terraform]
    }

    fn endpoint() -> Endpoint {
        Endpoint {
            id: "vpce-0a1b2c3d4e5f60001".into(),
            state: "available".into(),
            route_table_ids: vec!["rtb-0a1b2c3d4e5f60009".into()],
        }
    }

    #[test]
    fn an_available_endpoint_is_extended() {
        assert_eq!(
            rendered(Fix::AddTable(endpoint()), GatewayService::S3),
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
            rendered(Fix::Create, GatewayService::DynamoDb),
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
        let [cli, cloud_formation, terraform] = rendered(Fix::ReattachTable(endpoint()), GatewayService::S3);
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
        let pending = Endpoint { state: "pending".into(), ..endpoint() };
        assert_eq!(
            rendered(Fix::Wait(pending), GatewayService::S3),
            [
                "aws ec2 describe-vpc-endpoints --region eu-west-1 --vpc-endpoint-ids vpce-0a1b2c3d4e5f60001",
                "# Nothing to change yet: vpce-0a1b2c3d4e5f60001 is pending.\n",
                "# Nothing to change yet: vpce-0a1b2c3d4e5f60001 is pending.\n",
            ]
        );
    }

    #[test]
    fn a_failed_endpoint_is_deleted_before_another_takes_the_table() {
        let failed = Endpoint { id: "vpce-0a1b2c3d4e5f60007".into(), state: "failed".into(), ..endpoint() };
        let delete = "aws ec2 delete-vpc-endpoints --region eu-west-1 --vpc-endpoint-ids vpce-0a1b2c3d4e5f60007 && ";
        for (available, then) in [(None, Fix::Create), (Some(endpoint()), Fix::AddTable(endpoint()))] {
            let [cli, cloud_formation, terraform] = rendered(then, GatewayService::S3);
            assert_eq!(
                rendered(Fix::Replace { failed: failed.clone(), available }, GatewayService::S3),
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
        assert_eq!(render(&finding(Fix::Create, hostile, VPC, GatewayService::S3)), None);
        assert_eq!(render(&finding(Fix::Create, TABLE, "vpc-$(id)", GatewayService::S3)), None);
        for endpoint in [
            Endpoint { id: "vpce-`id`".into(), ..endpoint() },
            Endpoint { route_table_ids: vec![hostile.into()], ..endpoint() },
        ] {
            let replace = Fix::Replace { failed: endpoint.clone(), available: Some(endpoint.clone()) };
            for fix in [Fix::AddTable(endpoint), replace] {
                assert_eq!(render(&finding(fix, TABLE, VPC, GatewayService::S3)), None);
            }
        }
    }

    #[test]
    fn tables_that_need_the_same_fix_share_its_commands() {
        assert_eq!(
            commands(&finding(Fix::AddTable(endpoint()), TABLE, VPC, GatewayService::S3), &[TABLE, "rtb-0a1b2c3d"]),
            Some(vec![
                "aws ec2 modify-vpc-endpoint --region eu-west-1 --vpc-endpoint-id vpce-0a1b2c3d4e5f60001 \
                 --add-route-table-ids rtb-0a1b2c3d4e5f60004 rtb-0a1b2c3d"
                    .to_owned()
            ])
        );
    }
}
