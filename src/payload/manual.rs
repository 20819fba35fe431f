//! Requests by hand, by a script, or by EventBridge Scheduler: `{"check": …}`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{Record, Trigger, lookup::quoted};
use crate::{
    error::Error,
    ids::{self, is_id},
    scope::Scope,
};

/// The request. A key that is not known is refused: a slip in `publish` would send what nobody wanted sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    check: Value,
    #[serde(default = "yes")]
    publish: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Check {
    vpc_ids: Option<BTreeSet<String>>,
    subnet_ids: Option<BTreeSet<String>>,
    route_table_ids: Option<BTreeSet<String>>,
}

fn yes() -> bool {
    true
}

/// Reads a request that has `check`.
pub(super) fn read(payload: &Value) -> Result<Record, Error> {
    let request = Request::deserialize(payload)
        .map_err(|cause| refused(&format!("{cause}; allowed are \"check\" and \"publish\" (true or false)")))?;
    Ok(Record { scope: scope(&request.check)?, trigger: Trigger::Manual, time: None, publish: request.publish })
}

fn scope(check: &Value) -> Result<Scope, Error> {
    const ALLOWED: &str =
        "\"check\" is \"region\", or an object with a list of ids in \"vpcIds\", \"subnetIds\" or \"routeTableIds\"";
    if check == "region" {
        return Ok(Scope::region());
    }
    if !check.is_object() {
        return Err(refused(ALLOWED));
    }
    let check = Check::deserialize(check).map_err(|cause| refused(&format!("{cause}; {ALLOWED}")))?;
    if let Check { vpc_ids: None, subnet_ids: None, route_table_ids: None } = check {
        return Err(refused(&format!("\"check\" names nothing; {ALLOWED}")));
    }
    let unplaced = |id| (id, None);
    Ok(Scope {
        vpc_ids: well_formed(check.vpc_ids, ids::VPC)?,
        subnets: well_formed(check.subnet_ids, ids::SUBNET)?.into_iter().map(unplaced).collect(),
        route_tables: well_formed(check.route_table_ids, ids::ROUTE_TABLE)?.into_iter().map(unplaced).collect(),
        ..Scope::default()
    })
}

fn well_formed(list: Option<BTreeSet<String>>, prefix: &str) -> Result<BTreeSet<String>, Error> {
    let list = list.unwrap_or_default();
    match list.iter().find(|id| !is_id(prefix, id)) {
        Some(id) => Err(refused(&format!(
            "{} is not an id; allowed is {prefix} and 8 to 17 hexadecimal digits in lower case",
            quoted(id)
        ))),
        None => Ok(list),
    }
}

fn refused(why: &str) -> Error {
    Error::UnsupportedEvent(format!("manual request: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manual(scope: Scope, publish: bool) -> Record {
        Record { scope, trigger: Trigger::Manual, time: None, publish }
    }

    #[test]
    fn the_region_or_ids_can_be_asked_for() {
        assert_eq!(read(&json!({"check": "region"})), Ok(manual(Scope::region(), true)));
        assert_eq!(
            read(&json!({"check": {"vpcIds": ["vpc-0a1b2c3d"]}, "publish": false})),
            Ok(manual(Scope { vpc_ids: BTreeSet::from(["vpc-0a1b2c3d".into()]), ..Scope::default() }, false))
        );
        assert_eq!(
            read(&json!({"check": {
                "vpcIds": [], "subnetIds": ["subnet-0a1b2c3d"], "routeTableIds": ["rtb-0a1b2c3d", "rtb-0a1b2c3d"]
            }})),
            Ok(manual(
                Scope {
                    subnets: [("subnet-0a1b2c3d".to_owned(), None)].into(),
                    route_tables: [("rtb-0a1b2c3d".to_owned(), None)].into(),
                    ..Scope::default()
                },
                true
            ))
        );
    }

    #[test]
    fn empty_lists_are_an_empty_scope() {
        assert_eq!(
            read(&json!({"check": {"vpcIds": [], "subnetIds": [], "routeTableIds": []}})),
            Ok(manual(Scope::default(), true))
        );
    }

    #[test]
    fn anything_else_is_refused_with_what_is_allowed() {
        let allowed = "\"check\" is \"region\", or an object with a list of ids in \"vpcIds\", \"subnetIds\" or \
                       \"routeTableIds\"";
        for (payload, why) in [
            (json!({"check": "Region"}), allowed.to_owned()),
            (json!({"check": null}), allowed.to_owned()),
            (json!({"check": ["vpc-0a1b2c3d"]}), allowed.to_owned()),
            (json!({"check": {}}), format!("\"check\" names nothing; {allowed}")),
            (
                json!({"check": {"vpcs": ["vpc-0a1b2c3d"]}}),
                format!("unknown field `vpcs`, expected one of `vpcIds`, `subnetIds`, `routeTableIds`; {allowed}"),
            ),
            (
                json!({"check": {"vpcIds": "vpc-0a1b2c3d"}}),
                format!("invalid type: string \"vpc-0a1b2c3d\", expected a sequence; {allowed}"),
            ),
            (
                json!({"check": {"vpcIds": ["vpc-0a1b2c3d", "subnet-0a1b2c3d\n"]}}),
                "\"subnet-0a1b2c3d\\n\" is not an id; allowed is vpc- and 8 to 17 hexadecimal digits in lower case".into(),
            ),
            (
                json!({"check": "region", "publish": "no"}),
                "invalid type: string \"no\", expected a boolean; allowed are \"check\" and \"publish\" (true or false)"
                    .into(),
            ),
            (
                json!({"check": "region", "Publish": false}),
                "unknown field `Publish`, expected `check` or `publish`; allowed are \"check\" and \"publish\" (true or \
                 false)"
                    .into(),
            ),
        ] {
            assert_eq!(read(&payload), Err(Error::UnsupportedEvent(format!("manual request: {why}"))), "{payload}");
        }
    }
}
