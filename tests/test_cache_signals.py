"""The signals of a model from the cache: the same report, for the same model on the same records
only, and no word about a record in what is kept."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile

import numpy as np
import pytest
import yaml
from baseline_project import AUC, project
from click.testing import CliRunner
from fixture_sets import KEY
from gate_project import (
    MODEL_CODE,
    bayes,
    colours,
    digits_project,
    refused,
    run,
    save_onnx,
    save_torch,
    write_config,
    write_fixtures,
    write_module,
)
from plugin_project import reproducible

import privacy_gate
from privacy_gate import scoring
from privacy_gate.cli import main
from privacy_gate.config import load_config
from privacy_gate.fixtures import build_from_sides
from privacy_gate.fixtures.index import read_index, reference_entry
from privacy_gate.preparation import prepare
from privacy_gate.report.html import render as page
from privacy_gate.report.terminal import render
from privacy_gate.setup.environment import environment_findings

CODE = (
    MODEL_CODE.replace("classes=4", "classes=4, unused=None")
    + """

def scaled(images):
    return images.astype("float32").transpose(0, 3, 1, 2) / 255
"""
)

LIGHT = {"calibration_lens": False, "overconfidence": {"transforms": []}, "attacks": ["loss"]}
"""Little beside the signals, so that the many runs here are quick."""

BUDGETS = [{"metric": "auc", "max": 0.75}]


def report_of(path, directory, **overrides):
    (report,) = run(path, cache=directory, **overrides).reports
    assert report.verdict != "error", report.error
    return report.to_dict()


def names(directory):
    return sorted(path.name for path in directory.glob("signals-*.entry"))


def cached(report):
    """Whether the signals came from the cache, as both fields say alike."""
    found = "signals" in report["run"]["cached"]
    assert report["timing"]["forward_passes_per_record"] == int(not found)
    return found


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def no_forward_pass(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the model is run")

    return lambda: monkeypatch.setattr(scoring, "stream", refuse)


@pytest.fixture
def torch_project(tmp_path):
    """A configuration of a torch model that has a second label column to choose."""
    members, nonmembers = colours(300, 0), colours(300, 1)
    for side in (members, nonmembers):
        side["other"] = side["y"].copy()
        side["other"][0] = (side["other"][0] + 1) % 4
    write_fixtures(tmp_path, members, nonmembers, alternatives=["other"])
    code = {"factory": f"{write_module(tmp_path, CODE)}:build", "features": {"name": "head"}}
    section = save_torch(tmp_path) | code
    fixtures = {"path": "data"}
    return write_config(tmp_path, model=section, fixtures=fixtures, budgets=BUDGETS, **LIGHT)


@pytest.fixture
def onnx(tmp_path, monkeypatch):
    """A configuration, run from its own directory, with nothing said about caching."""
    write_fixtures(tmp_path, colours(300, 0), colours(300, 1))
    save_onnx(tmp_path / "model.onnx")
    write_config(tmp_path, budgets=BUDGETS, **LIGHT)
    monkeypatch.chdir(tmp_path)
    for name in ("PRIVACY_GATE_CACHE", "CI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


# --------------------------------------------------------------------------------- hit equals miss


@pytest.mark.parametrize("case", ["private", "private-onnx"])
def test_on_the_digits_a_hit_gives_the_report_of_a_miss(tmp_path, store, no_forward_pass, case):
    path = digits_project(tmp_path, case)
    content = yaml.safe_load(path.read_text()) | LIGHT | {"attacks": ["loss", "margin"]}
    path.write_text(yaml.safe_dump(content))
    miss = report_of(path, store)
    no_forward_pass()
    hit = report_of(path, store)
    assert [cached(report) for report in (miss, hit)] == [False, True]
    assert json.dumps(reproducible(miss)) == json.dumps(reproducible(hit))


def test_features_and_outputs_are_kept_too(torch_project, store, no_forward_pass):
    change(torch_project, "attacks", to=["loss", "anchored-5", "simple-shot-5"])
    change(torch_project, "calibration_lens", to=True)
    plain, miss = report_of(torch_project, "off"), report_of(torch_project, store)
    no_forward_pass()
    hit = report_of(torch_project, store)
    assert [cached(report) for report in (plain, miss, hit)] == [False, False, True]
    assert json.dumps(reproducible(plain)) == json.dumps(reproducible(miss))
    assert json.dumps(reproducible(miss)) == json.dumps(reproducible(hit))


def test_a_hit_leaves_the_model_as_a_miss_does(torch_project, store, monkeypatch):
    """What is asked of it afterwards must not be what settles the kind of its outputs."""
    change(torch_project, "model", "output", "kind", to="auto")
    opened, really = [], scoring.open_model

    def note(*arguments, **options):
        opened.append(really(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(scoring, "open_model", note)
    assert [cached(report_of(torch_project, store)) for _ in range(2)] == [False, True]
    assert [model.seen for model in opened] == [("logits", 4)] * 2


def test_a_baseline_model_is_kept_beside_the_candidate(tmp_path, store, no_forward_pass):
    options = {"budgets": [AUC], "baseline": {"model": "leaky.onnx"}}
    path = project(tmp_path, count=400, **options)
    miss = report_of(path, store)
    assert len(names(store)) == 2
    no_forward_pass()
    hit = report_of(path, store)
    assert reproducible(miss) == reproducible(hit)
    # the baseline is the candidate of another configuration: its signals are the same entry
    content = yaml.safe_load(path.read_text())
    del content["baseline"]
    content["model"]["path"] = "leaky.onnx"
    content["budgets"] = [{"metric": "auc", "max": 0.95}]
    path.write_text(yaml.safe_dump(content))
    assert cached(report_of(path, store))


# ------------------------------------------------------------------- what the signals depend on


def change(path, *keys, to):
    content = yaml.safe_load(path.read_text())
    section = content
    for key in keys[:-1]:
        section = section[key]
    section[keys[-1]] = to
    path.write_text(yaml.safe_dump(content))


def change_weights(path):
    weight, bias = bayes()
    save_torch(path.parent, weight * 1.01, bias)


def change_code(path):
    module = yaml.safe_load(path.read_text())["model"]["factory"].partition(":")[0]
    source = path.parent / f"{module}.py"
    source.write_text(source.read_text() + "# another comment\n")


def change_fixtures(path):
    shutil.rmtree(path.parent / "data")
    write_fixtures(path.parent, colours(300, 0), colours(300, 2))


def change_format(path):
    save_onnx(path.parent / "model.onnx")
    change(path, "model", to=write_onnx_section(path))


def write_onnx_section(path):
    kept = yaml.safe_load(path.read_text())["model"]
    kept = {key: value for key, value in kept.items() if key not in ("factory", "kwargs")}
    return {**kept, "format": "onnx", "path": "model.onnx"}


def change_preprocess(path):
    module = yaml.safe_load(path.read_text())["model"]["factory"].partition(":")[0]
    change(path, "model", "preprocess", to=f"{module}:scaled")


CHANGES = {
    "weights": change_weights,
    "code of the factory": change_code,
    "fixtures": change_fixtures,
    "format": change_format,
    "kwargs": lambda path: change(path, "model", "kwargs", to={"classes": 4, "unused": 1}),
    "scale": lambda path: change(path, "model", "preprocess", "scale", to=0.0039),
    "preprocess function": change_preprocess,
    "label column": lambda path: change(path, "fixtures", "label", to="other"),
    "label order": lambda path: change(path, "model", "labels", to={"order": [0, 1, 2, 3]}),
    "precision": lambda path: change(path, "model", "precision", to="bfloat16"),
    "batch size": lambda path: change(path, "model", "batch_size", to=100),
    "kind of output": lambda path: change(path, "model", "output", "kind", to="auto"),
    "features": lambda path: change(path, "attacks", to=["loss", "anchored-5"]),
}

NO_CHANGES = {
    "name": lambda path: change(path, "name", to="renamed"),
    "budget": lambda path: change(path, "budgets", 0, "max", to=0.72),
    "another attack": lambda path: change(path, "attacks", to=["loss", "margin"]),
    "seed": lambda path: change(path, "statistics", to={"seed": 5}),
    "expected": lambda path: change(
        path, "model", "expected", to={"nonmember_accuracy": 0.75, "tolerance": 0.2}
    ),
    "place of the weights": lambda path: (
        (path.parent / "model.safetensors").rename(path.parent / "moved.safetensors"),
        change(path, "model", "path", to="moved.safetensors"),
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_other_signals_have_another_entry(torch_project, store, what):
    assert not cached(report_of(torch_project, store))
    CHANGES[what](torch_project)
    assert not cached(report_of(torch_project, store))
    assert len(names(store)) == 2


def test_what_leaves_the_signals_alone_finds_them(torch_project, store):
    assert not cached(report_of(torch_project, store))
    for what, apply in NO_CHANGES.items():
        apply(torch_project)
        assert cached(report_of(torch_project, store)), what


def test_the_outputs_count_where_they_are_kept(onnx, store):
    path = onnx / "privacy_gate.yaml"
    report_of(path, store)
    change(path, "calibration_lens", to=True)
    assert not cached(report_of(path, store))
    assert cached(report_of(path, store))


def test_the_signals_function_of_a_custom_task_counts(tmp_path, store):
    path = project(tmp_path, count=400, budgets=[{"metric": "auc", "max": 0.9}], baseline=None)
    module = yaml.safe_load(path.read_text())["signals"].partition(":")[0]
    source = tmp_path / f"{module}.py"
    source.write_text(source.read_text() + "\nother = signals\n")
    assert [cached(report_of(path, store)) for _ in range(2)] == [False, True]
    change(path, "signals", to=f"{module}:other")
    assert [cached(report_of(path, store)) for _ in range(2)] == [False, True]
    source.write_text(source.read_text() + "# another comment\n")
    assert not cached(report_of(path, store))


def test_entries_are_named_and_authenticated_with_the_split_key(tmp_path, store):
    first, second = tmp_path / "first", tmp_path / "second"
    found = []
    for directory, key in ((first, KEY), (second, bytes(32))):
        directory.mkdir()
        sides = colours(300, 0), colours(300, 1)
        options = {"label": "y", "assignment": "randomized", "public_key": True, "key": key}
        build_from_sides(*sides, directory / "data", root=directory, **options)
        save_onnx(directory / "model.onnx")
        path = write_config(directory, budgets=BUDGETS, **LIGHT)
        report_of(path, store)
        prepared = prepare(load_config(path), cache=store)
        found.append((prepared.cache.secret, prepared.data.sha256))
    (one, manifest), (other, another) = found
    assert len({one, other, KEY, bytes(32), b""}) == 5
    assert manifest != another
    assert len(names(store)) == 2


# --------------------------------------------------------------------- what is refused all the same


def test_a_random_model_is_not_kept(torch_project, store):
    module = yaml.safe_load(torch_project.read_text())["model"]["factory"].partition(":")[0]
    source = torch_project.parent / f"{module}.py"
    noisy = source.read_text().replace("self.head(colour)", "self.head(colour + torch.rand(3))")
    source.write_text(noisy)
    for _ in range(2):
        assert "The model is random" in refused(torch_project, cache=store)
        assert names(store) == []


def test_a_model_that_is_not_the_pinned_one_is_refused_on_a_hit(torch_project, store):
    report_of(torch_project, store)
    change(torch_project, "model", "sha256", to="0" * 64)
    assert "pinned" in refused(torch_project, cache=store)


def referred_project(directory, **fixtures):
    """Colour images as files of their own, with a loader; returns the configuration."""
    loader = write_module(
        directory,
        "import numpy as np\n\n\ndef load(path):\n    return {'x': np.load(path)}\n",
    )
    tables = []
    for number, side in enumerate(("members", "nonmembers")):
        content = colours(200, number)
        folder = directory / "records" / side
        folder.mkdir(parents=True)
        lines = ["path,y,patient"]
        for row, (image, label) in enumerate(zip(content["x"], content["y"], strict=True)):
            np.save(folder / f"{row}.npy", image)
            lines.append(f"{side}/{row}.npy,{label},patient-{side}-{row}")
        tables.append(directory / f"{side}.csv")
        tables[-1].write_text("\n".join(lines))
    root = directory / "records"
    indexes = [
        read_index(table, root, location="path", columns=["y", "patient"]) for table in tables
    ]
    entry = reference_entry(
        indexes[0], root, location="path", loader=lambda path: {"x": np.load(path)}
    )
    options = {"label": "y", "identifier": "patient", "root": directory, "key": KEY}
    build_from_sides(
        *indexes, directory / "data", assignment="randomized", public_key=True, reference=entry,
        **options,
    )  # fmt: skip
    save_onnx(directory / "model.onnx")
    section = {"path": "data", "root": "records", "loader": f"{loader}:load", **fixtures}
    return write_config(directory, fixtures=section, budgets=BUDGETS, **LIGHT)


def test_records_that_are_referred_to_are_verified_on_a_hit_but_not_decoded(
    tmp_path, store, no_forward_pass
):
    path = referred_project(tmp_path)
    miss = report_of(path, store)
    no_forward_pass()
    hit = report_of(path, store)
    assert (cached(miss), cached(hit)) == (False, True)
    assert reproducible(miss) == reproducible(hit)
    record = tmp_path / "records" / "members" / "7.npy"
    record.write_bytes(record.read_bytes()[:-1] + b"\0")
    message = refused(path, cache=store)
    assert "members row 8: it is altered" in message
    assert "patient" not in message


@pytest.mark.parametrize("verify", ["none", 100])
def test_records_that_are_not_all_verified_are_not_kept(tmp_path, store, verify):
    path = referred_project(tmp_path, verify=verify)
    report_of(path, store)
    assert names(store) == []


# ---------------------------------------------------------------------------- what is kept and told


def test_nothing_of_a_record_is_in_an_entry_but_its_signals(tmp_path, store):
    path = referred_project(tmp_path)
    report_of(path, store)
    (name,) = names(store)
    assert re.fullmatch(r"signals-[0-9a-f]{64}\.entry", name)
    content = (store / name).read_bytes()
    identifiers = prepare(load_config(path)).data.identifiers
    for secret in (b"patient", b"members", b"records", b"data", str(tmp_path).encode()):
        assert secret not in content
    for digest in identifiers[:50]:
        assert digest.tobytes() not in content
        assert digest.tobytes().hex().encode() not in content
    with zipfile.ZipFile(store / name) as archive:  # it skips what stands before
        about = json.loads(np.load(io.BytesIO(archive.read("about.npy"))).tobytes())
        members = archive.namelist()
    assert about.keys() == {"names", "facts"}
    assert about["facts"] == {"batch_size": 256, "seen": [None, 4]}
    assert all(re.fullmatch(r"predicted|column [a-z-]+", array) for array in about["names"])
    assert len(members) == len(about["names"]) + 1


def test_the_report_says_so_in_words(torch_project, store):
    miss, hit = (run(torch_project, cache=store).reports[0] for _ in range(2))
    assert re.search(r"cached .*\bsignals\b.*: computed by an earlier run", render(hit))
    assert "Computed by an earlier run" in page(hit)
    for text in (render(miss), page(miss)):
        assert "earlier run" not in text


# -------------------------------------------------------------------------------------------- faces


def command(*arguments):
    """Whether the command took the signals from a cache."""
    done = CliRunner().invoke(main, ["run", *arguments, "--json", "report.json"])
    assert done.exit_code == 0, done.output
    with open("report.json") as stream:
        return cached(json.load(stream))


def test_the_command_keeps_signals_unless_in_ci_or_told_not_to(onnx, monkeypatch):
    default = onnx / ".privacy_gate" / "cache"
    assert [command(), command(), len(names(default))] == [False, True, 1]
    assert not command("--no-cache")
    monkeypatch.setenv("CI", "true")
    assert not command()
    assert command("--cache", ".privacy_gate/cache")


def test_contradicting_options_are_refused(onnx):
    done = CliRunner().invoke(main, ["run", "--cache", "own", "--no-cache"])
    assert done.exit_code == 2
    assert "contradict" in done.output
    assert not (onnx / "own").exists()


def test_a_directory_that_is_refused_ends_the_run_in_one_sentence(onnx):
    (onnx / "own").mkdir()
    (onnx / "own").chmod(0o777)
    message = refused(onnx / "privacy_gate.yaml", cache=onnx / "own")
    assert "others can write to it" in message


def test_python_and_the_commands_share_entries(onnx):
    assert not cached(privacy_gate.run("privacy_gate.yaml", cache="own").to_dict())
    assert command("--cache", "own")
    assert cached(privacy_gate.run("privacy_gate.yaml", cache="own").to_dict())
    # a process may hold older code than the files whose digests it reads, so there is no default
    assert not cached(privacy_gate.run("privacy_gate.yaml").to_dict())
    assert not (onnx / ".privacy_gate").exists()


def test_pytest_takes_a_directory(project, store, monkeypatch):
    monkeypatch.setenv("CI", "true")
    monkeypatch.delenv("PRIVACY_GATE_CACHE")
    project.configure(**LIGHT)
    flags = ("--privacy-gate", "--privacy-gate-report", "report")
    for option, expected in (("off", False), ("own", False), ("own", True)):
        assert project.run(*flags, "--privacy-gate-cache", option).ret == 0
        assert cached(project.report()) == expected
    assert len(names(project.path / "own")) == 1


def test_doctor_knows_the_variable():
    found = list(environment_findings({}, {}, {"PRIVACY_GATE_CACHE": "x"}))
    assert any("PRIVACY_GATE_CACHE" in finding.message for finding in found)
    assert not any("not read" in finding.message for finding in found)
