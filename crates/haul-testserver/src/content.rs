//! What bodies hold: the same for every origin, so that a body can be checked by asking twice. Pure.

use std::fmt::Write;

use bytes::Bytes;
use fastrand::Rng;

use super::ask::LAST_PAGE;

/// Bodies longer than this repeat themselves.
const BLOCK: usize = 64 << 10;

/// Pseudo-random bytes.
pub(super) fn random_block() -> Bytes {
    let mut block = vec![0; BLOCK];
    Rng::with_seed(1).fill(&mut block);
    block.into()
}

/// Lines of words, which compress about as well as prose.
pub(super) fn text_block() -> Bytes {
    let mut dice = Rng::with_seed(2);
    let syllables = ["ba", "cor", "de", "fin", "go", "lu", "mar", "ne", "or", "pel", "si", "tan", "ve", "wol"];
    let vocabulary: Vec<String> =
        (0..400).map(|_| (0..dice.usize(1..5)).map(|_| syllables[dice.usize(..syllables.len())]).collect()).collect();
    let mut text = String::with_capacity(BLOCK + 64);
    while text.len() < BLOCK {
        text.push_str(&vocabulary[dice.usize(..vocabulary.len())]);
        text.push(if dice.u8(..12) == 0 { '\n' } else { ' ' });
    }
    Bytes::from(text).slice(..BLOCK)
}

/// The first `length` bytes of `block` repeated.
pub(super) fn repeated(block: &[u8], length: usize) -> Vec<u8> {
    block.iter().copied().cycle().take(length).collect()
}

/// A JSON list of `count` items.
pub(super) fn json(count: u64) -> String {
    let mut dice = Rng::with_seed(3);
    let mut text = "[".to_owned();
    for id in 0..count {
        let (price, stock) = (dice.u32(100..100_000), dice.bool());
        let comma = if id == 0 { "\n" } else { ",\n" };
        let _ = write!(
            text,
            r#"{comma}{{"id":{id},"name":"item {id}","price":{}.{:02},"in_stock":{stock},"tags":["a{}","b{}"]}}"#,
            price / 100,
            price % 100,
            id % 7,
            id % 11
        );
    }
    text.push_str("\n]\n");
    text
}

/// Web page `number`: a title, a description, items, and links to two further pages while there are any.
pub(super) fn html(number: u64) -> String {
    let mut dice = Rng::with_seed(number);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Page {number}</title>\n\
         <meta name=\"description\" content=\"Page {number} of the test origin\">\n</head>\n<body>\n\
         <h1>Page {number}</h1>\n<ul>\n"
    );
    for item in 1..=5 {
        let cents = dice.u32(100..10_000);
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        let _ = writeln!(text, "<li class=\"item\">Item {number}-{item}: <span class=\"price\">{price}</span></li>");
    }
    text.push_str("</ul>\n");
    for next in [2 * number + 1, 2 * number + 2] {
        if next <= LAST_PAGE {
            let _ = writeln!(text, "<a href=\"/html/{next}\">Page {next}</a>");
        }
    }
    text.push_str("</body>\n</html>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_and_the_same_each_time() {
        assert_eq!((random_block().len(), text_block().len()), (BLOCK, BLOCK));
        assert_eq!(text_block(), text_block());
        assert!(text_block().is_ascii());
        let long = repeated(&text_block(), BLOCK + 10);
        assert_eq!((long.len(), &long[BLOCK..]), (BLOCK + 10, &text_block()[..10]));
    }

    #[test]
    fn lists_are_json() {
        for count in [0, 1, 100] {
            let list: serde_json::Value = serde_json::from_str(&json(count)).expect("JSON");
            let items = list.as_array().expect("a list");
            assert_eq!(items.len() as u64, count);
            assert!(items.iter().all(|item| item["price"].is_f64() && item["tags"].is_array()));
        }
    }

    #[test]
    fn pages_link_only_to_pages_that_there_are() {
        assert!(html(3).contains("<title>Page 3</title>"));
        assert!(html(3).contains("href=\"/html/7\"") && html(3).contains("href=\"/html/8\""));
        assert!(!html(LAST_PAGE).contains("href"));
    }
}
