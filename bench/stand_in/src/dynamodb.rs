//! DynamoDB: a table with the keys `pk` and `sk`, without conditions: one function at a time uses it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

type Item = Map<String, Value>;

/// The largest page of a query, as DynamoDB counts it: 1 MB.
const PAGE: usize = 1 << 20;

/// The rows of all tables.
pub struct Table {
    rows: BTreeMap<(String, String), Item>,
    /// Whether writes are kept. Without it, every event finds an empty table.
    keeps_writes: bool,
}

impl Table {
    /// An empty table.
    pub fn new(keeps_writes: bool) -> Self {
        Self { rows: BTreeMap::new(), keeps_writes }
    }

    /// The answer to a call: status and body.
    pub fn answer(&mut self, operation: &str, request: &Value) -> (u16, String) {
        let answer = match operation {
            "Query" => self.query(request),
            "GetItem" => match self.rows.get(&key_of(&request["Key"])) {
                Some(item) => json!({"Item": item}),
                None => json!({}),
            },
            "UpdateItem" => {
                self.update(request);
                json!({})
            }
            "PutItem" => {
                self.put(&request["Item"]);
                json!({})
            }
            "DeleteItem" => {
                self.rows.remove(&key_of(&request["Key"]));
                json!({})
            }
            "BatchWriteItem" => {
                let tables = request["RequestItems"].as_object().into_iter().flat_map(Map::values);
                for write in tables.flat_map(|writes| writes.as_array().into_iter().flatten()) {
                    self.put(&write["PutRequest"]["Item"]);
                    self.rows.remove(&key_of(&write["DeleteRequest"]["Key"]));
                }
                json!({"UnprocessedItems": {}})
            }
            "TransactWriteItems" => {
                for write in request["TransactItems"].as_array().into_iter().flatten() {
                    self.put(&write["Put"]["Item"]);
                    self.update(&write["Update"]);
                    self.rows.remove(&key_of(&write["Delete"]["Key"]));
                }
                json!({})
            }
            _ => return (400, json!({"__type": "com.amazon.coral.service#UnknownOperationException"}).to_string()),
        };
        (200, answer.to_string())
    }

    fn query(&self, request: &Value) -> Value {
        let values = &request["ExpressionAttributeValues"];
        let pk = text(&values[":pk"]);
        // Every other value of a key condition is a prefix of the sort key.
        let others = values.as_object().into_iter().flatten().filter(|(name, _)| *name != ":pk");
        let prefix = others.map(|(_, value)| text(value)).next().unwrap_or_default();
        let after = text(&request["ExclusiveStartKey"]["sk"]);
        let rows = (self.rows.range((pk.clone(), prefix.clone())..))
            .take_while(|((row_pk, sk), _)| *row_pk == pk && sk.starts_with(&prefix))
            .filter(|((_, sk), _)| *sk > after || after.is_empty());
        let (mut items, mut size, mut last) = (Vec::new(), 0, None);
        for ((_, sk), item) in rows {
            if size > PAGE {
                last = items.last().map(|_: &&Item| sk.clone());
                break;
            }
            size += serde_json::to_string(item).map_or(0, |json| json.len());
            items.push(item);
        }
        let mut answer = json!({"Count": items.len(), "Items": items});
        if last.is_some() {
            let key = items.last().map(|item| json!({"pk": item["pk"], "sk": item["sk"]}));
            answer["LastEvaluatedKey"] = key.unwrap_or_default();
        }
        answer
    }

    fn put(&mut self, item: &Value) {
        if let (Some(item), true) = (item.as_object(), self.keeps_writes) {
            self.rows.insert(key_of(&Value::Object(item.clone())), item.clone());
        }
    }

    /// `SET a = :a, b = :b REMOVE c, d`, without any other expression.
    fn update(&mut self, request: &Value) {
        let Some(expression) = request["UpdateExpression"].as_str().filter(|_| self.keeps_writes) else { return };
        let Some(key) = request["Key"].as_object() else { return };
        let item = self.rows.entry(key_of(&request["Key"])).or_insert_with(|| key.clone());
        let (set, remove) = expression.split_once("REMOVE").unwrap_or((expression, ""));
        for assignment in set.trim().trim_start_matches("SET").split(',') {
            if let Some((name, value)) = assignment.split_once('=') {
                let value = request["ExpressionAttributeValues"][value.trim()].clone();
                item.insert(name.trim().to_owned(), value);
            }
        }
        for name in remove.split(',') {
            item.remove(name.trim());
        }
    }
}

fn key_of(item: &Value) -> (String, String) {
    (text(&item["pk"]), text(&item["sk"]))
}

fn text(attribute: &Value) -> String {
    attribute["S"].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_returns_the_rows_with_its_prefix_as_they_were_last_written() {
        let row = |sk: &str| json!({"pk": {"S": "p"}, "sk": {"S": sk}, "a": {"N": "1"}});
        let put = |sk: &str| json!({"PutRequest": {"Item": row(sk)}});
        let mut table = Table::new(true);
        table.answer("BatchWriteItem", &json!({"RequestItems": {"t": [put("v1#a"), put("v1#b"), put("v2#a")]}}));
        let update = json!({
            "Key": {"pk": {"S": "p"}, "sk": {"S": "v1#b"}}, "UpdateExpression": "SET b = :b REMOVE a",
            "ExpressionAttributeValues": {":b": {"N": "2"}},
        });
        table.answer("TransactWriteItems", &json!({"TransactItems": [{"Update": update}]}));
        let query = json!({"ExpressionAttributeValues": {":pk": {"S": "p"}, ":vpc": {"S": "v1#"}}});
        let (status, body) = table.answer("Query", &query);
        let answer: Value = serde_json::from_str(&body).unwrap();
        let changed = json!({"pk": {"S": "p"}, "sk": {"S": "v1#b"}, "b": {"N": "2"}});
        assert_eq!((status, answer), (200, json!({"Count": 2, "Items": [row("v1#a"), changed]})));
    }
}
