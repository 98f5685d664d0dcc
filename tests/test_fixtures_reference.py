"""Records that are referred to: read from where they lie, verified, and never named but by row."""

from __future__ import annotations

import csv
import sys
import threading

import numpy as np
import pytest
from click.testing import CliRunner
from fixture_sets import ENVIRONMENT, KEY, read_manifest
from PIL import Image

from privacy_gate.cli import main
from privacy_gate.domain import Outputs
from privacy_gate.errors import FixtureError
from privacy_gate.fixtures import build_from_sides, load_fixtures, verify
from privacy_gate.fixtures.index import read_index, reference_entry
from privacy_gate.fixtures.reference import Reading
from privacy_gate.models.forward import stream

MEMBERS, NONMEMBERS = 12, 9


def pixels(number):
    """A colour image (6, 5, 3) that only record ``number`` has."""
    return np.random.default_rng(number).integers(0, 256, (6, 5, 3)).astype(np.uint8)


def write_images(root, start, count):
    """PNG files below ``root`` and the rows (path, y, patient) that name them."""
    rows = []
    for number in range(start, start + count):
        name = f"secret-{number}/scan {number}.png"
        (root / name).parent.mkdir(parents=True)
        Image.fromarray(pixels(number)).save(root / name)
        rows.append((name, number % 3, f"patient-{number}"))
    return rows


def write_table(path, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "y", "patient"), *rows])
    return path


@pytest.fixture
def data(tmp_path):
    """Images of both sides below ``data``, and a table of each side."""
    root = tmp_path / "data"
    members = write_images(root, 0, MEMBERS)
    nonmembers = write_images(root, 100, NONMEMBERS)
    write_table(tmp_path / "members.csv", members)
    write_table(tmp_path / "nonmembers.csv", nonmembers)
    return root


def built(tmp_path, root, loader=None, group=None):
    tables = [tmp_path / "members.csv", tmp_path / "nonmembers.csv"]
    columns = ["y", "patient"]
    indexes = [read_index(table, root, location="path", columns=columns) for table in tables]
    entry = reference_entry(indexes[0], root, location="path", loader=loader)
    build_from_sides(
        *indexes,
        tmp_path / "set",
        label="y",
        identifier="patient",
        root=tmp_path,
        key=KEY,
        reference=entry,
    )
    return tmp_path / "set"


def load(directory, root, **reading):
    return load_fixtures(
        directory, root=directory, environment=ENVIRONMENT, reading=Reading(root, **reading)
    )


def refused(directory, root, **reading):
    fixtures = load(directory, root, **reading)
    with pytest.raises(FixtureError) as caught:
        fixtures.records.take(np.arange(MEMBERS + NONMEMBERS))
    text = str(caught.value)
    assert "secret" not in text
    assert "patient" not in text
    return text


# ---------------------------------------------------------------------------------------- reading


def test_images_arrive_as_they_were_written_and_stay_uint8(tmp_path, data):
    fixtures = load(built(tmp_path, data), data)
    order = np.array([20, 0, 3, 12])
    images = fixtures.records.take(order)["x"]
    assert images.dtype == np.uint8
    expected = [pixels(n) for n in (108, 0, 3, 100)]
    assert (images == np.stack(expected)).all()
    assert fixtures.labels.tolist() == [n % 3 for n in (*range(12), *range(100, 109))]
    assert fixtures.records.columns == ("x",)


def test_the_index_holds_no_pixel_and_the_manifest_no_name(tmp_path, data):
    directory = built(tmp_path, data)
    manifest = read_manifest(directory)
    assert manifest["reference"]["inputs"] == {"x": {"dtype": "uint8", "shape": [6, 5, 3]}}
    assert set(manifest["sides"]["members"]["columns"]) == {
        "path", "y", "patient", "content_sha256",
    }  # fmt: skip
    assert "secret" not in (directory / "manifest.json").read_text()


def test_records_inside_the_fixture_directory_need_no_root(tmp_path, data):
    directory = built(tmp_path, data)
    for path in data.iterdir():
        path.rename(directory / path.name)
    fixtures = load_fixtures(directory, root=directory, environment=ENVIRONMENT)
    assert (fixtures.records.take(np.array([5]))["x"][0] == pixels(5)).all()


def test_a_loader_reads_what_it_likes(tmp_path, data):
    def load_grey(path):
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"))
        return {"pixels": grey, "size": np.float32(path.stat().st_size)}

    fixtures = load(built(tmp_path, data, loader=load_grey), data, loader=load_grey)
    batch = fixtures.records.take(np.arange(4))
    assert batch["pixels"].shape == (4, 6, 5)
    assert batch["size"].dtype == np.float32


def test_npy_files_and_grey_images_need_no_loader(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    for side, count in (("members", 3), ("nonmembers", 3)):
        rows = []
        for number in range(count):
            name = f"{side}{number}.npy"
            np.save(root / name, np.full(4, number + (side == "members") * 9, np.float32))
            rows.append((name, number, name))
        write_table(tmp_path / f"{side}.csv", rows)
    fixtures = load(built(tmp_path, root), root)
    assert fixtures.records.take(np.arange(6))["x"][:, 0].tolist() == [9, 10, 11, 0, 1, 2]
    Image.fromarray(pixels(1)[..., 0]).save(root / "members0.npy", format="png")


# ----------------------------------------------------------------------- missing, altered, broken


def test_every_faulty_record_is_named_by_its_row(tmp_path, data):
    directory = built(tmp_path, data)
    (data / "secret-2" / "scan 2.png").unlink()
    (data / "secret-7").rename(data / "secret-other")
    (data / "secret-101" / "scan 101.png").write_bytes(b"altered")
    Image.fromarray(pixels(999)).save(data / "secret-3" / "scan 3.png")
    text = refused(directory, data)
    assert "members rows 3, 8: it is missing" in text
    assert "members row 4, nonmembers row 2: it is altered" in text


def test_a_record_that_cannot_be_decoded_is_named_too(tmp_path, data):
    directory = built(tmp_path, data)
    Image.fromarray(pixels(5)[:3]).save(data / "secret-5" / "scan 5.png")
    text = refused(directory, data, verify="none")
    assert "members row 6: 'x' is uint8 of shape [3, 5, 3] instead of uint8 of [6, 5, 3]" in text
    (data / "secret-5" / "scan 5.png").write_bytes(b"\x89PNG broken")
    assert "members row 6: it is no complete image" in refused(directory, data, verify="none")


def test_of_a_loader_s_exception_only_type_and_place_are_shown(tmp_path, data):
    def careless(path):
        raise ValueError(f"cannot read {path} of patient-3")

    directory = built(tmp_path, data)
    text = refused(directory, data, loader=careless)
    assert "the loader raised ValueError at test_fixtures_reference.py:" in text


@pytest.mark.parametrize("value", ["text", None, [np.nan, 1.0], {"other": np.zeros(3)}])
def test_a_loader_that_returns_something_else_is_refused(tmp_path, data, value):
    text = refused(built(tmp_path, data), data, loader=lambda path: value)
    assert "members row 1" in text


@pytest.mark.parametrize("verified", [0, 5, 21])
def test_so_many_records_are_hashed_and_always_the_same_ones(tmp_path, data, verified):
    directory = built(tmp_path, data)
    for number in (*range(MEMBERS), *range(100, 100 + NONMEMBERS)):
        # a valid image of the right shape that is another one
        Image.fromarray(pixels(number + 1000)).save(data / f"secret-{number}/scan {number}.png")
    records = load(directory, data, verify=verified).records
    if verified == 0:
        records.take(np.arange(21))
        return
    with pytest.raises(FixtureError) as caught:
        records.take(np.arange(21))
    rows = str(caught.value).partition(": it is altered")[0]
    assert rows.count(",") - rows.count(", nonmembers row") + 1 + ("nonmembers" in rows) == verified
    with pytest.raises(FixtureError, match=rows):
        records.check()


@pytest.mark.parametrize("place", ["/etc/passwd", "../outside.png", "a\\b.png", "a\nb.png", "."])
def test_a_location_that_leads_out_of_its_directory_is_refused(tmp_path, data, place):
    rows = write_images(data, 50, 2)
    write_table(tmp_path / "members.csv", [rows[0], (place, 1, "patient-x")])
    with pytest.raises(FixtureError, match=r"lead out of their directory, the first in row 2"):
        built(tmp_path, data)


def test_a_root_that_does_not_exist_is_said_before_any_record(tmp_path, data):
    with pytest.raises(FixtureError, match="no directory"):
        load(built(tmp_path, data), tmp_path / "elsewhere")


def test_building_names_the_rows_that_cannot_be_read(tmp_path, data):
    (data / "secret-2" / "scan 2.png").unlink()
    with pytest.raises(FixtureError, match="1 of 12 records cannot be read: rows 3") as caught:
        built(tmp_path, data)
    assert "secret" not in str(caught.value)


# -------------------------------------------------------------------------------------- streaming


class Sums:
    """A model that sums its inputs and notes which threads and how many batches are alive."""

    device = "cpu"

    def forward(self, inputs):
        total = inputs["x"].astype(np.float64).reshape(len(inputs["x"]), -1).sum(axis=1)
        return Outputs(np.stack([total, -total], axis=1), "logits")

    def close(self):
        pass


def test_reading_ahead_changes_no_answer_and_runs_beside_the_model(tmp_path, data):
    records = load(built(tmp_path, data), data).records
    order = np.random.default_rng(0).permutation(21)
    threads = set()

    def preprocess(batch):
        threads.add(threading.current_thread().name)
        return batch

    found = {}
    for indices, outputs in stream(Sums(), preprocess, records, order, 4):
        found.update(zip(indices.tolist(), outputs.values[:, 0].tolist(), strict=True))
    every = records.take(np.arange(21))["x"].reshape(21, -1).sum(axis=1)
    assert [found[row] for row in range(21)] == every.tolist()
    assert any(name.startswith("privacy-gate-read") for name in threads)


def test_a_fault_met_while_reading_ahead_is_raised_and_no_thread_stays(tmp_path, data):
    directory = built(tmp_path, data)
    (data / "secret-108" / "scan 108.png").unlink()
    batches = stream(Sums(), dict, load(directory, data).records, np.arange(21), 4)
    with pytest.raises(FixtureError, match="nonmembers row 9: it is missing"):
        list(batches)
    for thread in threading.enumerate():
        if thread.name.startswith("privacy-gate-read"):
            thread.join(timeout=10)
            assert not thread.is_alive()


def test_a_batch_that_does_not_fit_is_halved_whatever_was_read_ahead(tmp_path, data):
    class Small(Sums):
        def forward(self, inputs):
            if len(inputs["x"]) > 3:
                raise MemoryError
            return super().forward(inputs)

    records = load(built(tmp_path, data), data).records
    seen = [indices.tolist() for indices, _ in stream(Small(), dict, records, np.arange(21), 10)]
    assert [row for batch in seen for row in batch] == list(range(21))
    assert max(len(batch) for batch in seen) <= 3


# --------------------------------------------------------------------------------------- commands


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_whole_way_on_the_command_line(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PRIVACY_GATE_KEY", raising=False)
    done = invoke(
        "fixtures", "build", "--reference", "--members", "members.csv", "--nonmembers",
        "nonmembers.csv", "--root", "data", "--id", "patient", "-o", "set",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "secret-" not in done.output
    assert "references" not in done.output  # only what is doubtful is printed
    checked = invoke("fixtures", "verify", "set", "--root", "data")
    assert checked.exit_code == 0
    assert "21 records are where and what the index says" in checked.output
    (data / "secret-1" / "scan 1.png").unlink()
    checked = invoke("fixtures", "verify", "set", "--root", "data")
    assert checked.exit_code == 1
    assert "members row 2: it is missing" in checked.output


def test_coins_are_flipped_over_a_table_and_a_loader_is_found(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_loader.py").write_text(
        "import numpy as np\n"
        "def load(path):\n    return np.frombuffer(path.read_bytes()[:16], np.uint8)\n"
    )
    rows = write_images(data, 200, 60)
    write_table(tmp_path / "all.csv", rows)
    done = invoke(
        "fixtures", "build", "--reference", "--from", "all.csv", "--root", "data", "--id",
        "patient", "--loader", "my_loader:load", "-o", "set",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert read_manifest(tmp_path / "set")["reference"]["inputs"]["x"]["shape"] == [16]
    assigned = invoke(
        "fixtures", "assign", "all.csv", "--id", "patient", "--rate", "0.5", "-o", "-"
    )
    assert assigned.exit_code == 0, assigned.output
    left_out = [line for line in assigned.output.splitlines() if line.endswith(",1")]
    assert len(left_out) == read_manifest(tmp_path / "set")["sides"]["nonmembers"]["count"]


def test_a_new_key_moves_the_splits_and_keeps_the_old_key(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PRIVACY_GATE_KEY", raising=False)
    invoke(
        "fixtures", "build", "--reference", "--members", "members.csv", "--nonmembers",
        "nonmembers.csv", "--root", "data", "--id", "patient", "-o", "set",
    )  # fmt: skip
    before = load_fixtures(tmp_path / "set", root=tmp_path, reading=Reading(data), environment={})
    done = invoke("fixtures", "rekey", "set")
    assert done.exit_code == 0, done.output
    after = load_fixtures(tmp_path / "set", root=tmp_path, reading=Reading(data), environment={})
    assert before.sha256 != after.sha256
    assert (before.split != after.split).any()
    assert (before.is_member == after.is_member).all()
    keys = sorted(path.name for path in (tmp_path / ".privacy_gate").iterdir())
    assert len([name for name in keys if name.startswith("key.")]) == 1
    assert all(check.verdict != "fail" for check in verify(
        tmp_path / "set", root=tmp_path, data_root=data, environment={}
    ))  # fmt: skip


def test_a_key_that_is_not_the_fixtures_is_not_replaced(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PRIVACY_GATE_KEY", raising=False)
    directory = built(tmp_path, data)  # with a key of its own
    (tmp_path / ".privacy_gate").mkdir()
    (tmp_path / ".privacy_gate" / "key").write_text("ab" * 32)
    manifest = (directory / "manifest.json").read_bytes()
    done = invoke("fixtures", "rekey", directory)
    assert done.exit_code == 2
    assert "were built with" in done.output
    assert (directory / "manifest.json").read_bytes() == manifest
    assert (tmp_path / ".privacy_gate" / "key").read_text() == "ab" * 32
