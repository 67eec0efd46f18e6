//! A source for library users: any iterator of URLs.

use std::io;

use super::entry::{At, InputPosition};
use super::item::{self, UrlItem};
use crate::model::{Job, More, Rejected, Source, Time};

/// Reads URLs from an iterator. Its items are URLs only, [`super::Tagged`] or not: no comments, no JSON.
///
/// ```
/// use haul::model::{More, Source, Time};
/// use haul::source::Urls;
///
/// let mut entries = Vec::new();
/// let mut source = Urls::new(["http://a.example/", "no URL"]);
/// while source.read(10, Time::ZERO, &mut entries)? == More::Yes {}
/// assert!(entries[0].is_ok() && entries[1].is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Urls<I> {
    items: I,
    next_seq: u64,
}

impl<I> Urls<I> {
    /// Will read `items`.
    #[must_use]
    pub fn new<T>(items: T) -> Self
    where
        T: IntoIterator<IntoIter = I>,
    {
        Self { items: items.into_iter(), next_seq: 0 }
    }
}

impl<I: Iterator<Item: UrlItem>> Urls<I> {
    fn take(&mut self, item: &I::Item, now: Time, into: &mut Vec<Result<Job, Rejected>>) {
        let at = At { seq: self.next_seq, place: InputPosition::Item(self.next_seq + 1), now };
        into.push(item::entry(item, at));
        self.next_seq += 1;
    }
}

impl<I> Source for Urls<I>
where
    I: Iterator<Item: UrlItem> + Send,
{
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        let Some(first) = self.items.next() else { return Ok(More::No) };
        self.take(&first, now, into);
        // Only what the iterator promises to have: the next item of a channel may be long in coming, and what came
        // before must not wait for it.
        let promised = self.items.size_hint().0.min(max.saturating_sub(1));
        for _ in 0..promised {
            let Some(item) = self.items.next() else { break };
            self.take(&item, now, into);
        }
        Ok(More::Yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_iterator_promises_is_batched() {
        let mut entries = Vec::new();
        let urls = vec!["http://a.example/"; 10];
        Urls::new(urls.clone()).read(4, Time::ZERO, &mut entries).expect("iterators don't fail");
        assert_eq!(entries.len(), 4);
        let unsure = urls.into_iter().filter(|_| true);
        Urls::new(unsure).read(4, Time::ZERO, &mut entries).expect("iterators don't fail");
        assert_eq!(entries.len(), 5);
    }

    #[test]
    fn each_item_becomes_one_entry() {
        let mut source = Urls::new(["http://a.example/", " http://b.example/ ", "#"]);
        let mut entries = Vec::new();
        while source.read(10, Time::ZERO, &mut entries).expect("iterators don't fail") == More::Yes {}
        let seen: Vec<_> = entries.iter().map(|entry| entry.as_ref().map(|job| (job.seq, job.url.as_str()))).collect();
        assert_eq!(seen[0].expect("good"), (0, "http://a.example/"));
        assert_eq!(seen[1].expect("good"), (1, "http://b.example/"));
        assert_eq!(seen[2].expect_err("not a URL").seq, 2);
    }
}
