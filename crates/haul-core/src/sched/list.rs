//! Intrusive first-in-first-out lists of hosts: O(1) append, take and remove, no allocation.
//!
//! The links of all hosts stand side by side, apart from the hosts: an operation touches eight bytes of each
//! neighbour instead of a line of its state. A host is in at most one list per [`Links`].

/// No host.
pub(super) const NONE: u32 = u32::MAX;

/// Predecessor and successor of each host.
#[derive(Debug, Default)]
pub(super) struct Links {
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    prev: u32,
    next: u32,
}

impl Links {
    /// Makes room for one more host.
    pub(super) fn grow(&mut self) {
        self.nodes.push(Node { prev: NONE, next: NONE });
    }
}

/// A list's two ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { head: NONE, tail: NONE };

    pub(super) const fn first(&self) -> Option<u32> {
        if self.head == NONE { None } else { Some(self.head) }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.head == NONE
    }

    pub(super) fn push(&mut self, links: &mut Links, id: u32) {
        links.nodes[id as usize] = Node { prev: self.tail, next: NONE };
        match self.tail {
            NONE => self.head = id,
            tail => links.nodes[tail as usize].next = id,
        }
        self.tail = id;
    }

    /// Takes `id` out. It must be in this list.
    pub(super) fn remove(&mut self, links: &mut Links, id: u32) {
        let Node { prev, next } = links.nodes[id as usize];
        match prev {
            NONE => self.head = next,
            prev => links.nodes[prev as usize].next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => links.nodes[next as usize].prev = prev,
        }
    }

    pub(super) fn pop(&mut self, links: &mut Links) -> Option<u32> {
        let id = self.first()?;
        self.remove(links, id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(list: &mut List, links: &mut Links) -> Vec<u32> {
        std::iter::from_fn(|| list.pop(links)).collect()
    }

    #[test]
    fn order_is_kept_whatever_is_removed() {
        let mut links = Links::default();
        (0..6).for_each(|_| links.grow());
        for removed in 0..6 {
            let mut list = List::EMPTY;
            (0..6).for_each(|id| list.push(&mut links, id));
            list.remove(&mut links, removed);
            list.push(&mut links, removed);
            let mut wanted: Vec<_> = (0..6).filter(|id| *id != removed).collect();
            wanted.push(removed);
            assert_eq!(drain(&mut list, &mut links), wanted);
            assert!(list.is_empty() && list.first().is_none());
        }
    }
}
