"""The collectors that are compared: where each is, how it is started, and what a running one uses."""
import os
import re
import shutil
import signal
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CONF = os.path.join(HERE, "conf")
TICKS = os.sysconf("SC_CLK_TCK")
# The low bits of a clock's number that make it the CPU time of a process, as Linux counts it when it schedules.
SCHEDULED = 2
FORWARD, SEARCH = 24224, 9209


class Collector:
    """A program, found in the environment or on PATH; its configurations are files of its family."""

    def __init__(self, name, variable, family, suffix, arguments):
        self.name, self.variable, self.family, self.suffix, self.arguments = name, variable, family, suffix, arguments

    def path(self):
        return os.environ.get(self.variable) or shutil.which(self.name.lower().replace(" ", "-"))

    def conf(self, workload):
        path = os.path.join(CONF, "%s-%s%s" % (self.family, workload.conf, self.suffix))
        return path if os.path.exists(path) else None

    def version(self):
        out = subprocess.run([self.path(), "--version"], capture_output=True, text=True, timeout=60).stdout
        found = re.search(r"\d+\.\d+\.\d+", out)
        return found.group() if found else "?"

    def command(self, conf, work):
        """Starts in a folder of its own, with a configuration that names that folder."""
        text = open(conf).read().replace("@WORK@", work).replace("@CONF@", CONF)
        own = os.path.join(work, "collector" + self.suffix)
        with open(own, "w") as file:
            file.write(text)
        return [self.path()] + [argument.replace("@", own) for argument in self.arguments]


COLLECTORS = [
    Collector("Flumen", "FLUMEN", "flumen", ".conf", ["-c", "@"]),
    Collector("Fluent Bit", "FLUENT_BIT", "fluent-bit", ".conf", ["-c", "@"]),
    Collector("Vector", "VECTOR", "vector", ".yaml", ["--config", "@"]),
    Collector("Fluentd", "FLUENTD", "flumen", ".conf", ["-c", "@"]),
]


def listens(port, process, seconds):
    end = time.time() + seconds
    while time.time() < end:
        if process.poll() is not None:
            raise RuntimeError("it ended with %s before it listened" % process.returncode)
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("nothing listens on port %d" % port)


def cpu_seconds_of(pid):
    """What all threads of a process have used, those that have ended too: by its clock, in nanoseconds, or else in ticks."""
    try:
        return time.clock_gettime(~pid << 3 | SCHEDULED)
    except OSError:
        pass
    try:
        fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    except OSError:
        return 0


class Running:
    """A collector at work: its process and those that it has started."""

    def __init__(self, command, log):
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True)

    def family(self):
        children = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                fields = open("/proc/%s/stat" % name).read().rsplit(")", 1)[1].split()
                children.setdefault(int(fields[1]), []).append(int(name))
            except OSError:
                pass
        found, todo = [], [self.process.pid]
        while todo:
            found.append(todo.pop())
            todo += children.get(found[-1], [])
        return found

    def cpu_seconds(self):
        return sum(map(cpu_seconds_of, self.family()))

    def memory_mb(self, key):
        kilobytes = 0
        for pid in self.family():
            try:
                lines = open("/proc/%d/status" % pid).read().splitlines()
                kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith(key + ":"))
            except OSError:
                pass
        return kilobytes / 1024

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(12)
                return
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
