//! What an iterator or a stream of URLs may give: URLs, with a tag of the caller's or without.

use super::entry::{self, At};
use crate::model::{Job, Rejected};

/// A URL for [`super::Urls`] and [`super::UrlStream`]: anything that is text, or [`Tagged`] text.
pub trait UrlItem {
    /// The URL.
    fn url(&self) -> &str;

    /// What the caller wants to find in the outcome again.
    fn tag(&self) -> Option<&str> {
        None
    }
}

impl<T: AsRef<str>> UrlItem for T {
    fn url(&self) -> &str {
        self.as_ref()
    }
}

/// A URL with a tag: it stands in the job's [`id`](crate::model::Extra::id) and so in its record, as a JSON string.
///
/// ```
/// use haul::model::{Source, Time};
/// use haul::source::{Tagged, Urls};
///
/// let mut entries = Vec::new();
/// Urls::new([Tagged { tag: "shop 7", url: "http://a.example/" }]).read(1, Time::ZERO, &mut entries)?;
/// let job = entries.remove(0).expect("a URL");
/// assert_eq!(job.extra.and_then(|extra| extra.id).as_deref(), Some("\"shop 7\""));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tagged<T, U> {
    /// The tag.
    pub tag: T,
    /// The URL.
    pub url: U,
}

impl<T: AsRef<str>, U: AsRef<str>> UrlItem for Tagged<T, U> {
    fn url(&self) -> &str {
        self.url.as_ref()
    }

    fn tag(&self) -> Option<&str> {
        Some(self.tag.as_ref())
    }
}

/// The entry that an item becomes.
pub(super) fn entry(item: &impl UrlItem, at: At<'_>) -> Result<Job, Rejected> {
    let id = item.tag().map(|tag| serde_json::Value::from(tag).to_string().into_boxed_str());
    match (entry::url(item.url().trim(), at), id) {
        (entry, None) => entry,
        (Ok(mut job), id) => {
            job.extra_mut().id = id;
            Ok(job)
        }
        (Err(rejected), id) => Err(Rejected { id, ..rejected }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;
    use crate::source::entry::InputPosition;

    #[test]
    fn a_tag_comes_back_whether_its_url_is_good_or_not() {
        let read =
            |url| entry(&Tagged { tag: "a \"b\"", url }, At { seq: 3, place: InputPosition::Item(4), now: Time::ZERO });
        let job = read("http://a.example/").expect("good");
        assert_eq!((job.seq, job.extra.and_then(|extra| extra.id).as_deref()), (3, Some(r#""a \"b\"""#)));
        assert_eq!(read("nonsense").expect_err("bad").id.as_deref(), Some(r#""a \"b\"""#));
    }
}
