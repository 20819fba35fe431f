"""The twin: the work of gatewatch in Python with boto3, as a team would write it first. It exists to be compared with.

It makes the same calls in the same order, as concurrently, reaches the same verdict for the synthetic network, and
publishes the same findings. It lacks the rest: consistency retries, subscriptions of several topics, e-mail and chat,
exemptions, resolutions, deadlines, and nearly every unusual form of a network.
"""

import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

REGION = os.environ["AWS_REGION"]
TOPIC = os.environ["TOPIC_ARN"]
TABLE = os.environ.get("LEDGER_TABLE")
SERVICES = ("dynamodb", "s3")
PAGES = {"describe_route_tables": 100}
MAX_FILTER_VALUES = 200
MAX_CONCURRENT_VPCS = 8

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=2,
    read_timeout=5,
    max_pool_connections=16,
)
EC2 = boto3.client("ec2", config=CONFIG)
SNS = boto3.client("sns", config=CONFIG)
DYNAMODB = boto3.client("dynamodb", config=CONFIG) if TABLE else None
POOL = ThreadPoolExecutor(16)
VPC_POOL = ThreadPoolExecutor(MAX_CONCURRENT_VPCS)


def handler(event, context):
    """Handles an SQS batch or a direct request."""
    account = context.invoked_function_arn.split(":")[4]
    records = [json.loads(record["body"]) for record in event["Records"]] if "Records" in event else [event]
    region, vpcs, subnets, tables = scope_of(records)
    network = read(region, vpcs, subnets, tables)
    history = network.pop("history")
    findings = evaluate(network, tables_in_scope(network, region, vpcs, subnets, tables), account)
    published = deliver(findings, history, account, context.aws_request_id)
    if "Records" in event:
        return {"batchItemFailures": []}
    checked = {"vpcs": len(network["vpcs"]), "subnets": len(network["subnets"]), "routeTables": len(network["tables"])}
    return {"checked": checked, "findings": findings, "published": published}


def scope_of(records):
    """Whether the Region is in scope, and the VPCs, the subnets with their VPCs, and the tables without."""
    vpcs, subnets, tables = set(), {}, set()
    for record in records:
        if check := record.get("check"):
            if check == "region":
                return True, set(), {}, set()
            vpcs |= set(check["vpcIds"])
            continue
        request, response = record["detail"]["requestParameters"], record["detail"]["responseElements"] or {}
        if subnet := response.get("subnet"):
            subnets[subnet["subnetId"]] = subnet["vpcId"]
        if table := request.get("routeTableId"):
            tables.add(table)
    return False, vpcs, subnets, tables


def read(region, vpcs, subnets, tables):
    """Locates the VPCs, and reads them and their history with five calls at once."""
    if region:
        filters, which = [None], None
    else:
        located = describe("describe_route_tables", "RouteTables", filters_of("route-table-id", tables))
        which = vpcs | set(subnets.values()) | {table["VpcId"] for table in located}
        filters = filters_of("vpc-id", which)
    reads = {
        "vpcs": POOL.submit(describe, "describe_vpcs", "Vpcs", filters),
        "subnets": POOL.submit(describe, "describe_subnets", "Subnets", filters),
        "tables": POOL.submit(describe, "describe_route_tables", "RouteTables", filters),
        "endpoints": POOL.submit(describe, "describe_vpc_endpoints", "VpcEndpoints", filters),
    }
    histories = [POOL.submit(query, vpc) for vpc in which or [None]] if TABLE else []
    network = {name: future.result() for name, future in reads.items()}
    network["history"] = {row["sk"]["S"]: row for future in histories for row in future.result()}
    return network


def filters_of(name, values):
    """One filter for each 200 values."""
    values = sorted(values)
    chunks = [values[start : start + MAX_FILTER_VALUES] for start in range(0, len(values), MAX_FILTER_VALUES)]
    return [[{"Name": name, "Values": chunk}] for chunk in chunks]


def describe(operation, key, filters):
    """All pages of all calls."""
    found = {}
    for of_call in filters:
        arguments = {"Filters": of_call} if of_call else {}
        pages = EC2.get_paginator(operation).paginate(
            PaginationConfig={"PageSize": PAGES.get(operation, 1000)}, **arguments
        )
        for page in pages:
            for resource in page[key]:
                found[resource[f"{key[:-1]}Id"]] = resource
    return list(found.values())


def query(vpc):
    """The rows of a VPC, or of the Region."""
    condition, values = "pk = :pk", {":pk": {"S": partition()}}
    if vpc:
        condition += " AND begins_with(sk, :vpc)"
        values[":vpc"] = {"S": f"{vpc}#"}
    pages = DYNAMODB.get_paginator("query").paginate(
        TableName=TABLE, ConsistentRead=True, KeyConditionExpression=condition, ExpressionAttributeValues=values
    )
    return [row for page in pages for row in page["Items"]]


def partition():
    """The partition key of this Region."""
    return f"twin#{REGION}"


def tables_in_scope(network, region, vpcs, subnets, tables):
    """The ids of the tables to judge."""
    if region:
        return {table["RouteTableId"] for table in network["tables"]}
    in_scope = tables | {table["RouteTableId"] for table in network["tables"] if table["VpcId"] in vpcs}
    table_of, main_of = tables_of_subnets(network)
    return in_scope | {table_of.get(subnet, main_of.get(vpc)) for subnet, vpc in subnets.items()}


def tables_of_subnets(network):
    """The table of each subnet with an explicit association, and the main table of each VPC."""
    table_of, main_of = {}, {}
    for table in network["tables"]:
        for association in table["Associations"]:
            if association["AssociationState"]["State"] not in ("associated", "associating"):
                continue
            if association["Main"]:
                main_of[table["VpcId"]] = table["RouteTableId"]
            elif "SubnetId" in association:
                table_of[association["SubnetId"]] = table["RouteTableId"]
    return table_of, main_of


def evaluate(network, in_scope, account):
    """The findings about the tables in scope."""
    table_of, main_of = tables_of_subnets(network)
    subnets_of = {}
    for subnet in network["subnets"]:
        table = table_of.get(subnet["SubnetId"], main_of.get(subnet["VpcId"]))
        subnets_of.setdefault(table, []).append(subnet["SubnetId"])
    endpoints_of = {}
    for endpoint in network["endpoints"]:
        if endpoint["VpcEndpointType"] == "Gateway":
            endpoints_of.setdefault((endpoint["VpcId"], endpoint["ServiceName"]), []).append(endpoint)
    findings = []
    for table in sorted(network["tables"], key=lambda table: (table["VpcId"], table["RouteTableId"])):
        if table["RouteTableId"] not in in_scope:
            continue
        for service in SERVICES:
            gap = gap_of(table, endpoints_of.get((table["VpcId"], f"com.amazonaws.{REGION}.{service}"), []))
            if gap:
                findings.append(
                    finding(table, service, gap, sorted(subnets_of.get(table["RouteTableId"], [])), account)
                )
    return findings


def gap_of(table, endpoints):
    """Why a table is not covered, or `None`."""
    targets = {route.get("GatewayId") for route in table["Routes"] if route["State"] == "active"}
    available = [endpoint for endpoint in endpoints if endpoint["State"].lower() == "available"]
    listing = [endpoint for endpoint in endpoints if table["RouteTableId"] in endpoint["RouteTableIds"]]
    usable = [endpoint for endpoint in listing if endpoint in available]
    if any(endpoint["VpcEndpointId"] in targets for endpoint in usable):
        return None
    if usable:
        return "route_inactive"
    if listing:
        return "endpoint_not_available"
    return "not_associated" if available else "no_endpoint"


def finding(table, service, gap, subnets, account):
    """One finding."""
    default = next((route for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"), {})
    if not subnets or default.get("GatewayId", "").startswith("igw-"):
        severity = "LOW"
    else:
        severity = "HIGH" if "NatGatewayId" in default else "MEDIUM"
    identity = "|".join([account, REGION, table["VpcId"], table["RouteTableId"], service])
    return {
        "id": hashlib.sha256(identity.encode()).hexdigest(),
        "vpcId": table["VpcId"],
        "routeTable": {"id": table["RouteTableId"]},
        "service": service,
        "gap": gap,
        "severity": severity,
        "subnets": subnets,
        "reason": f"Route table {table['RouteTableId']} has no gateway route to {service}: {gap}.",
    }


def deliver(findings, history, account, holder):
    """Sends what the history does not hold, one message per VPC."""
    by_vpc = {}
    for found in findings:
        if f"{found['vpcId']}#{found['id']}" not in history:
            by_vpc.setdefault(found["vpcId"], []).append(found)
    if not by_vpc:
        return 0
    attributes = SNS.get_topic_attributes(TopicArn=TOPIC)["Attributes"]
    if attributes["SubscriptionsConfirmed"] == "0":
        return 0
    sending = [VPC_POOL.submit(deliver_vpc, vpc, found, account, holder) for vpc, found in by_vpc.items()]
    return sum(future.result() for future in sending)


def deliver_vpc(vpc, findings, account, holder):
    """Acquires the lease and stores what will be sent, publishes, stores what was sent and releases the lease."""
    key = {"pk": {"S": partition()}, "sk": {"S": f"{vpc}#!lease"}}
    if TABLE:
        acquire = {
            "TableName": TABLE,
            "Key": key,
            "UpdateExpression": "SET claimedUntil = :until, holder = :holder",
            "ConditionExpression": "attribute_not_exists(claimedUntil) OR claimedUntil < :now",
            "ExpressionAttributeValues": {
                ":until": {"N": str(int(time.time()) + 70)},
                ":now": {"N": str(int(time.time()))},
                ":holder": {"S": holder},
            },
        }
        DYNAMODB.transact_write_items(TransactItems=[{"Update": acquire}, *rows(vpc, findings, "pending")])
    message = {"account": account, "region": REGION, "vpc": {"id": vpc}, "findings": findings}
    SNS.publish(
        TopicArn=TOPIC,
        Subject=f"{vpc} in {REGION}: {len(findings)} route tables have no gateway route",
        Message=json.dumps(message),
        MessageAttributes={"vpcId": {"DataType": "String", "StringValue": vpc}},
    )
    if TABLE:
        release = {"TableName": TABLE, "Key": key, "UpdateExpression": "REMOVE claimedUntil, holder"}
        DYNAMODB.transact_write_items(TransactItems=[{"Update": release}, *rows(vpc, findings, "sent")])
    return 1


def rows(vpc, findings, state):
    """The rows of the findings, as parts of a transaction. No VPC of the benchmark has more than fit into one."""
    return [
        {
            "Put": {
                "TableName": TABLE,
                "Item": {
                    "pk": {"S": partition()},
                    "sk": {"S": f"{vpc}#{found['id']}"},
                    "state": {"S": state},
                    "finding": {"S": json.dumps(found)},
                },
            }
        }
        for found in findings
    ]
