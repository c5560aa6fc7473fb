# SPDX-License-Identifier: Apache-2.0
"""Reads what gray-scott writes: field files, folders of them, networks."""

import json
import os
import re
import struct

import numpy

HEAD = struct.Struct("<8s4IQ4d")
MAGIC = b"GSFIELD1"


class Bad(Exception):
    """Something that the user can mend; the text says how."""


class Field:
    """One file: planes[i, y, x], and what its header says."""

    def __init__(self, path):
        try:
            with open(path, "rb") as f:
                data = f.read()
        except OSError as e:
            raise Bad(f"{path}: {e.strerror}") from e
        if len(data) < HEAD.size or data[:8] != MAGIC:
            raise Bad(f"{path}: not a field file of gray-scott")
        (_, planes, ny, nx, _, self.step, self.time, self.dt, self.feed,
         self.kill) = HEAD.unpack_from(data)
        if len(data) != HEAD.size + 8 * planes * ny * nx:
            raise Bad(f"{path}: {len(data)} bytes do not fit its header: cut short?")
        self.path = path
        self.planes = numpy.frombuffer(data, "<f8", offset=HEAD.size).reshape(
            planes, ny, nx)


def files(folder, kind):
    """{step: path} of the files of a kind ("field", "samples"), by step."""
    found = {}
    for name in os.listdir(folder):
        match = re.fullmatch(kind + r"-(\d+)\.gsf", name)
        if match:
            found[int(match.group(1))] = os.path.join(folder, name)
    return dict(sorted(found.items()))


def runs_below(folder):
    """The folders with field files at or below one; links to folders count."""
    if files(folder, "field"):
        return [folder]
    found = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir():
            found += runs_below(entry.path)
    return found


def members(folder):
    """The folders of the sweep's members.

    index.jsonl has a line a member with its path; without it (a run by hand), all
    folders that hold field files count.
    """
    index = os.path.join(folder, "index.jsonl")
    paths = [folder]
    try:
        if os.path.exists(index):
            with open(index, encoding="utf-8") as f:
                lines = [json.loads(line) for line in f if line.strip()]
            paths = [os.path.join(folder, line["path"]) for line in lines]
        found = [run for path in paths for run in runs_below(path)]
    except OSError as e:
        raise Bad(f"{e.filename}: {e.strerror}") from e
    except (ValueError, KeyError, TypeError) as e:
        raise Bad(f"{index}: not a line a member with its path") from e
    if not found:
        raise Bad(f"{folder}: no field files in it or its sub folders; "
                  "run gray-scott --every N --samples first")
    return found


def replace(path, data):
    """Writes a file whole or not at all."""
    part = path + ".part"
    with open(part, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    os.replace(part, path)


def append_metrics(path, **values):
    """One JSON line; steps of the workflow see the last value of each key."""
    if path:
        with open(path, "a", encoding="utf-8") as f:
            f.write(json.dumps(values) + "\n")
