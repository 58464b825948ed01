#!/usr/bin/env python3
"""Compares Flumen with whichever of Fluent Bit, Vector and Fluentd is there, side by side, and writes a table and a chart.

usage: python3 benches/load/run.py [--events 1000000] [--rounds 5] [--only WORD] [--items] [--out benches/load]
       python3 benches/load/run.py --scaling [--out benches/load]
       python3 benches/load/run.py --latency
       python3 benches/load/run.py --cores [--rounds 5] [--only WORD]

Programs are looked for on PATH, or named: FLUMEN=target/release/flumen FLUENT_BIT=... VECTOR=... FLUENTD=... In each round every collector
takes the same events after another. Every document is looked at when it has arrived: what is lost, damaged or doubled is said.
With --items the results are results-items.md and results-items.svg.
"""
import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import chart
import cores
import forward
import latency
import scaling
from collectors import COLLECTORS, FORWARD, SEARCH, Running, listens
from workloads import WORKLOADS

HERE = os.path.dirname(os.path.abspath(__file__))
SILENCE_SECONDS = 40


def ask(path):
    with urllib.request.urlopen("http://127.0.0.1:%d%s" % (SEARCH, path), timeout=120) as answer:
        return json.load(answer)


def arrived(count):
    """Waits until so many documents have arrived, or none for a long time; -> how long the last took to come"""
    seen, last = 0, time.time()
    while seen < count and time.time() - last < SILENCE_SECONDS:
        time.sleep(0.02)
        now = ask("/__count")["documents"]
        if now != seen:
            seen, last = now, time.time()
    return last


def with_sink(collector, workload, work_with, items=False):
    """Starts the stand-in and the collector, and gives what `work_with` finds of the running collector."""
    work = tempfile.mkdtemp(prefix="load-")
    sink = subprocess.Popen([sys.executable, os.path.join(HERE, "sink.py"), str(SEARCH)] + (["--items"] if items else []))
    log = open(os.path.join(work, "log"), "wb")
    running = None
    try:
        listens(SEARCH, sink, 10)
        running = Running(collector.command(collector.conf(workload), work), log)
        listens(FORWARD, running.process, 60)
        time.sleep(1.5)
        return work_with(running)
    finally:
        if running:
            running.stop()
        sink.kill()
        sink.wait()
        shutil.rmtree(work, ignore_errors=True)


def measure_latency(running):
    return latency.measure(running, FORWARD, ask, arrived)


def measure(collector, workload, data, count, items=False):
    """One run -> its figures"""

    def run(running):
        idle = running.memory_mb("VmRSS")
        lanes = forward.connect(FORWARD, workload, data)
        before, start = running.cpu_seconds(), time.time()
        child = forward.in_child(lambda: forward.send(lanes))
        last = arrived(count)
        used, peak = running.cpu_seconds() - before, running.memory_mb("VmHWM")
        os.waitpid(child, 0)
        forward.close(lanes)
        found = ask("/__check")
        return {"per_cpu_second": count / max(used, 0.01), "seconds": last - start, "idle_mb": idle, "peak_mb": peak,
                "lost": count - found["distinct"], "damaged": found["damaged"], "doubled": found["documents"] - found["distinct"] - found["damaged"]}

    return with_sink(collector, workload, run, items)


def compare(workload, collectors, options):
    """-> collector's name: the figures of all rounds"""
    events = workload.events(options.events // workload.chunk // workload.connections * workload.chunk * workload.connections)
    data, results = forward.messages(workload, events), {}
    for _ in range(options.rounds):
        for collector in collectors:
            if not collector.conf(workload):
                continue
            try:
                result = measure(collector, workload, data, len(events), options.items)
            except (OSError, RuntimeError) as error:
                print("%s: %s: %s" % (workload.name, collector.name, error), file=sys.stderr)
                continue
            results.setdefault(collector.name, []).append(result)
            print("%-42s %-10s %9.0f events a CPU-second, idle %5.1f MB, peak %5.1f MB, lost %d, damaged %d, doubled %d" % (
                workload.name, collector.name, result["per_cpu_second"], result["idle_mb"], result["peak_mb"], result["lost"],
                result["damaged"], result["doubled"]), flush=True)
    return results


def median(rounds, key):
    return statistics.median(result[key] for result in rounds)


def table(all_results, collectors, options):
    answers = "; the server answers each document" if options.items else ""
    lines = ["Events per CPU-second of the whole process, medians of %d rounds of %s events, collectors in turn%s; %s." % (
        options.rounds, format(options.events, ","), answers, machine()), "",
        "| workload | " + " | ".join("%s %s" % (one.name, one.version()) for one in collectors) + " | Flumen : Fluent Bit |",
        "|---|" + "---|" * (len(collectors) + 1)]
    for name, results in all_results.items():
        cells = []
        for one in collectors:
            rounds = results.get(one.name)
            cells.append("%s (%.0f MB)%s" % (format(round(median(rounds, "per_cpu_second"), -3), ",.0f"), median(rounds, "peak_mb"), faults(rounds))
                         if rounds else "")
        both = [results.get(one) for one in ("Flumen", "Fluent Bit")]
        ratio = "%.1f x" % (median(both[0], "per_cpu_second") / median(both[1], "per_cpu_second")) if all(both) else ""
        lines.append("| %s | %s | %s |" % (name, " | ".join(cells), ratio))
    return "\n".join(lines) + "\n"


def faults(rounds):
    sums = [(key, sum(result[key] for result in rounds)) for key in ("lost", "damaged", "doubled")]
    return "".join(", %d %s" % (count, key) for key, count in sums if count)


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = int(open("/proc/meminfo").readline().split()[1]) / (1 << 20)
    return "%s, %d cores, %.0f GB, Linux %s, %s" % (cpu, os.cpu_count(), memory, platform.release().split("-")[0], datetime.date.today())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="workloads, or series of --scaling, whose name holds this")
    parser.add_argument("--items", action="store_true", help="the server answers each document, as a real node does")
    parser.add_argument("--scaling", action="store_true", help="how Flumen's cost grows with chunks, connections, routes, keys, lines, patterns")
    parser.add_argument("--latency", action="store_true", help="how long events of 1,000 connections are on their way, and what a connection takes")
    parser.add_argument("--cores", action="store_true", help="how much more Flumen does on two cores than on one, over one connection and over four")
    parser.add_argument("--out", default=HERE)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    collectors = [one for one in COLLECTORS if one.path()]
    if not collectors:
        sys.exit("no collector is on PATH, and none is named (FLUMEN=target/release/flumen)")
    if options.scaling:
        return scaling.run(collectors[0], measure, machine(), options)
    if options.cores:
        return cores.run(collectors[0], machine(), options)
    if options.latency:
        for one in collectors:
            if one.conf(WORKLOADS[0]):
                print(latency.line("%s %s" % (one.name, one.version()), with_sink(one, WORKLOADS[0], measure_latency)), flush=True)
        return
    results = {workload.name: compare(workload, collectors, options) for workload in WORKLOADS if options.only in workload.name}
    text, file_name = table(results, collectors, options), "results-items" if options.items else "results"
    print("\n" + text)
    with open(os.path.join(options.out, file_name + ".md"), "w") as file:
        file.write(text)
    with open(os.path.join(options.out, file_name + ".svg"), "w") as file:
        bars = {name: {one: median(rounds, "per_cpu_second") for one, rounds in found.items()} for name, found in results.items()}
        versions = ", ".join("%s %s" % (one.name, one.version()) for one in collectors)
        title = "Events per CPU-second" + (", each document answered" if options.items else "")
        file.write(chart.bars(title, "%s; %s" % (versions, machine()), bars))


if __name__ == "__main__":
    main()
