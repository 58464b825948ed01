"""What is sent and how each document proves that its event arrived whole.

Every event carries its number and a checksum of its other values. The checksum is made anew from the fields of the document, whatever
else a collector adds to it, so that a value cut short, mixed up or lost shows.
"""
import json
import random
import zlib

WORDS = "amber basil cedar delta ember fjord grove hazel inlet jetty knoll lagoon meadow nectar opal pine quartz river slate tundra".split()


class Workload:
    """Events of one kind: their configuration, tags, records and check."""

    def __init__(self, name, conf, make, mode="packed", chunk=1000, connections=1, ack=False):
        self.name, self.conf, self.make = name, conf, make
        self.mode, self.chunk, self.connections, self.ack = mode, chunk, connections, ack

    def events(self, count, seed=1):
        """-> list of (tag, record), chunk by chunk of one tag"""
        rng = random.Random(seed)
        return [self.make(rng, number, number // self.chunk) for number in range(count)]


def checksum(*values):
    return "%08x" % zlib.crc32("|".join(str(value) for value in values).encode())


def text(rng, length):
    words, characters = [], 0
    while characters < length:
        words.append(rng.choice(WORDS))
        characters += len(words[-1]) + 1
    return " ".join(words)[:length].rstrip()


def container(rng, name, log):
    return {"container_id": "%064x" % rng.getrandbits(256), "container_name": "/" + name, "source": rng.choice(["stdout", "stderr"]), "log": log}


def docker(rng, number, _):
    record = container(rng, "shop_1", text(rng, 180))
    record["log"] += " #%x:%s" % (number, checksum(*record.values()))
    return "docker.shop", record


def sized(length, keys=4):
    """Records with so many keys whose text has so many characters."""

    def make(rng, number, _):
        record = container(rng, "shop_1", text(rng, length))
        record.update({"key_%d" % at: text(rng, 20) for at in range(keys - 4)})
        record["log"] += " #%x:%s" % (number, checksum(record["container_id"], record["container_name"], record["source"], record["log"]))
        return "docker.shop", record

    return make


def apache(rng, number, _):
    ip, path = "10.%d.%d.%d" % tuple(rng.randrange(256) for _ in range(3)), "/%s/%s" % (rng.choice(WORDS), rng.choice(WORDS))
    status, size, agent = rng.choice([200, 200, 304, 404]), rng.randrange(1, 99999), "Mozilla/5.0 (X11; Linux x86_64) %s" % text(rng, 30)
    mark = "%x:%s" % (number, checksum(ip, path, status, size, agent))
    line = '%s - ada [14/Nov/2023:22:%02d:%02d +0000] "GET %s?%s HTTP/1.1" %d %d "http://example.com/" "%s"' % (
        ip, number // 60 % 60, number % 60, path, mark, status, size, agent)
    return "web.access", container(rng, "web_1", line)


def service(rng, number, chunk):
    second = "%02d:%02d" % (number // 60 % 60, number % 60)
    if chunk % 2 == 0:
        address, event, query = "10.0.1.%d" % rng.randrange(255), rng.choice(["find_post", "post_create"]), text(rng, 20)
        fields = {"addr": address, "event": event, "level": "info", "message": "Retrieved all posts from the database", "method": "GET",
                  "params": {"page": rng.randrange(9), "query": query}, "path": "/posts?", "request_id": "", "response_status": 200,
                  "service": "post", "timestamp": "2019-12-10 19:" + second}
        fields["request_id"] = "%x:%s" % (number, checksum(address, event, query))
        return "service.post", container(rng, "post_1", json.dumps(fields))
    head = "I, [2019-12-10T19:%s.%06d #1]  INFO -- : service=ui | event=" % (second, rng.randrange(1000000))
    if rng.random() < 0.5:
        message = "Showed the home page with " + text(rng, 12)
        line = head + "show_all_posts | request_id=%x:%s | message='%s'" % (number, checksum(message), message)
    else:
        path, address, status = "/post/%x" % rng.getrandbits(60), "10.0.2.%d" % rng.randrange(255), rng.choice([200, 302, 404])
        line = head + "request | path=%s | request_id=%x:%s | remote_addr=%s | method= GET | response_status=%d" % (
            path, number, checksum(path, address, status), address, status)
    return "service.ui", container(rng, "ui_1", line)


def number_of(document):
    """The event's number, from a document that holds all of its values; None from any other."""
    try:
        if "clientip" in document:
            path, _, mark = document["request"].partition("?")
            values = (document["clientip"], path, document["response"], document["bytes"], document["agent"].strip('"'))
        elif "remote_addr" in document:
            mark, values = document["request_id"], (document["path"], document["remote_addr"], document["response_status"])
        elif "addr" in document:
            mark, values = document["request_id"], (document["addr"], document["event"], document["params"]["query"])
        elif "request_id" in document:
            mark, values = document["request_id"], (document["message"],)
        else:
            log, _, mark = document["log"].rpartition(" #")
            values = (document["container_id"], document["container_name"], document["source"], log)
        number, _, found = mark.partition(":")
        return int(number, 16) if found == checksum(*values) else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


WORKLOADS = [
    Workload("docker, packed", "plain", docker),
    Workload("docker, one event a message", "plain", docker, mode="message"),
    Workload("services: JSON and two-stage grok", "services", service),
    Workload("apache: grok, types, time", "apache", apache),
    Workload("acks and a file buffer", "durable", docker, connections=4, ack=True),
    Workload("1,000 connections, one event a message", "plain", docker, mode="message", chunk=1, connections=1000),
]
