//! What the envelopes of EventBridge have in common: the account, the Region and the time.
//!
//! Pure: no SDK type, no I/O, no clock, no environment.

use jiff::Timestamp;
use serde_json::Value;

use super::json_path::{quoted, text_at};
use crate::{error::Error, network::account::AccountRegion};

/// The names under which an AWS Config item appears: the complete item, and the summary of one that was too large.
pub(super) const CONFIG_ITEMS: [&str; 2] = ["configurationItem", "configurationItemSummary"];

/// Refuses a record of another account or Region: its ids would be looked for in the wrong network.
pub(super) fn refuse_foreign(payload: &Value, account_region: &AccountRegion) -> Result<(), Error> {
    let said = |envelope: &str, call: &str, item: &str| -> Vec<String> {
        (text_at(payload, &[envelope]).into_iter())
            .chain(text_at(payload, &["detail", call]))
            .chain(CONFIG_ITEMS.iter().filter_map(|name| text_at(payload, &["detail", name, item])))
            .collect()
    };
    if let Some(region) =
        said("region", "awsRegion", "awsRegion").into_iter().find(|region| *region != account_region.region)
    {
        return Err(Error::UnsupportedEvent(format!(
            "the record is of Region {}, and this function watches {}",
            quoted(&region),
            account_region.region
        )));
    }
    let Some(ours) = &account_region.account else { return Ok(()) };
    // JSON that was made from XML holds an account as a number, without its leading zeros.
    let is_foreign = |account: &String| format!("{account:0>12}") != *ours;
    match said("account", "recipientAccountId", "awsAccountId").into_iter().find(is_foreign) {
        Some(account) => Err(Error::UnsupportedEvent(format!(
            "the record is of account {}, and this function watches {ours}",
            quoted(&account)
        ))),
        None => Ok(()),
    }
}

/// When the call was made, or the event sent.
pub(super) fn time_of(payload: &Value) -> Option<Timestamp> {
    text_at(payload, &["detail", "eventTime"])
        .and_then(|time| time.parse().ok())
        .or_else(|| text_at(payload, &["time"])?.parse().ok())
}
