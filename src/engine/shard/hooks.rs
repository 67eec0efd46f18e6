//! The user's own code in every exchange: a list that is called in its order, and whose panics take nothing along.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::tee::Tee;
use crate::engine::extensions::MakeHooks;
use crate::model::{Attempt, BodyUse, Failure, FailureKind, Hooks, Job, Outcome, Phase, RequestHead, ResponseHead};
use crate::source::RESERVED_HEADERS;

/// What a job is told whose hook panicked.
pub(super) const PANICKED: &str = "a hook panicked; its message is on standard error";

/// Calls code that is not ours: its panic must not take a permit or a job along.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// The hooks of a shard.
pub(super) struct HookList(Box<[Box<dyn Hooks>]>);

impl HookList {
    /// Those that `makers` make for this thread. One that panicked instead refuses all requests.
    pub(super) fn made_by(makers: &[MakeHooks]) -> Self {
        let broken = || Box::new(Broken) as Box<dyn Hooks>;
        Self(makers.iter().map(|make| guarded(|| make()).unwrap_or_else(broken)).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets them change the request, or refuse it. What would break the framing is taken out again.
    pub(super) fn request(&self, head: &mut RequestHead<'_>) -> Result<(), Failure> {
        let refused = self.0.iter().try_for_each(|hooks| {
            let refused = guarded(|| hooks.request(head)).unwrap_or_else(|| Err(PANICKED.into()));
            RESERVED_HEADERS.iter().for_each(|name| drop(head.headers.remove(name)));
            refused
        });
        refused.map_err(|message| Failure::new(Phase::Queue, FailureKind::Unwanted, message))
    }

    /// Shows them a response head, and asks what becomes of the body behind it, if anybody is to get that.
    pub(super) fn response(&self, head: &ResponseHead<'_>) -> BodyUse {
        let mut has_panicked = false;
        for hooks in &self.0 {
            has_panicked |= guarded(|| hooks.head(head)).is_none();
        }
        match head.followed {
            _ if has_panicked => BodyUse::Refuse(PANICKED.into()),
            true => BodyUse::Collect,
            false => self.body(head),
        }
    }

    fn body(&self, head: &ResponseHead<'_>) -> BodyUse {
        let mut writers = Vec::new();
        for hooks in &self.0 {
            match guarded(|| hooks.body(head)).unwrap_or_else(|| BodyUse::Refuse(PANICKED.into())) {
                BodyUse::Collect => {}
                BodyUse::Stream(writer) => writers.push(writer),
                refusal @ BodyUse::Refuse(_) => return refusal,
            }
        }
        match writers.len() {
            0 => BodyUse::Collect,
            1 => writers.pop().map_or(BodyUse::Collect, BodyUse::Stream),
            _ => BodyUse::Stream(Box::new(Tee::into(writers))),
        }
    }

    /// An attempt has ended. There is nobody to tell of a panic but its own message.
    pub(super) fn attempt(&self, job: &Job, attempt: &Attempt) {
        for hooks in &self.0 {
            let _ = guarded(|| hooks.attempt(job, attempt));
        }
    }

    /// A job has ended.
    pub(super) fn outcome(&self, outcome: &Outcome) {
        for hooks in &self.0 {
            let _ = guarded(|| hooks.outcome(outcome));
        }
    }
}

/// In place of hooks that could not be made.
struct Broken;

impl Hooks for Broken {
    fn request(&self, _: &mut RequestHead<'_>) -> Result<(), Box<str>> {
        Err(PANICKED.into())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::Arc;

    use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};

    use super::*;
    use crate::model::{Time, WebUrl};

    /// Notes what it is asked, panics where it is asked to, and wants what the response's headers say.
    struct Noting {
        name: &'static str,
        notes: Rc<RefCell<Vec<String>>>,
    }

    impl Noting {
        fn note(&self, what: &str) {
            self.notes.borrow_mut().push(format!("{}: {what}", self.name));
        }
    }

    impl Hooks for Noting {
        fn request(&self, head: &mut RequestHead<'_>) -> Result<(), Box<str>> {
            self.note("request");
            let path = head.job.url.target();
            assert_ne!(path, format!("/panic/{}", self.name), "as asked");
            head.headers.append("x-by", HeaderValue::from_static(self.name));
            head.headers.insert("content-length", HeaderValue::from_static("7"));
            if path == format!("/refuse/{}", self.name) { Err(self.name.into()) } else { Ok(()) }
        }

        fn head(&self, _: &ResponseHead<'_>) {
            self.note("head");
        }

        fn body(&self, head: &ResponseHead<'_>) -> BodyUse {
            self.note("body");
            assert!(!head.headers.contains_key("x-panic"), "as asked");
            match head.headers.get("x-refused-by") {
                Some(name) if name == self.name => BodyUse::Refuse(self.name.into()),
                _ => BodyUse::Collect,
            }
        }
    }

    fn job(path: &str) -> Job {
        Job::new(0, WebUrl::parse(&format!("http://a.example{path}")).expect("a URL").0, Time::ZERO)
    }

    /// Two of them, called a and b, and their notes.
    fn two() -> (HookList, Rc<RefCell<Vec<String>>>) {
        let notes = Rc::default();
        let noting = |name| Box::new(Noting { name, notes: Rc::clone(&notes) }) as Box<dyn Hooks>;
        (HookList(Box::new(["a", "b"].map(noting))), notes)
    }

    fn asked(path: &str) -> (Result<(), Box<str>>, Vec<String>, HeaderMap) {
        let (list, notes) = two();
        let (job, mut headers) = (job(path), HeaderMap::new());
        let result = list.request(&mut RequestHead::new(&job, &Method::GET, &mut headers));
        let notes = notes.take();
        (result.map_err(|failure| failure.message), notes, headers)
    }

    #[test]
    fn each_is_asked_in_order_until_one_refuses() {
        let (result, notes, headers) = asked("/");
        assert_eq!((result, notes.len()), (Ok(()), 2));
        assert!(headers.get_all("x-by").iter().eq(["a", "b"]) && !headers.contains_key("content-length"));
        assert_eq!(asked("/refuse/a").0, Err("a".into()));
        assert_eq!(asked("/refuse/a").1, ["a: request"]);
        assert_eq!(asked("/refuse/b").0, Err("b".into()));
        assert_eq!(asked("/panic/a").0, Err(PANICKED.into()));
        assert!(!asked("/panic/a").2.contains_key("content-length"));
    }

    fn answered(header: Option<(&'static str, &'static str)>, followed: bool) -> (String, Vec<String>) {
        let (list, notes) = two();
        let headers: HeaderMap = header
            .into_iter()
            .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
            .collect();
        let job = job("/");
        let mut head = ResponseHead::new(&job, StatusCode::OK, Version::HTTP_11, &headers);
        head.followed = followed;
        let body_use = match list.response(&head) {
            BodyUse::Refuse(message) => message.into(),
            other => format!("{other:?}"),
        };
        let notes = notes.take();
        (body_use, notes)
    }

    #[test]
    fn each_sees_each_head_and_only_those_of_results_have_a_body_to_ask_for() {
        assert_eq!(answered(None, true), ("Collect".into(), vec!["a: head".into(), "b: head".into()]));
        let (body_use, notes) = answered(None, false);
        assert_eq!((body_use.as_str(), notes.len()), ("Collect", 4));
        let (body_use, notes) = answered(Some(("x-refused-by", "a")), false);
        assert_eq!((body_use.as_str(), &notes[..]), ("a", &["a: head", "b: head", "a: body"].map(String::from)[..]));
        assert_eq!(answered(Some(("x-panic", "1")), false).0, PANICKED);
    }

    #[test]
    fn one_that_can_not_be_made_refuses_and_the_thread_lives() {
        let list = HookList::made_by(&[Arc::new(|| panic!("as asked"))]);
        let (job, mut headers) = (job("/"), HeaderMap::new());
        let refused = list.request(&mut RequestHead::new(&job, &Method::GET, &mut headers));
        assert_eq!(refused.map_err(|failure| failure.message), Err(PANICKED.into()));
    }
}
