"""Sends events over the forward protocol. Everything is encoded before the first byte is sent, so that sending costs little."""
import os
import random
import selectors
import socket
import struct

TIME = 1700000000


def pack(value):
    """msgpack of what events are made of"""
    if isinstance(value, bytes):
        return (struct.pack(">BB", 0xC4, len(value)) if len(value) < 256 else struct.pack(">BI", 0xC6, len(value))) + value
    if isinstance(value, str):
        data = value.encode()
        if len(data) < 32:
            return bytes([0xA0 | len(data)]) + data
        for limit, head in ((1 << 8, ">BB"), (1 << 16, ">BH"), (1 << 32, ">BI")):
            if len(data) < limit:
                return struct.pack(head, {">BB": 0xD9, ">BH": 0xDA, ">BI": 0xDB}[head], len(data)) + data
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 128 else struct.pack(">Bq", 0xD3, value)
    if isinstance(value, dict):
        head = bytes([0x80 | len(value)]) if len(value) < 16 else struct.pack(">BH", 0xDE, len(value))
        return head + b"".join(pack(key) + pack(inner) for key, inner in value.items())
    raise TypeError(type(value))


def time_of(number):
    return struct.pack(">BBII", 0xD7, 0, TIME + number // 1000, number % 1000 * 1000000)


def messages(workload, events):
    """-> list of byte strings, each one message (or, in message mode, those of one chunk)"""
    out = []
    for start in range(0, len(events), workload.chunk):
        part = events[start:start + workload.chunk]
        entries = [(time_of(start + at), pack(record)) for at, (_, record) in enumerate(part)]
        tag = pack(part[0][0])
        if workload.mode == "message":
            out.append(b"".join(b"\x94" + tag + when + record + b"\x80" for when, record in entries))
            continue
        options = {"size": len(part)}
        if workload.ack:
            options["chunk"] = "%032x" % random.getrandbits(128)
        out.append(b"\x93" + tag + pack(b"".join(b"\x92" + when + record for when, record in entries)) + pack(options))
    return out


class Lane:
    """One connection: its messages, and how far it has come with them."""

    def __init__(self, port, data, ack):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        # With acks one message is under way at a time; without, all are one stream.
        self.parts = data if ack else [b"".join(data)]
        self.ack, self.at, self.sent, self.waiting = ack, 0, 0, False

    def is_done(self):
        return self.at == len(self.parts)

    def write(self):
        part = self.parts[self.at]
        self.sent += self.socket.send(memoryview(part)[self.sent:self.sent + (1 << 18)])
        if self.sent == len(part):
            self.sent, self.waiting = 0, self.ack
            self.at += not self.ack

    def read(self):
        if not self.socket.recv(1 << 16):
            raise ConnectionError("the collector closed a connection")
        # An ack is one small map, and comes whole.
        self.waiting = False
        self.at += 1


def connect(port, workload, data):
    """One lane a connection, the messages dealt out in turn."""
    return [Lane(port, data[at::workload.connections], workload.ack) for at in range(workload.connections)]


def send(lanes):
    """Sends all, as fast as it is taken."""
    chosen = selectors.DefaultSelector()
    for lane in lanes:
        if not lane.is_done():
            chosen.register(lane.socket, selectors.EVENT_WRITE, lane)
    while chosen.get_map():
        for key, _ in chosen.select():
            lane = key.data
            lane.read() if lane.waiting else lane.write()
            if lane.is_done():
                chosen.unregister(lane.socket)
            else:
                chosen.modify(lane.socket, selectors.EVENT_READ if lane.waiting else selectors.EVENT_WRITE, lane)


def close(lanes):
    for lane in lanes:
        lane.socket.close()


def in_child(work):
    """Does something in a process of its own, which ends with it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child
