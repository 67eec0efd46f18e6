//! Jobs that redirects have made large, while they wait.
//!
//! A job's URL, and those behind it, have up to as many bytes as a response's head each, and how many jobs wait at a redirect's
//! target is bounded by the window alone, which admitted them when they were small. So what redirects add is counted, and
//! where it is too much the text of the jobs that come on top waits on disk until their turn.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use http::Method;
use slab::Slab;

use crate::engine::shared::Shared;
use crate::model::{Failure, FailureKind, Hop, Job, Phase, WebUrl};
use crate::spill::{Extent, Spill};
use crate::work;

/// The most bytes of text that one shard puts on disk.
const MOST_ON_DISK: u64 = 4 << 30;

/// What a shard's jobs have grown to, in memory and on disk.
pub(super) struct Stowage {
    shared: Arc<Shared>,
    texts: Texts,
}

/// The texts that are on disk.
#[derive(Default)]
struct Texts(RefCell<StowedTexts>);

#[derive(Default)]
struct StowedTexts {
    spill: Spill,
    slots: Slab<Extent>,
    bytes: u64,
}

impl Texts {
    /// Puts the text of `job` away.
    fn put(&self, job: &mut Job) -> io::Result<()> {
        let mut stowed = self.0.borrow_mut();
        let text = written(job);
        if stowed.bytes + text.len() as u64 > MOST_ON_DISK {
            return Err(io::Error::other(format!("more than {MOST_ON_DISK} bytes wait there already")));
        }
        let slot = stowed.spill.put(&text)?;
        stowed.bytes += text.len() as u64;
        let number = stowed.slots.insert(slot);
        drop(stowed);
        job.url = WebUrl::root_of(job.url.origin());
        job.extra_mut().given = None;
        let work = work::of_mut(job);
        (work.hops, work.stowed) = (Vec::new(), Some(number));
        Ok(())
    }

    /// Brings the text of `job` back, if it was put away.
    fn take(&self, job: &mut Job) -> io::Result<bool> {
        // Taken first: whatever comes of it, the text is there once.
        let stowed = job.extra.is_some().then(|| work::of_mut(job).stowed.take()).flatten();
        let Some(number) = stowed else { return Ok(false) };
        let mut stowed = self.0.borrow_mut();
        let (slot, mut text) = (stowed.slots.remove(number), Vec::new());
        stowed.spill.take(slot, &mut text)?;
        stowed.bytes -= text.len() as u64;
        drop(stowed);
        let read = read(&text).ok_or_else(|| io::Error::other("what was written was not read again"))?;
        job.url = read.url;
        job.extra_mut().given = read.given;
        let work = work::of_mut(job);
        work.hops = read.hops;
        Ok(true)
    }
}

/// What a job's text was.
struct JobText {
    url: WebUrl,
    given: Option<Box<str>>,
    hops: Vec<Hop>,
}

/// The text of a job: pieces, each behind its length.
fn written(job: &Job) -> Vec<u8> {
    let mut text = Vec::with_capacity(job.bytes() + 64);
    let mut piece = |bytes: &[u8]| {
        text.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        text.extend_from_slice(bytes);
    };
    piece(job.url.as_str().as_bytes());
    piece(job.extra.as_ref().and_then(|extra| extra.given.as_deref()).unwrap_or_default().as_bytes());
    for Hop { url, method, status } in job.hops() {
        piece(url.as_str().as_bytes());
        piece(method.as_str().as_bytes());
        piece(&status.to_le_bytes());
    }
    text
}

fn read(text: &[u8]) -> Option<JobText> {
    let mut rest = text;
    let url = |piece: &[u8]| Some(WebUrl::parse(std::str::from_utf8(piece).ok()?).ok()?.0);
    let first = url(next(&mut rest)?)?;
    let given = std::str::from_utf8(next(&mut rest)?).ok()?;
    let mut hops = Vec::new();
    while !rest.is_empty() {
        let (at, method, status) = (next(&mut rest)?, next(&mut rest)?, next(&mut rest)?);
        hops.push(Hop {
            url: url(at)?,
            method: Method::from_bytes(method).ok()?,
            status: u16::from_le_bytes(status.try_into().ok()?),
        });
    }
    Some(JobText { url: first, given: (!given.is_empty()).then(|| given.into()), hops })
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, others) = rest.split_first_chunk::<8>()?;
    let (piece, others) = others.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    *rest = others;
    Some(piece)
}

impl Stowage {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), texts: Texts::default() }
    }

    /// Counts what redirects have added to `job`, and puts its text away where they have added too much to all.
    pub(super) fn put(&self, job: &mut Job) -> Result<(), Failure> {
        let bytes = job.bytes();
        if bytes <= self.shared.small_job || job.hops().is_empty() {
            return Ok(());
        }
        let work = work::of_mut(job);
        let more = (bytes as u64).saturating_sub(work.held_bytes);
        if self.shared.window.may_grow(more) {
            work.held_bytes += more;
            work.grown_bytes += more;
            return Ok(());
        }
        self.texts.put(job).map_err(|error| {
            let message = format!("redirects have made jobs larger than there is memory for: {error}");
            Failure::new(Phase::Head, FailureKind::RedirectLimit, message)
        })?;
        let work = work::of_mut(job);
        let gone = std::mem::take(&mut work.grown_bytes);
        work.held_bytes -= gone;
        self.shared.window.shrink(gone);
        Ok(())
    }

    /// The same for a job that has been on its way: where it can't be put away it stays.
    pub(super) fn put_again(&self, job: &mut Job) {
        if let Err(failure) = self.put(job) {
            tracing::warn!(%failure, "going on with more memory than there should be");
        }
    }

    /// Brings the text of a job back whose turn has come.
    pub(super) fn take(&self, job: &mut Job) -> Result<(), Failure> {
        let taken = self.texts.take(job).map_err(|error| {
            Failure::new(
                Phase::Queue,
                FailureKind::Io,
                format!("the job's URL was put away on disk and is lost: {error}"),
            )
        })?;
        if taken {
            // On its way it counts, room or not: the requests in flight bound it.
            let bytes = job.bytes() as u64;
            let work = work::of_mut(job);
            let more = bytes.saturating_sub(work.held_bytes);
            work.held_bytes += more;
            work.grown_bytes += more;
            self.shared.window.grow(more);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    #[test]
    fn what_was_put_away_comes_back_as_it_was() {
        let url = |text: &str| WebUrl::parse(text).expect("a URL").0;
        let mut job = Job::new(7, url("http://b.example:81/path?q=1"), Time::ZERO);
        let extra = job.extra_mut();
        extra.given = Some("http://A.example".into());
        let work = work::of_mut(&mut job);
        work.hops.push(Hop { url: url("http://a.example/"), method: Method::POST, status: 303 });
        work.hops.push(Hop { url: url("http://c.example/ü"), method: Method::GET, status: 302 });
        let (stowage, before) = (Texts::default(), format!("{job:?}"));
        stowage.put(&mut job).expect("room");
        assert_eq!((job.url.as_str(), job.given()), ("http://b.example:81/", "http://b.example:81/"));
        assert!(stowage.take(&mut job).expect("kept"));
        assert_eq!(format!("{job:?}"), before);
        assert!(!stowage.take(&mut job).expect("nothing to do"));
        assert_eq!(stowage.0.borrow().bytes, 0);
    }

    #[test]
    fn what_can_not_be_read_again_is_not_looked_for_twice() {
        let url = WebUrl::parse("http://b.example/path").expect("a URL").0;
        let (texts, mut job) = (Texts::default(), Job::new(7, url, Time::ZERO));
        job.extra_mut().given = Some("http://A.example".into());
        texts.put(&mut job).expect("room");
        {
            let mut stowed = texts.0.borrow_mut();
            let other = stowed.spill.put(b"no job").expect("room");
            let number = work::of(&job).and_then(|work| work.stowed).expect("put away");
            stowed.slots[number] = other;
        }
        assert!(texts.take(&mut job).is_err(), "its text is gone");
        assert!(!texts.take(&mut job).expect("nothing to do"));
    }
}
