#!/usr/bin/env python3
"""Stands in for Elasticsearch: takes bulk requests, keeps them, and looks at every document when the run is over.

usage: sink.py PORT [--items]

GET /__count -> {"documents": n, "requests": n}; GET /__check -> {"documents": n, "distinct": n, "damaged": n}; GET /__arrivals -> when each event
came, {number: seconds}. With --items each document is answered, as a real node does.
"""
import json
import socket
import sys
import threading
import time
import zlib

import workloads

lock = threading.Lock()
bodies, documents = [], 0
items = "--items" in sys.argv
ITEM = b'{"%s":{"_index":"i","_id":"abcdefghijklmnopqrst","_version":1,"result":"created","_seq_no":1,"_primary_term":1,"status":201}}'
INFO = {"name": "sink", "cluster_name": "sink", "tagline": "You Know, for Search", "version": {
    "number": "7.17.0", "build_flavor": "default", "minimum_wire_compatibility_version": "6.8.0", "minimum_index_compatibility_version": "6.0.0"}}


class Peer:
    def __init__(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket, self.kept = connection, bytearray()

    def until(self, mark):
        while (end := self.kept.find(mark)) < 0:
            self.more(1 << 16)
        taken = bytes(self.kept[:end])
        del self.kept[:end + len(mark)]
        return taken

    def exactly(self, length):
        out = bytearray(length)
        have = min(length, len(self.kept))
        out[:have] = self.kept[:have]
        del self.kept[:have]
        view = memoryview(out)
        while have < length:
            count = self.socket.recv_into(view[have:])
            if not count:
                raise ConnectionError
            have += count
        return out

    def more(self, size):
        data = self.socket.recv(size)
        if not data:
            raise ConnectionError
        self.kept += data

    def body(self, headers):
        if headers.get("expect") == "100-continue":
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding") != "chunked":
            return self.exactly(int(headers.get("content-length", 0)))
        parts = []
        while length := int(self.until(b"\r\n").split(b";")[0], 16):
            parts.append(self.exactly(length))
            self.until(b"\r\n")
        self.until(b"\r\n")
        return b"".join(parts)

    def answer(self, body):
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Elastic-Product: Elasticsearch\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.socket.sendall(head.encode() + body)


def take(body, zipped):
    global documents
    body = zlib.decompress(body, 31) if zipped else body
    count = body.count(b"\n") // 2
    with lock:
        bodies.append((time.time(), body))
        documents += count
    return b'{"took":1,"errors":false,"items":[%s]}' % (b",".join([ITEM % operation(body)] * count) if items else b"")


def operation(body):
    """The first document's, which is that of all: index or create."""
    return bytes(body[:32]).split(b'"', 2)[1] if body else b"index"


def check():
    seen, damaged = arrivals()
    return {"documents": documents, "distinct": len(seen), "damaged": damaged}


def arrivals():
    """-> {number: when it came first}, how many documents are no whole event"""
    seen, damaged = {}, 0
    for when, body in bodies:
        for line in bytes(body).split(b"\n")[1::2]:
            number = workloads.number_of(json.loads(line))
            if number is None:
                damaged += 1
            else:
                seen.setdefault(number, when)
    return seen, damaged


def serve(connection):
    peer = Peer(connection)
    try:
        while True:
            lines = peer.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip().lower() for name, value in (line.split(":", 1) for line in lines[1:])}
            method, path, _ = lines[0].split(" ", 2)
            body = peer.body(headers)
            if "_bulk" in path:
                peer.answer(take(body, headers.get("content-encoding") == "gzip"))
            elif path == "/__count":
                peer.answer(json.dumps({"documents": documents, "requests": len(bodies)}).encode())
            elif path == "/__arrivals":
                peer.answer(json.dumps(arrivals()[0]).encode())
            elif path == "/__check":
                peer.answer(json.dumps(check()).encode())
            else:
                peer.answer(b"" if method == "HEAD" else json.dumps(INFO).encode())
    except (ConnectionError, OSError):
        connection.close()


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=256)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


main()
