//! How to give a route table its gateway route.

use super::rendered::RenderedFix;
use crate::{
    checks::{
        finding::{Finding, MissingRoute},
        fix::{Endpoint, Fix},
    },
    network::{
        ids::{self, is_id},
        service::GatewayService,
    },
};

/// Renders the fix. `None` if an id does not have the format of AWS ids: such text must not become a command.
pub(super) fn render(finding: &Finding, missing: &MissingRoute) -> Option<RenderedFix> {
    let table = &finding.subject.id;
    let context = Context::new(finding, missing)?;
    Some(RenderedFix {
        commands: context.commands(&missing.fix, &[table]),
        cloud_formation: context.cloud_formation(&missing.fix, table),
        terraform: context.terraform(&missing.fix, table),
    })
}

/// Only the commands, for one or more tables that need the same fix as this finding. `None` in the same cases as
/// [`render`].
pub(super) fn commands(finding: &Finding, missing: &MissingRoute, tables: &[&str]) -> Option<Vec<String>> {
    Some(Context::new(finding, missing)?.commands(&missing.fix, tables))
}

/// The commands for tables of this VPC that need this fix. `None` if an id does not have the format of AWS ids.
pub(super) fn commands_for(
    region: &str,
    vpc_id: &str,
    service: GatewayService,
    fix: &Fix,
    tables: &[&str],
) -> Option<Vec<String>> {
    let are_tables = tables.iter().all(|id| is_id(ids::ROUTE_TABLE, id));
    Some(Context::of_fix(region, vpc_id, service, fix).filter(|_| are_tables)?.commands(fix, tables))
}

/// The command that creates a gateway endpoint without route tables.
pub(super) fn create_endpoint(region: &str, vpc_id: &str, service: GatewayService) -> String {
    format!(
        "aws ec2 create-vpc-endpoint --region {region} --vpc-endpoint-type Gateway --vpc-id {vpc_id} --service-name {}",
        service.endpoint_service_name(region)
    )
}

/// The VPC, service and Region that all texts name. It exists only if all ids of the finding and its fix are well
/// formed.
struct Context<'a> {
    vpc_id: &'a str,
    service: GatewayService,
    region: &'a str,
}

impl<'a> Context<'a> {
    fn new(finding: &'a Finding, missing: &MissingRoute) -> Option<Self> {
        if !is_id(ids::ROUTE_TABLE, &finding.subject.id) {
            return None;
        }
        Self::of_fix(&finding.region, &finding.vpc_id, missing.service, &missing.fix)
    }

    fn of_fix(region: &'a str, vpc_id: &'a str, service: GatewayService, fix: &Fix) -> Option<Self> {
        let (failed, target) = match fix {
            Fix::Create => (None, None),
            Fix::AddTable(endpoint) | Fix::ReattachTable(endpoint) | Fix::Wait(endpoint) => (None, Some(endpoint)),
            Fix::Replace { failed, available } => (Some(failed), available.as_ref()),
        };
        let well_formed = is_id(ids::VPC, vpc_id)
            && failed.iter().chain(&target).all(|endpoint| is_id(ids::ENDPOINT, &endpoint.id))
            && target.iter().flat_map(|endpoint| &endpoint.route_table_ids).all(|id| is_id(ids::ROUTE_TABLE, id));
        well_formed.then_some(Self { vpc_id, service, region })
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
        let create = || format!("{} --route-table-ids {tables}", create_endpoint(region, vpc_id, self.service));
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
                "# Assumes that no stack manages a gateway endpoint for this service in {}. One endpoint can serve the whole VPC:\n\
                 # list all tables that need it.\n{}",
                self.vpc_id,
                self.cloud_formation_resource(&[table])
            )
        };
        let add_table = |endpoint: &Endpoint| {
            let mut tables: Vec<&str> = endpoint.route_table_ids.iter().map(String::as_str).collect();
            tables.push(table);
            tables.sort_unstable();
            format!(
                "# Assumes that a stack manages {}. RouteTableIds must list all tables: the current ones and {table}.\n{}",
                endpoint.id,
                self.cloud_formation_resource(&tables)
            )
        };
        match fix {
            Fix::AddTable(endpoint) => add_table(endpoint),
            Fix::ReattachTable(endpoint) => format!(
                "# If a stack lists {table} in the RouteTableIds of {}, CloudFormation finds no change. Update it once without\n\
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
                 # aws_vpc_endpoint_route_table_association will add tables to this one. One endpoint can serve the whole VPC:\n\
                 # list all tables that need it.\n\
                 resource \"aws_vpc_endpoint\" \"{label}\" {{\n  vpc_endpoint_type = \"Gateway\"\n  \
                 vpc_id            = \"{vpc_id}\"\n  service_name      = \"{}\"\n  route_table_ids   = [\"{table}\"]\n}}\n",
                service.endpoint_service_name(region)
            )
        };
        let add_table = |endpoint: &Endpoint| {
            format!(
                "# Assumes that no aws_vpc_endpoint lists tables in route_table_ids for {id}. If one does, add\n\
                 # \"{table}\" to that list instead: each of the two removes what the other adds.\n\
                 resource \"aws_vpc_endpoint_route_table_association\" \"{label}\" {{\n  \
                 vpc_endpoint_id = \"{id}\"\n  route_table_id  = \"{table}\"\n}}\n",
                id = endpoint.id
            )
        };
        match fix {
            Fix::AddTable(endpoint) => add_table(endpoint),
            Fix::ReattachTable(endpoint) => format!(
                "# If a configuration associates {table} with {}, Terraform finds no change. Apply it with -replace on the\n\
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

#[cfg(test)]
mod tests {
    use super::{
        super::finding::{commands, render},
        Endpoint, Finding, Fix, GatewayService, MissingRoute,
    };
    use crate::checks::{finding::Problem, testing};

    const VPC: &str = "vpc-0a1b2c3d4e5f60001";
    const TABLE: &str = "rtb-0a1b2c3d4e5f60004";

    /// A finding for this table, VPC and service, with this fix.
    fn finding(fix: Fix, table: &str, vpc_id: &str, service: GatewayService) -> Finding {
        let problem = Problem::MissingRoute(MissingRoute { service, fix, ..testing::missing_route() });
        Finding { problem, ..testing::finding(vpc_id, table) }
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
    fn the_fix_adds_the_table_to_an_available_endpoint() {
        assert_eq!(
            rendered(Fix::AddTable(endpoint()), GatewayService::S3),
            [
                "aws ec2 modify-vpc-endpoint --region eu-west-1 --vpc-endpoint-id vpce-0a1b2c3d4e5f60001 \
                 --add-route-table-ids rtb-0a1b2c3d4e5f60004",
                "\
# Assumes that a stack manages vpce-0a1b2c3d4e5f60001. RouteTableIds must list all tables: the current ones and rtb-0a1b2c3d4e5f60004.
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
# Assumes that no aws_vpc_endpoint lists tables in route_table_ids for vpce-0a1b2c3d4e5f60001. If one does, add
# \"rtb-0a1b2c3d4e5f60004\" to that list instead: each of the two removes what the other adds.
resource \"aws_vpc_endpoint_route_table_association\" \"s3_rtb_0a1b2c3d4e5f60004\" {
  vpc_endpoint_id = \"vpce-0a1b2c3d4e5f60001\"
  route_table_id  = \"rtb-0a1b2c3d4e5f60004\"
}
",
            ]
        );
    }

    #[test]
    fn the_fix_creates_an_endpoint_if_there_is_none() {
        assert_eq!(
            rendered(Fix::Create, GatewayService::DynamoDb),
            [
                "aws ec2 create-vpc-endpoint --region eu-west-1 --vpc-endpoint-type Gateway --vpc-id \
                 vpc-0a1b2c3d4e5f60001 --service-name com.amazonaws.eu-west-1.dynamodb --route-table-ids \
                 rtb-0a1b2c3d4e5f60004",
                "\
# Assumes that no stack manages a gateway endpoint for this service in vpc-0a1b2c3d4e5f60001. One endpoint can serve the whole VPC:
# list all tables that need it.
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
# aws_vpc_endpoint_route_table_association will add tables to this one. One endpoint can serve the whole VPC:
# list all tables that need it.
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
    fn the_fix_removes_and_adds_a_listed_table_without_a_route() {
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
    fn the_fix_for_a_pending_endpoint_only_describes_it() {
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
    fn the_fix_deletes_a_failed_endpoint_before_it_adds_the_table_to_another() {
        let failed = Endpoint { id: "vpce-0a1b2c3d4e5f60007".into(), state: "failed".into(), ..endpoint() };
        let delete = "aws ec2 delete-vpc-endpoints --region eu-west-1 --vpc-endpoint-ids vpce-0a1b2c3d4e5f60007 && ";
        for (available, rest) in [(None, Fix::Create), (Some(endpoint()), Fix::AddTable(endpoint()))] {
            let [cli, cloud_formation, terraform] = rendered(rest, GatewayService::S3);
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
    fn a_malformed_id_never_becomes_a_command() {
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
    fn tables_with_the_same_fix_share_its_commands() {
        let [one, other] =
            [TABLE, "rtb-0a1b2c3d"].map(|table| finding(Fix::AddTable(endpoint()), table, VPC, GatewayService::S3));
        assert_eq!(
            commands(&[&one, &other]),
            Some(vec![
                "aws ec2 modify-vpc-endpoint --region eu-west-1 --vpc-endpoint-id vpce-0a1b2c3d4e5f60001 \
                 --add-route-table-ids rtb-0a1b2c3d4e5f60004 rtb-0a1b2c3d"
                    .to_owned()
            ])
        );
    }
}
