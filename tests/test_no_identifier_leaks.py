"""No identifier, value or path of a record in anything that is printed, logged or written.

Generated fixture sets whose identifiers, groups, dates, texts, file names and values all carry a
mark are driven, whole or broken, through every face of the tool. Only files that are meant to hold
records may hold the mark.
"""

from __future__ import annotations

import contextlib
import csv
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from gate_project import write_module
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from plugin_project import Project
from record_watch import CLASSES, COUNT, Watch, configure, use_everything, watched

from privacy_gate.fixtures import build_from_sides, inspect

letters = st.text(alphabet="bcdfghjklmnpqrtvwxz", min_size=12, max_size=12)
examples = settings(
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


# --------------------------------------------------------------------------------- records at hand


def columns(watch, side):
    """Columns of one side; the number is in every record."""
    random = np.random.default_rng(side)
    y = np.resize(np.arange(CLASSES), COUNT)
    rows = np.arange(COUNT) + side * COUNT
    x = random.normal(0, 0.4, (COUNT, 5))
    x[rows - side * COUNT, y] += 1
    x[:, 4] = watch.number
    return {
        "x": x,
        "y": y,
        "note": np.array([f"{watch.mark} {row}" for row in rows]),
        "id": np.array([f"{watch.mark}-{row}" for row in rows]),
        "patient": np.array([f"{watch.mark}/{row // 2}" for row in rows]),
        "day": np.array([f"{watch.mark}:{row}" for row in rows]),
    }


def write_columns(path, held):
    """One side, in the format that the suffix says."""
    if path.suffix == ".npz":
        np.savez(path, **held)
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        plain = {name: array.tolist() for name, array in held.items()}
        pq.write_table(pa.table(plain), path)
    else:
        raise AssertionError(path)


def put(name, row, value):
    def change(held, watch):
        held[name] = held[name].astype(object)
        held[name][row] = value(watch)
        held[name] = np.array(held[name].tolist())

    return change


def fill(name, value):
    def change(held, watch):
        held[name] = value(held, watch)

    return change


BROKEN = {
    "whole": lambda held, watch: None,
    "an identifier twice": put("id", 3, lambda watch: f"{watch.mark}-{COUNT + 4}"),
    "an identifier on both sides": put("id", 3, lambda watch: f"{watch.mark}-4"),
    "no identifier": put("id", 3, lambda watch: ""),
    "a group on both sides": put("patient", 3, lambda watch: f"{watch.mark}/0"),
    "a number that is none": put("x", 3, lambda watch: [watch.number, np.nan, 0, 0, 0]),
    "a label out of range": put("y", 3, lambda watch: watch.number),
    "a text among the labels": put("y", 3, lambda watch: watch.mark),
    "identifiers that are numbers": fill("id", lambda held, watch: watch.number + np.arange(COUNT)),
    "numbers with a fraction as labels": fill("y", lambda held, watch: held["y"] + 0.5),
    "other inputs": fill("x", lambda held, watch: held["note"]),
    "a content on both sides": fill("x", lambda held, watch: columns(watch, 0)["x"]),
    "objects": fill("day", lambda held, watch: np.array([{watch.mark}] * COUNT, object)),
}


@given(
    mark=letters,
    suffix=st.sampled_from([".npz", ".parquet"]),
    fault=st.sampled_from(sorted(BROKEN)),
    roles=st.sets(st.sampled_from(["id", "group", "date"])),
)
@example(mark="zqmarkq", suffix=".npz", fault="whole", roles={"id", "group", "date"})
@example(mark="zqmarkq", suffix=".npz", fault="a label out of range", roles=set())
@settings(examples, max_examples=12)
def test_records_that_are_held(mark, suffix, fault, roles, capfd):
    with watched(mark, capfd) as watch:
        options = {"id": "id", "group": "patient", "date": "day"}
        kept = {"x", "y", "note", *(options[role] for role in roles)}
        for side, name in enumerate(("members", "nonmembers")):
            held = columns(watch, side)
            if side:
                BROKEN[fault](held, watch)
            held = {column: array for column, array in held.items() if column in kept}
            try:
                write_columns(Path(f"{name}{suffix}"), held)
            except Exception:  # what parquet cannot hold
                return
        given_roles = [text for role in roles for text in (f"--{role}", options[role])]
        code = watch.command(
            "fixtures", "build", "--members", f"members{suffix}", "--nonmembers",
            f"nonmembers{suffix}", "--label", "y", "--label", "note", *given_roles, "-o", "set",
        )  # fmt: skip
        configure(watch.folder)
        codes = use_everything(watch)
        if fault == "whole":
            assert code == 0
            assert codes["run"] in (0, 3)
            assert codes["verify"] == codes["inspect"] == codes["rekey"] == codes["init"] == 0
            assert (watch.folder / "out" / "report.html").exists()


# ----------------------------------------------------------------- records that are referred to

LOADERS = {
    "none": "",
    "quotes its path": "raise ValueError(f'cannot read {path}')",
    "quotes what it read": "raise KeyError(path.read_bytes())",
    "names columns after records": "return {path.stem: numbers(path)}",
    "names a column after a record": "return {'x': numbers(path), path.stem: numbers(path)}",
    "returns text": "return {path.stem: path.name}",
    "returns NaN": "return numbers(path) * float('nan')",
    "returns shapes that depend on the record": "return numbers(path)[: 2 + hash(path.name) % 3]",
    "is right": "return numbers(path)",
}
PREPROCESS = """
def first(x):
    return x.reshape(len(x), -1)[:, :5].astype("float32") / 255
"""
LOADER = """
import numpy as np
from PIL import Image

def numbers(path):
    pixels = np.asarray(Image.open(path)).reshape(-1).astype(np.float32)
    return pixels[:5] / 255

def load(path):
    {body}
"""


def write_files(watch, side, suffix):
    """Files with the mark in every name and in what a TIFF says of itself; rows of a table."""
    random = np.random.default_rng(side)
    rows = []
    for row in range(side * COUNT, (side + 1) * COUNT):
        label = row % CLASSES
        pixels = random.integers(0, 90, (1, 5, 3), dtype=np.uint8)
        pixels.reshape(-1)[label] += 150
        name = f"{watch.mark} {row // 20}/scan-{watch.mark}-{row}{suffix}"
        path = watch.folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {270: watch.mark} if suffix == ".tif" else {}
        Image.fromarray(pixels).save(path, **({"tiffinfo": about} if about else {}))
        rows.append((name, label, f"{watch.mark}-{row}", f"{watch.mark}/{row // 2}"))
    return rows


def remove(path, watch):
    path.unlink()


def shorten(path, watch):
    path.write_bytes(path.read_bytes()[:-20])


def replace(path, watch):
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(path)


def make_directory(path, watch):
    path.unlink()
    path.mkdir()


def make_forbidden(path, watch):
    path.unlink()
    path.symlink_to(path)


SPOILED = {
    "nothing": lambda path, watch: None,
    "missing": remove,
    "shortened": shorten,
    "another": replace,
    "a directory": make_directory,
    "a link to itself": make_forbidden,
}
TABLES = {
    "whole": lambda rows, watch: None,
    "no header": lambda rows, watch: rows.pop(0),
    "a path out of the directory": lambda rows, watch: rows.append(
        (f"../{watch.mark}.png", 1, f"{watch.mark}-a", f"{watch.mark}-a")
    ),
    "a file that is not there": lambda rows, watch: rows.append(
        (f"{watch.mark}.png", 1, f"{watch.mark}-a", f"{watch.mark}-a")
    ),
    "a file of no known type": lambda rows, watch: rows.insert(
        1, (f"x.{watch.mark}", 1, f"{watch.mark}-a", f"{watch.mark}-a")
    ),
    "a short row": lambda rows, watch: rows.append((watch.mark,)),
    "a row that ends in a quote": lambda rows, watch: rows.append((watch.mark, '"', "", "")),
    "an identifier twice": lambda rows, watch: rows.append(rows[-1]),
}


def case(**changes):
    """An example that is always tried: whole records, unless changed."""
    usual = {"table": "whole", "spoiled": "nothing", "loader": "none", "built_with": "is right"}
    return example(
        **{"mark": "zqmarkq", "suffix": ".png", **usual, "group": True, "verify": "all"} | changes
    )


@given(
    mark=letters,
    suffix=st.sampled_from([".png", ".tif"]),
    table=st.sampled_from(["whole"] * 4 + sorted(TABLES)),
    spoiled=st.sampled_from(sorted(SPOILED)),
    loader=st.sampled_from(sorted(LOADERS)),
    built_with=st.sampled_from(["is right", "is right", *sorted(LOADERS)]),
    group=st.booleans(),
    verify=st.sampled_from(["all", "none"]),
)
@case(loader="is right")
@case(loader="quotes its path")
@case(spoiled="missing", suffix=".tif")
@case(loader="is right", built_with="names columns after records")
@case(table="a file of no known type")
@case(table="no header")
@settings(examples, max_examples=9)
def test_records_that_are_referred_to(
    mark, suffix, table, spoiled, loader, built_with, group, verify, capfd
):
    with watched(mark, capfd) as watch:
        (watch.folder / "data").mkdir()
        (watch.folder / "data" / f"x.{mark}").write_bytes(b"something")
        for side, name in enumerate(("members", "nonmembers")):
            rows = [("path", "y", "id", "patient"), *write_files(watch, side, suffix)]
            if side == 0:
                TABLES[table](rows, watch)
            with open(f"{name}.csv", "w", newline="") as stream:
                csv.writer(stream, quoting=csv.QUOTE_NONE, escapechar="\\").writerows(rows)
        reads = loader != "none"
        first, module = (
            write_module(watch.folder, LOADER.format(body=LOADERS[name] or "pass"))
            for name in (built_with, loader)
        )
        asked = ("--loader", f"{first}:load") if reads else ()
        watch.command("fixtures", "assign", "members.csv", "--id", "id", "-o", "coins.csv")
        code = watch.command(
            "fixtures", "build", "--reference", "--members", "members.csv", "--nonmembers",
            "nonmembers.csv", "--root", "data", "--id", "id", "-o", "set", *asked,
            *(("--group", "patient") if group else ()),
        )  # fmt: skip
        if code == 0:
            SPOILED[spoiled](next((watch.folder / "data").rglob(f"scan-{mark}-7.*")), watch)
        configure(
            watch.folder,
            preprocess=None if reads else f"{write_module(watch.folder, PREPROCESS)}:first",
            root="data",
            verify=verify,
            **({"loader": f"{module}:load"} if reads else {}),
        )
        codes = use_everything(watch, root="data")
        if (table, spoiled, loader, built_with) == ("whole", "nothing", "is right", "is right"):
            assert codes["run"] in (0, 3)


# ---------------------------------------------------------------------------- code of the project's

FUNCTIONS = {
    "quotes what it got": "raise ValueError(str(x.tolist()))",
    "fails in numpy": "return np.array([str(x.tolist())]).astype(float)",
    "ends the process": "raise SystemExit(str(x.tolist()))",
    "returns text": "return np.array([str(row) for row in x.tolist()])",
    "returns too few": "return x[:1]",
}
CODE = """
import numpy as np

def called(x, *_):
    {body}
"""


@given(mark=letters, body=st.sampled_from(sorted(FUNCTIONS)), custom=st.booleans())
@example(mark="zqmarkq", body="quotes what it got", custom=False)
@example(mark="zqmarkq", body="quotes what it got", custom=True)
@settings(examples, max_examples=5)
def test_functions_that_quote_what_they_are_called_with(mark, body, custom, capfd):
    with watched(mark, capfd) as watch:
        for side, name in enumerate(("members", "nonmembers")):
            held = columns(watch, side)
            write_columns(Path(f"{name}.npz"), {"x": held["x"], "y": held["y"]})
        watch.command(
            "fixtures", "build", "--members", "members.npz", "--nonmembers", "nonmembers.npz",
            "-o", "set",
        )  # fmt: skip
        function = f"{write_module(watch.folder, CODE.format(body=FUNCTIONS[body]))}:called"
        if custom:  # then the outputs hold the number
            configure(watch.folder, signals=function)
        else:
            configure(watch.folder, preprocess=function)
        codes = use_everything(watch)
        assert codes["run"] == 2


# ------------------------------------------------------------------------------------------- texts

LINES = {
    "whole": lambda line: line,
    "another type": lambda line: line | {"text": [line["text"]]},
    "half a pair": lambda line: line | {"text": line["text"] + "\ud800"},
    "nothing": lambda line: line | {"author": None},
    "a key less": lambda line: {"text": line["text"]},
    "an object": lambda line: line | {"day": {line["day"]: line["text"]}},
    "a text among numbers": lambda line: line | {"y": line["text"]},
}
WORDS = """
import numpy as np

def counts(texts):
    {fault}
    found = [[text.count(letter) for letter in "aeiou"] for text in texts]
    return np.array(found, np.float32)
"""


@given(
    mark=letters,
    lines=st.sampled_from(sorted(LINES)),
    torn=st.booleans(),
    fault=st.sampled_from(["", "raise KeyError(texts[0])", "return texts"]),
)
@example(mark="zqmarkq", lines="whole", torn=False, fault="")
@example(mark="zqmarkq", lines="whole", torn=False, fault="raise KeyError(texts[0])")
@settings(examples, max_examples=5)
def test_texts(mark, lines, torn, fault, capfd):
    with watched(mark, capfd) as watch:
        with open("all.jsonl", "wb") as stream:
            for row in range(4 * COUNT):
                line = {
                    "text": f"{mark} {'aeiou'[row % CLASSES] * 9} {row}",
                    "y": row % CLASSES,
                    "author": f"{mark} {row // 2}",
                    "day": f"{mark}-{row}",
                }
                text = json.dumps(LINES[lines](line) if row == 9 else line)
                stream.write((text[:-9] if torn and row == 11 else text).encode() + b"\n")
        watch.command(
            "fixtures", "build", "--from", "all.jsonl", "--rate", "0.5", "--group", "author",
            "--date", "day", "-o", "set",
        )  # fmt: skip
        module = write_module(watch.folder, WORDS.format(fault=fault))
        configure(watch.folder, preprocess=f"{module}:counts")
        codes = use_everything(watch)
        if (lines, torn, fault) == ("whole", False, ""):
            assert codes["run"] in (0, 3)


# ------------------------------------------------------------------------------------------ scores

SCORES = {
    "whole": lambda cells, mark: cells,
    "no header": lambda cells, mark: cells[1:],
    "a group on both sides": lambda cells, mark: [*cells, ("0.5", "1", cells[1][2])],
    "a score that is text": lambda cells, mark: [*cells, (mark, "1", "a")],
    "a member that is text": lambda cells, mark: [*cells, ("0.5", mark, "a")],
    "no group": lambda cells, mark: [*cells, ("0.5", "1", "")],
    "a row too long": lambda cells, mark: [*cells, ("0.5", "1", mark, mark)],
    "a quote": lambda cells, mark: [*cells, ("0.5", "1", f'"{mark}')],
    "a score that is too large": lambda cells, mark: [*cells, ("9" * 400, "1", mark)],
}


@pytest.mark.parametrize("fault", sorted(SCORES))
@given(mark=letters)
@settings(examples, max_examples=2)
def test_scores_with_groups(fault, mark, capfd):
    with watched(mark, capfd) as watch:
        random = np.random.default_rng(0)
        rows = [
            (f"{watch.number}{random.integers(1000)}", str(row % 2), f"{mark} {row % 2} {row // 4}")
            for row in range(200)
        ]
        cells = SCORES[fault]([("score", "member", "group"), *rows], mark)
        Path("scores.csv").write_text("".join(",".join(row) + "\n" for row in cells))
        code = watch.command(
            "measure", "scores.csv", "--budget", "auc<=0.9", "--json", "found.json"
        )
        assert code == (0 if fault == "whole" else 2)


# ------------------------------------------------------------------------------------------ pytest


@pytest.mark.parametrize("loader", ["quotes its path", "is right"])
def test_the_log_of_pytest(loader, project: Project, capfd):
    mark = "qzvmarkvzq"
    watch = Watch(project.path, mark, capfd)
    for side, name in enumerate(("members", "nonmembers")):
        rows = [("path", "y", "id", "patient"), *write_files(watch, side, ".png")]
        with (project.path / f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)
    right, module = (
        write_module(project.path, LOADER.format(body=LOADERS[name]))
        for name in ("is right", loader)
    )
    with contextlib.chdir(project.path):
        watch.command(
            "fixtures", "build", "--reference", "--members", "members.csv", "--nonmembers",
            "nonmembers.csv", "--root", "data", "--id", "id", "-o", "set",
            "--loader", f"{right}:load",
        )  # fmt: skip
    configure(project.path, root="data", loader=f"{module}:load")
    project.write(
        "test_own.py",
        "def test_own(privacy_gate):\n    privacy_gate.run('privacy_gate.yaml').to_dict()\n",
    )
    found = project.run(
        "--privacy-gate", "--privacy-gate-report=out", "--junitxml=junit.xml", "-vv", "-l",
        "--log-level=DEBUG", "-o", "log_cli=true", "--tb=long", "-p", "no:cacheprovider",
    )  # fmt: skip
    assert found.ret == (1 if loader != "is right" else 0)
    watch.check(found.stdout.str() + found.stderr.str(), "pytest")
    watch.check_files()


def test_rare_labels_are_counted_together():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side in ("members", "nonmembers"):
            y = np.array([*["cat"] * 6, *["dog"] * 5, "Ann", "Bob"])
            x = np.arange(13) + (100 if side == "members" else 0)
            np.savez(folder / f"{side}.npz", x=x, y=y)
        sides = (folder / "members.npz", folder / "nonmembers.npz")
        build_from_sides(*sides, folder / "set", label="y", root=folder, public_key=True)
        counts = inspect(folder / "set", root=folder)["labels"]["y"]["members"]
    assert counts == {"cat": 6, "dog": 5, "(fewer than 5 each)": 2}
