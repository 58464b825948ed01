"""How long an event of one of very many connections is on its way, and what a connection costs in memory.

Each event is sent alone, at a rate far below what the collector can take; its way ends when the bulk request that holds it has arrived whole.
"""
import array
import os
import tempfile
import time

import forward
from workloads import Workload, docker

CONNECTIONS, RATE, SECONDS = 1000, 5000, 12
FLUSH_INTERVAL_MS = 1000


def paced(lanes, data, path):
    """Sends one message after another, in turn over the connections, and writes down when."""
    sent, start = array.array("d"), time.time()
    for number, message in enumerate(data):
        wait = start + number / RATE - time.time()
        if wait > 0:
            time.sleep(wait)
        sent.append(time.time())
        lanes[number % len(lanes)].socket.sendall(message)
    with open(path, "wb") as file:
        sent.tofile(file)


def share(values, part):
    return values[min(len(values) - 1, int(len(values) * part))]


def measure(running, port, ask, arrived):
    """-> the figures of one running collector: milliseconds, and bytes a connection"""
    workload = Workload("latency", "plain", docker, mode="message", chunk=1, connections=CONNECTIONS)
    events = workload.events(RATE * SECONDS)
    data = forward.messages(workload, events)
    before = running.memory_mb("VmRSS")
    lanes = forward.connect(port, workload, data)
    for lane in lanes:
        lane.socket.setblocking(True)
    for number, lane in enumerate(lanes):
        lane.socket.sendall(data[number])
    arrived(len(lanes))
    time.sleep(2.5)
    connected = running.memory_mb("VmRSS")
    with tempfile.NamedTemporaryFile() as file:
        child = forward.in_child(lambda: paced(lanes, data[len(lanes):], file.name))
        os.waitpid(child, 0)
        arrived(len(events))
        sent = array.array("d")
        sent.frombytes(open(file.name, "rb").read())
    forward.close(lanes)
    arrivals = {int(number): when for number, when in ask("/__arrivals").items()}
    ways = sorted((arrivals[number + len(lanes)] - when) * 1000 for number, when in enumerate(sent) if number + len(lanes) in arrivals)
    return {"lost": len(events) - len(arrivals), "p50": share(ways, 0.5), "p99": share(ways, 0.99), "most": ways[-1],
            "bytes": (connected - before) * (1 << 20) / len(lanes)}


def line(name, found):
    return "%s: %d connections, %s events a second: p50 %.0f ms, p99 %.0f ms, at most %.0f ms with a flush_interval of %d ms; %.1f KB a connection; lost %d" % (
        name, CONNECTIONS, format(RATE, ","), found["p50"], found["p99"], found["most"], FLUSH_INTERVAL_MS, found["bytes"] / 1024, found["lost"])
