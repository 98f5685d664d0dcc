"""A project whose records carry a mark, and a watch over all that is seen of what runs there."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import sys
import tempfile
import traceback
import warnings
import zipfile
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
from click.testing import CliRunner

import privacy_gate
from privacy_gate.cli import main
from privacy_gate.fixtures import load_fixtures
from privacy_gate.fixtures.reference import Reading

COUNT = 160
"""Records of a side."""
CLASSES = 4
HOLDS_RECORDS = {".npz", ".npy", ".csv", ".parquet", ".jsonl", ".safetensors", ".png", ".tif"}


class Watch:
    """A project directory, and all that is seen of what runs there."""

    def __init__(self, folder, mark, capfd):
        self.folder, self.mark = folder, mark
        # eleven digits that float32 holds exactly
        self.number = (2**23 + zlib.crc32(mark.encode()) % 2**23) * 4096
        self._capfd = capfd
        self._log = io.StringIO()

    @contextlib.contextmanager
    def watching(self):
        """Warnings, and what is logged at any level."""
        handler = logging.StreamHandler(self._log)
        root = logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        path = list(sys.path)
        try:
            with contextlib.chdir(self.folder), warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield self
        finally:
            sys.path[:] = path
            root.removeHandler(handler)
            root.setLevel(level)
        shown = [
            warnings.formatwarning(w.message, w.category, w.filename, w.lineno) for w in caught
        ]
        self.check("".join(shown), "warnings")
        self.check(self._log.getvalue(), "log")
        self.check_files()

    def command(self, *arguments):
        """The exit code of a command whose output holds no mark."""
        finished = CliRunner().invoke(main, [str(argument) for argument in arguments])
        captured = self._capfd.readouterr()
        if finished.exc_info is not None and not isinstance(finished.exception, SystemExit):
            self.check("".join(traceback.format_exception(*finished.exc_info)), arguments)
        self.check(finished.output + finished.stderr + captured.out + captured.err, arguments)
        return finished.exit_code

    def call(self, function, *arguments, **options):
        """What a call from Python prints when nobody catches its exception."""
        try:
            return function(*arguments, **options)
        except Exception as error:
            self.check("".join(traceback.format_exception(error)), function.__name__)
            return None

    def check(self, text, where):
        """However it is wrapped, escaped or grouped."""
        plain = re.sub(r"[^a-z0-9]", "", text.lower())
        for secret in (self.mark, str(self.number)):
            at = plain.find(secret)
            assert at < 0, f"{where} shows {plain[max(0, at - 200) : at + 60]}"

    def check_files(self):
        """No file but those that are meant to hold records holds the mark."""
        for path in self.folder.rglob("*"):
            if path.is_file() and path.suffix not in HOLDS_RECORDS and path.suffix != ".py":
                self.check(path.read_bytes().decode("latin-1"), path.name)
                if zipfile.is_zipfile(path):
                    with zipfile.ZipFile(path) as archive:
                        for name in archive.namelist():
                            self.check(archive.read(name).decode("latin-1"), path.name)


@contextlib.contextmanager
def watched(mark, capfd):
    """A project in a directory of its own, which is the current one."""
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(Path(folder).resolve(), mark, capfd)
        with mock.patch.dict(os.environ), watch.watching():
            os.environ.pop("PRIVACY_GATE_KEY", None)
            yield watch


def use_everything(watch, *, root=None):
    """Every command that can be given a set of fixtures, its configuration or its directory."""
    place = () if root is None else ("--root", root)
    codes = {
        "verify": watch.command("fixtures", "verify", "set", *place),
        "inspect": watch.command("fixtures", "inspect", "set"),
        "json": watch.command("fixtures", "inspect", "set", "--json"),
        "run": watch.command("run", "--output", "out", "--cache", "kept"),
        "doctor": watch.command("doctor", "--show-batch"),
        "explain": watch.command("explain"),
        "plan": watch.command("plan"),
        "init": watch.command("init", "-o", "drafted.yaml"),
    }
    watch.call(privacy_gate.run, "privacy_gate.yaml")
    reading = None if root is None else Reading(Path(root))
    found = watch.call(load_fixtures, Path("set"), root=watch.folder, reading=reading)
    if found is not None:
        watch.call(found.records.take, np.arange(2 * COUNT))
    codes["rekey"] = watch.command("fixtures", "rekey", "set")
    return codes


def save_model(path):
    """Logits are the first four inputs; the other output is all five."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.eye(CLASSES, 5, dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w"], ["logits"], transB=1),
            helper.make_node("Identity", ["x"], ["all"]),
        ],
        "first",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 5])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in ("logits", "all")
        ],
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(
        helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), path
    )


def configure(folder, *, preprocess=None, signals=None, **fixtures):
    """The model and a configuration; with ``signals`` that of a custom task."""
    save_model(folder / "model.onnx")
    content = {
        "version": 1,
        "name": "marked",
        "model": {
            "format": "onnx",
            "path": "model.onnx",
            "output": {"name": "all"} if signals else {"name": "logits", "kind": "logits"},
            "preprocess": preprocess or {"mean": [0.0] * 5},
        },
        "fixtures": {"path": "set", **fixtures},
        "attacks": ["loss" if signals is None else "own"],
        "budgets": [{"metric": "auc", "max": 0.9}],
    }
    if signals is not None:
        content |= {"task": "custom", "signals": signals}
    (folder / "privacy_gate.yaml").write_text(json.dumps(content))  # JSON is YAML
