//! A load second by second, as CSV (docs/BENCH.md). Pure.

use std::fmt::Write;

use super::series::Second;

/// The columns: the fields of a second in JSON.
const COLUMNS: [&str; 9] =
    ["second", "started", "answered", "failed", "received_bytes", "in_flight", "p50_us", "p99_us", "max_us"];

/// A line for each second, below their head. Where there is no time the cell is empty.
pub(super) fn csv(seconds: &[Second]) -> String {
    let mut text = COLUMNS.join(",") + "\n";
    for row in seconds {
        let counts = [row.second, row.started, row.answered, row.failed, row.received_bytes, row.in_flight];
        let counts = counts.map(|count| count.to_string()).join(",");
        let times = [row.p50_us, row.p99_us, row.max_us];
        let times = times.map(|time| time.map_or_else(String::new, |time| time.to_string())).join(",");
        // Writing to a string can't fail.
        let _ = writeln!(text, "{counts},{times}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_a_line_and_what_it_lacks_is_empty() {
        let answered = Second {
            second: 1,
            started: 7,
            answered: 2,
            failed: 3,
            received_bytes: 4,
            in_flight: 5,
            ..Second::default()
        };
        let timed = Second { p50_us: Some(1.5), p99_us: Some(20.0), max_us: Some(30.25), ..Second::default() };
        let lines = csv(&[answered, timed]);
        assert_eq!(lines.lines().skip(1).collect::<Vec<_>>(), ["1,7,2,3,4,5,,,", "0,0,0,0,0,0,1.5,20,30.25"]);
    }

    #[test]
    fn the_columns_are_the_fields_of_the_json() {
        let value = serde_json::to_string(&Second::default()).expect("JSON");
        let places: Vec<_> = COLUMNS.iter().map(|column| value.find(&format!("\"{column}\":"))).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{value}");
        assert_eq!(value.matches("\":").count(), COLUMNS.len());
    }
}
