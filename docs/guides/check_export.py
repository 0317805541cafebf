#!/usr/bin/env python3
"""Checks what 'queuectl log export' printed, from that alone.

usage: check_export.py [FILE ...]      prints the head that each file proves or what is wrong; then the exit code is 1

Of each commit, 'frame' is the truth: the bytes whose SHA-256 the next commit carries. This program decodes them by
docs/internals/format.md and job/event.proto, and makes of them the whole line anew: every word of a line must be the
one that its bytes say. It needs nothing but Python 3, and knows nothing of the Go code.
"""
import base64
import codecs
import datetime
import hashlib
import json
import struct
import sys

codecs.register_error("each", lambda e: ("\ufffd" * (e.end - e.start), e.end))  # a mark for each byte, as in the export
WHY = "none exit signal timeout retries crashes on_crash stop error not_started snooze dependency deadline".split()
MISSED, OVERLAP = "skip once all".split(), "allow skip".split()
SKIP = "none missed overlap queue_full exists refused".split()
STATE = "none pending processing completed failed dead cancelled".split()


def uvarint(b, at):
    value = shift = 0
    while True:
        value |= (b[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if b[at - 1] < 0x80:
            return value, at


class Message:
    """A protobuf message: the values of each field, as they stand there."""

    def __init__(self, b):
        self.all, at = {}, 0
        while at < len(b):
            key, at = uvarint(b, at)
            if key & 7 == 0:
                value, at = uvarint(b, at)
            else:
                size, at = {1: (8, at), 5: (4, at)}.get(key & 7) or uvarint(b, at)
                value, at = b[at : at + size], at + size
            self.all.setdefault(key >> 3, []).append(value)

    def has(self, n):
        return n in self.all

    def uint(self, n):
        return self.all.get(n, [0])[-1]

    def int(self, n):
        return (self.uint(n) + (1 << 63)) % (1 << 64) - (1 << 63)

    def sint(self, n):
        return self.uint(n) >> 1 ^ -(self.uint(n) & 1)

    def fixed(self, n, form):
        return struct.unpack(form, self.all[n][-1])[0] if self.has(n) else 0

    def bytes(self, n):
        return self.all.get(n, [b""])[-1]

    def text(self, n):
        return self.bytes(n).decode("utf-8", "each")

    def texts(self, n):
        return [v.decode("utf-8", "each") for v in self.all.get(n, [])]

    def uints(self, n):
        """The numbers of a list that is packed into one field."""
        data, at, list = self.bytes(n), 0, []
        while at < len(data):
            number, at = uvarint(data, at)
            list.append(number)
        return list

    def map(self, n):
        return {m.text(1): m.text(2) for m in map(Message, self.all.get(n, []))}

    def moment(self, n):
        return moment(self.fixed(n, "<q"))


def rfc3339(ns):
    second, rest = divmod(ns, 10**9)
    text = (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=second)).isoformat()
    return text + (".%09d" % rest).rstrip("0").rstrip(".") + "Z"


def moment(ns):
    return rfc3339(ns) if ns else None


def number(x):
    """A float as JSON has it: without a fraction, it is an integer."""
    return int(x) if x == int(x) and abs(x) < 1e21 else x


def duration(ns):
    if abs(ns) < 10**9:
        for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)):
            if abs(ns) >= size:
                return decimal(ns, size) + unit
        return "0"
    minutes, rest = divmod(ns, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = "%dh%dm" % (hours, minutes) if hours else "%dm" % minutes if minutes else ""
    text += decimal(rest, 10**9) + "s"
    for end in ("m0s", "h0m"):
        text = text[:-2] if text.endswith(end) else text
    return text


def decimal(n, size):
    return "%d" % (n // size) + (".%0*d" % (len(str(size)) - 1, n % size)).rstrip("0").rstrip(".")


def spec(m):
    some = dict(argv=m.texts(10), secret_env=m.texts(36), kind=m.text(8), env=m.map(16), tags=m.map(15), cwd=m.text(17), stdin=m.text(18))
    some["concurrency_key"] = m.text(21)
    some["on_crash"] = ("", "dead")[m.uint(7)]
    some["unique_key"] = m.text(22)
    some["unique_scope"] = "waiting" if m.uint(23) else duration(m.int(24)) if m.int(24) else ""
    some = {name: value for name, value in some.items() if value}
    if m.has(25):
        on = m.all.get(26, [0])
        some["after"] = m.all[25]
        some["after_on"] = [("success", "failure", "any")[o] for o in (on * len(m.all[25]) if len(on) == 1 else on)]
    if m.uint(27):
        some["on_parent_failure"] = ("", "cancel", "release")[m.uint(27)]
    for name, n in ("retry_on", 29), ("dead_on", 30), ("snooze_on", 31):
        if m.has(n):
            some[name] = m.all[n]
    if m.has(28):
        some["backoff"] = m.text(28)
    for name, n in ("timeout", 11), ("backoff_max", 13), ("snooze", 32):
        if m.has(n):
            some[name] = duration(m.int(n))
    for name, n in ("backoff_base", 12), ("backoff_jitter", 14):
        if m.has(n):
            some[name] = number(m.fixed(n, "<d"))
    for name, n in ("payload", 9), ("extra", 20), ("on_complete", 33), ("on_dead", 34):
        if m.has(n):
            some[name] = json.loads(m.text(n), object_pairs_hook=pairs)
    if m.has(37):
        some["deadline"] = duration(m.int(37))
    if m.has(35):
        some["deadline"] = rfc3339(m.fixed(35, "<q"))
    if m.has(19):
        some["created_at"] = rfc3339(m.fixed(19, "<q"))
    retries = m.uint(6) if m.has(6) else None
    return dict(some, id=m.text(1), command=m.text(2) or None, queue=m.text(3) or "default", priority=m.sint(4), max_retries=retries)


def rate(jobs, per):
    units = {10**9: "s", 60 * 10**9: "m", 3600 * 10**9: "h"}
    return "%d/%s" % (jobs, units.get(per) or duration(per)) if jobs else None


def cron(m):
    job = spec(Message(m.bytes(6)))
    del job["id"]
    return dict(name=m.text(1), schedule=m.text(2), zone=m.text(3), missed=MISSED[m.uint(4)], overlap=OVERLAP[m.uint(5)], job=job)


def edited(m, n):
    """One side of an edit: the fields that it changes."""
    side = Message(m.bytes(n))
    said = spec(side)
    said["due"] = side.moment(5)
    return {name: said.get(name) for name in m.texts(2)}


def result(m, **data):
    r = Message(b"".join(m.all.get(3, [])))
    if not any(any(v) if isinstance(v, bytes) else v for values in r.all.values() for v in values[-1:]):
        return data
    start, cpu = r.fixed(1, "<q"), r.int(5)
    return dict(
        data, exit_code=None if r.int(4) else r.sint(3), signal=r.int(4) or None, started_at=moment(start),
        finished_at=moment(start + r.sint(2)), cpu_seconds=number(cpu // 10**9 + cpu % 10**9 / 1e9), max_rss_bytes=r.int(6),
        output_bytes=r.int(7), output_tail=r.text(8), left_behind=bool(r.uint(9)),
    )  # fmt: skip


KINDS = {
    1: ("LogCreated", lambda m: dict(log_id=m.bytes(1).hex(), format=m.uint(2), level=m.uint(3))),
    3: ("LogRepaired", lambda m: dict(segment=m.text(1), offset=m.int(2), size=m.int(3), crc32c=m.fixed(4, "<I"), quarantine=m.text(5), verdict=m.text(6), accepted=m.text(7) or None,
                                         first_commit=m.uint(8) or None, last_commit=m.uint(9) or None, first_position=m.uint(10) or None, last_position=m.uint(11) or None, events=m.uint(12))),
    4: ("ClockStepped", lambda m: {"from": m.moment(1), "to": m.moment(2)}),
    5: ("LogRestored", lambda m: dict(commit=m.uint(1), sha256=m.bytes(2).hex(), backup_at=m.moment(3), **{"from": m.text(4) or None})),
    6: ("ArchivePruned", lambda m: dict(first_commit=m.uint(1), last_commit=m.uint(2), first_position=m.uint(3), last_position=m.uint(4), sha256=m.bytes(5).hex(), base_sha256=m.bytes(6).hex())),
    10: ("ConfigSet", lambda m: dict(key=m.text(1), old=m.text(2) or None, new=m.text(3))),
    11: ("ConfigUnset", lambda m: dict(key=m.text(1), old=m.text(2))),
    20: ("JobEnqueued", lambda m: dict(spec=spec(m), due=m.moment(5))),
    21: ("JobClaimed", lambda m: dict(worker=m.uint(2))),
    22: ("JobCompleted", lambda m: result(m, run=m.uint(2))),
    23: ("JobFailed", lambda m: result(m, run=m.uint(2), why=WHY[m.uint(4)], next_attempt_at=m.moment(5))),
    24: ("JobDied", lambda m: result(m, run=m.uint(2) or None, why=WHY[m.uint(4)], failure=WHY[m.uint(5)] if m.uint(5) else None, parent=m.uint(6) or None)),
    25: ("RunLost", lambda m: dict(run=m.uint(2), worker=m.uint(3))),
    26: ("RunReturned", lambda m: dict(run=m.uint(2), why=WHY[m.uint(3)], due=m.moment(4))),
    27: ("JobRetried", lambda m: {"from": STATE[m.uint(2)], "reset": bool(m.uint(3)), "deadline_lifted": bool(m.uint(5)), "due": m.moment(4)}),
    28: ("JobCancelled", lambda m: result(m, run=m.uint(2) or None, parent=m.uint(4) or None)),
    29: ("KillRequested", lambda m: dict(run=m.uint(2), signal=m.int(3), cancel=bool(m.uint(4)))),
    30: ("JobHeld", lambda m: {}),
    31: ("JobReleased", lambda m: {}),
    32: ("JobEdited", lambda m: {"old": edited(m, 3), "new": edited(m, 4)}),
    33: ("JobsForgotten", lambda m: dict(queue=m.text(1), state=STATE[m.uint(2)], through=m.uint(3), jobs=m.uint(4))),
    34: ("JobsPurged", lambda m: dict(jobs=m.uints(1) or None)),
    40: ("WorkerStarted", lambda m: dict(id=m.text(1), slots=m.uint(2), queues=m.texts(3) or None, kinds=m.texts(4) or None, shell=bool(m.uint(5)))),
    41: ("WorkerStopped", lambda m: dict(worker=m.uint(1), why=m.text(2))),
    42: ("StopRequested", lambda m: dict(worker=m.uint(1) or None, now=bool(m.uint(2)))),
    43: ("WorkerLost", lambda m: dict(worker=m.uint(1))),
    50: ("QueuePaused", lambda m: dict(queue=m.text(1))),
    51: ("QueueResumed", lambda m: dict(queue=m.text(1))),
    52: ("QueueLimited", lambda m: dict(queue=m.text(1), concurrency=m.uint(2) or None, rate=rate(m.uint(3), m.uint(4)))),
    60: ("CronAdded", lambda m: dict(cron(Message(m.bytes(1))), next=m.moment(2))),
    61: ("CronChanged", lambda m: dict(cron=m.uint(1), paused=bool(m.uint(2)), next=m.moment(3), new=cron(Message(m.bytes(4))) if m.has(4) else None)),
    62: ("CronRemoved", lambda m: dict(cron=m.uint(1))),
    63: ("CronTicked", lambda m: dict(cron=m.uint(1), tick=m.moment(2), since=m.moment(3), made=m.uint(4) or None, skip=SKIP[m.uint(5)] if m.uint(5) else None, next=m.moment(6))),
}


def event(position, kind, b, ids):
    """An event as the export has it. ids are those of the jobs that were enqueued in the export."""
    name, data = KINDS.get(kind, ("Kind(%d)" % kind, lambda m: dict(number=kind, bytes=b.hex())))
    m = Message(b) if kind in KINDS else None
    key = m.uint(1) if 21 <= kind <= 32 and m else None
    if kind == 20:
        key, ids[position] = position, m.text(1)
    return dict(position=position, kind=name, number=kind, job=ids.get(key), job_position=key or None, data=data(m))


def line_of(frame, ids):
    """The line that a frame makes."""
    magic, version, flags, header, commit, first, time, synced, prev, count, size = struct.unpack_from("<4sBBHQQqQ32sII", frame)
    assert (magic, version, flags) == (b"\xa7QLF", 1, 0) and header >= 80 and header + size == len(frame), "its frame is none"
    length, at = uvarint(frame, header)
    meta, at, events = Message(frame[at : at + length]), at + length, []
    for position in range(first, first + count):
        kind, at = uvarint(frame, at)
        length, at = uvarint(frame, at)
        events.append(event(position, kind, frame[at : at + length], ids))
        at += length
    assert at == len(frame), "bytes follow its last event"
    actor = dict(user=meta.text(1), host=meta.text(2), pid=meta.uint(3), program=meta.text(4), dir=meta.text(6), path=meta.text(7))
    return dict(
        commit=commit, position=first, time=rfc3339(time), time_ns=str(time), synced_through=synced, prev=prev.hex(),
        sha256=hashlib.sha256(frame).hexdigest(), actor=actor, reason=meta.text(5) or None, events=events,
        frame=base64.b64encode(frame).decode(),
    )  # fmt: skip


def pairs(items):
    """A JSON object; one that has a name twice is no object, so that it cannot say two things."""
    return dict(items) if len(dict(items)) == len(items) else items


def difference(path, said, true):
    """The first place where a line says something else than its frame."""
    if isinstance(said, dict) and isinstance(true, dict):
        for name in list(true) + [n for n in said if n not in true]:
            if name not in said or name not in true:
                return "%s.%s is %s" % (path, name, "missing" if name in true else "not in the frame")
            if found := difference(path + "." + name, said[name], true[name]):
                return found
    elif isinstance(said, list) and isinstance(true, list) and len(said) == len(true):
        for i, both in enumerate(zip(said, true)):
            if found := difference("%s[%d]" % (path, i), *both):
                return found
    elif json.dumps(said) != json.dumps(true):
        return "%s is %.60s, but its frame says %.60s" % (path, json.dumps(said), json.dumps(true))


def check(lines):
    begin = json.loads(next(lines), object_pairs_hook=pairs)
    assert begin["export"] == 1 and begin["format"] == 1, "this program is too old for it"
    origin, head = begin["from"], begin["head"]
    commit, position, prev = origin["commit"], origin["position"], origin["prev"]
    if commit == 1:
        assert (position, prev) == (1, begin["log_id"] + 32 * "0"), "the first line: the log begins otherwise"
    ids, unknown = {}, 0
    for text in lines:
        said = json.loads(text, object_pairs_hook=pairs)
        true = line_of(base64.b64decode(said["frame"], validate=True), ids)
        for e, claimed in zip(true["events"], said["events"]):
            if e["job_position"] and e["job_position"] < origin["position"]:
                e["job"], unknown = claimed["job"], unknown + 1  # its name stands before the export
        where = "commit %d stands where %d must" % (true["commit"], commit) if true["commit"] != commit else ""
        where = where or (true["prev"] != prev and "commit %d does not follow the one before it (hash chain)" % commit)
        assert not where, where
        assert true["position"] == position and true["synced_through"] < commit, "commit %d is not where it must be" % commit
        assert not difference("", said, true), "commit %d: %s" % (commit, difference("", said, true))
        commit, position, prev = commit + 1, position + len(true["events"]), true["sha256"]
    reached = dict(commit=commit - 1, position=position - 1, sha256=prev)
    assert reached == head, "it ends with commit %d, but its head is commit %d" % (commit - 1, head["commit"])
    known = dict(export=1, log_id=begin["log_id"], format=1, head=reached)
    assert begin == dict(known, **{"from": dict(commit=origin["commit"], position=origin["position"], prev=origin["prev"])}), "the first line says more"
    return begin, unknown


def report(source):
    """What is to be said of an export, and whether it is sound."""
    read = 0

    def lines():
        nonlocal read
        for line in source:
            read += 1
            yield line

    try:
        begin, unknown = check(lines())
    except StopIteration:
        return "wrong: it is empty", False
    except AssertionError as e:
        return "wrong: line %d: %s" % (read, e), False
    except Exception as e:  # nothing that is made like an export ends here
        return "wrong: line %d: it cannot be read (%s: %s)" % (read, type(e).__name__, e), False
    said = ["sound: commits %d to %d of log %s" % (begin["from"]["commit"], begin["head"]["commit"], begin["log_id"])]
    said.append("begins after: %s" % begin["from"]["prev"])
    said.append("head: commit %(commit)d, position %(position)d, sha256 %(sha256)s" % begin["head"])
    if begin["from"]["commit"] > 1:
        said.append("not checked: the id of the log, which its first commit follows")
    if unknown:
        said.append("not checked: the ids of jobs that were enqueued before the export, in %d events" % unknown)
    return "\n".join(said), True


def main(paths):
    all_sound = True
    for path in paths or [0]:
        with open(path, encoding="utf-8") as source:
            said, sound = report(source)
        print(path + ":" if len(paths) > 1 else "", said, sep="\n" if len(paths) > 1 else "")
        all_sound = all_sound and sound
    sys.exit(0 if all_sound else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
