//! What is kept of responses that are to be tried again.
//!
//! That try may never come: the host is given up meanwhile, or the run is stopped. Then the response is the job's result, so its
//! head and body are kept while it waits. A host may make any number of jobs wait for any time, so all of this together has a
//! bound; what finds no room is dropped, the body before the head, and the record says so.

use std::cell::Cell;

use bytes::{Bytes, BytesMut};
use http::HeaderValue;

use crate::model::{Attempt, CompleteResponse, HeaderList};
use crate::work::Work;

/// What a header takes beside its text.
const HEADER: usize = 96;

/// The room for them.
#[derive(Debug)]
pub(super) struct Keepsakes {
    most: usize,
    used: Cell<usize>,
}

impl Keepsakes {
    /// Room for so many bytes.
    pub(super) const fn new(most: usize) -> Self {
        Self { most, used: Cell::new(0) }
    }

    /// Puts `attempt` away in its job until the next one has ended.
    pub(super) fn put(&self, work: &mut Work, mut attempt: Attempt) {
        self.discard(work);
        if let Ok(response) = &mut attempt.result {
            self.put_response(work, response);
        }
        work.last = Some(Box::new(attempt));
    }

    fn put_response(&self, work: &mut Work, response: &mut CompleteResponse) {
        if let Some(headers) = response.headers.take()
            && self.take(work, size(&headers))
        {
            response.headers = Some(copied(&headers));
        }
        if let Some(body) = response.body.take() {
            work.body_dropped = !self.take(work, body.len());
            if !work.body_dropped {
                // It may be a part of something larger, or hold memory that is rationed for bodies on their way.
                response.body = Some(Bytes::copy_from_slice(&body));
            }
        }
    }

    fn take(&self, work: &mut Work, bytes: usize) -> bool {
        let used = self.used.get() + bytes;
        let fits = used <= self.most;
        if fits {
            self.used.set(used);
            work.kept_bytes += bytes as u64;
        }
        fits
    }

    /// The last attempt of the job, if it had any: it is the result now.
    pub(super) fn redeem(&self, work: &mut Work) -> Option<Attempt> {
        self.give_back(work);
        work.last.take().map(|last| *last)
    }

    /// The job has a newer result.
    pub(super) fn discard(&self, work: &mut Work) {
        self.give_back(work);
        work.last = None;
        work.body_dropped = false;
    }

    fn give_back(&self, work: &mut Work) {
        let bytes = usize::try_from(std::mem::take(&mut work.kept_bytes)).unwrap_or(usize::MAX);
        self.used.set(self.used.get().saturating_sub(bytes));
    }
}

fn size(headers: &HeaderList) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER).sum()
}

/// The same with values of their own: those that came are parts of the buffer that was read into.
fn copied(headers: &HeaderList) -> HeaderList {
    let mut block = BytesMut::with_capacity(headers.iter().map(|(_, value)| value.len()).sum());
    let own = |value: &HeaderValue, block: &mut BytesMut| {
        block.extend_from_slice(value.as_bytes());
        let mut own = HeaderValue::from_maybe_shared(block.split().freeze()).unwrap_or_else(|_| value.clone());
        own.set_sensitive(value.is_sensitive());
        own
    };
    headers.iter().map(|(name, value)| (name.clone(), own(value, &mut block))).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, Version};

    use super::*;

    fn attempt(head: usize, body: usize) -> Attempt {
        let value = HeaderValue::from_maybe_shared(Bytes::from(vec![b'v'; head])).expect("valid");
        let mut attempt = Attempt::unsent(crate::model::Failure::new(
            crate::model::Phase::Queue,
            crate::model::FailureKind::HostDead,
            "replaced",
        ));
        attempt.result = Ok(CompleteResponse {
            status: 503,
            version: Version::HTTP_11,
            headers: Some(HeaderList::from_iter([(HeaderName::from_static("a"), value)])),
            body: Some(Bytes::from(vec![b'b'; body])),
            body_bytes: body as u64,
            sha256: None,
            saved: None,
            close_delimited: false,
        });
        attempt
    }

    fn kept(work: &Work) -> (bool, bool) {
        let response = work.last.as_ref().expect("put").result.as_ref().expect("a response");
        (response.headers.is_some(), response.body.is_some())
    }

    #[test]
    fn what_finds_no_room_goes_the_body_first() {
        let keepsakes = Keepsakes::new(1000);
        let mut works: Vec<Work> = (0..4).map(|_| Work::default()).collect();
        keepsakes.put(&mut works[0], attempt(3, 500));
        keepsakes.put(&mut works[1], attempt(3, 500));
        keepsakes.put(&mut works[2], attempt(3, 100));
        keepsakes.put(&mut works[3], attempt(503, 1));
        assert_eq!(
            works.iter().map(kept).collect::<Vec<_>>(),
            [(true, true), (true, false), (true, true), (false, true)]
        );
        assert_eq!(works.iter().map(|work| work.body_dropped).collect::<Vec<_>>(), [false, true, false, false]);
        let first = keepsakes.redeem(&mut works[0]).expect("kept").result.expect("a response");
        assert_eq!(first.body.expect("kept").len(), 500);
        assert_eq!(first.headers.expect("kept").iter().next().expect("one").1, "vvv");
        keepsakes.put(&mut works[1], attempt(3, 500));
        assert_eq!((kept(&works[1]), works[1].body_dropped), ((true, true), false), "there is room again");
        works.iter_mut().for_each(|work| keepsakes.discard(work));
        assert_eq!(keepsakes.used.get(), 0);
        assert!(works.iter().all(|work| work.last.is_none()));
    }
}
