//! The account, the Region and the time in EventBridge envelopes.

use jiff::Timestamp;
use serde_json::Value;

use super::json_path::{quoted, text_at};
use crate::{error::Error, network::account::AccountRegion};

/// The keys of an AWS Config item: the complete item, and the summary of an oversized one.
pub(super) const CONFIG_ITEMS: [&str; 2] = ["configurationItem", "configurationItemSummary"];

/// Refuses a record of another account or Region, because its ids are not in the network that gatewatch reads.
pub(super) fn refuse_foreign(payload: &Value, account_region: &AccountRegion) -> Result<(), Error> {
    let named = |envelope: &str, call: &str, item: &str| -> Vec<String> {
        (text_at(payload, &[envelope]).into_iter())
            .chain(text_at(payload, &["detail", call]))
            .chain(CONFIG_ITEMS.iter().filter_map(|name| text_at(payload, &["detail", name, item])))
            .collect()
    };
    if let Some(region) =
        named("region", "awsRegion", "awsRegion").into_iter().find(|region| *region != account_region.region)
    {
        return Err(Error::UnsupportedEvent(format!(
            "the record is of Region {}, and this function watches {}",
            quoted(&region),
            account_region.region
        )));
    }
    let Some(ours) = &account_region.account else { return Ok(()) };
    // JSON that was converted from XML holds an account as a number, without leading zeros.
    let is_foreign = |account: &String| format!("{account:0>12}") != *ours;
    match named("account", "recipientAccountId", "awsAccountId").into_iter().find(is_foreign) {
        Some(account) => Err(Error::UnsupportedEvent(format!(
            "the record is of account {}, and this function watches {ours}",
            quoted(&account)
        ))),
        None => Ok(()),
    }
}

/// When the call was made, else when the event was sent.
pub(super) fn time_of(payload: &Value) -> Option<Timestamp> {
    text_at(payload, &["detail", "eventTime"])
        .and_then(|time| time.parse().ok())
        .or_else(|| text_at(payload, &["time"])?.parse().ok())
}
