"""Tests of the harness itself: python3 -m unittest discover bench"""

import asyncio
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import configs
import figures
import load
import peers
import processes
import report
from client import Client
from processes import Dead, Process

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Proc(unittest.TestCase):
    def test_times_of_a_process_with_an_odd_name(self):
        for name in ("nginx", "a b", "x) R 1 2 (", "((("):
            line = f"42 ({name}) S 1 42 42 0 -1 4194560 10 20 30 40 100 20 3 4 20 0 1 0 999"
            self.assertEqual(processes.stat_ticks(line), 127)
        self.assertEqual(processes.stat_ticks(""), 0)

    def test_resident_pages(self):
        self.assertEqual(processes.statm_resident("1000 250 30 1 0 99 0"), 250)
        self.assertEqual(processes.statm_resident(""), 0)

    def test_busy_time_leaves_out_idle_and_disk(self):
        stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 100 10 50 999 888 3 7 30 5 5\ncpu1 0 0 0 5 0 0 0 0 0 0\nintr 1\n"
        busy = processes.core_busy_seconds(stat)
        self.assertEqual(busy, {0: 200 / processes.TICKS, 1: 0.0})


class Started(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def start(self, script: str) -> Process:
        process = Process(["sh", "-c", script], 0, self.folder, "it")
        self.addCleanup(process.stop)
        return process

    def test_children_end_with_their_parent(self):
        process = self.start("sleep 600 & echo started; wait")
        self.assertEqual(process.first_line(), "started")
        self.assertEqual(len(processes.tree(process.pid)), 2)
        self.assertGreater(process.rss_bytes(), 0)
        process.stop()
        self.assertFalse(processes.group_exists(process.pid))

    def test_children_end_even_without_their_parent(self):
        process = self.start("sleep 600 & echo started")
        self.assertEqual(process.first_line(), "started")
        self.assertEqual(process.wait(10), 0)
        self.assertTrue(processes.group_exists(process.pid))
        process.stop()
        self.assertFalse(processes.group_exists(process.pid))

    def test_the_deaf_are_killed(self):
        process = self.start("trap '' TERM; echo started; while :; do sleep 1; done")
        process.first_line()
        process.stop()
        self.assertEqual(process.wait(0), -9)

    def test_an_early_end_is_told_with_the_last_words(self):
        process = self.start("echo no such option >&2; exit 3")
        with self.assertRaisesRegex(Dead, "exit code 3: no such option"):
            process.wait_until_listening(processes.free_port())


class Generator(unittest.TestCase):
    def test_result_line(self):
        line = '{"requests": 10, "seconds": 2.0, "connect": 0, "read": 3, "write": 0, "timeout": 0, "status": 1}'
        seen = load.parse(f"Running 2s test\n  Requests/sec: 5\n{line}\n")
        self.assertEqual(seen, load.Load(10, 2.0, {"read": 3, "status": 1}))

    def test_no_result_line(self):
        with self.assertRaisesRegex(Dead, "unable to connect"):
            load.parse("unable to connect to 127.0.0.1:1 Connection refused\n")


class Peers(unittest.TestCase):
    def test_versions(self):
        table = {
            "nginx version: nginx/1.22.1": "1.22.1",
            "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/": "2.6.12-1+deb12u4",
            " version: 4b8b2a09/1.40.0/Clean/RELEASE/BoringSSL": "1.40.0",
            "v2.11.7 h1:0123=": "2.11.7",
            "no number": "unknown",
            "": "unknown",
        }
        for text, version in table.items():
            self.assertEqual(peers.version_in(text), version, text)

    def test_an_absent_proxy_says_what_to_do(self):
        absent = peers.locate(peers.forebay("forebay", Path("/nowhere/forebay")), install=True)
        self.assertEqual(absent, peers.Absent("forebay", "not found; build it first"))

    def test_configurations(self):
        for write in (configs.forebay, configs.nginx, configs.haproxy, configs.envoy, configs.caddy):
            for logged in (False, True):
                site = configs.Site(40001, 40002, Path("/tmp/site"), logged)
                text = write(site)
                for port in ("40001", "40002"):
                    self.assertIn(port, text, write.__name__)
                shows_log = str(site.log_file) in text or "log stdout" in text
                self.assertEqual(shows_log, logged, write.__name__)
        json.loads(configs.envoy(site))
        json.loads(configs.caddy(site))


def cell(*costs: float, **more: object) -> dict:
    rounds = [{"warm_up": index == 0, "us_per_request": cost, **more} for index, cost in enumerate(costs)]
    return {"rounds": rounds}


class Figures(unittest.TestCase):
    def test_warm_up_and_death_do_not_count(self):
        ours = cell(99, 10, 12, 11)
        ours["rounds"].append({"warm_up": False, "died": "exit code 1"})
        self.assertEqual(figures.middle(ours, "us_per_request"), 11)
        self.assertEqual(figures.notes(ours), ["died: exit code 1 (1 of 4)"])
        self.assertIsNone(figures.middle(cell(99), "us_per_request"))

    def test_ratio_is_of_medians(self):
        row = {"kind": "load", "cells": {"forebay": cell(0, 9, 10, 30), "nginx": cell(0, 20, 20, 20), "dead": cell()}}
        self.assertEqual(figures.ratio(row, "forebay", "nginx"), 0.5)
        self.assertIsNone(figures.ratio(row, "forebay", "dead"))
        self.assertIsNone(figures.ratio(row, "forebay", "unknown"))

    def test_restless_peers(self):
        row = {"kind": "load", "cells": {"nginx": cell(99, 20, 24), "envoy": cell(0, 40, 49), "forebay": cell(0, 1, 9)}}
        self.assertEqual(list(figures.restless(row, ["nginx", "haproxy", "envoy"])), ["envoy"])


class Report(unittest.TestCase):
    def test_load_row(self):
        row = {"kind": "load", "cells": {"forebay": cell(15, 10, 11, 12), "nginx": cell(25, 20, 22, 24, notes=["a|b"])}}
        text = report.load_table(row, {"ours": "forebay"})
        self.assertIn("| forebay | 11.0 | 10.0–12.0 | – |", text)
        self.assertIn("| nginx | 22.0 | 20.0–24.0 | 0.50 |", text)
        self.assertIn("a\\|b", text)
        self.assertIn("| forebay | (15.00) | 10.00 | 11.00 | 12.00 |", report.raw_table(row))

    def test_a_proxy_that_never_started(self):
        row = {"kind": "load", "cells": {"nginx": {"rounds": [{"warm_up": False, "died": "exit code 1: bad"}]}}}
        self.assertIn("| nginx | – | – | – | – | – | died: exit code 1: bad |", report.load_table(row, {"ours": "forebay"}))
        self.assertIn("| nginx | died |", report.raw_table(row))


class Careful(unittest.TestCase):
    """The client against servers that behave and servers that do not."""

    def talk(self, script, requests: int = 1, marked: bool = False) -> dict[str, int]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await script(reader, writer)
            writer.close()

        async def both() -> dict[str, int]:
            async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
                one = Client(server.sockets[0].getsockname()[1], 1, requests)
                one.marked = marked
                return await asyncio.wait_for(one.run(), 10)

        counts = asyncio.run(both())
        return {kind: count for kind, count in counts.items() if count}

    @staticmethod
    def sends(*answers: bytes):
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in answers:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                await writer.drain()
        return script

    def test_what_counts_as_what(self):
        closing = ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        unavailable = ANSWER.replace(b"200 OK", b"503 No")
        table = [
            ("all is well", self.sends(ANSWER, ANSWER), 2, {"connected": 1, "answered": 2}),
            ("a polite end", self.sends(closing), 2, {"connected": 2, "answered": 2}),
            ("nothing at all", self.sends(b""), 1, {"connected": 1, "unanswered": 1, "failed": 1}),
            ("half a head", self.sends(ANSWER[:20]), 1, {"connected": 1, "cut": 1, "failed": 1}),
            ("no body", self.sends(ANSWER[:-5]), 1, {"connected": 1, "cut": 1, "failed": 1}),
            ("half a body", self.sends(ANSWER[:-2]), 1, {"connected": 1, "cut": 1, "failed": 1}),
            ("an error", self.sends(unavailable), 1, {"connected": 1, "status": 1, "failed": 1}),
        ]
        for name, script, requests, wanted in table:
            with self.subTest(name):
                self.assertEqual(self.talk(script, requests), wanted)

    def test_after_the_mark_an_unanswered_first_request_was_never_accepted(self):
        self.assertEqual(self.talk(self.sends(b""), marked=True), {"connected": 1, "backlog": 1})
        self.assertEqual(self.talk(self.sends(ANSWER[:9]), marked=True), {"connected": 1, "cut": 1, "failed": 1})

    def test_refused(self):
        async def until_refused() -> dict[str, int]:
            one = Client(processes.free_port(), 1, 1)
            running = asyncio.create_task(one.run())
            while not one.counts["refused"]:
                await asyncio.sleep(0)
            one.stopping = True
            return await running

        counts = asyncio.run(until_refused())
        self.assertEqual(counts["failed"], 0)
        self.assertNotIn("connected", counts)


if __name__ == "__main__":
    unittest.main()
