//! What a hub keeps about accounts and Regions, in the table of the alert history.
//!
//! | `pk` | `sk` | row |
//! |---|---|---|
//! | `markers` | account`#`Region | the last complete check, and whether the account and Region can be read: see [`Marker`] |
//! | `accounts` | account | what AWS Organizations says of the account: see [`MemberAccount`]. The sweep's state machine writes it |
//!
//! No partition of the alert history has these names: theirs begin with an account number.

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use jiff::{SignedDuration, Timestamp};

use super::{
    history_table::{failed, number, seconds, text},
    row::Item,
};
use crate::{
    coverage::marker::{Marker, MemberAccount},
    error::Error,
    events::part::OpenFindings,
    network::enrollment::NotEnrolled,
};

const MARKERS: &str = "markers";
const ACCOUNTS: &str = "accounts";
/// How long a marker is kept after the last attempt to check its account and Region.
const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The rows about accounts and Regions.
#[derive(Clone, Copy, Debug)]
pub struct MarkerTable<'a> {
    /// The client.
    pub client: &'a Client,
    /// The name of the table.
    pub table: &'a str,
}

impl MarkerTable<'_> {
    /// Stores that a complete check of an account and Region began at `began_at`. The marker is kept from `completed_at` on,
    /// which is later if the Region was checked in parts.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`].
    pub async fn write_checked(
        &self,
        account: &str,
        region: &str,
        began_at: Timestamp,
        completed_at: Timestamp,
        open: OpenFindings,
    ) -> Result<(), Error> {
        let values = [
            (":checkedAt", AttributeValue::S(began_at.to_string())),
            (":high", AttributeValue::N(open.high.to_string())),
            (":medium", AttributeValue::N(open.medium.to_string())),
            (":low", AttributeValue::N(open.low.to_string())),
            (":expiresAt", expires_at(completed_at)),
        ];
        let update = "SET checkedAt = :checkedAt, openHigh = :high, openMedium = :medium, openLow = :low, \
                      expiresAt = :expiresAt REMOVE notEnrolled, notEnrolledAt";
        self.update(account, region, update, values).await
    }

    /// Stores that an account and Region could not be read at this time.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`].
    pub async fn write_not_enrolled(
        &self,
        account: &str,
        region: &str,
        reason: NotEnrolled,
        seen_at: Timestamp,
    ) -> Result<(), Error> {
        let values = [
            (":reason", AttributeValue::S(reason.name().to_owned())),
            (":seenAt", AttributeValue::S(seen_at.to_string())),
            (":expiresAt", expires_at(seen_at)),
        ];
        let update = "SET notEnrolled = :reason, notEnrolledAt = :seenAt, expiresAt = :expiresAt";
        self.update(account, region, update, values).await
    }

    /// Stores what people were told about the enrollment of an account and Region.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`].
    pub async fn write_reported(
        &self,
        account: &str,
        region: &str,
        reported: Option<NotEnrolled>,
    ) -> Result<(), Error> {
        match reported {
            Some(reason) => {
                let values = [(":reason", AttributeValue::S(reason.name().to_owned()))];
                self.update(account, region, "SET reported = :reason", values).await
            }
            None => self.update(account, region, "REMOVE reported", []).await,
        }
    }

    /// Every marker.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`] if any page is missing.
    pub async fn markers(&self) -> Result<Vec<Marker>, Error> {
        self.query(MARKERS, marker).await
    }

    /// Every account that AWS Organizations lists.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`] if any page is missing.
    pub async fn accounts(&self) -> Result<Vec<MemberAccount>, Error> {
        self.query(ACCOUNTS, member_account).await
    }

    /// One account, if AWS Organizations lists it.
    ///
    /// # Errors
    ///
    /// [`Error::LedgerFailed`].
    pub async fn account(&self, id: &str) -> Result<Option<MemberAccount>, Error> {
        let call = self.client.get_item().table_name(self.table).set_key(Some(key(ACCOUNTS, id).into()));
        let answer = call.send().await.map_err(|error| failed("GetItem", &error))?;
        Ok(answer.item.as_ref().and_then(member_account))
    }

    async fn update<const N: usize>(
        &self,
        account: &str,
        region: &str,
        expression: &str,
        values: [(&str, AttributeValue); N],
    ) -> Result<(), Error> {
        let mut call = self.client.update_item().table_name(self.table).update_expression(expression);
        call = call.set_key(Some(key(MARKERS, &format!("{account}#{region}")).into()));
        for (name, value) in values {
            call = call.expression_attribute_values(name, value);
        }
        call.send().await.map(drop).map_err(|error| failed("UpdateItem", &error))
    }

    /// Reads all rows of a partition, with what the last checks of a sweep have just written. Reads each page before the next one is fetched: a row takes several times the memory of what is read from it, and an
    /// organization can have 170,000.
    async fn query<T>(&self, partition: &str, read: fn(&Item) -> Option<T>) -> Result<Vec<T>, Error> {
        let query = self.client.query().table_name(self.table).consistent_read(true);
        let query = (query.key_condition_expression("pk = :pk"))
            .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()));
        let mut pages = query.into_paginator().stop_on_duplicate_token(false).send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let items = page.map_err(|error| failed("Query", &error))?.items.unwrap_or_default();
            found.extend(items.iter().filter_map(read));
        }
        Ok(found)
    }
}

fn key(partition: &str, sort_key: &str) -> [(String, AttributeValue); 2] {
    [("pk", partition), ("sk", sort_key)].map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
}

fn expires_at(now: Timestamp) -> AttributeValue {
    seconds(now.saturating_add(RETENTION).unwrap_or(now))
}

/// A row that cannot be read counts as no row: its account and Region count as never checked.
fn marker(item: &Item) -> Option<Marker> {
    let (account, region) = text(item, "sk")?.split_once('#')?;
    let time = |name| text(item, name)?.parse::<Timestamp>().ok();
    let count = |name| number(item, name).and_then(|count| count.try_into().ok()).unwrap_or_default();
    let reason = |name| NotEnrolled::from_name(text(item, name)?);
    Some(Marker {
        account: account.to_owned(),
        region: region.to_owned(),
        checked_at: time("checkedAt"),
        open: OpenFindings { high: count("openHigh"), medium: count("openMedium"), low: count("openLow") },
        not_enrolled: reason("notEnrolled").zip(time("notEnrolledAt")),
        reported: reason("reported"),
    })
}

fn member_account(item: &Item) -> Option<MemberAccount> {
    let of = |name| text(item, name).filter(|text| !text.is_empty()).map(str::to_owned);
    Some(MemberAccount {
        id: of("sk")?,
        name: of("accountName"),
        organizational_unit: of("organizationalUnit"),
        is_active: text(item, "accountState").is_none_or(|state| state == "ACTIVE"),
        seen_at: text(item, "seenAt").and_then(|time| time.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(attributes: &[(&str, AttributeValue)]) -> Item {
        attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn s(text: &str) -> AttributeValue {
        AttributeValue::S(text.into())
    }

    fn n(number: &str) -> AttributeValue {
        AttributeValue::N(number.into())
    }

    #[test]
    fn a_marker_has_what_its_row_says() {
        let row = item(&[
            ("pk", s("markers")),
            ("sk", s("111122223333#eu-west-1")),
            ("checkedAt", s("2026-11-27T05:00:00Z")),
            ("openHigh", n("2")),
            ("openLow", n("1")),
            ("notEnrolled", s("access_denied")),
            ("notEnrolledAt", s("2026-11-27T06:00:00Z")),
            ("reported", s("region_disabled")),
        ]);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            marker(&row),
            Some(Marker {
                account: "111122223333".into(),
                region: "eu-west-1".into(),
                checked_at: Some(at("2026-11-27T05:00:00Z")),
                open: OpenFindings { high: 2, medium: 0, low: 1 },
                not_enrolled: Some((NotEnrolled::AccessDenied, at("2026-11-27T06:00:00Z"))),
                reported: Some(NotEnrolled::RegionDisabled),
            })
        );
        assert_eq!(marker(&item(&[("sk", s("111122223333"))])), None);
    }

    #[test]
    fn an_account_has_what_its_row_says() {
        let row = |state: &str| {
            item(&[
                ("sk", s("111122223333")),
                ("accountName", s("team")),
                ("organizationalUnit", s("")),
                ("accountState", s(state)),
                ("seenAt", s("2026-11-27T05:00:00.123Z")),
            ])
        };
        let account = |is_active| MemberAccount {
            id: "111122223333".into(),
            name: Some("team".into()),
            organizational_unit: None,
            is_active,
            seen_at: "2026-11-27T05:00:00.123Z".parse().ok(),
        };
        assert_eq!(member_account(&row("ACTIVE")), Some(account(true)));
        assert_eq!(member_account(&row("SUSPENDED")), Some(account(false)));
        assert_eq!(
            member_account(&item(&[("sk", s("111122223333"))])),
            Some(MemberAccount { name: None, seen_at: None, ..account(true) })
        );
    }
}
