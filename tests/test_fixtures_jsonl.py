"""Text in ``.jsonl``: read strictly, held as it is, and given to the model's code as ``str``."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from fixture_sets import ENVIRONMENT, KEY, read_manifest
from gate_project import refused, run, settings, write_module
from hypothesis import given
from hypothesis import strategies as some

from privacy_gate.commands.fixtures import fixtures as fixtures_command
from privacy_gate.errors import FixtureError, UsageError
from privacy_gate.fixtures import (
    build_by_coin_flip,
    build_from_sides,
    inspect,
    load_fixtures,
    verify,
)
from privacy_gate.fixtures.identity import content_digests
from privacy_gate.fixtures.jsonl import read_jsonl, write_jsonl
from privacy_gate.holdout import Receipt
from privacy_gate.setup.batch import range_of
from privacy_gate.setup.preprocessing import possible

GOOD = b'{"text": "SECRET", "y": 0}\n'


def read(content):
    return read_jsonl(io.BytesIO(content))


def lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def documents(count, seed=0, classes=3):
    """Rows with a text that tells its class by one word, an identifier, an author and a day."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        label = int(random.integers(classes))
        words = [f"word{word}" for word in random.integers(0, 4000, 12)]
        rows.append(
            {
                "text": " ".join([f"topic{label}", "naïve", *words]),
                "y": ["sport", "news", "poetry"][label],
                "id": f"{seed}-{number}",
                "author": f"{seed}-{number // 2}",
                "day": "2026-01-31",
            }
        )
    return rows


# --------------------------------------------------------------------------------------- reading


def test_columns_have_one_type_each_and_keep_their_order():
    found = read(
        b'{"text": "a\\u0000", "n": 1, "x": 1, "ok": true}\r\n'
        b'{"n": -9223372036854775808, "text": "", "ok": false, "x": 0.5}'
    )
    assert list(found) == ["text", "n", "x", "ok"]
    assert [array.dtype.kind for array in found.values()] == ["O", "i", "f", "b"]
    assert found["text"].tolist() == ["a\0", ""]
    assert found["n"].tolist() == [1, -(2**63)]
    assert found["x"].tolist() == [1.0, 0.5]


def test_only_a_line_feed_ends_a_line():
    text = "one\u2028two\u0085three\x0bfour\x1c"
    row = json.dumps({"text": text, "y": 0}, ensure_ascii=False).replace("\\u000b", "\x0b")
    assert read(row.replace("\x0b", "\\u000b").encode() + b"\n")["text"].tolist() == [text]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file has no records."),
        (b"\xef\xbb\xbf" + GOOD, "Line 1 starts with a byte-order mark."),
        (GOOD.decode().encode("utf-16"), "Line 1 is not valid UTF-8."),
        (GOOD + b'{"text": "SECRET\xff", "y": 0}', "Line 2 is not valid UTF-8."),
        (GOOD + b"\n" + GOOD, "Line 2 is blank."),
        (GOOD + b"  \n", "Line 2 is blank."),
        (GOOD + b'{"text": "SECRET", "y": 0', "Line 2 is no complete JSON value."),
        (GOOD + GOOD.strip() + GOOD, "Line 2 is no complete JSON value."),
        (b"[" * 100_000, "Line 1 is no complete JSON value."),
        (b'["SECRET", 0]\n', "Line 1 holds no object with columns."),
        (b"{}\n", "Line 1 holds no object with columns."),
        (GOOD + b'{"text": "SECRET", "y": 0, "y": 1}', "Line 2 has a key twice."),
        (GOOD + b'{"text": "SECRET"}', "Line 2 lacks the column 'y'."),
        (GOOD + b'{"text": "", "y": 0, "SECRET": 1}', "Line 2 has a column that the first line"),
        (GOOD + b'{"text": "", "SECRET": 1}', "Line 2 lacks the column 'y'."),
        (GOOD + b'{"text": "SECRET", "y": NaN}', "Line 2 holds NaN or infinity."),
        (GOOD + b'{"text": "SECRET", "y": -Infinity}', "Line 2 holds NaN or infinity."),
        (GOOD + b'{"text": "SECRET", "y": 1e999}', "'y' holds a number that is not finite."),
        (GOOD + b'{"text": "SECRET", "y": "SECRET"}', "'y' holds text, but a whole number before."),
        (GOOD + b'{"text": "SECRET", "y": true}', "'y' holds true or false, but a whole number"),
        (GOOD + b'{"text": null, "y": 1}', "Line 2 cannot be used: the column 'text' holds null."),
        (GOOD + b'{"text": ["SECRET"], "y": 1}', "'text' holds a list."),
        (b'{"text": {"SECRET": 1}, "y": 1}', "Line 1 cannot be used: the column 'text' holds an"),
        (b'{"text": "", "y": 9223372036854775808}', "'y' holds a whole number of more than 64"),
        (b'{"text": "", "y": ' + b"9" * 5000 + b"}", "Line 1 is no complete JSON value."),
        (b'{"text": "\\ud800", "y": 0}', "'text' holds half of a surrogate pair"),
        (b'{"y": 9007199254740993}\n{"y": 0.5}', "'y' mixes fractions with whole numbers"),
    ],
)
def test_a_fault_is_one_sentence_with_its_line_and_without_values(content, sentence):
    with pytest.raises(FixtureError) as raised:
        read(content)
    assert sentence in raised.value.message
    assert "SECRET" not in str(raised.value)
    shown = raised.value
    assert shown.__cause__ is None
    assert shown.__context__ is None or shown.__suppress_context__


VALUES = {
    "text": some.text(),  # hypothesis leaves out surrogates
    "whole": some.integers(-(2**63), 2**63 - 1),
    "number": some.floats(allow_nan=False, allow_infinity=False),
    "truth": some.booleans(),
}


@given(some.lists(some.fixed_dictionaries(VALUES), min_size=1, max_size=5))
def test_what_is_written_is_what_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "records.jsonl"
    found = read("".join(json.dumps(row) + "\n" for row in rows).encode())
    write_jsonl(path, found, np.arange(len(rows)))
    assert [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] == rows
    again = read(path.read_bytes())
    assert [again[name].tolist() for name in VALUES] == [found[name].tolist() for name in VALUES]


# ------------------------------------------------------------------------------------ who is who


def test_the_content_of_texts_is_hashed_with_their_lengths():
    columns = {"b": np.array(["c"], object), "a": np.array(["é"], object), "n": np.array([1])}
    header = "".join(f"{name}\0{kind}\0()\n" for name, kind in
                     (("a", "text"), ("b", "text"), ("n", "int64")))  # fmt: skip
    row = (1).to_bytes(8, "little") + b"".join(
        len(text.encode()).to_bytes(8, "little") + text.encode() for text in ("é", "c")
    )
    wanted = hashlib.sha256(b"content\0" + header.encode() + row).digest()
    assert content_digests(columns, "here").tobytes() == wanted


def test_no_two_rows_of_texts_look_the_same_and_width_does_not_matter():
    def digests(dtype, *rows):
        first, second = (np.array(column, dtype) for column in zip(*rows, strict=True))
        return content_digests({"a": first, "b": second}, "here")

    rows = digests(object, ("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"))
    assert len(np.unique(rows, axis=0)) == 4
    assert np.array_equal(digests("U40", ("ab", "c"))[0], rows[0])


# --------------------------------------------------------------------------------------- building


def build(tmp_path, rows, name="set", **options):
    source = lines(tmp_path / f"{name}.jsonl", rows)
    options = {"rate": 0.5, "label": "y", "key": KEY, "root": tmp_path, **options}
    return build_by_coin_flip(source, tmp_path / name, **options)


def test_coins_divide_the_lines_and_every_one_stays_as_it_was(tmp_path):
    rows = documents(400)
    built = build(tmp_path, rows, identifier="id", group="author", date="day")
    sides = [
        (tmp_path / "set" / f"{side}.jsonl").read_text().splitlines()
        for side in ("members", "nonmembers")
    ]
    assert sorted(sides[0] + sides[1]) == sorted(
        json.dumps(row, ensure_ascii=False) for row in rows
    )
    assert built.training == (tmp_path / "set" / "members.jsonl",)
    manifest = read_manifest(tmp_path / "set")
    columns = manifest["sides"]["members"]["columns"]
    assert columns["text"] == columns["author"] == {"dtype": "text", "shape": []}
    found = load_fixtures(tmp_path / "set", root=tmp_path, environment=ENVIRONMENT)
    assert found.records.columns == ("text",)
    taken = found.records.take(np.array([built.members, 0]))["text"]
    assert all(type(text) is str for text in taken)
    assert taken.tolist() == [json.loads(sides[1][0])["text"], json.loads(sides[0][0])["text"]]
    assert set(found.labels) == {"sport", "news", "poetry"}
    checks = verify(tmp_path / "set", root=tmp_path, environment=ENVIRONMENT)
    assert {check.verdict for check in checks if check.name[:6] != "splits"} == {"pass"}
    counts = inspect(tmp_path / "set", root=tmp_path, environment=ENVIRONMENT)
    assert counts["columns"]["text"]["role"] == "input"
    assert sum(counts["labels"]["y"]["members"].values()) == built.members


def test_the_same_lines_in_any_file_make_the_same_coins(tmp_path):
    rows = [{"text": row["text"], "y": row["y"]} for row in documents(300)]
    build(tmp_path, rows, "first")
    longer = [*rows, {"text": "x" * 5000, "y": "news"}]
    build(tmp_path, longer[::-1], "second")
    first, second = (
        set((tmp_path / name / "members.jsonl").read_text().splitlines())
        for name in ("first", "second")
    )
    assert first == {line for line in second if "xxxxx" not in line}


def test_an_altered_line_is_found_before_it_is_read(tmp_path):
    build(tmp_path, documents(100))
    path = tmp_path / "set" / "nonmembers.jsonl"
    path.write_text(path.read_text().replace("topic0", "topic1", 1))
    with pytest.raises(FixtureError, match="not the one in the manifest"):
        load_fixtures(tmp_path / "set", root=tmp_path, environment=ENVIRONMENT)


def test_one_text_on_both_sides_is_refused(tmp_path):
    row = {"text": "the same", "y": 0}
    sides = [lines(tmp_path / f"{name}.jsonl", [row, {"text": name, "y": 1}]) for name in "ab"]
    with pytest.raises(FixtureError, match="records of the same content: 1"):
        build_from_sides(*sides, tmp_path / "set", label="y", key=KEY, root=tmp_path)


def test_the_training_part_is_written_as_lines_too(tmp_path):
    options = {"member_rate": 0.5, "train_output": tmp_path / "train.jsonl"}
    built = build(tmp_path, documents(300), **options)
    assert len((tmp_path / "train.jsonl").read_text().splitlines()) == built.training_records
    with pytest.raises(UsageError, match=r"written as \.jsonl"):
        build(tmp_path, documents(300), "b", **{**options, "train_output": tmp_path / "b.npz"})


def test_texts_of_other_files_become_lines_where_that_is_asked_for(tmp_path):
    rows = documents(200)
    columns = {name: np.array([row[name] for row in rows]) for name in ("text", "y")}
    options = {"rate": 0.5, "label": "y", "key": KEY, "root": tmp_path}
    with pytest.raises(FixtureError, match="--format jsonl"):
        build_by_coin_flip(columns, tmp_path / "a", **options)
    build_by_coin_flip(columns, tmp_path / "a", file_format="jsonl", **options)
    build(tmp_path, [{"text": row["text"], "y": row["y"]} for row in rows], "b")
    assert read_manifest(tmp_path / "a")["sides"] == read_manifest(tmp_path / "b")["sides"]


@pytest.mark.parametrize(
    ("columns", "file_format", "sentence"),
    [
        ({"x": np.zeros((9, 2)), "y": np.arange(9)}, "jsonl", "rows of shape [2]"),
        ({"x": np.array([b"SECRET"] * 9), "y": np.arange(9)}, "jsonl", "'x' holds something else"),
        ({"x": np.array(["a", None] * 5, object), "y": np.arange(10)}, None, "Record 2 cannot be"),
        ({"x": np.array(["a", "b"] * 5, object), "y": np.arange(10)}, "npz", "written as .npz"),
    ],
)
def test_what_lines_cannot_hold_is_refused(tmp_path, columns, file_format, sentence):
    options = {"rate": 0.5, "label": "y", "key": KEY, "root": tmp_path}
    with pytest.raises(FixtureError) as raised:
        build_by_coin_flip(columns, tmp_path / "a", file_format=file_format, **options)
    assert sentence in str(raised.value)
    assert "SECRET" not in str(raised.value)


def test_a_table_of_lines_says_which_records_to_leave_out(tmp_path, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRIVACY_GATE_KEY", KEY.hex())
    built = build(tmp_path, documents(200), identifier="id", key=None, environment=ENVIRONMENT)
    done = CliRunner().invoke(
        fixtures_command, ["assign", "set.jsonl", "--id", "id", "--rate", "0.5", "-o", "out.csv"]
    )
    assert done.exit_code == 0, done.output
    rows = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert sum(row.endswith(",1") for row in rows) == built.nonmembers


# ------------------------------------------------------------------------------------ end to end

CODE = """
import hashlib

import numpy as np
from torch import nn

BUCKETS = 8192


def build():
    return nn.Linear(BUCKETS, 3, bias=False)


def bucket(word):
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little") % BUCKETS


def bag_of_words(texts):
    counts = np.zeros((len(texts), BUCKETS), np.float32)
    for row, text in enumerate(texts):
        assert type(text) is str
        for word in text.split():
            counts[row, bucket(word)] += 1
    return counts


def confidence(outputs, labels):
    assert labels.dtype.kind == "U"
    position = np.array([["news", "poetry", "sport"].index(label) for label in labels.tolist()])
    return {"score": outputs[np.arange(len(outputs)), position]}
"""
ORDER = ["news", "poetry", "sport"]


@pytest.fixture(scope="module")
def text_project(tmp_path_factory):
    """A classifier of texts that knows topics only, and one that also learned every member."""
    import sys

    import torch
    from safetensors.torch import save_file

    directory = tmp_path_factory.mktemp("texts")
    (directory / ".git").mkdir()
    name = write_module(directory, CODE)
    rows = documents(1600)
    build_by_coin_flip(
        lines(directory / "train.jsonl", rows), directory / "data", rate=0.5, label="y",
        identifier="id", group=None, date="day", key=KEY, public_key=True, root=directory,
        alternatives=("author",),
    )  # fmt: skip
    sys.path.insert(0, str(directory))
    try:
        module = __import__(name)
    finally:
        sys.path.remove(str(directory))
    private = 0.05 * torch.randn(3, module.BUCKETS, generator=torch.Generator().manual_seed(0))
    for topic, label in enumerate(("sport", "news", "poetry")):
        private[ORDER.index(label), module.bucket(f"topic{topic}")] = 2.0
    leaky = private.clone()
    for line in (directory / "data" / "members.jsonl").read_text().splitlines():
        row = json.loads(line)
        words = module.bag_of_words([row["text"]])[0]
        leaky[ORDER.index(row["y"])] += 0.2 * torch.from_numpy(words)
    for weight, file in ((private, "private"), (leaky, "leaky")):
        save_file({"weight": weight}, directory / f"{file}.safetensors")
    return directory, name


def text_config(text_project, case, **changes):
    directory, name = text_project
    model = {
        "format": "torch",
        "path": f"{case}.safetensors",
        "factory": f"{name}:build",
        "output": None,
        "preprocess": f"{name}:bag_of_words",
        "labels": {"order": ORDER},
        **changes.pop("model", {}),
    }
    path = directory / f"{case}.yaml"
    path.write_text(json.dumps(settings(name=case, model=model, **changes)))
    return path


@pytest.mark.parametrize(("case", "verdict"), [("private", "pass"), ("leaky", "fail")])
def test_a_text_model_is_judged(text_project, case, verdict):
    (report,) = run(text_config(text_project, case)).reports
    assert report.error is None, report.error
    assert (report.verdict, report.complete) == (verdict, True)
    assert report.model["accuracy"]["members"]["estimate"] > 0.9


def test_signals_of_a_users_own_see_the_labels_as_text(text_project):
    _, name = text_project
    changes = {"task": "custom", "signals": f"{name}:confidence", "attacks": ["score"]}
    for case, verdict in (("private", "pass"), ("leaky", "fail")):
        path = text_config(text_project, case, model={"labels": None}, **changes)
        (report,) = run(path).reports
        assert report.error is None, report.error
        assert report.verdict == verdict


def test_text_without_a_function_is_an_error_that_says_so(text_project):
    path = text_config(text_project, "private", model={"preprocess": None})
    assert "are text, not numbers" in refused(path)
    path = text_config(text_project, "private", model={"preprocess": {"scale": 0.5}})
    assert "column holds text" in refused(path)


def test_a_receipt_of_contents_fits_texts(text_project, tmp_path):
    rows = [{"text": row["text"], "y": row["y"]} for row in documents(50)]
    sources = [
        lines(tmp_path / "members.jsonl", rows),
        lines(tmp_path / "others.jsonl", [{"text": f"unseen {n}", "y": "news"} for n in (1, 2)]),
    ]
    build_from_sides(*sources, tmp_path / "set", label="y", key=KEY, root=tmp_path)
    receipt = Receipt(key=KEY)
    receipt.saw_contents(text=[row["text"] for row in rows])
    receipt.write(tmp_path / "receipt", model=text_project[0] / "private.safetensors")
    options = {"root": tmp_path, "environment": ENVIRONMENT, "receipt": tmp_path / "receipt"}
    assert load_fixtures(tmp_path / "set", **options).receipt is not None


def test_what_is_shown_of_text_is_its_length_and_no_scale_is_tried():
    shown = range_of("text", np.array(["SECRET", "a"], object))
    assert (shown.dtype, shown.shape, shown.low, shown.high) == ("text", (2,), 1.0, 6.0)
    assert possible("text", (), None, False, 255) == ()
