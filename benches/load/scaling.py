"""How Flumen's CPU time grows with the shape of what comes: each series is relative to its first point."""
import os
import statistics

import chart
import forward
from workloads import Workload, apache, docker, sized

ROUNDS = 3
SOURCE = "<source>\n  @type forward\n  bind 127.0.0.1\n  port 24224\n</source>\n"
OUTPUT = "  @type elasticsearch\n  host 127.0.0.1\n  port 9209\n  logstash_format true\n  <buffer>\n    flush_interval 1s\n    flush_thread_count 2\n  </buffer>\n"


class Written:
    """A collector whose configuration is a text of ours."""

    def __init__(self, collector, text):
        self.collector, self.text = collector, text

    def conf(self, _):
        return self.text

    def command(self, text, work):
        path = os.path.join(work, "text.conf")
        with open(path, "w") as file:
            file.write(text)
        return self.collector.command(path, work)


def plain(_):
    return SOURCE + "<match **>\n" + OUTPUT + "</match>\n"


def routed(count):
    matches = ["<match other.%d.**>\n  @type null\n</match>\n" % number for number in range(count - 1)]
    return SOURCE + "".join(matches) + "<match **>\n" + OUTPUT + "</match>\n"


def patterned(count):
    """Patterns of which only the last matches."""
    others = ["    <grok>\n      pattern ^%%{IP:ip} never_%d_seen %%{WORD:word} %%{NUMBER:number}\n    </grok>\n" % number for number in range(count - 1)]
    last = "    <grok>\n      pattern %{COMBINEDAPACHELOG}\n    </grok>\n"
    filters = "<filter **>\n  @type parser\n  key_name log\n  reserve_data true\n  <parse>\n    @type grok\n" + "".join(others) + last + "  </parse>\n</filter>\n"
    return SOURCE + filters + "<match **>\n" + OUTPUT + "</match>\n"


def series():
    """-> name: [(label, configuration, workload, events, whether bytes count and not events)]"""
    def packed(make, chunk=1000):
        return Workload("scaling", "", make, chunk=chunk)

    return {
        "events a chunk (CPU per event)": [(str(n), plain(n), packed(docker, n), 300000, False) for n in (100, 1000, 10000)],
        "connections (CPU per event)": [
            (str(n), plain(n), Workload("scaling", "", docker, mode="message", chunk=50, connections=n), 300000, False) for n in (1, 10, 100, 1000)],
        "routes (CPU per event)": [(str(n), routed(n), packed(docker), 300000, False) for n in (1, 50, 200)],
        "keys a record (CPU per byte)": [(str(n), plain(n), packed(sized(200, n), 200), 6000000 // (200 + 30 * n) // 200 * 200, True) for n in (5, 20, 100)],
        "bytes a line (CPU per byte)": [
            (format(n, ","), plain(n), packed(sized(n), max(1, 200000 // n)), 60000000 // n // max(1, 200000 // n) * max(1, 200000 // n), True)
            for n in (200, 2000, 20000, 100000)],
        "grok patterns, the last matches (CPU per event)": [(str(n), patterned(n), packed(apache), 100000, False) for n in (1, 10, 50)],
    }


def run(collector, measure, machine, options):
    found = {}
    for name, points in series().items():
        if options.only not in name:
            continue
        for label, text, workload, count, by_bytes in points:
            events = workload.events(count // workload.connections * workload.connections)
            data = forward.messages(workload, events)
            rounds = [measure(Written(collector, text), workload, data, len(events)) for _ in range(ROUNDS)]
            if any(result["lost"] or result["damaged"] for result in rounds):
                raise SystemExit("%s: %s: events were lost or damaged" % (name, label))
            cost = 1e9 / statistics.median(result["per_cpu_second"] for result in rounds)
            cost = cost * len(events) / sum(map(len, data)) if by_bytes else cost
            found.setdefault(name, []).append((label, cost))
            print("%-50s %8s %8.2f ns" % (name, label, cost), flush=True)
    with open(os.path.join(options.out, "scaling.svg"), "w") as file:
        file.write(chart.panels("How Flumen's CPU time grows, relative to the first bar", machine, found))
