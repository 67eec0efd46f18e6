"""python3 -m unittest discover -s benches/peers -t benches/peers"""
import tempfile
import unittest
from pathlib import Path

from harness import contenders, figures, report, targets, workloads
from harness.ask import Ask
from harness.contenders import Contender
from harness.figures import Sample, SlowSample
from harness.measure import check, difference
from harness.running import Failed, run


def sample(cpu, resumed=None):
    return Sample(cpu_us=cpu, per_second=1e6 / cpu, requests=1000, connections=64, resumed=resumed, origin_cpu_us=2.0)


def contender(name, **more):
    return Contender(name, {"h1"}, "true", "apt-get install it", lambda ask: [], version="1.0", **more)


class Figures(unittest.TestCase):
    def test_medians_and_ratios(self):
        summary = figures.summarise({"a": [sample(3), sample(1), sample(2)], "b": [sample(4), sample(4), sample(40)]})
        self.assertEqual(summary["a"]["cpu_us"], 2)
        self.assertEqual(figures.ratio(summary, "b", "a"), 2)
        self.assertIsNone(figures.ratio(summary, "c", "a"))
        self.assertIsNone(summary["a"]["resumed"])

    def test_slow_hosts_cost_the_rest_so_much(self):
        summary = figures.summarise({"a": [SlowSample(100, 90), SlowSample(200, 100), SlowSample(100, 80)]})
        self.assertEqual(summary["a"]["kept"], 0.8)


class Workloads(unittest.TestCase):
    def test_hosts_have_addresses_of_their_own(self):
        addresses = {workloads.address(host) for host in range(10_000)}
        self.assertEqual(len(addresses), 10_000)
        self.assertTrue(all(0 < int(part) < 255 for address in addresses for part in address.split(".")))

    def test_sorted_and_shuffled_lists_ask_for_the_same(self):
        loads = {load.name: load for load in workloads.every(quick=True)}
        in_order, mixed = (loads[f"2.10k.{order}"].urls(80) for order in ("sorted", "shuffled"))
        self.assertEqual(len(in_order), 500)
        self.assertNotEqual(in_order, mixed)
        self.assertEqual(sorted(in_order), sorted(mixed))

    def test_one_host_of_a_hundred_is_slow(self):
        load = next(load for load in workloads.every(quick=False) if load.slow_hosts)
        every, quick = load.urls(80, slow=True), load.urls(80)
        slow = [url for url in every if url.endswith("/slow")]
        self.assertEqual(len(slow), 10 * load.per_host)
        self.assertEqual(sorted(quick), sorted(url for url in every if not url.endswith("/slow")))


class Verification(unittest.TestCase):
    load = next(load for load in workloads.every(quick=True) if load.name == "5.tcp")

    def counts(self, requests, connections):
        return {"requests": requests, "connections": connections}

    def test_the_origin_has_the_last_word(self):
        check(contender("a"), 10, 10, self.counts(10, 10), self.load)
        check(contender("a"), 10, None, self.counts(10, 10), self.load)
        check(contender("a", timed=True), 10, 10, self.counts(74, 74), self.load)
        for told, requests, connections in ((10, 9, 10), (10, 11, 11), (9, 10, 10), (10, 10, 9)):
            with self.assertRaises(Failed):
                check(contender("a"), 10, told, self.counts(requests, connections), self.load)
        with self.assertRaises(Failed):
            check(contender("a", timed=True), 10, 10, self.counts(75, 75), self.load)

    def test_counts_are_those_of_the_run(self):
        before, after = {"requests": 5, "answered_for_us": 7}, {"requests": 8, "answered_for_us": 9}
        self.assertEqual(difference(after, before), {"requests": 3, "answered_for_us": 9})

    def test_a_run_is_bounded_in_time(self):
        with self.assertRaisesRegex(Failed, "not done after 0 s"):
            run(["sleep", "60"], {}, 0.05)
        with self.assertRaisesRegex(Failed, "exit code 1"):
            run(["false"], {}, 10)


class Contenders(unittest.TestCase):
    def test_each_can_be_asked_for_all_that_it_can_do(self):
        every = contenders.every("haul", "python3")
        self.assertEqual(len({entry.name for entry in every}), len(every))
        self.assertFalse([entry.name for entry in every if "," in entry.name], "--only takes a list")
        for load in workloads.every(quick=True):
            for entry in every:
                if report.takes_part(entry, load):
                    with tempfile.TemporaryDirectory() as scratch:
                        urls = load.urls(80)
                        ask = Ask(urls, len(urls), load.connections, Path(scratch), load.streams, load.fresh, 1, "/ca")
                        self.assertTrue(all(isinstance(word, str) for word in entry.command(ask)), entry.name)

    def test_what_they_tell(self):
        told = {entry.name: entry.told for entry in contenders.every("haul", "python3")}
        self.assertEqual(told["wrk"]("  123 requests in 1.00s, 1MB read", ""), 123)
        self.assertEqual(told["ab"]("Complete requests:      10\nFailed requests:        1\nNon-2xx responses:      2", ""), 7)
        self.assertEqual(told["h2load"]("status codes: 9 2xx, 0 3xx", ""), 9)
        self.assertEqual(told["curl -Z"]("200\n404\n200\n", ""), 2)
        self.assertEqual(told["oha"]('{"statusCodeDistribution": {"200": 5}}', ""), 5)
        self.assertEqual(told["haul get"]("", 'warning\n{"status": {"2xx": 4}}'), 4)
        with self.assertRaises(ValueError):
            told["wrk"]("Non-2xx or 3xx responses: 1\n5 requests in 1s", "")


class Report(unittest.TestCase):
    def test_the_missing_are_listed_with_how_to_get_them(self):
        load = workloads.every(quick=True)[0]
        there, missing, broken = contender("wrk"), contender("gone"), contender("broken")
        listed = [(there, "4.1"), (missing, None), (broken, "1")]
        results, wrong = {"1": figures.summarise({"wrk": [sample(8)]})}, {"1": {"broken": "9 of 10"}}
        text = report.markdown("today", listed, [load], results, wrong, False)
        self.assertIn("| wrk | 8.00 µs | 0% | 1.00 | 125,000 | 64 |", text)
        self.assertIn("| gone | missing |", text)
        self.assertIn("| gone | missing: apt-get install it |", text)
        self.assertIn("| broken | 9 of 10 |", text)
        report.as_json("today", listed, [load], results, wrong, False)

    def test_the_page_keeps_its_text(self):
        before = f"# Peers\n\nHow.\n\n{report.MARK}\n\nold tables\n"
        self.assertEqual(report.page(before, "new\n"), f"# Peers\n\nHow.\n\n{report.MARK}\n\nnew\n")
        with self.assertRaises(ValueError):
            report.page("# Peers", "new")

    def test_targets_are_held_against_figures(self):
        results = {"1": figures.summarise({"wrk": [sample(8)], "haul bench": [sample(10)]})}
        self.assertEqual(targets.held(results), [("haul bench to wrk, workload 1", 1.2, 1.25)])


if __name__ == "__main__":
    unittest.main()
