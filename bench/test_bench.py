"""Tests of the harness itself: python3 -m unittest discover bench"""

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from argparse import Namespace
from collections import Counter
from contextlib import suppress
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parent))

import configs
import contest as contest_module
import figures
import idle
import load
import neighbours
import peers
import pictures
import processes
import renewal
import report
import slowloris
import steady
import through
import trials
import websockets
from client import Client
from contest import Contest
from processes import Dead, Process
from rows import MIB, ROWS, Row

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

    def test_sizes_in_a_status(self):
        status = "Name:\tx VmHWM: 1 kB\nVmHWM:\t    1236 kB\nVmRSS:\t     900 kB\n"
        self.assertEqual(processes.status_bytes(status, "VmHWM"), 1236 * 1024)
        self.assertEqual(processes.status_bytes("", "VmHWM"), 0)

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

    def test_the_peak_of_memory_can_be_forgotten(self):
        script = "import sys\nheld = b'x' * 64_000_000\ndel held\nprint('small', flush=True)\nsys.stdin.read(1)\nimport time\ntime.sleep(600)"
        process = Process([sys.executable, "-c", script], 0, self.folder, "it")
        self.addCleanup(process.stop)
        process.first_line()
        self.assertGreater(process.peak_rss_bytes(), 64_000_000)
        process.forget_peak()
        self.assertLess(process.peak_rss_bytes(), 64_000_000)
        self.assertGreaterEqual(process.peak_rss_bytes(), process.rss_bytes() - MIB)

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

    H2LOAD = (
        "finished in 2.00s, 5.00 req/s, 1.00MB/s\n"
        "requests: 12 total, 14 started, 12 done, {good} succeeded, 0 failed, 0 errored, 1 timeout\n"
        "status codes: 11 2xx, 0 3xx, 2 4xx, 1 5xx\n"
        "traffic: 1.97KB (2020) total, 21B (21) headers (space savings 47.37%), 1.34KB ({data}) data\n"
    )

    def test_report_of_h2load(self):
        text = self.H2LOAD.format(good=10, data=1330)
        wanted = {"timeout": 1, "status": 3}
        self.assertEqual(load.parse_h2load(text, 2), load.Load(11, 2, wanted))
        self.assertEqual(load.parse_h2load(text, 2, 133), load.Load(11, 2, wanted))
        with self.assertRaisesRegex(Dead, "no result"):
            load.parse_h2load("the protocol negotiation failed", 2)

    def test_an_error_of_grpc_has_status_200_and_no_message(self):
        seen = load.parse_h2load(self.H2LOAD.format(good=10, data=1329 - 133), 2, 133)
        self.assertEqual(seen.errors["empty"], 2)

    def test_trailers_are_behind_a_message(self):
        message = "[  0.001] recv DATA frame <length=133, flags=0x00, stream_id=13>\n"
        status = "[  0.001] \x1b[1;36mrecv \x1b[0m(stream_id=13) \x1b[1;34mgrpc-status\x1b[0m: {}\n"
        self.assertTrue(load.has_trailers(f"xxx{message}{status.format(0)}"))
        for said in ("", message, status.format(0), status.format(0) + message, message + status.format(14)):
            self.assertFalse(load.has_trailers(said), said)

    def test_what_is_run(self):
        with tempfile.TemporaryDirectory() as name:
            for row in ROWS:
                load.lay_out(row, Path(name))
                command = load.command(row, 40001, 2)
                if row.resumed:
                    self.assertEqual(command[0], str(load.RESUME))
                    asked = Path(name, command[-1]).read_bytes()
                    self.assertTrue(asked.startswith(f"GET {row.path} HTTP/1.1\r\nHost: ".encode()))
                    self.assertTrue(asked.endswith(b"\r\nConnection: close\r\n\r\n"))
                else:
                    self.assertEqual(command[0], "h2load" if row.streams else "wrk", row.name)
                self.assertEqual("--header=te: trailers" in command, row.grpc, row.name)
            self.assertEqual(len(Path(name, load.CALL_FILE).read_bytes()), 5 + 32)


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
                site = configs.Site(40001, (40002, 40003), Path("/tmp/site"), logged, crowd=logged)
                text = write(site)
                for port in ("40001", "40002", "40003"):
                    self.assertIn(port, text, write.__name__)
                self.assertEqual("10s" in text.replace("fail_timeout", "").replace('"fail_duration": "10s"', ""), logged, write.__name__)
                shows_log = str(site.log_file) in text or "log stdout" in text
                self.assertEqual(shows_log, logged, write.__name__)
        json.loads(configs.envoy(site))
        json.loads(configs.caddy(site))

    def test_backends_of_http2(self):
        words = {
            configs.forebay: "protocol: h2c", configs.nginx: "grpc_pass grpc://origin", configs.haproxy: "proto h2",
            configs.envoy: "http2_protocol_options", configs.caddy: '"h2c"',
        }
        for write, word in words.items():
            for grpc in (False, True):
                text = write(configs.Site(40001, (40002,), Path("/tmp/site"), grpc=grpc))
                self.assertEqual(word in text, grpc, write.__name__)
                self.assertEqual("proxy_pass" in text, write is configs.nginx and not grpc)


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
        row = row_of("idle", nginx=rounds({"bytes_each": 10}, {"bytes_each": 13}))
        self.assertEqual(list(figures.restless(row, ["nginx"])), ["nginx"])
        self.assertEqual(figures.restless(row_of("drain", nginx=rounds({"failed": 0})), ["nginx"]), {})


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


class Bodies(unittest.TestCase):
    """Both ends of a large body, with and without something bad between them."""

    SIZE = 8 * MIB
    SLOWNESS = through.Slowness(pause=0.01, slow_bytes=MIB, slow_rate=100 * MIB)

    def pass_through(self, direction: str, spoil=lambda piece, offset: piece) -> str:
        backend = through.Backend(self.SIZE, self.SLOWNESS)
        self.addCleanup(backend.listener.close)
        relay = self.relay(backend.port, spoil if direction == "down" else None, spoil if direction == "up" else None)
        through.warm_up(backend.port)
        seen = through.transfer(direction, relay, self.SIZE, self.SLOWNESS)
        self.assertGreater(seen["seconds_to_pass"], self.SLOWNESS.pause)
        return seen["outcome"]

    def relay(self, port: int, spoil_down, spoil_up) -> int:
        """Passes everything on; what a spoiler makes empty ends the connection."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def pump(source: socket.socket, sink: socket.socket, spoil) -> None:
            offset = 0
            with suppress(OSError):
                while piece := source.recv(65536):
                    out = spoil(piece, offset) if spoil else piece
                    offset += len(piece)
                    if not out:
                        break
                    sink.sendall(out)
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

        def serve() -> None:
            client, _ = listener.accept()
            with client, socket.create_connection(("127.0.0.1", port)) as backend:
                threads = [
                    threading.Thread(target=pump, args=(client, backend, spoil_up), daemon=True),
                    threading.Thread(target=pump, args=(backend, client, spoil_down), daemon=True),
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        self.addCleanup(server.join)
        return listener.getsockname()[1]

    def test_intact(self):
        for direction in ("up", "down"):
            self.assertEqual(self.pass_through(direction), "intact", direction)

    def test_one_wrong_byte_is_seen(self):
        def flip(piece: bytes, offset: int) -> bytes:
            at = 5 * MIB - offset
            return piece[:at] + b"\xff\xfe"[piece[at] == 255:][:1] + piece[at + 1:] if 0 <= at < len(piece) else piece

        for direction in ("up", "down"):
            self.assertRegex(self.pass_through(direction, flip), "block (19|20) is not as it was sent", direction)

    def test_an_early_end_is_seen(self):
        cut = self.pass_through("down", lambda piece, offset: piece if offset < 6 * MIB else b"")
        self.assertRegex(cut, r"ended \d+ bytes too early")

    def test_slow_blocks_differ(self):
        self.assertEqual(len({bytes(through.block(number)) for number in range(300)}), 300)


class Besieged(unittest.TestCase):
    """Clients that never finish, against servers that mind and servers that do not."""

    def attack(self, answer: bytes | None, clients: int = 20, patience: float = 5.0) -> dict:
        listener = socket.create_server(("127.0.0.1", 0))
        one = slowloris.Attack(listener.getsockname()[1], clients, patience)

        def serve() -> None:
            accepted = [listener.accept()[0] for _ in range(clients)]
            if answer is None:
                over.wait()
            time.sleep(0.3)
            for connection in accepted:
                connection.recv(4096)
                connection.sendall(answer or b"")
                connection.close()

        over = threading.Event()
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        with listener:
            seen = one.run()
            for client in one.open.values():
                client.socket.close()
            over.set()
            server.join()
        return seen

    def test_those_that_are_cut_off_are_gone(self):
        seen = self.attack(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        self.assertEqual((seen["connected"], seen["refused"], seen["left"]), (20, 0, 0))
        self.assertEqual(seen["answers"], {"408": 20})
        self.assertGreater(seen["age"][0], 0.25)
        self.assertLess(seen["age"][2], 3)
        self.assertEqual(self.attack(b"")["answers"], {"nothing": 20})

    def test_those_that_are_not_are_counted(self):
        seen = self.attack(None, patience=0.3)
        self.assertEqual((seen["connected"], seen["left"], seen["age"]), (20, 20, []))

    def test_those_that_nobody_lets_in_are_counted(self):
        seen = slowloris.Attack(processes.free_port(), 5, 1.0).run()
        self.assertEqual((seen["connected"], seen["refused"], seen["left"]), (0, 5, 0))

    def test_bytes_come_one_by_one(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            one = slowloris.Attack(listener.getsockname()[1], 1, 1.0)
            one.connect(0)
            with listener.accept()[0] as accepted:
                [client] = one.open.values()
                for _ in range(3):
                    one.send_bytes(client.next_byte - 0.1)
                    one.send_bytes(client.next_byte + 0.1)
                client.socket.close()
                received = b"".join(iter(lambda: accepted.recv(4096), b""))
        self.assertEqual(received, slowloris.START + b"xxx")

    def test_what_is_noted(self):
        good = {"connected": trials.ATTACKERS, "left": 0, "age": [9.9, 10.0, 10.1]}
        self.assertEqual(trials.siege_faults(good), [])
        self.assertIn("7 attackers still there", trials.siege_faults({**good, "left": 7})[0])
        self.assertIn("only 3 attackers", trials.siege_faults({**good, "connected": 3})[0])
        self.assertIn("cut after 2.0 s", trials.siege_faults({**good, "age": [2.0, 10.0, 10.0]})[0])


class Idle(unittest.TestCase):
    """Connections that wait, at a server that keeps them and at one that does not."""

    H1 = b"HTTP/1.1 200 OK\r\nContent-Length: 128\r\n\r\n" + b"x" * 128
    H2 = b"".join([
        idle.frame(idle.SETTINGS, 0, 0, b""), idle.frame(idle.HEADERS, idle.END_HEADERS, 1, b"\x88"),
        idle.frame(idle.DATA, 0, 1, b"x" * 100), idle.frame(idle.DATA, idle.END_STREAM, 1, b"x" * 28),
    ])

    def visit(self, protocol: str, answer: bytes, parted: int = 0) -> tuple[list[str], str]:
        """Two connections and then three, of which the server closes some; what the client printed."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        shown = Contest(None, [], None, FakeOrigin(), Path(folder.name)).certificate()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(shown.chain, shown.key)
        tls.set_alpn_protocols(["h2", "http/1.1"])
        listener = tls.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        served, spoken = [], set()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    served.append(one := listener.accept()[0])
                    spoken.add(one.selected_alpn_protocol())
                    one.recv(65536)
                    one.sendall(answer)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        command = [sys.executable, idle.__file__, str(listener.getsockname()[1]), protocol, "2", "3"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with listener, subprocess.Popen(command, text=True, **pipes) as client:
            lines = [client.stdout.readline().strip()]
            if lines == ["open"]:
                client.stdin.write("more\n")
                client.stdin.flush()
                lines.append(client.stdout.readline().strip())
                for one in served[:parted]:
                    one.close()
            out, err = client.communicate("over\n", timeout=20)
            listener.shutdown(socket.SHUT_RDWR)
        server.join()
        for one in served:
            one.close()
        self.assertEqual(spoken, {"h2" if protocol == "h2" else "http/1.1"})
        return [*lines, *out.splitlines()], err

    def test_those_that_are_still_there_are_counted(self):
        for protocol, answer in (("h1", self.H1), ("h2", self.H2)):
            for parted in (0, 2):
                lines, _ = self.visit(protocol, answer, parted)
                self.assertEqual(lines[:2], ["open", "open"])
                self.assertEqual(json.loads(lines[2]), {"there": 5 - parted, "opened": 5}, protocol)

    def test_another_answer_is_no_answer(self):
        short = self.H2.replace(idle.frame(idle.DATA, 0, 1, b"x" * 100), b"")
        for protocol, answer in (("h1", self.H1.replace(b"200", b"503")), ("h2", short)):
            lines, err = self.visit(protocol, answer)
            self.assertEqual(lines, [""])
            self.assertIn("Error", err)

    def test_long_texts_of_a_head(self):
        # RFC 7541 section 5.1, with seven bits.
        for length, wanted in ((0, b"\0"), (126, b"\x7e"), (127, b"\x7f\0"), (254, b"\x7f\x7f"), (300, b"\x7f\xad\x01")):
            self.assertEqual(idle.text("x" * length), wanted + b"x" * length)

    def test_memory_is_waited_for(self):
        seen = iter(range(30))
        process = Namespace(rss_bytes=lambda: next(seen, 30))
        with mock.patch.multiple(trials, STILL=0.2, LOOK=0.01):
            self.assertEqual(trials.settled(process), 30)
        growing = iter(range(1000))
        with mock.patch.multiple(trials, STILL=0.2, RESTLESS=0.3, LOOK=0.01):
            self.assertGreater(trials.settled(Namespace(rss_bytes=lambda: next(growing))), 5)


class Renewal(unittest.TestCase):
    def test_pairs_that_nobody_was_shown(self):
        seen = Counter(handshakes=9, failed=1, stale=2)
        wanted = {"handshakes": 9, "failed": 1, "renewals": 3, "unseen": 0, "stale": 2, "slowest": 1.5}
        since = [0.0, 1.0, 3.0, 5.0]
        self.assertEqual(renewal.judged(since, {0: 0.1, 1: 2.5, 2: 3.5, 3: 6.0}, seen), wanted)
        # One was shown too late and one never; of the last there is no end.
        late = renewal.judged(since, {0: 0.1, 1: 3.25, 3: 15.0}, seen)
        self.assertEqual((late["unseen"], late["slowest"]), (2, 10.0))

    def test_a_pair_is_renamed_over_the_one_before(self):
        with tempfile.TemporaryDirectory() as name:
            pairs = renewal.Pairs(Path(name), 2)
            for number in (0, 1):
                pairs.renew()
                chain, key = (file.read_text() for file in pairs.live)
                self.assertEqual(pairs.numbers[ssl.PEM_cert_to_DER_cert(chain)], number)
                self.assertIn("PRIVATE KEY", key)
            self.assertEqual(len(pairs.since), 2)
            # They belong together.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pairs.live)


class WebSockets(unittest.TestCase):
    def talk(self, server) -> websockets.Sockets:
        async def both() -> websockets.Sockets:
            async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
                sockets, opened = websockets.Sockets(listening.sockets[0].getsockname()[1]), asyncio.Semaphore(0)
                running = asyncio.create_task(sockets.run(opened))
                await asyncio.wait_for(opened.acquire(), 5)
                sockets.is_over = True
                await asyncio.wait_for(running, 5)
                return sockets

        with mock.patch.object(websockets, "PAUSE", 0.01), mock.patch("sys.stderr"):
            return asyncio.run(both())

    def test_one_that_hears_all_its_echoes_was_not_cut(self):
        seen = self.talk(websockets.echo)
        self.assertEqual((seen.cut, seen.reordered), (0, 0))
        self.assertGreater(seen.echoed, 0)

    def test_one_that_ends_is_cut_and_wrong_echoes_are_seen(self):
        async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(websockets.ANSWER + websockets.message(7, 0))
            writer.close()

        seen = self.talk(ends)
        self.assertEqual((seen.cut, seen.reordered, seen.echoed), (1, 1, 1))


def latencies(p50: float, p95: float, p99: float) -> dict[str, float]:
    return {"p50": p50, "p95": p95, "p99": p99}


class Rate(unittest.TestCase):
    def test_result_line(self):
        errors = {"status": 2, "cut": 0, "hung": 1}
        text = json.dumps({"answered": 9, "latency_us": latencies(1, 2, 3), "late_us": latencies(0, 0, 5000), "errors": errors})
        seen = steady.parse(text)
        self.assertEqual(seen.errors, {"status": 2, "hung": 1})
        self.assertEqual(seen.faults(), ["**2 status**", "**1 hung**", "the generator was late"])

    def test_half_of_what_the_slowest_can(self):
        self.assertEqual(trials.rate_for([61_999.0, 40_390.0]), 20_100)

    def test_added_is_beyond_the_backend_alone(self):
        through_it, direct = {"latency_us": latencies(50, 80, 200)}, {"latency_us": latencies(20, 30, 250)}
        self.assertEqual(trials.added(through_it, direct), latencies(30, 50, -50))


class FakeOrigin:
    pid = 0

    def first_line(self) -> str:
        return "127.0.0.1:1"

    def cpu_seconds(self) -> float:
        return 0.0


class Patience(unittest.TestCase):
    """Rounds while others are at work."""

    def contest(self, patient: float) -> Contest:
        return Contest(Namespace(patient=patient, ahead=False), [], None, FakeOrigin(), Path("/tmp"))

    def test_a_spoilt_round_is_noted_and_made_again(self):
        shares = [0.9, 0.8, 0.0]
        rounds = []

        def work() -> dict:
            rounds.append({})
            return {}

        with mock.patch.multiple(contest_module, wait_for_quiet=lambda _: True, say=lambda _: None), \
                mock.patch.object(neighbours.Neighbours, "share", lambda _: shares[(len(rounds) - 1) % 3]):
            contest = self.contest(1)
            entry = contest.patiently(lambda: contest.watched(None, work))
            self.assertEqual((len(rounds), entry), (3, {"others": 0.0}))
            contest = self.contest(0)
            entry = contest.patiently(lambda: contest.watched(None, work))
            self.assertEqual((len(rounds), entry), (4, {"others": 0.9, "notes": ["others used 90% of a core"]}))

    def test_what_ours_use_is_not_the_others(self):
        with tempfile.TemporaryDirectory() as folder:
            before = neighbours.Neighbours([])
            with Process(["sh", "-c", "while :; do :; done"], 0, Path(folder), "busy") as ours:
                known, unknown = neighbours.Neighbours([ours]), neighbours.Neighbours([])
                time.sleep(0.5)
                self.assertGreater(unknown.share() - known.share(), 0.2)
            # Once it has ended it is counted as ours, whoever knew of it.
            self.assertLess(before.share() - unknown.share(), 0.2)


class Rows(unittest.TestCase):
    def part(self, row: Row) -> set[str]:
        builds = [peers.forebay("forebay", Path("x")), peers.forebay("before", Path("y")), peers.floor(Path("z"))]
        contest = Contest(None, [], None, FakeOrigin(), Path("/tmp"))
        all_of_them = (peers.Contender(proxy, "", "") for proxy in [*builds, *peers.PEERS])
        return {one.name for one in all_of_them if contest.takes_part(one, row)}

    def test_who_takes_part(self):
        rows = {row.name: self.part(row) for row in ROWS}
        everyone = {"forebay", "before", "floor", "nginx", "haproxy", "envoy", "caddy"}
        self.assertEqual(rows["small"], everyone)
        self.assertEqual(rows["log"], everyone - {"floor"})
        self.assertEqual(rows["drain"], {"forebay", "before", "nginx", "haproxy"})
        self.assertEqual(rows["slowloris"], everyone - {"floor"})
        for name in ("tls-resumed", "grpc", "idle-memory-h1", "idle-memory-h2"):
            self.assertEqual(rows[name], everyone - {"floor"}, name)
        self.assertEqual(rows["added-latency"], {"forebay", "before", "floor", "nginx", "haproxy"})

    def test_names_are_names_of_files(self):
        self.assertEqual(len({row.name for row in ROWS}), len(ROWS))
        for row in ROWS:
            self.assertRegex(row.name, r"^[a-z0-9-]+$")


def row_of(kind: str, **cells: dict) -> dict:
    return {"name": kind, "title": "A & B", "kind": kind, "aims": {}, "limit": None, "cells": cells}


def rounds(*entries: dict) -> dict:
    return {"rounds": [{"warm_up": False, "notes": [], **entry} for entry in entries]}


DEAD = {"rounds": [{"warm_up": False, "died": "exit code 1"}]}
SIEGE = {
    "p99_ratio": 2.5, "quiet_us": latencies(1, 2, 100), "among_us": latencies(1, 2, 250), "bytes_per_attacker": 4096,
    "attackers": {"age": [9.9, 10, 10.1], "answers": {"408": 9_999, "nothing": 1}},
}
LATENCY = {"latency_us": latencies(50, 60, 70), "added_us": latencies(20, 30, -5), "proxy_share": 0.5}


class Pictures(unittest.TestCase):
    def texts(self, row: dict) -> list[str]:
        drawn = ElementTree.fromstring(pictures.draw(pictures.chart(row, "forebay")))
        self.assertEqual(drawn.tag, "{http://www.w3.org/2000/svg}svg")
        for element in drawn.iter("{http://www.w3.org/2000/svg}rect"):
            self.assertGreaterEqual(float(element.get("width")), 0)
        return [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]

    def test_cost(self):
        row = row_of("load", forebay=cell(99, 10, 11, 12), nginx=cell(99, 20, 20), haproxy=cell(99, 16, 16), envoy=DEAD)
        row["aims"] = {"nginx": 0.75, "haproxy": 0.75, "absent": 0.1}
        texts = self.texts(row)
        for wanted in ("A & B", "11.0 µs", "20.0 µs · forebay ÷ it: 0.55", "died", "aim: 0.75 of haproxy"):
            self.assertIn(wanted, texts)
        self.assertIn("µs of processor time per request", texts)
        self.assertEqual(pictures.aim(row).value, 12)

    def test_every_kind(self):
        memory = {"rss_after_requests": 9 * MIB, "rss_under_load": 10 * MIB}
        table = {
            "memory": (memory, "9.0 MiB (10.0)"),
            "idle": ({"bytes_each": 4300}, "4.2 KiB"),
            "body": ({"growth": MIB / 8}, "0.1 MiB"),
            "slowloris": (SIEGE, "2.50 times"),
            "latency": (LATENCY, "-5 µs"),
            "drain": ({"failed": 1}, "2"),
            "kill": ({"failed": 3000}, "6,000"),
        }
        for kind, (entry, wanted) in table.items():
            with self.subTest(kind):
                row = {**row_of(kind, forebay=rounds(entry, entry), nginx=DEAD), "limit": 2 * MIB, "rate": 100}
                self.assertIn(wanted, self.texts(row))

    def test_what_idle_connections_are_to_stay_below(self):
        row = row_of("idle", forebay=rounds({"bytes_each": 4096}), nginx=rounds({"bytes_each": 8192}), envoy=DEAD)
        row["aims"] = {"nginx": 1.0, "envoy": 1.0}
        self.assertIn("aim: 1 of nginx", self.texts(row))
        self.assertEqual(pictures.aim(row, 1024).value, 8)

    def test_nothing_to_draw(self):
        self.assertIn("died", self.texts(row_of("kill", forebay=DEAD)))
        self.assertIn("0", self.texts({**row_of("kill", forebay=rounds({"failed": 0})), "limit": 0}))

    def test_axis(self):
        table = {0: [0, 1], 3: [0, 1, 2, 3], 0.13: [0, 0.05, 0.1, 0.15], 48: [0, 10, 20, 30, 40, 50], 1: [0, 0.2, 0.4, 0.6, 0.8, 1]}
        for highest, ticks in table.items():
            self.assertEqual(pictures.scale(highest), ticks, highest)


class Tables(unittest.TestCase):
    def test_body(self):
        cell_of = {"rss_before": 5 * MIB, "rss_peak": 6 * MIB, "growth": MIB, "seconds_to_pass": 2.5}
        text = report.body_table(row_of("body", forebay=rounds(cell_of, cell_of), nginx=DEAD))
        self.assertIn("| forebay | 5.0 MiB | 6.0 MiB | 1.0 MiB | 1.0 1.0 | 2.5 |  |", text)
        self.assertIn("died: exit code 1", text)

    def test_idle(self):
        entry = {"rss_before": 10 * MIB, "rss_idle": 20 * MIB}
        ours = rounds({**entry, "bytes_each": 4096}, {**entry, "bytes_each": 6144}, {**entry, "bytes_each": 5120})
        row = row_of("idle", forebay=ours, nginx=rounds({**entry, "bytes_each": 20480}), envoy=DEAD)
        text = report.idle_table(row, {"ours": "forebay"})
        self.assertIn("| forebay | 5.0 | 4.0–6.0 | – | 10.0 MiB | 20.0 MiB |  |", text)
        self.assertIn("| nginx | 20.0 | 20.0–20.0 | 0.25 | 10.0 MiB | 20.0 MiB |  |", text)
        self.assertIn("| envoy | – | – | – | – | – | died: exit code 1 |", text)

    def test_siege(self):
        text = report.siege_table(row_of("slowloris", forebay=rounds(SIEGE), nginx=DEAD))
        self.assertIn("| forebay | 1 | 100 | 1 | 250 | 2.50 | 2.50 | 9.9–10.1 s | 408 9,999, nothing 1 | 4,096 B |  |", text)

    def test_latency(self):
        row = {**row_of("latency", forebay=rounds(LATENCY), nginx=DEAD), "maxima": {"forebay": 40_000.0}}
        text = report.latency_table(row)
        self.assertIn("| forebay | 40,000 | 50 | 60 | 70 | 20 | 30 | -5 | -5 | 50% |  |", text)
        self.assertIn("died: exit code 1", text)

    def test_killed(self):
        entry = {"requests": 1000, "failed": 2, "killed_at": [4.0, 8.04], "requests_per_second": 90.0}
        text = report.kill_table(row_of("kill", forebay=rounds(entry), nginx=DEAD))
        self.assertIn("| forebay | 1 | 1,000 | 2 | 4.0 s and 8.0 s | 90 |  |", text)


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
