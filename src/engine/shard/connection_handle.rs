//! A live connection, as far as the shard has to reach it: the way to its lanes.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use super::flight::Flight;
use super::log::CloseLog;
use crate::conn::H2;
use crate::engine::mailbox::Mailbox;
use crate::model::{CloseReason, Time};

/// What a lane finds in its mailbox.
#[derive(Debug)]
pub(super) enum LaneMessage {
    /// The next job.
    Flight(Flight),
    /// Its place is needed: close, for this reason.
    Leave(CloseReason),
}

/// The way to a connection's lanes.
pub(super) enum ConnectionHandle {
    /// Its one lane's mailbox.
    Alone(Rc<Mailbox<LaneMessage>>),
    /// What its lanes share.
    Http2(Rc<RefCell<Streams<H2>>>),
}

impl ConnectionHandle {
    /// Tells the lanes of an idle connection to close it.
    pub(super) fn dismiss(self, why: CloseReason) {
        match self {
            Self::Alone(mailbox) => {
                mailbox.put(LaneMessage::Leave(why));
            }
            Self::Http2(streams) => streams.borrow_mut().dismiss(why),
        }
    }
}

/// A connection that carries several requests at once, and the lanes that wait for one on it.
pub(super) struct Streams<C> {
    pub(super) connection: C,
    pub(super) remote: Option<SocketAddr>,
    /// Where somebody listens for it.
    ending: Option<Rc<CloseLog>>,
    pub(super) history: History,
    pub(super) idle: Vec<Rc<Mailbox<LaneMessage>>>,
}

/// What has become of a connection's streams.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Once it takes no more: how many requests it was given, and since when it has been idle, or had been before.
    pub(super) carried: u32,
    pub(super) fell_idle: Option<Time>,
    /// Whether it has brought an answer.
    pub(super) answered: bool,
    /// It has brought none, and refused one that was alone.
    pub(super) turned_away: bool,
    /// How many of them the peer has not processed, or not answered when it ended.
    pub(super) refused: u32,
}

impl<C> Streams<C> {
    pub(super) fn new(connection: C, remote: Option<SocketAddr>, ending: Option<Rc<CloseLog>>) -> Self {
        Self { connection, remote, ending, history: History::default(), idle: Vec::new() }
    }

    /// Gives the flight to a waiting lane, or back when none waits.
    pub(super) fn wake_idle(&mut self, flight: Flight) -> Option<Flight> {
        let Some(mailbox) = self.idle.pop() else { return Some(flight) };
        mailbox.put(LaneMessage::Flight(flight));
        None
    }

    /// Tells the lanes that wait to close.
    fn dismiss(&mut self, why: CloseReason) {
        CloseLog::because(self.ending.as_ref(), why);
        for mailbox in self.idle.drain(..) {
            mailbox.put(LaneMessage::Leave(why));
        }
    }
}
