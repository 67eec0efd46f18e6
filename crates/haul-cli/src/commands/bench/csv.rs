//! A load second by second, as CSV (docs/guide/BENCH.md). Pure.

use super::series::Second;

/// The columns: the fields of a second in JSON.
const COLUMNS: [&str; 9] =
    ["second", "started", "answered", "failed", "received_bytes", "in_flight", "p50_us", "p99_us", "max_us"];

/// A line for each second, below their head. Where there is no time the cell is empty.
pub(super) fn csv(seconds: &[Second]) -> String {
    let lines = seconds.iter().map(|second| line(second) + "\n");
    std::iter::once(COLUMNS.join(",") + "\n").chain(lines).collect()
}

/// The seconds of a search: those of each rate tried, with the rate before them.
pub(super) fn of_rates(tried: &[(f64, Vec<Second>)]) -> String {
    let lines =
        tried.iter().flat_map(|(rate, seconds)| seconds.iter().map(move |second| format!("{rate},{}\n", line(second))));
    std::iter::once(format!("rate_per_s,{}\n", COLUMNS.join(","))).chain(lines).collect()
}

fn line(row: &Second) -> String {
    let counts = [row.second, row.started, row.answered, row.failed, row.received_bytes, row.in_flight];
    let counts = counts.map(|count| count.to_string()).join(",");
    let times = [row.p50_us, row.p99_us, row.max_us];
    let times = times.map(|time| time.map_or_else(String::new, |time| time.to_string())).join(",");
    format!("{counts},{times}")
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
    fn the_seconds_of_a_search_have_their_rate() {
        let second = |second| Second { second, ..Second::default() };
        let lines = of_rates(&[(50.0, vec![second(0), second(1)]), (37.5, vec![second(0)])]);
        let lines: Vec<_> = lines.lines().map(|line| line.split(',').take(2).collect::<Vec<_>>().join(",")).collect();
        assert_eq!(lines, ["rate_per_s,second", "50,0", "50,1", "37.5,0"]);
    }

    #[test]
    fn the_columns_are_the_fields_of_the_json() {
        let value = serde_json::to_string(&Second::default()).expect("JSON");
        let places: Vec<_> = COLUMNS.iter().map(|column| value.find(&format!("\"{column}\":"))).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{value}");
        assert_eq!(value.matches("\":").count(), COLUMNS.len());
    }
}
