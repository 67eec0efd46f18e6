use super::*;

const KEY: u32 = 7;

fn pool(budget: usize) -> Pool<u32> {
    Pool::new(PoolSettings::default(), budget, 1)
}

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

/// A dial has succeeded: HTTP/2 where it carries several at once.
fn dialed(pool: &mut Pool<u32>, key: u32, slots: u32, now: Time) -> ConnId {
    pool.dialed(key, if slots > 1 { Protocol::Http2 } else { Protocol::Http1 }, slots, now)
}

/// Dials one connection for `key` and leaves its first slot taken.
fn open(pool: &mut Pool<u32>, key: u32, slots: u32, now: Time) -> ConnId {
    assert!(matches!(pool.acquire(key, Demand::SINGLE, now), Acquired::Dial { .. }));
    dialed(pool, key, slots, now)
}

#[test]
fn failing_answers_in_a_row_are_counted_for_each_connection() {
    let mut pool = pool(10);
    let (a, b) = (open(&mut pool, KEY, 1, ms(0)), open(&mut pool, KEY, 1, ms(0)));
    assert_eq!([true, true, false, true].map(|failing| pool.answered(a, failing)), [1, 2, 0, 1]);
    assert_eq!(pool.answered(b, true), 1);
    pool.closed(a);
    assert_eq!(pool.answered(a, true), 0);
}

#[test]
fn an_idle_connection_is_used_again_and_never_raced_with_a_dial() {
    let mut pool = pool(10);
    let id = open(&mut pool, KEY, 1, ms(0));
    assert!(matches!(pool.release(id, true, ms(1)), Released::Parked { .. }));
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(2)), Acquired::Slot(id));
    assert_eq!(pool.served(id), 2);
    assert_eq!(
        pool.acquire(KEY, Demand::SINGLE, ms(2)),
        Acquired::Dial { evict: None },
        "a busy connection has no room"
    );
}

#[test]
fn the_connection_used_last_is_used_first() {
    let mut pool = pool(10);
    let first = open(&mut pool, KEY, 1, ms(0));
    let second = open(&mut pool, KEY, 1, ms(0));
    pool.release(second, true, ms(1));
    pool.release(first, true, ms(2));
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(3)), Acquired::Slot(first));
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(3)), Acquired::Slot(second));
}

#[test]
fn an_idle_connection_is_parked_for_the_idle_timeout_or_the_peers_hint() {
    let mut pool = pool(10);
    let id = open(&mut pool, KEY, 1, ms(0));
    assert_eq!(pool.release(id, true, ms(1000)), Released::Parked { until: ms(16_000) });
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(1000)), Acquired::Slot(id));
    pool.keep_alive_hint(id, Duration::from_secs(5));
    assert_eq!(pool.release(id, true, ms(1000)), Released::Parked { until: ms(5000) });
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(1000)), Acquired::Slot(id));
    pool.keep_alive_hint(id, Duration::from_millis(300));
    assert_eq!(pool.release(id, true, ms(1000)), Released::Parked { until: ms(1000) }, "a hint below 1 s: no reuse");
}

#[test]
fn a_connection_past_its_age_is_not_handed_out_and_closes_after_its_request() {
    let mut pool = pool(10);
    let idle = open(&mut pool, KEY, 1, ms(0));
    let busy = open(&mut pool, KEY, 1, ms(0));
    pool.release(idle, true, ms(1));
    let late = ms(600_000);
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, late), Acquired::Dial { evict: None });
    assert_eq!(pool.release(busy, true, late), Released::Close(CloseReason::MaxAge));
    pool.closed(idle);
    assert_eq!(pool.sockets(), 1, "only the dial is left");
}

#[test]
fn an_idle_connection_expires_and_a_busy_one_does_not() {
    let mut pool = pool(10);
    let id = open(&mut pool, KEY, 2, ms(0));
    assert!(!pool.expire(id, ms(60_000)), "busy");
    pool.release(id, true, ms(60_000));
    assert!(!pool.expire(id, ms(74_999)));
    assert!(pool.expire(id, ms(75_000)));
    assert_eq!(pool.sockets(), 0);
}

#[test]
fn a_late_word_about_a_closed_connection_does_not_touch_its_successor() {
    let mut pool = pool(10);
    let gone = open(&mut pool, KEY, 2, ms(0));
    pool.closed(gone);
    let next = open(&mut pool, KEY, 2, ms(0));
    assert_eq!(gone.index(), next.index());
    pool.closed(gone);
    pool.set_slots(gone, 0);
    assert!(matches!(pool.release(gone, true, ms(1)), Released::Close(_)));
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(1)), Acquired::Slot(next));
}

#[test]
fn streams_share_a_connection_up_to_its_limit() {
    let mut pool = pool(10);
    let id = open(&mut pool, KEY, 3, ms(0));
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(0)), Acquired::Slot(id));
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(0)), Acquired::Slot(id));
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(0)), Acquired::Dial { evict: None }, "full: one more connection");
    pool.dial_failed(KEY);
    assert_eq!(pool.release(id, true, ms(1)), Released::Shared);
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(1)), Acquired::Slot(id));
    pool.set_slots(id, 5);
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(1)), Acquired::Slot(id));
    pool.set_slots(id, 2);
    for _ in 0..2 {
        pool.release(id, true, ms(2));
    }
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(3)), Acquired::Dial { evict: None }, "two in use of two allowed");
}

#[test]
fn requests_wait_for_a_dial_that_will_carry_them_and_for_no_more_connections_than_allowed() {
    let settings = PoolSettings { max_h2_connections: 2, ..PoolSettings::default() };
    let mut pool: Pool<u32> = Pool::new(settings, 10, 1);
    let demand = |waiting| Demand { slots: 3, waiting, ..Demand::SINGLE };
    assert_eq!(pool.acquire(KEY, demand(0), ms(0)), Acquired::Dial { evict: None });
    assert_eq!(pool.acquire(KEY, demand(0), ms(0)), Acquired::Wait);
    assert_eq!(pool.acquire(KEY, demand(1), ms(0)), Acquired::Wait);
    assert_eq!(pool.acquire(KEY, demand(2), ms(0)), Acquired::Dial { evict: None }, "the first carries three");
    assert_eq!(pool.acquire(KEY, demand(9), ms(0)), Acquired::Wait, "two connections are allowed");
    let id = dialed(&mut pool, KEY, 3, ms(1));
    assert_eq!(pool.acquire(KEY, demand(2), ms(1)), Acquired::Slot(id));
    pool.dial_failed(KEY);
    assert_eq!(pool.acquire(KEY, demand(1), ms(1)), Acquired::Slot(id));
    assert_eq!(pool.acquire(KEY, demand(0), ms(1)), Acquired::Dial { evict: None });
}

#[test]
fn a_draining_connection_takes_nothing_new_and_closes_with_its_last_request() {
    let mut pool = pool(10);
    let id = open(&mut pool, KEY, 10, ms(0));
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(0)), Acquired::Slot(id));
    assert!(!pool.drain(id, CloseReason::GoAway));
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(0)), Acquired::Dial { evict: None });
    assert_eq!(pool.release(id, true, ms(1)), Released::Shared);
    assert_eq!(pool.release(id, true, ms(1)), Released::Close(CloseReason::GoAway));
    assert_eq!(pool.sockets(), 1);
}

#[test]
fn a_connection_that_is_on_its_way_out_holds_no_place_of_those_that_a_host_may_have() {
    let settings =
        PoolSettings { max_h2_connections: 1, max_age: Duration::from_millis(100), ..PoolSettings::default() };
    let mut pool: Pool<u32> = Pool::new(settings, 10, 1);
    let demand = Demand { slots: 3, ..Demand::SINGLE };
    let drained = open(&mut pool, KEY, 3, ms(0));
    pool.drain(drained, CloseReason::Failed);
    pool.drain(drained, CloseReason::GoAway);
    assert_eq!(pool.acquire(KEY, demand, ms(1)), Acquired::Dial { evict: None }, "in the place of the drained one");
    let old = dialed(&mut pool, KEY, 3, ms(1));
    assert_eq!(pool.acquire(KEY, demand, ms(2)), Acquired::Slot(old));
    assert_eq!(pool.release(old, true, ms(200)), Released::Shared);
    assert_eq!(pool.acquire(KEY, demand, ms(200)), Acquired::Dial { evict: None }, "in the place of the old one");
    let full = dialed(&mut pool, KEY, 1, ms(200));
    assert_eq!(pool.release(drained, true, ms(201)), Released::Close(CloseReason::Failed));
    assert_eq!(pool.release(old, true, ms(201)), Released::Close(CloseReason::MaxAge));
    assert_eq!(pool.acquire(KEY, demand, ms(201)), Acquired::Wait, "one is open, and one is allowed");
    pool.closed(full);
    assert_eq!(pool.acquire(KEY, demand, ms(202)), Acquired::Dial { evict: None });
}

#[test]
fn connections_for_one_request_each_are_as_many_as_a_host_may_have() {
    let settings = PoolSettings { max_h2_connections: 1, reuse: false, ..PoolSettings::default() };
    let mut pool: Pool<u32> = Pool::new(settings, 10, 1);
    let id = open(&mut pool, KEY, 3, ms(0));
    assert_eq!(pool.acquire(KEY, Demand { slots: 3, ..Demand::SINGLE }, ms(1)), Acquired::Wait);
    pool.drain(id, CloseReason::Failed);
    assert_eq!(pool.release(id, true, ms(2)), Released::Close(CloseReason::NotKeptAlive));
    assert_eq!(pool.sockets(), 0);
    let mut pool: Pool<u32> = Pool::new(PoolSettings { max_h2_connections: 1, ..PoolSettings::default() }, 10, 1);
    let (one, other) = (open(&mut pool, KEY, 1, ms(0)), open(&mut pool, KEY, 1, ms(0)));
    pool.drain(one, CloseReason::NotKeptAlive);
    pool.release(one, true, ms(1));
    assert_eq!(
        pool.acquire(KEY, Demand { slots: 3, ..Demand::SINGLE }, ms(1)),
        Acquired::Wait,
        "the other one is left"
    );
    pool.closed(other);
}

#[test]
fn at_the_budget_the_oldest_idle_connection_of_any_host_makes_room() {
    let mut pool = pool(3);
    let old = open(&mut pool, 1, 1, ms(0));
    let newer = open(&mut pool, 2, 1, ms(0));
    let _busy = open(&mut pool, 3, 1, ms(0));
    pool.release(old, true, ms(1));
    pool.release(newer, true, ms(2));
    assert_eq!(pool.acquire(4, Demand::SINGLE, ms(3)), Acquired::Dial { evict: Some(old) });
    assert_eq!(pool.acquire(5, Demand::SINGLE, ms(3)), Acquired::Dial { evict: Some(newer) });
    assert_eq!(pool.acquire(6, Demand::SINGLE, ms(3)), Acquired::NoSocket);
    assert_eq!(pool.sockets(), 3);
    pool.dial_failed(5);
    assert_eq!(pool.acquire(6, Demand::SINGLE, ms(3)), Acquired::Dial { evict: None });
}

#[test]
fn a_shrunk_budget_holds() {
    let mut pool = pool(100);
    let _one = open(&mut pool, 1, 1, ms(0));
    pool.shrink_budget();
    assert_eq!(pool.budget(), 1);
    assert_eq!(pool.acquire(2, Demand::SINGLE, ms(0)), Acquired::NoSocket);
}

#[test]
fn a_shrunk_budget_grows_with_each_dial_that_succeeds_and_no_further_than_it_was() {
    let mut pool = pool(3);
    pool.shrink_budget();
    for (key, budget) in [(1, 2), (2, 3), (3, 3)] {
        let _busy = open(&mut pool, key, 1, ms(0));
        assert_eq!(pool.budget(), budget);
    }
}

#[test]
fn without_reuse_every_connection_serves_once() {
    let settings = PoolSettings { reuse: false, ..PoolSettings::default() };
    let mut pool: Pool<u32> = Pool::new(settings, 10, 1);
    let id = open(&mut pool, KEY, 1, ms(0));
    assert_eq!(pool.release(id, true, ms(1)), Released::Close(CloseReason::NotKeptAlive));
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(1)), Acquired::Dial { evict: None });
}

/// Random operations against a naive model: counts never disagree, no slot is handed out twice, the budget holds.
#[test]
fn random_operations_keep_the_books() {
    for seed in 0..300 {
        random_run(seed);
    }
}

fn random_run(seed: u64) {
    const BUDGET: usize = 6;
    let mut rng = Rng::with_seed(seed);
    let mut pool: Pool<u32> = Pool::new(PoolSettings::default(), BUDGET, seed);
    let mut used: HashMap<ConnId, (u32, u32, u32)> = HashMap::new(); // id → (key, used, slots)
    let mut dialing: Vec<u32> = Vec::new();
    let mut now = Time::ZERO;
    for _ in 0..400 {
        now = now + Duration::from_millis(rng.u64(0..2000));
        let pick =
            (!used.is_empty()).then(|| *used.keys().min_by_key(|id| (id.index + rng.u32(0..4)) % 5).expect("some"));
        match (rng.u8(0..6), pick) {
            (0 | 1, _) => {
                let key = rng.u32(0..3);
                match pool.acquire(key, Demand::SINGLE, now) {
                    Acquired::Slot(id) => {
                        let entry = used.get_mut(&id).expect("handed out only while live");
                        entry.1 += 1;
                        assert_eq!(entry.0, key);
                        assert!(entry.1 <= entry.2, "seed {seed}: slot handed out twice");
                    }
                    Acquired::Dial { evict } => {
                        if let Some(id) = evict {
                            assert_eq!(used.remove(&id).expect("live").1, 0, "seed {seed}: evicted while busy");
                        }
                        dialing.push(key);
                    }
                    Acquired::Wait => panic!("nobody waits for a connection of one slot"),
                    Acquired::NoSocket => assert_eq!(used.len() + dialing.len(), BUDGET),
                }
            }
            (2, _) if !dialing.is_empty() => {
                let key = dialing.swap_remove(rng.usize(0..dialing.len()));
                if rng.bool() {
                    let slots = rng.u32(1..4);
                    let id = dialed(&mut pool, key, slots, now);
                    assert!(used.insert(id, (key, 1, slots)).is_none());
                } else {
                    pool.dial_failed(key);
                }
            }
            (3 | 4, Some(id)) if used[&id].1 > 0 => match pool.release(id, true, now) {
                Released::Close(_) | Released::Spent { .. } => assert_eq!(used.remove(&id).expect("live").1, 1),
                Released::Parked { until } => {
                    let entry = used.get_mut(&id).expect("live");
                    entry.1 -= 1;
                    assert_eq!(entry.1, 0);
                    assert!(until > now || entry.2 > 0);
                }
                Released::Shared => used.get_mut(&id).expect("live").1 -= 1,
            },
            (5, Some(id)) => {
                pool.closed(id);
                pool.closed(id);
                used.remove(&id);
            }
            _ => {}
        }
        assert_eq!(pool.sockets(), used.len() + dialing.len(), "seed {seed}");
        assert!(pool.sockets() <= BUDGET, "seed {seed}");
        assert_eq!(pool.idle(), used.values().filter(|entry| entry.1 == 0).count(), "seed {seed}");
    }
}

#[test]
fn a_connection_carries_no_more_than_it_is_given_and_another_may_take_its_place() {
    let settings = PoolSettings { max_h2_connections: 1, ..PoolSettings::default() };
    let mut pool: Pool<u32> = Pool::new(settings, 10, 1);
    let id = open(&mut pool, KEY, 10, ms(0));
    pool.give(id, 3);
    let demand = Demand { slots: 10, ..Demand::SINGLE };
    assert_eq!([0; 2].map(|_| pool.acquire(KEY, demand, ms(0))), [Acquired::Slot(id); 2]);
    assert_eq!(
        pool.acquire(KEY, demand, ms(0)),
        Acquired::Dial { evict: None },
        "it is not one of those that are allowed"
    );
    pool.dial_failed(KEY);
    assert_eq!([0; 2].map(|_| pool.release(id, true, ms(1))), [Released::Shared; 2]);
    assert_eq!(pool.release(id, true, ms(1)), Released::Spent { given: 3 });
    let single = open(&mut pool, KEY, 1, ms(2));
    pool.give(single, 1);
    assert_eq!(pool.release(single, true, ms(3)), Released::Spent { given: 1 });
    assert_eq!(pool.sockets(), 0);
}

#[test]
fn connections_that_take_few_requests_are_as_many_as_these_need() {
    let mut pool = pool(100);
    let mut habits = Habits::default();
    habits.ended_after(3);
    let demand = |waiting| Demand { slots: 100, waiting, habits, ..Demand::SINGLE };
    let mut waiting = 0;
    let mut dials = 0;
    for _ in 0..60 {
        match pool.acquire(KEY, demand(waiting), ms(0)) {
            Acquired::Dial { .. } => dials += 1,
            Acquired::Wait => waiting += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((dials, waiting), (20, 40));
}

#[test]
fn a_connection_that_refuses_a_stream_is_given_fewer_and_by_and_by_more() {
    let mut pool = pool(10);
    let id = open(&mut pool, KEY, 100, ms(0));
    (0..9).for_each(|_| assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(0)), Acquired::Slot(id)));
    for _ in 0..6 {
        assert!(pool.refused(id).is_some());
        pool.release(id, true, ms(1));
        pool.set_slots(id, 100);
    }
    let is_full = |pool: &mut Pool<u32>| match pool.acquire(KEY, Demand::SINGLE, ms(1)) {
        Acquired::Dial { .. } => {
            pool.dial_failed(KEY);
            true
        }
        acquired => {
            assert_eq!(acquired, Acquired::Slot(id));
            false
        }
    };
    assert!(is_full(&mut pool), "four are what it took");
    for _ in 0..4 * CALM {
        pool.release(id, true, ms(2));
        assert!(!is_full(&mut pool));
    }
    let again = Demand { again: true, ..Demand::SINGLE };
    assert_eq!(pool.acquire(KEY, again, ms(2)), Acquired::Dial { evict: None }, "the fifth is a trial");
    pool.dial_failed(KEY);
    assert!(!is_full(&mut pool) && is_full(&mut pool), "five");
    for _ in 0..4 {
        assert_eq!(pool.release(id, true, ms(3)), Released::Shared);
    }
    assert_eq!(pool.refused(id), None);
    pool.release(id, true, ms(3));
    assert!(!is_full(&mut pool) && !is_full(&mut pool), "one that is refused alone says nothing of how many");
}

#[test]
fn one_opened_since_that_has_carried_a_request_won_t_do_over_http1() {
    let mut pool = pool(10);
    let old = open(&mut pool, KEY, 1, ms(0));
    pool.release(old, true, ms(1));
    let demand = Demand { not_before: pool.opened(), ..Demand::SINGLE };
    assert_eq!(pool.acquire(KEY, demand, ms(1)), Acquired::Dial { evict: None });
    let since = dialed(&mut pool, KEY, 1, ms(1));
    pool.release(since, true, ms(2));
    assert_eq!(pool.acquire(KEY, demand, ms(2)), Acquired::Dial { evict: None }, "it may be as worn");
}

#[test]
fn only_a_connection_opened_since_will_do_and_the_old_ones_hold_up_no_dial() {
    let settings = PoolSettings { max_h2_connections: 1, ..PoolSettings::default() };
    let mut pool: Pool<u32> = Pool::new(settings, 10, 1);
    let old = open(&mut pool, KEY, 3, ms(0));
    let demand = |waiting| Demand { slots: 3, waiting, not_before: 1, ..Demand::SINGLE };
    assert_eq!(pool.opened(), 1);
    assert_eq!(pool.acquire(KEY, demand(0), ms(0)), Acquired::Dial { evict: None });
    assert_eq!(pool.acquire(KEY, demand(0), ms(0)), Acquired::Wait, "for the one that is on its way");
    let new = dialed(&mut pool, KEY, 3, ms(1));
    assert_eq!(pool.acquire(KEY, demand(0), ms(1)), Acquired::Slot(new));
    assert_eq!(pool.acquire(KEY, Demand { not_before: 0, ..demand(0) }, ms(1)), Acquired::Slot(new));
    assert_eq!(pool.acquire(KEY, Demand { not_before: 0, ..demand(0) }, ms(1)), Acquired::Slot(old));
}

#[test]
fn a_dead_connection_takes_those_along_that_have_been_idle_for_as_long() {
    let mut pool = pool(10);
    let ids: Vec<_> = (0..5).map(|_| open(&mut pool, KEY, 1, ms(0))).collect();
    let other = open(&mut pool, KEY + 1, 1, ms(0));
    pool.release(other, true, ms(1));
    for (id, at) in ids.iter().zip([10, 20, 30, 40, 50]).skip(1) {
        pool.release(*id, true, ms(at));
    }
    assert_eq!(pool.idle_since(ids[2]), Some(ms(30)));
    assert_eq!(pool.suspect(KEY, ms(30)), [ids[1], ids[2]], "not the one in use, the younger ones, another's");
    assert_eq!((pool.sockets(), pool.idle()), (4, 3));
    assert_eq!(pool.abandon(KEY, CloseReason::NotKeptAlive), [ids[3], ids[4]]);
    assert_eq!(pool.release(ids[0], true, ms(60)), Released::Close(CloseReason::NotKeptAlive));
    assert_eq!((pool.sockets(), pool.suspect(KEY, ms(99))), (1, vec![]));
}

#[test]
fn what_may_be_sent_once_goes_over_a_connection_that_can_be_relied_on() {
    let mut pool = pool(10);
    let id = open(&mut pool, KEY, 1, ms(0));
    pool.release(id, true, ms(100));
    let mut once = Demand { once: true, ..Demand::SINGLE };
    assert_eq!(pool.acquire(KEY, once, ms(100)), Acquired::Dial { evict: None }, "it may be about to be closed");
    assert_eq!(pool.acquire(KEY, once, ms(150)), Acquired::Slot(id), "it is still there");
    pool.release(id, true, ms(200));
    once.habits.kept();
    assert_eq!(pool.acquire(KEY, once, ms(200)), Acquired::Slot(id));
    let streams = open(&mut pool, KEY, 5, ms(200));
    assert_eq!(
        pool.acquire(KEY, Demand { habits: Habits::default(), ..once }, ms(200)),
        Acquired::Slot(streams),
        "GOAWAY tells"
    );
}

#[test]
fn a_connection_over_http2_that_is_allowed_one_stream_is_none_over_http1() {
    let mut pool = pool(10);
    assert!(matches!(pool.acquire(KEY, Demand::SINGLE, ms(0)), Acquired::Dial { .. }));
    let id = pool.dialed(KEY, Protocol::Http2, 1, ms(0));
    pool.release(id, true, ms(1));
    let demand = Demand { once: true, not_before: 0, ..Demand::SINGLE };
    assert_eq!(pool.acquire(KEY, demand, ms(1)), Acquired::Slot(id), "GOAWAY tells");
}

#[test]
fn a_connection_is_kept_for_no_longer_than_it_lasts() {
    let mut pool = pool(10);
    let id = open(&mut pool, KEY, 1, ms(0));
    pool.keep(id, Duration::from_secs(3));
    pool.keep(id, Duration::from_secs(5));
    assert_eq!(pool.release(id, true, ms(0)), Released::Parked { until: ms(3000) });
}

#[test]
fn sockets_are_given_away_unused_ones_first_then_those_idle_for_longest() {
    let mut pool = pool(10);
    let ids: Vec<_> = (0..6).map(|_| open(&mut pool, KEY, 1, ms(0))).collect();
    for (id, at) in ids.iter().zip([0, 1, 2, 3]) {
        pool.release(*id, true, ms(at));
    }
    assert_eq!(pool.part_with(3, 2), (3, vec![]), "four are unused");
    assert_eq!((pool.budget(), pool.sockets()), (7, 6));
    assert_eq!(pool.part_with(3, 2), (3, vec![ids[0], ids[1]]));
    assert_eq!((pool.budget(), pool.sockets()), (4, 4));
    assert_eq!(pool.part_with(9, 3), (1, vec![ids[2]]), "three it keeps");
    assert_eq!(pool.part_with(9, 0), (1, vec![ids[3]]), "two are in use");
    assert_eq!(pool.part_with(9, 0), (0, vec![]));
    pool.gain(1);
    assert_eq!(pool.acquire(KEY, Demand::SINGLE, ms(9)), Acquired::Dial { evict: None });
    dialed(&mut pool, KEY, 1, ms(9));
    assert_eq!((pool.budget(), pool.sockets()), (3, 3), "the dial that succeeds finds no budget to raise");
}

#[test]
fn what_was_never_sent_has_not_been_carried() {
    let mut pool = pool(10);
    let id = open(&mut pool, KEY, 10, ms(0));
    pool.give(id, 3);
    let demand = Demand { slots: 10, ..Demand::SINGLE };
    assert_eq!([0; 2].map(|_| pool.acquire(KEY, demand, ms(0))), [Acquired::Slot(id); 2]);
    assert_eq!(pool.acquire(KEY, demand, ms(0)), Acquired::Dial { evict: None }, "it has as many as it may carry");
    pool.dial_failed(KEY);
    assert_eq!([0; 2].map(|_| pool.release(id, false, ms(1))), [Released::Shared; 2]);
    assert_eq!(pool.served(id), 1);
    assert_eq!([0; 2].map(|_| pool.acquire(KEY, demand, ms(1))), [Acquired::Slot(id); 2], "it may carry two more");
    assert_eq!([0; 2].map(|_| pool.release(id, true, ms(1))), [Released::Shared; 2]);
    assert_eq!(pool.release(id, true, ms(1)), Released::Spent { given: 3 });
}
