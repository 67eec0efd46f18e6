//! The file of `--limits`: general limits, and rules for some hosts. docs/guide/LIMITS.md describes it.
//!
//! Keys are the flags' names, values what the flags take. Every fault is told with its line and column.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::time::Duration;

use haul::config::{HostRule, Limits, Rate};
use haul::engine::check_pattern;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::values;

/// What stands in `text`, over the defaults. `name` is the file's, for messages.
///
/// # Errors
/// The text is no TOML, or a key or value is not known; the message says where and how to fix it.
pub(super) fn parse(name: &str, text: &str) -> Result<Limits, String> {
    let fault = |error: toml::de::Error, hint: &str| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        let message = error.message().trim().replace('\n', "; ");
        format!("{name}:{line}:{column}: {message}{hint}")
    };
    let document = toml::de::DeTable::parse(text)
        .map_err(|error| fault(error, "; texts stand in quotes, like delay = \"250ms\" or rate = \"30/m\""))?;
    let file = File::deserialize(toml::Deserializer::from(document)).map_err(|error| fault(error, ""))?;
    Ok(file.limits())
}

/// Line and column, from 1, of a place in `text`.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    concurrency: Option<Count>,
    per_host: Option<Count>,
    per_address: Option<Count>,
    per_site: Option<Count>,
    rate: Option<RateText>,
    host_rate: Option<RateText>,
    delay: Option<Delay>,
    #[serde(default)]
    adaptive: bool,
    #[serde(default)]
    host: HostSections,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "struct Host")]
struct HostSection {
    #[serde(rename = "match")]
    patterns: Patterns,
    concurrency: Option<Count>,
    rate: Option<RateText>,
    delay: Option<Delay>,
    per_address: Option<Count>,
}

impl File {
    fn limits(self) -> Limits {
        let defaults = Limits::default();
        Limits {
            concurrency: self.concurrency.map_or(defaults.concurrency, |count| count.0),
            per_host: self.per_host.map_or(defaults.per_host, |count| count.0),
            per_address: self.per_address.map(|count| count.0),
            per_site: self.per_site.map(|count| count.0),
            rate: self.rate.map(|rate| rate.0),
            host_rate: self.host_rate.map(|rate| rate.0),
            delay: self.delay.map_or(defaults.delay, |delay| delay.0),
            adaptive: self.adaptive,
            rules: self.host.0.iter().flat_map(HostSection::rules).collect(),
            ..defaults
        }
    }
}

impl HostSection {
    /// One rule per pattern: hosts are limited one by one, so it makes no difference that they came together.
    fn rules(&self) -> impl Iterator<Item = HostRule> {
        self.patterns.0.iter().map(|pattern| HostRule {
            pattern: pattern.clone(),
            concurrency: self.concurrency.map(|count| count.0),
            rate: self.rate.map(|rate| rate.0),
            delay: self.delay.map(|delay| delay.0),
            per_address: self.per_address.map(|count| count.0),
        })
    }
}

/// A value as its flag takes it, in quotes or, where it is a number, without.
trait Value: Sized {
    const EXPECTED: &'static str;
    fn parse(text: &str) -> Result<Self, String>;
}

struct OneValue<T>(PhantomData<T>);

impl<T: Value> Visitor<'_> for OneValue<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::parse(text).map_err(|why| E::custom(format!("'{text}' is {why}")))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

/// Declares a value that is read by a flag's parser.
macro_rules! value {
    ($name:ident($inner:ty), $parser:path, $expected:literal) => {
        #[derive(Clone, Copy, Debug)]
        struct $name($inner);

        impl Value for $name {
            const EXPECTED: &'static str = $expected;
            fn parse(text: &str) -> Result<Self, String> {
                $parser(text).map(Self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(OneValue(PhantomData))
            }
        }
    };
}

value!(Count(NonZeroU32), values::count, "a whole number from 1, like 8");
value!(RateText(Rate), values::rate, "a rate like 100, \"100/s\", \"30/m\" or \"1000/h\"");
value!(Delay(Duration), values::duration, "a time like \"250ms\", \"1m30s\", or 2 for two seconds");

/// One pattern or a list of them, each checked.
#[derive(Debug)]
struct Patterns(Vec<String>);

#[derive(Debug)]
struct Pattern(String);

fn pattern<E: Error>(text: &str) -> Result<String, E> {
    check_pattern(text).map(|()| text.to_owned()).map_err(E::custom)
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).and_then(|text| pattern(&text)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Patterns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a host like \"*.example.com\", or a list of such")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Patterns, E> {
                Ok(Patterns(vec![pattern(text)?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Patterns, A::Error> {
                let mut patterns = Vec::new();
                while let Some(Pattern(pattern)) = list.next_element()? {
                    patterns.push(pattern);
                }
                if patterns.is_empty() {
                    return Err(A::Error::custom("an empty list matches no host; write \"*\" for all hosts"));
                }
                Ok(Patterns(patterns))
            }
        }
        from.deserialize_any(OneOrMore)
    }
}

/// The tables `[[host]]`.
#[derive(Debug, Default)]
struct HostSections(Vec<HostSection>);

impl<'de> Deserialize<'de> for HostSections {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Tables;
        impl<'de> Visitor<'de> for Tables {
            type Value = HostSections;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("rules that begin with [[host]], in two brackets")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut tables: A) -> Result<HostSections, A::Error> {
                let mut hosts = Vec::new();
                while let Some(host) = tables.next_element()? {
                    hosts.push(host);
                }
                Ok(HostSections(hosts))
            }
        }
        from.deserialize_any(Tables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/LIMITS.md"));

    fn count(n: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(n)
    }

    #[test]
    fn the_worked_example_means_what_its_page_says() {
        let example = PAGE.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
        let limits = parse("limits.toml", example).expect("a good example");
        assert_eq!((limits.concurrency.get(), limits.per_host.get(), limits.delay), (500, 4, Duration::ZERO));
        assert_eq!(limits.rate.map(Rate::per_second), Some(1000.0));
        let patterns: Vec<_> = limits.rules.iter().map(|rule| &*rule.pattern).collect();
        assert_eq!(
            patterns,
            ["status.example.com", "example.com", "*.example.com", "*.shop.example", "127.0.0.1:8080"]
        );
        assert_eq!(limits.rules[0], HostRule { pattern: "status.example.com".into(), ..HostRule::default() });
        let example_com = &limits.rules[2];
        assert_eq!((example_com.concurrency, example_com.delay), (count(2), Some(Duration::from_millis(250))));
        assert_eq!(example_com.rate.map(Rate::per_second), Some(0.5));
        assert_eq!((limits.rules[3].per_address, limits.rules[4].concurrency), (count(4), count(64)));
    }

    #[test]
    fn every_key_is_on_the_page() {
        let unknown = |text: &str| parse("f", text).expect_err("an unknown key");
        let keys = format!("{}{}", unknown("x = 1"), unknown("[[host]]\nmatch = \"*\"\nx = 1"));
        let keys: Vec<_> = keys.split('`').skip(1).step_by(2).filter(|key| *key != "x").collect();
        assert!(keys.len() == 9 + 5, "{keys:?}");
        for key in keys {
            assert!(PAGE.contains(&format!("`{key}`")), "{key} is not on the page");
        }
    }

    #[test]
    fn nothing_is_the_defaults_and_numbers_need_no_quotes() {
        assert_eq!(format!("{:?}", parse("f", "").expect("empty")), format!("{:?}", Limits::default()));
        let limits =
            parse("f", "per-host = 3\nper-site = 4\nhost-rate = 2.5\nadaptive = true\ndelay = 1.5").expect("ok");
        assert_eq!((limits.per_host.get(), limits.per_site, limits.adaptive), (3, count(4), true));
        assert_eq!((limits.host_rate, limits.delay), (Rate::new(2.5), Duration::from_millis(1500)));
    }

    #[test]
    fn faults_have_a_place_and_a_remedy() {
        for (text, place, part) in [
            ("concurency = 5", "1:1", "expected one of `concurrency`"),
            ("\n  delay = \"soon\"", "2:11", "'soon' is not a time; write it like 10s, 250ms"),
            ("concurrency = 0", "1:15", "'0' is not a whole number from 1"),
            ("per_host = 5", "1:1", "`per-host`"),
            ("concurrency = true", "1:15", "expected a whole number from 1, like 8"),
            ("rate = [1]", "1:8", "expected a rate like 100"),
            ("rate = 30/m", "1:8", "texts stand in quotes"),
            ("# ü\nrate = \"30/d\"", "2:8", "30/m or 1000/h"),
            ("[host]\nmatch = \"*\"", "1:1", "[[host]], in two brackets"),
            ("[[host]]\nconcurrency = 1", "1:1", "missing field `match`"),
            ("[[host]]\nmatch = \"a[\"", "2:9", "host pattern 'a[': unclosed"),
            ("[[host]]\nmatch = [\"a\", \"http://b\"]", "2:9", "no scheme"),
            ("[[host]]\nmatch = []", "2:9", "write \"*\""),
            ("[[host]]\nmatch = \"*\"\nper-host = 2", "3:1", "expected one of `match`, `concurrency`"),
            ("[[host]]\nmatch = \"*\"\n[[host]]\nmatch = \"b\"\ndelay = -1", "5:9", "'-1' is not a time"),
            ("concurrency = 1\nconcurrency = 2", "2:1", "duplicate"),
        ] {
            let message = parse("limits.toml", text).expect_err(text);
            assert!(message.starts_with(&format!("limits.toml:{place}: ")), "{text}: {message}");
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
