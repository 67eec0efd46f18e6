//! The order in which connections fell idle, over all keys: a doubly linked list through the slab, so that leaving it
//! from the middle costs the same as from the ends.

use slab::Slab;

use super::{Conn, ConnId};

/// A connection's neighbours in the idle order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdleLinks {
    older: Option<ConnId>,
    newer: Option<ConnId>,
    listed: bool,
}

/// The ends of the list.
#[derive(Debug, Default)]
pub(super) struct IdleOrder {
    oldest: Option<ConnId>,
    newest: Option<ConnId>,
    len: usize,
}

impl IdleOrder {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn oldest(&self) -> Option<ConnId> {
        self.oldest
    }

    pub(super) fn push_newest<K>(&mut self, conns: &mut Slab<Conn<K>>, id: ConnId) {
        conns[id.index()].links = IdleLinks { older: self.newest, newer: None, listed: true };
        match self.newest {
            Some(newest) => conns[newest.index()].links.newer = Some(id),
            None => self.oldest = Some(id),
        }
        self.newest = Some(id);
        self.len += 1;
    }

    /// Takes `id` out; harmless when it is not listed.
    pub(super) fn remove<K>(&mut self, conns: &mut Slab<Conn<K>>, id: ConnId) {
        let IdleLinks { older, newer, listed } = std::mem::take(&mut conns[id.index()].links);
        if !listed {
            return;
        }
        match older {
            Some(older) => conns[older.index()].links.newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => conns[newer.index()].links.older = older,
            None => self.newest = older,
        }
        self.len -= 1;
    }
}
