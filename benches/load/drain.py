"""Stands in for Elasticsearch where nothing but speed counts: the kernel throws the bodies of bulk requests away, and their bytes are counted."""
import json
import mmap
import os
import re
import signal
import socket
import struct
import threading
import time

import forward

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Elastic-Product: Elasticsearch\r\nContent-Length: %d\r\n\r\n"
TAKEN = b'{"took":1,"errors":false,"items":[]}'
INFO = json.dumps({"name": "drain", "tagline": "You Know, for Search", "version": {"number": "7.17.0", "build_flavor": "default"}}).encode()
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.I)
ENTRY = struct.Struct("<Qd")
MOST_REQUESTS = 1 << 18


class Drain:
    """A process that takes bulk requests, and what it has written down: how many bytes had come by when."""

    def __init__(self, port):
        self.shared = mmap.mmap(-1, (MOST_REQUESTS + 1) * ENTRY.size)
        self.lock, self.requests, self.bytes = threading.Lock(), 0, 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.pid = forward.in_child(self.listen)
        self.listener.close()

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def came(self):
        """-> bytes of all bodies so far"""
        return ENTRY.unpack_from(self.shared)[0]

    def log(self):
        """-> list of (bytes so far, seconds), an entry a request"""
        count = int(ENTRY.unpack_from(self.shared)[1])
        return [ENTRY.unpack_from(self.shared, (at + 1) * ENTRY.size) for at in range(count)]

    def listen(self):
        while True:
            threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Never written to, and so no memory.
        waste = mmap.mmap(-1, 1 << 30)
        while True:
            head = b""
            while (end := head.find(b"\r\n\r\n")) < 0:
                more = connection.recv(1 << 12)
                if not more:
                    return
                head += more
            found = LENGTH.search(head, 0, end + 2)
            length = int(found.group(1)) if found else 0
            left = length - (len(head) - end - 4)
            while left > 0:
                count = connection.recv_into(waste, left, socket.MSG_TRUNC | socket.MSG_WAITALL)
                if not count:
                    return
                left -= count
            is_bulk = b"_bulk" in head[:head.find(b"\r\n")]
            if is_bulk:
                self.count(length)
            body = TAKEN if is_bulk else INFO
            connection.sendall(HEAD % len(body) + (b"" if head.startswith(b"HEAD") else body))

    def count(self, length):
        with self.lock:
            self.requests, self.bytes = self.requests + 1, self.bytes + length
            ENTRY.pack_into(self.shared, self.requests * ENTRY.size, self.bytes, time.time())
            ENTRY.pack_into(self.shared, 0, self.bytes, self.requests)
