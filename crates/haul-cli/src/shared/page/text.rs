//! Numbers and foreign text as a page shows them. Pure.

use haul::model::printable;

/// `text` as it can stand in an element or a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    // What is invisible, or turns the text around it, is written out first.
    for character in printable(text).chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// `json` as it can stand in a script element: nothing in it ends or opens an element or a comment.
pub(super) fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A time of so many nanoseconds, in three digits.
pub(super) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n <= 0.0 => "0".to_owned(),
        n if n < 999.5e3 => format!("{} µs", digits(n / 1e3)),
        n if n < 999.5e6 => format!("{} ms", digits(n / 1e6)),
        n if n < 119.5e9 => format!("{} s", digits(n / 1e9)),
        n => format!("{:.0} min {:02.0} s", (n / 60e9).floor(), (n / 1e9) % 60.0),
    }
}

/// A number of things, or of things per second.
pub(super) fn amount(number: f64) -> String {
    match number {
        n if n < 999.5 => digits(n),
        n if n < 999.5e3 => format!("{} k", digits(n / 1e3)),
        n if n < 999.5e6 => format!("{} M", digits(n / 1e6)),
        n => format!("{} G", digits(n / 1e9)),
    }
}

/// A number of bytes.
pub(super) fn bytes(number: f64) -> String {
    if number < 999.5 { format!("{} B", digits(number)) } else { amount(number) + "B" }
}

/// Three digits, without zeros behind the point.
fn digits(number: f64) -> String {
    let places = match number {
        n if n < 9.995 => 2,
        n if n < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{number:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A part of a whole, in hundredths.
pub(super) fn share(part: f64, whole: f64) -> String {
    if whole > 0.0 { format!("{} %", digits(part / whole * 100.0)) } else { "0 %".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_an_element_an_attribute_or_a_script() {
        let hostile = "</script><script>alert('x')</script><!--\"&\u{202e}\n";
        let safe = escaped(hostile);
        assert!(!safe.contains(['<', '>', '"', '\'', '\u{202e}', '\n']), "{safe}");
        let json = in_script(&serde_json::to_string(hostile).expect("text"));
        assert!(!json.contains(['<', '>', '&']), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).expect("still JSON"), hostile);
    }

    #[test]
    fn numbers_have_three_digits() {
        let times = [0.0, 850e3, 999.6e3, 1.236e6, 45.67e6, 3e9, 119e9, 3725e9].map(time);
        assert_eq!(times, ["0", "850 µs", "1 ms", "1.24 ms", "45.7 ms", "3 s", "119 s", "62 min 05 s"]);
        let amounts = [0.0, 0.256, 12.34, 999.0, 1234.0, 45_600.0, 1e6, 2.5e9].map(amount);
        assert_eq!(amounts, ["0", "0.26", "12.3", "999", "1.23 k", "45.6 k", "1 M", "2.5 G"]);
        assert_eq!([0.0, 999.0, 1000.0, 2.5e6].map(bytes), ["0 B", "999 B", "1 kB", "2.5 MB"]);
        assert_eq!([share(1.0, 3.0), share(1.0, 0.0), share(5.0, 5.0)], ["33.3 %", "0 %", "100 %"]);
    }
}
