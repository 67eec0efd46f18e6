//! Parts of a record.

use serde_json::Value;

/// The record's body as text.
pub fn body(record: &Value) -> &str {
    record["body"].as_str().unwrap_or_else(|| panic!("a body: {record}"))
}

/// The record's body as JSON.
pub fn json(record: &Value) -> Value {
    serde_json::from_str(body(record)).unwrap_or_else(|error| panic!("{error}: {record}"))
}
