"""Runs examples/c/epoll_gateway and talks to it: echoes, fragments, Pings, Closes, violations, refusals, a client that
does not read, ten thousand idle connections, and the end by SIGTERM.

    python3 tests/capi/gateway_test.py build/examples/c/epoll_gateway

Exits with 77 if all is well but this machine does not allow that many open files.
"""

import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import unittest

PATIENCE = 20  # seconds for any answer
IDLE = 10_000
MOST_BYTES_EACH = 1200  # of the gateway's resident memory for an idle connection

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 1.3

gateway = ""  # the program
skipped = []  # reasons


def frame(opcode, payload=b"", fin=True, mask=True):
    """A client's frame, masked with a fresh key (RFC 6455 5.2, 5.3)."""
    size = len(payload)
    head = bytes([fin << 7 | opcode])
    if size < 126:
        head += bytes([mask << 7 | size])
    elif size < 1 << 16:
        head += struct.pack("!BH", mask << 7 | 126, size)
    else:
        head += struct.pack("!BQ", mask << 7 | 127, size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    keys = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return head + key + (int.from_bytes(payload, "big") ^ keys).to_bytes(size, "big")


class Client:
    """A client by hand, so that the library is not its own judge."""

    def __init__(self, port, extra=b""):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.rest = b""
        self.socket.sendall(REQUEST + extra)
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.some()
        head, _, self.rest = head.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ") and ACCEPT in head, head

    def some(self):
        data = self.socket.recv(1 << 16)
        assert data, "the gateway has closed the connection"
        return data

    def exactly(self, size):
        data = bytearray(self.rest)
        while len(data) < size:
            data += self.some()
        self.rest = bytes(data[size:])
        return bytes(data[:size])

    def frame(self):
        """The next frame: fin, opcode, payload."""
        first, size = self.exactly(2)
        assert first & 0x70 == 0 and size < 128, "reserved bits, or masked by a server"
        if size == 126:
            (size,) = struct.unpack("!H", self.exactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.exactly(8))
        return first >> 7, first & 15, self.exactly(size)

    def message(self):
        """The next message or control frame: opcode, payload. A control frame must not come within a message here."""
        fin, opcode, payload = self.frame()
        parts = [payload]
        while not fin:
            fin, more, payload = self.frame()
            assert more == 0, "a fragment is not a continuation"
            parts.append(payload)
        return opcode, b"".join(parts)

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def echo(self, payload, opcode=BINARY):
        self.send(frame(opcode, payload))
        got = self.message()
        assert got == (opcode, payload), f"{len(payload)} bytes came back as {got[0]}, {len(got[1])} bytes"

    def end(self):
        """Waits until the gateway ends its side."""
        assert self.rest == b"" and self.socket.recv(1) == b"", "bytes behind the end"
        self.socket.close()


class Gateway(unittest.TestCase):
    def client(self, extra=b""):
        c = Client(self.port, extra)
        self.addCleanup(c.socket.close)
        return c

    def setUp(self):
        self.process = subprocess.Popen([gateway, "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.wait, PATIENCE)
        self.addCleanup(self.process.kill)
        line = self.process.stdout.readline()
        self.assertIn("listening on ws://127.0.0.1:", line)
        self.port = int(line.rstrip("/\n").rpartition(":")[2])

    def resident(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) << 10
        raise AssertionError("no VmRSS")

    def test_echo_of_every_length_form(self):
        clients = [self.client() for _ in range(5)]
        for size in (0, 1, 16, 125, 126, 65535, 65536, 1 << 20):
            for c in clients:
                c.echo(os.urandom(size))
        clients[0].echo("Grüße, 世界".encode() * 100, TEXT)

    def test_many_messages_in_one_write(self):
        c = self.client(frame(TEXT, b"behind the request"))
        self.assertEqual(c.message(), (TEXT, b"behind the request"))
        payloads = [os.urandom(i % 40) for i in range(1000)]
        c.send(*(frame(BINARY, p) for p in payloads))
        for p in payloads:
            self.assertEqual(c.message(), (BINARY, p))

    def test_every_split_of_a_frame(self):
        c = self.client()
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in frame(TEXT, "a split ä".encode()) + frame(PING, b"abc"):
            c.send(bytes([byte]))
        got = b""
        while True:
            fin, _, payload = c.frame()
            got += payload
            if fin:
                break
        self.assertEqual(got, "a split ä".encode())
        self.assertEqual(c.message(), (PONG, b"abc"))

    def test_fragments_with_a_ping_among_them(self):
        c = self.client()
        c.send(frame(TEXT, b"one, ", fin=False), frame(PING, b"now"), frame(0, b"two, ", fin=False), frame(0, b"three"))
        got, pongs, fin = b"", [], False
        while not fin or not pongs:
            last, opcode, payload = c.frame()
            if opcode == PONG:
                pongs.append(payload)
            else:
                got, fin = got + payload, bool(last)
        self.assertEqual((got, pongs), (b"one, two, three", [b"now"]))

    def test_pings_are_answered_in_order(self):
        c = self.client()
        c.send(*(frame(PING, b"%d" % i * 30) for i in range(200)))
        for i in range(200):
            self.assertEqual(c.message(), (PONG, b"%d" % i * 30))

    def test_close_is_answered_with_its_code(self):
        c = self.client()
        c.echo(b"before")
        c.send(frame(CLOSE, struct.pack("!H", 3000) + b"enough"))
        opcode, body = c.message()
        self.assertEqual((opcode, body[:2]), (CLOSE, struct.pack("!H", 3000)))
        c.end()

    def test_violations_are_told_by_a_close(self):
        for wrong, code in (
            (frame(BINARY, b"x", mask=False), 1002),  # rule 42
            (b"\xc2\x80abcd", 1002),  # rule 40
            (frame(3, b"x"), 1002),  # rule 41
            (frame(0, b"x"), 1002),  # rule 57
            (frame(PING, b"x", fin=False), 1002),  # rule 61
            (frame(TEXT, b"\xff"), 1007),  # rule 89
            (frame(CLOSE, b"x"), 1002),  # rule 73
            (b"\x82\xff" + struct.pack("!Q", 1 << 40) + b"abcd", 1009),  # rule 49
        ):
            c = self.client()
            c.echo(b"before")
            c.send(wrong)
            opcode, body = c.message()
            while opcode != CLOSE:  # what could be delivered before the violation was seen
                opcode, body = c.message()
            self.assertEqual(struct.unpack("!H", body[:2])[0], code, wrong)
            c.end()

    def test_what_is_no_upgrade_is_refused(self):
        for request, want in (
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 404 "),
            (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 405 "),
            (b"GET / HTTP/1.1\nHost: x\n\n", b"HTTP/1.1 400 "),
        ):
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as s:
                s.sendall(request)
                answer = b""
                while data := s.recv(4096):
                    answer += data
                self.assertTrue(answer.startswith(want), answer)

    def test_client_that_does_not_read_loses_nothing(self):
        c, other = self.client(), self.client()
        payload, count = bytes(range(256)) * 64, 1000  # 16 MiB: more than the sockets hold
        one = frame(BINARY, payload)
        writer = threading.Thread(target=lambda: [c.socket.sendall(one) for _ in range(count)], daemon=True)
        writer.start()
        for _ in range(50):
            other.echo(os.urandom(1000))  # the gateway serves others meanwhile
        self.assertTrue(writer.is_alive(), "the gateway has read all, though nobody took its answers")
        for _ in range(count):
            self.assertEqual(c.message(), (BINARY, payload))
        writer.join(PATIENCE)

    def test_sigterm_tells_everybody_1001(self):
        clients = [self.client() for _ in range(20)]
        clients[0].echo(b"before")
        self.process.send_signal(signal.SIGTERM)
        for c in clients:
            opcode, body = c.message()
            self.assertEqual((opcode, body), (CLOSE, struct.pack("!H", 1001) + b"the server stops"))
            c.end()
        self.assertEqual(self.process.wait(PATIENCE), 0)

    def test_idle_connections_cost_little(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < IDLE + 100:
            skipped.append(f"{hard} open files are allowed, {IDLE + 100} are needed: raise the hard limit (ulimit -Hn)")
            self.skipTest(skipped[-1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, IDLE + 100), hard))
        first = self.client()
        first.echo(os.urandom(70_000))
        before = self.resident()
        idle = []
        self.addCleanup(lambda: [reset(c.socket) for c in idle])
        for _ in range(IDLE):
            idle.append(Client(self.port))
        first.echo(os.urandom(70_000))
        each = (self.resident() - before) / IDLE
        print(f"{IDLE} idle connections: {before >> 10} KiB resident before, {each:.0f} bytes for each", flush=True)
        for c in idle[:: IDLE // 100]:
            c.echo(b"still here")
        self.assertLess(each, MOST_BYTES_EACH)


def reset(s):
    """Closes a connection without leaving its port in TIME_WAIT."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    gateway = sys.argv.pop(1)
    good = unittest.main(exit=False, verbosity=2).result.wasSuccessful()
    for reason in skipped:
        print("skipped in part:", reason)
    sys.exit(1 if not good else 77 if skipped else 0)
