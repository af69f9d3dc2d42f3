"""Reads the file of an offline W&B run back: what W&B would show is what was written."""

import json
import struct

from wandb.proto.wandb_internal_pb2 import Record

HEADER, BLOCK, RECORD = 7, 32 * 1024, struct.Struct("<IHB")  # of the file; of a record: checksum, length, kind


class OfflineRun:
    """One .wandb file, and the media beside it."""

    def __init__(self, path):
        self.files = path.parent / "files"
        self.records = list(read(path))
        starts = self._of("run")
        self.id, self.name, self.group = starts[0].run_id, starts[0].display_name, starts[0].run_group
        self.job_type, self.tags, self.notes = starts[0].job_type, list(starts[0].tags), starts[0].notes
        updates = [one for record in starts for one in record.config.update]
        updates += [one for record in self._of("config") for one in record.update]
        self.config = {one.key: json.loads(one.value_json) for one in updates}
        self.history = [nested(row.item) for row in self._of("history")]
        self.summary = {}
        for record in self._of("summary"):
            merge(self.summary, nested(record.update))
        self.exit_codes = [record.exit_code for record in self._of("exit")]
        self.artifacts = self._of("artifact") + [
            one.log_artifact.artifact for one in self._of("request") if one.HasField("log_artifact")
        ]
        self.preempting = bool(self._of("preempting"))

    def _of(self, kind):
        return [getattr(record, kind) for record in self.records if record.WhichOneof("record_type") == kind]

    def column(self, name):
        """The logged values of one name, in their order."""
        return [row[name] for row in self.history if name in row]

    def table(self, name):
        """The rows of a table that was logged."""
        (entry,) = self.column(name)
        table = json.loads((self.files / entry["path"]).read_text())
        return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


def nested(items):
    """The values of items by their names; names in parts are mappings in mappings."""
    found = {}
    for item in items:
        value = json.loads(item.value_json)
        for part in reversed(list(item.nested_key) or [item.key]):
            value = {part: value}
        merge(found, value)
    return found


def merge(into, new):
    """Puts the values of a mapping into another, deep."""
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def read(path):
    """The records of a .wandb file: a LevelDB log, whose records are split where a block ends."""
    data, at, parts = path.read_bytes(), HEADER, b""
    while at + RECORD.size <= len(data):
        if BLOCK - at % BLOCK < RECORD.size:  # the rest of a block is padding
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = RECORD.unpack_from(data, at)
        parts += data[at + RECORD.size : at + RECORD.size + length]
        at += RECORD.size + length
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def offline_runs(folder):
    """All runs in a folder, in the order of their beginning."""
    return [OfflineRun(path) for path in sorted(folder.glob("**/offline-run-*/*.wandb"))]
