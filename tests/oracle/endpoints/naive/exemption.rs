//! Which tags exempt, by the words of their values.

use super::Case;

const CHECKS: [&str; 10] = [
    "gateway-route",
    "dns-bypass",
    "endpoint-dns",
    "endpoint-access",
    "endpoint-state",
    "endpoint-zones",
    "endpoint-policy",
    "endpoint-private-dns",
    "required-endpoints",
    "private-api",
];

pub(super) fn exempts(case: &Case, tag: Option<&String>, check: &str) -> bool {
    let Some(value) = tag else { return false };
    let value = value.replace([',', '/'], " ");
    let (year, month, day) = case.today;
    let today = format!("{year:04}-{month:02}-{day:02}");
    let mut names = Vec::new();
    for word in value.split_whitespace() {
        if let Some(last) = word.strip_prefix("until=") {
            let is_day = last.len() == 10 && last.starts_with("20");
            if !is_day || *last < *today {
                return false;
            }
        } else {
            names.push(word);
        }
    }
    if names.is_empty() || names == ["*"] || names == ["true"] {
        return true;
    }
    let is_known = |name: &&str| CHECKS.contains(name) || ["s3", "dynamodb", "s3express"].contains(name);
    names.iter().all(is_known) && names.contains(&check)
}

/// Whether a tag exempts from `gateway-route` for the service. `gateway-route` alone means every service.
pub(super) fn exempts_service(case: &Case, tag: Option<&String>, service: &str) -> bool {
    let names_a_service = tag
        .is_some_and(|value| value.split([' ', ',', '/']).any(|word| ["s3", "dynamodb", "s3express"].contains(&word)));
    exempts(case, tag, service) || (!names_a_service && exempts(case, tag, "gateway-route"))
}
