#!/usr/bin/env python3
"""Runs the C example programs against each other, against the Go ones, and over TLS.

    programs.py talk FOLDER...   client, echo_server and shortest, found in the folders, and Go's client and server
    programs.py tls FOLDER...    tls_client, through a TLS terminator of Python's before echo_server

Exits 77, with the reason, where something is missing.
"""

import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PATIENCE = 20  # seconds, for every single wait
HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
folders = []


def find(program):
    for folder in folders:
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK):
            return path
    return None


class Server:
    """A running echo server, C's or Go's, on a free port."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            [*command, "-addr", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []
        self.found = threading.Event()
        self.port = None
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        if not self.found.wait(PATIENCE) or self.port is None:
            self.stop()
            raise AssertionError(f"{command} does not say where it listens: {self.lines}")

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)
            address = re.search(r"(?:http|ws)://127\.0\.0\.1:(\d+)", line)
            if address and not self.found.is_set():
                self.port = int(address.group(1))
                self.found.set()
        self.found.set()

    def stop(self, number=signal.SIGTERM):
        """Sends a signal, and returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def url(self, path="/chat"):
        return f"ws://127.0.0.1:{self.port}{path}"

    def connect(self):
        """A raw connection on which the handshake is done."""
        s = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        s.sendall(HANDSHAKE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += s.recv(1)
        assert head.startswith(b"HTTP/1.1 101 "), head
        return s


def run(*command, text=""):
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT, check=False)


def frame(opcode, payload, fin=True):
    """A client's frame, masked with zeros."""
    n = len(payload)
    if n < 126:
        size = bytes([0x80 | n])
    elif n < 65536:
        size = b"\xfe" + struct.pack(">H", n)
    else:
        size = b"\xff" + struct.pack(">Q", n)
    return bytes([(0x80 if fin else 0) | opcode]) + size + b"\0\0\0\0" + payload


class Talk(unittest.TestCase):
    def setUp(self):
        self.go = None

    def built(self, package):
        """Builds a Go program, and returns its path."""
        self.go = self.go or tempfile.TemporaryDirectory()
        self.addCleanup(self.go.cleanup)
        path = os.path.join(self.go.name, os.path.basename(package))
        built = subprocess.run(["go", "build", "-buildvcs=false", "-o", path, package], cwd=ROOT, timeout=120, check=False)
        self.assertEqual(built.returncode, 0)
        return path

    def check_client(self, url):
        done = run(find("client"), url, "hello", "Grüße", "")
        self.assertEqual((done.returncode, done.stdout), (0, "hello\nGrüße\n\n"), done.stderr)
        done = run(find("client"), url, text="a line\n\nand the last, without an end")
        self.assertEqual((done.returncode, done.stdout), (0, "a line\n\nand the last, without an end\n"), done.stderr)

    def test_c_client_and_c_server(self):
        with Server(find("echo_server")) as server:
            self.check_client(server.url())
            self.assertEqual(server.stop(), 0)
            self.assertEqual(sum('closed by the client: 1000 "bye"' in line for line in server.lines), 2, server.lines)

    def test_c_client_and_go_server(self):
        with Server(self.built("./examples/server")) as server:
            self.check_client(server.url())

    def test_go_client_and_c_server(self):
        client = self.built("./examples/client")
        with Server(find("echo_server")) as server:
            done = run(client, "-url", server.url(), "-message", "from Go")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn('subprotocol "chat"', done.stdout)
            self.assertIn("from Go", done.stdout)
            self.assertIn("closed cleanly: 1000", done.stdout)

    def test_the_shortest_client(self):
        with Server(find("echo_server")) as server:
            done = run(find("shortest"), str(server.port))
            self.assertEqual((done.returncode, done.stdout), (0, "hello\n"), done.stderr)

    def test_a_refused_client_says_so(self):
        with Server(find("echo_server")) as server:
            done = run(find("client"), server.url("/nothing"), "hello")
            self.assertEqual(done.returncode, 1)
            self.assertIn("refused", done.stderr)
        self.assertEqual(run(find("client"), "http://127.0.0.1/").returncode, 2)

    def test_server_options(self):
        with Server(find("echo_server"), "-path", "/", "-subprotocol", "x") as server:
            self.check_client(server.url("/"))
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as s: # a plain request for / is for the page
                s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(s.recv(15).startswith(b"HTTP/1.1 200 OK"))
        for wrong in (["-path", "chat"], ["-nonsense", "x"], ["-addr"]):
            self.assertEqual(run(find("echo_server"), *wrong).returncode, 2)
        self.assertEqual(run(find("echo_server"), "-addr", "nonsense").returncode, 1)

    def test_plain_requests_and_then_the_websocket_on_one_connection(self):
        with open(os.path.join(ROOT, "examples", "browser", "index.html"), "rb") as f:
            page = f.read()
        with Server(find("echo_server")) as server:
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" + HANDSHAKE
                          + frame(1, b"hello"))
                answer = b""
                while not answer.endswith(b"\x81\x05hello"):
                    got = s.recv(65536)
                    self.assertTrue(got, answer)
                    answer += got
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"))
                self.assertIn(page, answer)
                self.assertIn(b"HTTP/1.1 404 ", answer)

    def test_a_violation_gets_its_close_code(self):
        with Server(find("echo_server")) as server:
            with server.connect() as s:
                s.sendall(frame(1, b"ok") + b"\x81\x01x") # not masked
                self.assertEqual(self.read_all(s), b"\x81\x02ok\x88\x02\x03\xea")

    def test_the_session_server(self):
        with Server(find("session_server")) as server:
            self.check_client(server.url())
            with server.connect() as s: # in one packet, and byte by byte
                whole = frame(1, b"one") + frame(9, b"ping") + frame(2, b"tw", fin=False) + frame(0, b"o")
                for step in (len(whole), 1):
                    for at in range(0, len(whole), step):
                        s.sendall(whole[at : at + step])
                    answer = b""
                    while len(answer) < 16:
                        answer += s.recv(100)
                    self.assertEqual(answer, b"\x81\x03one\x8a\x04ping\x82\x03two")
                s.sendall(frame(1, b"ok") + b"\x81\x01x") # not masked
                self.assertEqual(self.read_all(s), b"\x81\x02ok\x88\x02\x03\xea")
            with server.connect() as s: # who does not read is not read from
                s.setblocking(False)
                sent = 0
                with self.assertRaises(BlockingIOError):
                    while sent < 64 << 20:
                        sent += s.send(frame(2, bytes(10000)))
            with server.connect() as s:
                self.assertEqual(server.stop(), 0)
                self.assertEqual(self.read_all(s), b"\x88\x02\x03\xe9")

    def test_sigterm_closes_every_client_with_1001(self):
        with Server(find("echo_server")) as server:
            clients = [server.connect() for _ in range(50)]
            silent = socket.create_connection(("127.0.0.1", server.port), PATIENCE) # as browsers open
            for c in clients[:25]: # in the middle of a message
                c.sendall(frame(1, b"part", fin=False))
                self.assertEqual(c.recv(6), b"\x01\x04part")
            server.process.send_signal(signal.SIGTERM)
            for c in clients:
                self.assertEqual(c.recv(20), b"\x88\x12\x03\xe9the server stops")
                c.sendall(frame(8, b"\x03\xe9"))
                self.assertEqual(self.read_all(c), b"")
                c.close()
            silent.close()
            started = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - started, 2)

    def test_a_client_that_ignores_the_close_is_left(self):
        with Server(find("echo_server")) as server:
            with server.connect():
                self.assertEqual(server.stop(signal.SIGINT), 0)

    def test_slow_clients_cost_no_memory_and_hold_up_nobody(self):
        with Server(find("echo_server")) as server:
            self.check_client(server.url())
            before = self.resident(server)
            slow = [server.connect() for _ in range(20)]
            megabytes = frame(2, b"x" * (8 << 20))
            for s in slow: # writes until the server takes no more, and reads nothing
                s.settimeout(0.05)
                try:
                    s.sendall(megabytes)
                except TimeoutError:
                    pass
            self.check_client(server.url())
            self.assertLess(self.resident(server) - before, 8 << 20)
            for s in slow:
                s.close()

    def test_an_offer_that_is_too_long_to_list_gets_431(self):
        with Server(find("echo_server")) as server:
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as s:
                s.sendall(HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: a" + b";b" * 400 + b"\r\n\r\n")
                self.assertTrue(self.read_all(s).startswith(b"HTTP/1.1 431 "))
            self.check_client(server.url())

    def test_a_client_that_never_stops_holds_up_nobody(self):
        with Server(find("echo_server")) as server:
            with server.connect() as greedy:
                def send():
                    try:
                        while True:
                            greedy.sendall(frame(2, b"x" * 60000))
                    except OSError:
                        pass

                def receive():
                    try:
                        while greedy.recv(1 << 20):
                            pass
                    except OSError: # a server that stops does not take all that such a client sends
                        pass

                threads = [threading.Thread(target=f) for f in (send, receive)]
                for thread in threads:
                    thread.start()
                self.check_client(server.url())
                self.assertEqual(server.stop(), 0)
                for thread in threads:
                    thread.join()

    def test_a_large_message_comes_back(self):
        payload = os.urandom(3 << 20)
        with Server(find("echo_server")) as server:
            with server.connect() as s:
                writer = threading.Thread(target=s.sendall, args=(frame(2, payload),))
                writer.start()
                got, fin, stream = b"", False, s.makefile("rb")
                while not fin:
                    head = stream.read(2)
                    fin, n = bool(head[0] & 0x80), head[1]
                    n = struct.unpack(">H", stream.read(2))[0] if n == 126 else n
                    got += stream.read(n)
                writer.join()
                self.assertTrue(got == payload)

    def resident(self, server):
        """Bytes of memory of a server."""
        with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def read_all(self, s):
        got = b""
        while piece := s.recv(65536):
            got += piece
        return got


class Terminator:
    """Takes TLS off, and hands the bytes to a server."""

    def __init__(self, port, certificate, key):
        self.port_behind = port
        self.names = [] # what clients have asked for (SNI)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain):
        plain.settimeout(PATIENCE)
        try:
            with self.context.wrap_socket(plain, server_side=True) as outer:
                with socket.create_connection(("127.0.0.1", self.port_behind), PATIENCE) as inner:
                    up = threading.Thread(target=self.carry, args=(outer, inner), daemon=True)
                    up.start()
                    while piece := inner.recv(65536):
                        outer.sendall(piece)
                    up.join(PATIENCE)
                outer.unwrap()
        except OSError:
            pass # a client that does not like the certificate, or has gone

    def carry(self, outer, inner):
        try:
            while piece := outer.recv(65536):
                inner.sendall(piece)
            inner.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Tls(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.certificate = os.path.join(folder.name, "certificate.pem")
        self.key = os.path.join(folder.name, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", self.key, "-out", self.certificate],
            check=True, capture_output=True, timeout=PATIENCE,
        )
        self.server = Server(find("echo_server"))
        self.addCleanup(self.server.stop)
        self.tls = Terminator(self.server.port, self.certificate, self.key)
        self.addCleanup(self.tls.listener.close)

    def run_client(self, host, *options):
        return run(find("tls_client"), *options, f"wss://{host}:{self.tls.port}/chat", "hello", "again")

    def test_a_conversation(self):
        done = self.run_client("localhost", "-ca", self.certificate)
        self.assertEqual((done.returncode, done.stdout), (0, "hello\nagain\n"), done.stderr)
        self.assertEqual(self.tls.names, ["localhost"])
        self.assertEqual(self.server.stop(), 0)
        self.assertTrue(any('closed by the client: 1000 "bye"' in line for line in self.server.lines), self.server.lines)

    def test_an_unknown_authority_is_refused(self):
        done = self.run_client("localhost")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("TLS with localhost failed", done.stderr)
        self.assertFalse(any("open" in line for line in self.server.lines[1:]), self.server.lines)

    def test_another_host_is_refused(self):
        done = self.run_client("127.0.0.1", "-ca", self.certificate)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("mismatch", done.stderr)


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("talk", "tls"):
        print(__doc__, file=sys.stderr)
        return 2
    part = sys.argv[1]
    folders.extend(sys.argv[2:])
    needed = {"talk": ["echo_server", "client", "shortest"], "tls": ["echo_server", "tls_client"]}[part]
    for program in needed:
        if find(program) is None:
            print(f"SKIPPED: {program} was not built; for tls_client, OpenSSL with its headers is needed")
            return 77
    command = {"talk": "go", "tls": "openssl"}[part]
    if shutil.which(command) is None:
        print(f"SKIPPED: there is no {command} command here")
        return 77
    tests = unittest.defaultTestLoader.loadTestsFromTestCase({"talk": Talk, "tls": Tls}[part])
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
