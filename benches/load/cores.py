"""Whether two cores do nearly twice as much as one, for several connections and for one.

Flumen is bound to one core, then to two, and takes the same events. What counts is wall time: bytes of bulk requests that arrive in a second, between
the first and the last tenth of them, so that neither start nor end counts.

Sender and stand-in are beside it: on other cores where there are any, and where the machine has but two, on the second one in the first case, and in the
second case on both together with Flumen. So what they use counts against it, and the ratio is that of two cores of its own, or less. It is little: the kernel sends from a
file in memory, over and over, and throws away what arrives.

Documents are not looked at, but each turn of the same events makes the same number of bytes: the first is counted, and the others must add up.

Beside it stands what the machine itself makes of its second core, by two processes that only calculate: two virtual cores may be one.
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

    def send(self, connections, turns):
        """Sends all of it so often over each connection."""
        threads = [threading.Thread(target=self.send_one, args=(turns,)) for _ in range(connections)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

    def send_one(self, turns):
        with socket.create_connection(("127.0.0.1", FORWARD)) as connection:
            for _ in range(turns):
                at = 0
                while at < self.size:
                    at += os.sendfile(connection.fileno(), self.file, at, self.size - at)


def cores_for(count, all_cores):
    """-> Flumen's cores, and those of the sender and the stand-in"""
    return set(all_cores[:count]), set(all_cores[count:] or all_cores)


def configuration(collector, workload, work):
    path = os.path.join(work, "cores.conf")
    with open(path, "w") as file:
        file.write(open(collector.conf(workload)).read().replace("flush_interval 1s", "flush_interval 0.1"))
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


def one_run(collector, workload, supply, connections, cores):
    """-> events a second, and how many cores Flumen, the sender with the stand-in, and others used meanwhile"""
    everything = sorted(os.sched_getaffinity(0))
    own, beside = cores_for(cores, everything)
    with tempfile.TemporaryDirectory(prefix="cores-") as work:
        drain, running = None, None
        try:
            os.sched_setaffinity(0, beside)
            drain = Drain(SEARCH)
            os.sched_setaffinity(0, own)
            running = Running(collector.command(configuration(collector, workload, work), work), open(os.path.join(work, "log"), "wb"))
            os.sched_setaffinity(0, beside)
            listens(FORWARD, running.process, 60)
            os.waitpid(forward.in_child(lambda: supply.send(1, 1)), 0)
            turn = came_to_rest(drain, None)
            return timed(running, drain, supply, connections, turn)
        finally:
            os.sched_setaffinity(0, everything)
            if running:
                running.stop()
            if drain:
                drain.stop()


def timed(running, drain, supply, connections, turn):
    turns = EVENTS // DISTINCT // connections
    expected = turn * (turns * connections + 1)
    start, machine, before = time.time(), machine_seconds(), running.cpu_seconds()
    helpers = cpu_seconds_of(drain.pid)
    _, _, sender = os.wait4(forward.in_child(lambda: supply.send(connections, turns)), 0)
    # As long as there was something to send.
    wall, used = time.time() - start, running.cpu_seconds() - before
    helpers = cpu_seconds_of(drain.pid) - helpers + sender.ru_utime + sender.ru_stime
    others = max(0, machine_seconds() - machine - used - helpers)
    came = came_to_rest(drain, expected)
    if turn == 0 or came != expected:
        raise RuntimeError("%d bytes came in place of %d: events were lost or doubled" % (came, expected))
    in_all = running.cpu_seconds() - before
    middle = [(size, when) for size, when in drain.log() if turn + (expected - turn) * 0.1 <= size <= turn + (expected - turn) * 0.9]
    rate = (middle[-1][0] - middle[0][0]) / (middle[-1][1] - middle[0][1]) * DISTINCT / turn
    return {"rate": rate, "ns": in_all * 1e9 / (turns * connections * DISTINCT), "own": used / wall, "beside": helpers / wall, "others": others / wall}


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
    for workload in [one for one in WORKLOADS if one.conf in ("services", "apache") and options.only in one.name]:
        supply = Supply(workload)
        for connections in CONNECTIONS:
            found = {1: [], 2: []}
            for _ in range(options.rounds):
                for count in found:
                    result = one_run(collector, workload, supply, connections, count)
                    found[count].append(result)
                    print("%-36s %d connections, %d cores: %9.0f events a second, %5.0f ns of CPU each; cores used: Flumen %.2f, sender and stand-in %.2f, others %.2f" % (
                        workload.name, connections, count, result["rate"], result["ns"], result["own"], result["beside"], result["others"]), flush=True)
            one, two = (statistics.median(result["rate"] for result in found[count]) for count in (1, 2))
            print("%-36s %d connections: %s events a second on one core, %s on two: %.2f times" % (
                workload.name, connections, format(round(one, -3), ",.0f"), format(round(two, -3), ",.0f"), two / one), flush=True)
