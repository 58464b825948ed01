"""Whether two cores do nearly twice as much as one, for several connections and for one.

Flumen is bound to one core, then to two, and takes the same events. What counts is wall time: bytes of bulk requests that arrive in a second, between
the first and the last tenth of them, so that neither start nor end counts.

Sender and stand-in are beside it: on other cores where there are any, and where the machine has but two, on the second one in the first case, and in the
second case on both together with Flumen. So what they use counts against it, and the ratio is that of two cores of its own, or less. It is little: the kernel sends from a
file in memory, over and over, and throws away what arrives.

Documents are not looked at, but each turn of the same events makes the same number of bytes: the first is counted, and the others must add up.

Beside it stands what the machine makes of its second core: by two processes that only calculate, as two virtual cores may be one; and by two Flumens
of a core each, which share nothing but memory and what is beside them.
"""
import os
import socket
import statistics
import tempfile
import threading
import time
import zlib

import forward
from collectors import FORWARD, SEARCH, Running, cpu_seconds_of, listens
from drain import Drain
from workloads import WORKLOADS

EVENTS = 3000000
DISTINCT = 20000
CONNECTIONS = (1, 4)
SILENCE_SECONDS = 20
TICKS = os.sysconf("SC_CLK_TCK")


class Supply:
    """Messages of one workload in a file in memory."""

    def __init__(self, workload):
        data = b"".join(forward.messages(workload, workload.events(DISTINCT)))
        self.file, self.size = os.memfd_create("events"), len(data)
        with os.fdopen(os.dup(self.file), "wb") as file:
            file.write(data)

    def send(self, ports, turns):
        """Sends all of it so often over a connection to each of these ports."""
        threads = [threading.Thread(target=self.send_one, args=(port, turns)) for port in ports]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

    def send_one(self, port, turns):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for _ in range(turns):
                at = 0
                while at < self.size:
                    at += os.sendfile(connection.fileno(), self.file, at, self.size - at)


def configuration(collector, workload, work, port):
    path = os.path.join(work, "%d.conf" % port)
    with open(path, "w") as file:
        text = open(collector.conf(workload)).read()
        file.write(text.replace("flush_interval 1s", "flush_interval 0.1").replace("port %d" % FORWARD, "port %d" % port))
    return path


def came_to_rest(drain, expected):
    """Waits until so many bytes have come, or, where nobody knows how many, until no more come."""
    seen, last = 0, time.time()
    while time.time() - last < (SILENCE_SECONDS if expected or not seen else 1):
        time.sleep(0.02)
        if expected and seen >= expected:
            break
        now = drain.came()
        if now != seen:
            seen, last = now, time.time()
    return seen


def machine_seconds():
    """-> seconds that all cores were busy, or were somebody else's"""
    fields = [int(field) for field in open("/proc/stat").readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def one_run(collector, workload, supply, connections, groups):
    """A process for each group of cores -> events a second, and how many cores Flumen, the sender with the stand-in, and others used meanwhile"""
    everything = os.sched_getaffinity(0)
    beside = everything.difference(*groups) or everything
    ports = [FORWARD + number for number in range(len(groups))]
    with tempfile.TemporaryDirectory(prefix="cores-") as work:
        drain, running = None, []
        try:
            os.sched_setaffinity(0, beside)
            drain = Drain(SEARCH)
            for port, group in zip(ports, groups):
                os.sched_setaffinity(0, group)
                command = collector.command(configuration(collector, workload, work, port), work)
                running.append(Running(command, open(os.path.join(work, "log"), "ab")))
                os.sched_setaffinity(0, beside)
                listens(port, running[-1].process, 60)
            os.waitpid(forward.in_child(lambda: supply.send(ports[:1], 1)), 0)
            turn = came_to_rest(drain, None)
            return timed(running, drain, supply, ports * (connections // len(ports)), turn)
        finally:
            os.sched_setaffinity(0, everything)
            for one in running:
                one.stop()
            if drain:
                drain.stop()


def timed(running, drain, supply, ports, turn):
    turns = EVENTS // DISTINCT // len(ports)
    count, expected = turns * len(ports) * DISTINCT, turn * (turns * len(ports) + 1)
    start, machine, before, helpers = time.time(), machine_seconds(), used_by(running), cpu_seconds_of(drain.pid)
    _, _, sender = os.wait4(forward.in_child(lambda: supply.send(ports, turns)), 0)
    # As long as there was something to send.
    wall, used = time.time() - start, used_by(running) - before
    helpers = cpu_seconds_of(drain.pid) - helpers + sender.ru_utime + sender.ru_stime
    others = max(0, machine_seconds() - machine - used - helpers)
    came = came_to_rest(drain, expected)
    if turn == 0 or came != expected:
        raise RuntimeError("%d bytes came in place of %d: events were lost or doubled" % (came, expected))
    middle = [(size, when) for size, when in drain.log() if turn + (expected - turn) * 0.1 <= size <= turn + (expected - turn) * 0.9]
    rate = (middle[-1][0] - middle[0][0]) / (middle[-1][1] - middle[0][1]) * DISTINCT / turn
    in_all = used_by(running) - before
    return {"rate": rate, "ns": in_all * 1e9 / count, "own": used / wall, "beside": helpers / wall, "others": others / wall}


def used_by(running):
    return sum(one.cpu_seconds() for one in running)


def yardstick(cores):
    """-> how much so many processes calculate in a second, each on a core of its own"""
    def calculate(core):
        os.sched_setaffinity(0, {core})
        data = bytes(1 << 20)
        for _ in range(1500):
            zlib.crc32(data)

    start = time.time()
    for child in [forward.in_child(lambda: calculate(core)) for core in cores]:
        os.waitpid(child, 0)
    return len(cores) / (time.time() - start)


def run(collector, machine, options):
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise SystemExit("there is but one core")
    alone, both = (statistics.median(yardstick(some) for _ in range(5)) for some in (cores[:1], cores))
    print("%s. What only calculates gains %.2f times by a second core." % (machine, both / alone), flush=True)
    ways = {"one core": [{cores[0]}], "two cores": [set(cores)], "a process a core": [{core} for core in cores]}
    for workload in [one for one in WORKLOADS if one.conf in ("services", "apache") and options.only in one.name]:
        supply = Supply(workload)
        for connections in CONNECTIONS:
            compare(collector, workload, supply, connections, ways, options.rounds)


def compare(collector, workload, supply, connections, ways, rounds):
    name = "%s, %s" % (workload.name, "one connection" if connections == 1 else "%d connections" % connections)
    found = {way: [] for way, groups in ways.items() if len(groups) <= connections}
    for _ in range(rounds):
        for way, results in found.items():
            result = one_run(collector, workload, supply, connections, ways[way])
            results.append(result)
            print("%-52s %-18s %9.0f events a second, %5.0f ns of CPU each; cores used: Flumen %.2f, sender and stand-in %.2f, others %.2f" % (
                name, way + ":", result["rate"], result["ns"], result["own"], result["beside"], result["others"]), flush=True)
    rates = {way: statistics.median(result["rate"] for result in results) for way, results in found.items()}
    for way, rate in rates.items():
        print("%-52s %-18s %9s events a second, %.2f times" % (name, way + ":", format(round(rate, -3), ",.0f"), rate / rates["one core"]), flush=True)
