//! A body for several at once.

use std::task::{Context, Poll};

use bytes::Bytes;

use crate::model::{BodyWriter, Failure};

/// Gives each piece of a body to several writers. The slowest of them sets the pace; if one fails, none gets the rest, but what
/// another has finished stands.
pub(super) struct Tee(Vec<One>);

struct One {
    writer: Box<dyn BodyWriter>,
    /// Whether it has said so, for the next piece.
    is_ready: bool,
    /// What it said at its end.
    saved: Option<Option<Box<str>>>,
}

impl Tee {
    pub(super) fn into(writers: Vec<Box<dyn BodyWriter>>) -> Self {
        Self(writers.into_iter().map(|writer| One { writer, is_ready: false, saved: None }).collect())
    }
}

impl BodyWriter for Tee {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let mut all_are = true;
        for one in self.0.iter_mut().filter(|one| !one.is_ready) {
            match one.writer.poll_ready(cx)? {
                Poll::Ready(()) => one.is_ready = true,
                Poll::Pending => all_are = false,
            }
        }
        if all_are { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn write(&mut self, piece: Bytes) {
        for one in &mut self.0 {
            one.is_ready = false;
            one.writer.write(piece.clone());
        }
    }

    /// Where the first of them that says so has put it.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Box<str>>, Failure>> {
        let mut all_have = true;
        for one in self.0.iter_mut().filter(|one| one.saved.is_none()) {
            match one.writer.poll_finish(cx)? {
                Poll::Ready(saved) => one.saved = Some(saved),
                Poll::Pending => all_have = false,
            }
        }
        if !all_have {
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.0.iter_mut().find_map(|one| one.saved.take().flatten())))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;
    use crate::model::{FailureKind, Phase};

    /// What a writer has been given, and how it goes on.
    #[derive(Default)]
    struct State {
        pieces: Vec<Bytes>,
        asked: usize,
        is_slow: bool,
        fails: bool,
        is_dropped: bool,
    }

    struct Slow(Rc<RefCell<State>>, Option<&'static str>);

    impl BodyWriter for Slow {
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
            let mut state = self.0.borrow_mut();
            state.asked += 1;
            match (state.fails, state.is_slow) {
                (true, _) => Poll::Ready(Err(Failure::new(Phase::Body, FailureKind::NotSaved, "full"))),
                (_, true) => Poll::Pending,
                _ => Poll::Ready(Ok(())),
            }
        }

        fn write(&mut self, piece: Bytes) {
            self.0.borrow_mut().pieces.push(piece);
        }

        fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Box<str>>, Failure>> {
            if self.0.borrow().is_slow { Poll::Pending } else { Poll::Ready(Ok(self.1.map(Into::into))) }
        }
    }

    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.borrow_mut().is_dropped = true;
        }
    }

    #[test]
    fn each_gets_each_piece_once_and_the_slowest_sets_the_pace() {
        let (quick, slow) = (Rc::new(RefCell::new(State::default())), Rc::new(RefCell::new(State::default())));
        let mut tee =
            Tee::into(vec![Box::new(Slow(Rc::clone(&quick), None)), Box::new(Slow(Rc::clone(&slow), Some("there")))]);
        let mut cx = Context::from_waker(Waker::noop());
        slow.borrow_mut().is_slow = true;
        assert!(tee.poll_ready(&mut cx).is_pending() && tee.poll_ready(&mut cx).is_pending());
        assert_eq!((quick.borrow().asked, slow.borrow().asked), (1, 2), "who is ready is not asked again");
        slow.borrow_mut().is_slow = false;
        assert!(tee.poll_ready(&mut cx).is_ready());
        tee.write(Bytes::from_static(b"x"));
        assert!(tee.poll_ready(&mut cx).is_ready());
        assert_eq!(quick.borrow().asked, 2, "for the next piece it is");
        slow.borrow_mut().is_slow = true;
        assert!(tee.poll_finish(&mut cx).is_pending());
        slow.borrow_mut().is_slow = false;
        let Poll::Ready(Ok(saved)) = tee.poll_finish(&mut cx) else { panic!("it is whole") };
        assert_eq!(saved.as_deref(), Some("there"));
        assert_eq!(
            (&quick.borrow().pieces[..], &slow.borrow().pieces[..]),
            (&[Bytes::from("x")][..], &[Bytes::from("x")][..])
        );
    }

    #[test]
    fn if_one_fails_none_is_finished() {
        let (good, full) = (Rc::new(RefCell::new(State::default())), Rc::new(RefCell::new(State::default())));
        full.borrow_mut().fails = true;
        let mut tee = Tee::into(vec![Box::new(Slow(Rc::clone(&good), None)), Box::new(Slow(full, None))]);
        let ready = tee.poll_ready(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(ready, Poll::Ready(Err(failure)) if failure.kind == FailureKind::NotSaved));
        drop(tee);
        assert!(good.borrow().is_dropped && good.borrow().pieces.is_empty());
    }
}
