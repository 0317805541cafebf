#!/usr/bin/env python3
"""Reads a log by what docs/internals/format.md says, and nothing else.

usage: reader.py DIR

Prints a line for each commit, then one for the head. It knows nothing of the Go code; a test compares the two.

It does not read archives, for want of zstd in Python's standard library before 3.14, and says so. Unpacked with
`zstd -dc`, they are the segments that were in `sealed`, one after the other.
"""
import hashlib
import os
import struct
import sys

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(*parts):
    crc = 0xFFFFFFFF
    for part in parts:
        for byte in part:
            crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def uvarint(b, at):
    value = shift = 0
    while True:
        value |= (b[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if b[at - 1] < 0x80:
            return value, at


def read_format(path):
    with open(path, "rb") as f:
        text = f.read()
    body, crc = text[: text.rindex(b"crc ")], text[text.rindex(b"crc ") + 4 :]
    assert int(crc, 16) == crc32c(body), "FORMAT is damaged"
    title, version, log_id = body.decode().splitlines()
    assert title == "queuectl log" and version == "format 1"
    return bytes.fromhex(log_id.removeprefix("id "))


def segments(directory):
    archive = os.path.join(directory, "archive")
    if os.path.isdir(archive) and any(name.endswith(".zst") for name in os.listdir(archive)):
        sys.exit("the oldest segments are in " + archive + ", which this program does not read")
    found = {}
    for sub in ("log", "sealed"):
        path = os.path.join(directory, sub)
        for name in os.listdir(path) if os.path.isdir(path) else ():
            if len(name) == 20 and name.isdigit():
                assert name not in found, "segment is there twice"
                found[name] = os.path.join(path, name)
    return sorted(found.items())


def beginning(directory, log_id):
    """The hash, commit and position that the first commit of the log follows."""
    path = os.path.join(directory, "base")
    names = [n for n in os.listdir(path) if n[:20].isdigit() and n[20:] in ("", ".copy")] if os.path.isdir(path) else []
    if not names:
        return log_id + bytes(16), 0, 0
    newest = max(n[:20] for n in names)
    with open(os.path.join(path, min(n for n in names if n[:20] == newest)), "rb") as f:
        header = f.read(128)
    assert header[:8] == bytes.fromhex("a751534e01008000") and header[8:24] == log_id
    assert struct.unpack("<I", header[124:])[0] == crc32c(header[:124]), "the header of the base is damaged"
    commit, position = struct.unpack_from("<QQ", header, 40)
    assert commit == int(newest)
    return header[64:96], commit, position


def text_fields(b):
    """The fields of a protobuf message of strings and varints."""
    at, fields = 0, {}
    while at < len(b):
        key, at = uvarint(b, at)
        value, at = uvarint(b, at)
        if key & 7 == 2:
            value, at = b[at : at + value].decode(), at + value
        fields[key >> 3] = value
    return fields


def main(directory):
    log_id = read_format(os.path.join(directory, "log", "FORMAT"))
    previous, commit, position = beginning(directory, log_id)
    for name, path in segments(directory):
        assert int(name) == commit + 1, "gap before " + name
        with open(path, "rb") as f:
            data = f.read()
        at = 0
        while at < len(data):
            size, start = uvarint(data, at)
            frame = data[start : start + size]
            magic, version, flags, header, number, first, time, synced, before, events, body = struct.unpack_from(
                "<4sBBHQQqQ32sII", frame
            )
            assert (magic, version, flags) == (b"\xa7QLF", 1, 0)
            assert header >= 80 and header + body + 4 == size == len(frame)
            seed = log_id + struct.pack("<QQ", int(name), at)
            assert struct.unpack("<I", frame[-4:])[0] == crc32c(seed, frame[:-4]), "checksum"
            assert (number, first, before) == (commit + 1, position + 1, previous) and synced <= commit
            length, i = uvarint(frame, header)
            meta, i = text_fields(frame[i : i + length]), i + length
            line = [number, first, time, synced, *(meta.get(n, "") for n in range(1, 8))]
            for _ in range(events):
                kind, i = uvarint(frame, i)
                length, i = uvarint(frame, i)
                line.append("%d:%s" % (kind, frame[i : i + length].hex()))
                i += length
            assert i == size - 4, "bytes follow the last event"
            print("|".join(map(str, line)))
            previous, commit, position = hashlib.sha256(frame[:-4]).digest(), number, position + events
            at = start + size
    print("head", commit, position, previous.hex())


if __name__ == "__main__":
    main(sys.argv[1])
