"""``privacy-gate init``: what is found is written, what is not known is TODO, and then it runs."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import runpy
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from fixture_sets import KEY, write_manifest
from gate_project import (
    DIGITS,
    MODEL_CODE,
    colours,
    run,
    save_onnx,
    save_torch,
    settings,
    write_config,
    write_fixtures,
    write_module,
)
from gate_project import refused as refused_run

from privacy_gate.cli import main
from privacy_gate.config import config_schema, load_config
from privacy_gate.domain import Sizes
from privacy_gate.errors import ConfigError, UsageError
from privacy_gate.feasibility import feasibility
from privacy_gate.planner.budgets import plan_budgets
from privacy_gate.planner.question import default_question, question
from privacy_gate.setup.starting_budgets import budgets_section
from privacy_gate.setup.writing import write_new


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A project of its own as the working directory."""
    directory = tmp_path / "project"
    (directory / ".git").mkdir(parents=True)
    monkeypatch.chdir(directory)
    for name in ("MODEL", "FIXTURES", "FIXTURES_ROOT", "DEVICE", "ROOTS", "KEY", "POLICY_REF"):
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)
    return directory


def invoke(*arguments, code=0, command="init"):
    result = CliRunner().invoke(main, [command, *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def written(home, name="privacy_gate.yaml"):
    return yaml.safe_load((home / name).read_text())


def verdict(path, **overrides):
    """That of the file as written, but for the few-shot attacks, which only cost time here."""
    text = path.read_text()
    assert "attacks: [threshold, few-shot]\n" in text
    path.write_text(text.replace("[threshold, few-shot]", "[threshold]"))
    (report,) = run(path, **overrides).reports
    return report.verdict


def files(home):
    return sorted(path.name for path in home.iterdir())


def digits(home, case, suffix, module="digits_model"):
    """The bundled digits as a user would have them: fixtures, one model, the code that builds
    it."""
    for folder in ("fixtures", "models"):
        (home / folder).mkdir()
    for name in ("manifest.json", "members.npz", "nonmembers.npz"):
        (home / "fixtures" / name).write_bytes((DIGITS / name).read_bytes())
    model = home / "models" / f"{case}{suffix}"
    model.write_bytes((DIGITS / model.name).read_bytes())
    name = write_module(home, (DIGITS / "digits_model.py").read_text())
    return model, name


# ---------------------------------------------------------------------------- init, and then run


@pytest.mark.parametrize(
    ("case", "suffix", "width", "label", "verdict"),
    [
        ("private", ".onnx", None, None, "pass"),
        ("leaky", ".safetensors", 512, "canary", "fail"),
    ],
)
def test_init_and_run_pass_the_private_and_fail_the_leaky_model(
    home, case, suffix, width, label, verdict
):
    """Nothing has to be filled in: the arguments of the factory follow from the weights, scale and
    label column from what the model answers."""
    _, module = digits(home, case, suffix)
    said = invoke().stdout
    assert "Next: privacy-gate run" in said
    assert "compare it with the training code" in said
    content = written(home)
    model = content["model"]
    assert model["path"] == f"models/{case}{suffix}"
    assert model["preprocess"] == {"scale": 0.0625}
    if width is not None:
        assert model["factory"] == f"{module}:build"
        assert model["kwargs"] == {"width": width}
    else:
        assert model["features"] == {"name": "features"}
    fixtures = {"path": "fixtures", "label": label} if label else "fixtures"
    assert content["fixtures"] == fixtures
    bundled = yaml.safe_load((DIGITS / f"{case}.yaml").read_text())["model"]["expected"]
    measured = model["expected"]["nonmember_accuracy"]
    assert measured == pytest.approx(bundled["nonmember_accuracy"], abs=0.005)

    (report,) = run(home / "privacy_gate.yaml").reports
    assert (report.verdict, report.complete) == (verdict, True)
    assert report.model["accuracy"]["nonmembers"]["estimate"] == pytest.approx(measured, abs=0.0006)

    before = (home / "privacy_gate.yaml").read_bytes()
    again = invoke(code=2)
    assert "already exists" not in again.stdout
    assert "privacy_gate.yaml exists already" in again.stderr
    assert "-o FILE" in again.stderr
    assert (home / "privacy_gate.yaml").read_bytes() == before
    assert not [name for name in files(home) if name.startswith((".privacy_gate-", "tmp"))]


def test_images_for_an_onnx_model_are_scaled_and_turned_round(home):
    write_fixtures(home)
    save_onnx(home / "model.onnx")
    invoke()
    model = written(home)["model"]
    assert model["preprocess"] == {"scale": 0.00392156862745098, "layout": "NCHW"}
    assert model["output"] == {"name": "logits", "kind": "logits"}
    assert model["features"] == {"name": "features"}
    assert verdict(home / "privacy_gate.yaml") == "pass"


def test_a_module_that_returns_several_things_is_asked_for_its_logits(home):
    write_fixtures(home)
    section = save_torch(home)
    invoke()
    model = written(home)["model"]
    assert model["output"] == {"name": "logits", "kind": "logits"}
    assert model["factory"] == section["factory"]
    assert "kwargs" not in model  # all have defaults
    assert model["preprocess"] == {"scale": 0.00392156862745098, "layout": "NCHW"}
    assert verdict(home / "privacy_gate.yaml") == "pass"


def test_a_model_that_returns_labels_only_is_attacked_by_them(home):
    section = save_torch(home)
    code = home / f"{section['factory'].partition(':')[0]}.py"
    returned = (
        'return {"logits": self.head(colour), "features": torch.cat([colour, brightness], dim=1)}'
    )
    assert returned in code.read_text()
    code.write_text(code.read_text().replace(returned, "return self.head(colour).argmax(dim=1)"))
    write_fixtures(home)
    invoke()
    content = written(home)
    assert content["model"]["output"] == {"kind": "labels"}
    assert content["attacks"] == ["correctness"]
    (report,) = run(home / "privacy_gate.yaml").reports
    assert report.verdict == "pass"


def test_a_model_of_another_output_order_is_told_by_its_answers(home):
    """Labels that are texts: the order of names is taken only if the model's answers fit it."""
    names = np.array(["blue", "dark", "red", "yellow"])  # classes 1, 3, 0, 2
    place = np.array([2, 0, 3, 1])
    sides = [colours(400, seed) for seed in (0, 1)]
    texts = [{"x": side["x"], "y": names[place[side["y"]]]} for side in sides]
    write_fixtures(home, *texts)
    save_onnx(home / "model.onnx")
    invoke()
    assert written(home)["model"]["labels"] == {"order": "TODO"}
    assert "[blue, dark, red, yellow]" in (home / "privacy_gate.yaml").read_text()

    from gate_project import bayes

    weight, bias = bayes()
    order = np.argsort(place)
    save_onnx(home / "model.onnx", weight[order], bias[order])
    invoke("-o", "second.yaml")
    assert written(home, "second.yaml")["model"]["labels"] == {"order": names.tolist()}
    assert verdict(home / "second.yaml") == "pass"


def test_a_checkpoint_of_a_wrapped_model_and_its_receipt(home):
    """As Lightning writes it: under a key, every name with a prefix, beside classes that have the
    same weights."""
    import torch
    from safetensors.numpy import save_file

    section = save_torch(home)
    from safetensors.torch import load_file

    state = {f"model.{name}": value for name, value in load_file("model.safetensors").items()}
    Path("model.safetensors").unlink()
    torch.save({"state_dict": state, "epoch": 3}, "last.ckpt")
    write_fixtures(home)
    Path("train.py").write_text(
        "import torch\nfrom torch import nn\n"
        f"from {section['factory'].partition(':')[0]} import build\n"
        "class Wrapped(nn.Module):\n    def __init__(self):\n        self.model = build()\n"
        "if __name__ == '__main__':\n    raise SystemExit('never run')\n"
    )
    facts = {"receipt": json.dumps({"schema": "privacy-gate.receipt/1"})}
    save_file({"seen": np.zeros((1, 16), np.uint8)}, "receipt.safetensors", metadata=facts)
    invoke()
    content = written(home)
    model = content["model"]
    assert (model["weights_key"], model["strip_prefix"]) == ("state_dict", "model.")
    assert model["factory"] == section["factory"]
    assert model["expected"]["nonmember_accuracy"] > 0.7
    assert content["fixtures"] == {"path": "data", "receipt": "receipt.safetensors"}


def test_code_in_a_source_folder_is_looked_up_there(home):
    section = save_torch(home)
    module = section["factory"].partition(":")[0]
    package = home / "src" / f"package_{module}"
    package.mkdir(parents=True)
    (home / f"{module}.py").rename(package / "nets.py")
    (package / "__init__.py").write_text("")
    write_fixtures(home)
    invoke()
    content = written(home)
    assert content["python_path"] == ["src"]
    assert content["model"]["factory"] == f"package_{module}.nets:build"
    load_config(home / "privacy_gate.yaml")


def test_the_file_may_lie_elsewhere_in_the_project(home):
    write_fixtures(home)
    save_torch(home)
    (home / "gates").mkdir()
    invoke("-o", "gates/colours.yaml")
    content = written(home, "gates/colours.yaml")
    assert content["name"] == "gates"
    assert content["model"]["path"] == "../model.safetensors"
    assert content["python_path"] == [".."]
    assert content["fixtures"] == "../data"
    assert verdict(home / "gates" / "colours.yaml") == "pass"


def test_what_lies_outside_the_project_is_named_when_it_is_run(home, tmp_path):
    write_fixtures(tmp_path)
    save_onnx(tmp_path / "model.onnx")
    invoke("--model", tmp_path / "model.onnx", "--fixtures", tmp_path / "data")
    text = (home / "privacy_gate.yaml").read_text()
    assert str(tmp_path) not in text
    assert "# path: outside the project: give --model, or PRIVACY_GATE_MODEL" in text
    assert "# fixtures: outside the project: give --fixtures, or PRIVACY_GATE_FIXTURES" in text
    given = {"model": str(tmp_path / "model.onnx"), "fixtures": str(tmp_path / "data")}
    assert verdict(home / "privacy_gate.yaml", **given) == "pass"


def test_records_that_are_referred_to_are_found(home, monkeypatch):
    from privacy_gate.fixtures import build_from_sides
    from privacy_gate.fixtures.index import read_index, reference_entry

    (home / "pictures" / "all").mkdir(parents=True)
    data = colours(900, 5)
    for number, array in enumerate(data["x"]):
        np.save(home / "pictures" / "all" / f"{number}.npy", array)
    for side, start in (("members", 0), ("nonmembers", 450)):
        rows = [f"all/{n}.npy,{data['y'][n]}" for n in range(start, start + 450)]
        (home / f"{side}.csv").write_text("\n".join(["path,y", *rows]) + "\n")
    root = home / "pictures"
    tables = [
        read_index(home / f"{side}.csv", root, location="path", columns=["y"])
        for side in ("members", "nonmembers")
    ]
    entry = reference_entry(tables[0], root, location="path", loader=None)
    build_from_sides(
        *tables, home / "index", root=home, key=KEY, public_key=True, label="y", reference=entry,
        assignment="randomized",
    )  # fmt: skip
    save_onnx(home / "model.onnx")
    invoke()
    content = written(home)
    assert content["fixtures"] == {"path": "index", "root": "pictures"}
    assert content["model"]["preprocess"]["layout"] == "NCHW"
    assert "all/" not in (home / "privacy_gate.yaml").read_text()
    (home / "pictures").rename(home.parent / "moved")
    invoke("-o", "second.yaml")
    assert written(home, "second.yaml")["fixtures"]["root"] == "TODO"
    assert "fixtures.root: fill in the directory" in refused_run(home / "second.yaml")
    said = invoke("-o", "third.yaml").stdout
    assert "PRIVACY_GATE_FIXTURES_ROOT=DIR privacy-gate init" in said
    monkeypatch.setenv("PRIVACY_GATE_FIXTURES_ROOT", str(home.parent / "moved"))
    assert "Next: privacy-gate run fourth.yaml" in invoke("-o", "fourth.yaml").stdout
    assert written(home, "fourth.yaml")["fixtures"] == "index"
    assert verdict(home / "fourth.yaml") == "pass"
    monkeypatch.setenv("PRIVACY_GATE_FIXTURES_ROOT", str(home))
    words = refused_run(home / "fourth.yaml")
    assert "None of the 900 files is there" in words
    assert "another directory" in words


def test_the_page_for_beginners_keeps_its_promises(home, monkeypatch):
    """Its files and its commands, in the order of the page: green, and red for the leaky model."""
    whole = (Path(__file__).parent.parent / "docs" / "getting-started.md").read_text()
    page, others = whole.split("## Tables, images, Lightning")
    assert others
    for name, code in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", page, re.S):
        (home / name).write_text(code)
    monkeypatch.setenv("PRIVACY_GATE_KEY", KEY.hex())  # else the coins differ from run to run
    monkeypatch.syspath_prepend(home)
    runpy.run_path("make_data.py")
    commands = [
        shlex.split(line)
        for block in re.findall(r"```sh\n(.*?)```", page, re.S)
        for line in block.splitlines()
    ]
    assert len(commands) == 5 + 3
    verdicts = []
    for program, *arguments in commands[1:]:
        if program == "python":
            monkeypatch.setattr(sys, "argv", arguments)
            runpy.run_path(arguments[0], run_name="__main__")
        elif arguments[0] == "run":
            verdicts.append(verdict(home / [*arguments[1:], "privacy_gate.yaml"][0]))
        else:
            command, *rest = arguments
            assert "TODO" not in invoke(*rest, command=command).stdout
    monkeypatch.delitem(sys.modules, "net")
    assert verdicts == ["pass", "fail"]


# -------------------------------------------------------------------------------- what is missing


def test_an_empty_directory_gets_the_commands_that_come_first_and_no_file(home):
    before = files(home)
    error = invoke(code=2).stderr
    assert "There are no fixtures" in error
    assert "nor a model" in error
    assert (
        "1. privacy-gate fixtures build --from train.npz --rate 0.5 --label y -o fixtures" in error
    )
    assert error.index("fixtures build") < error.index("2. train on") < error.index("init")
    assert files(home) == before


def test_the_commands_name_the_data_that_is_there_and_work(home):
    (home / "my data").mkdir()
    rows = np.random.default_rng(0).normal(size=(400, 3))
    np.savez(home / "my data" / "all.npz", x=rows, label=np.arange(400) % 2, id=np.arange(400))
    error = invoke(code=2).stderr
    (command,) = re.findall(r"1\. privacy-gate (.*)", error)
    arguments = shlex.split(command)
    assert arguments[2:4] == ["--from", "my data/all.npz"]
    assert {"--label", "label", "--id", "id"} <= set(arguments)
    invoke(*arguments[1:], command=arguments[0])
    assert "no model was found" in (invoke(), (home / "privacy_gate.yaml").read_text())[1]


def test_without_a_model_the_rest_is_written_and_the_model_is_to_do(home):
    write_fixtures(home)
    said = invoke().stdout
    content = written(home)
    assert [content["model"][key] for key in ("format", "path", "factory")] == ["TODO"] * 3
    assert content["fixtures"] == "data"
    assert len(content["budgets"]) == 6
    for key in ("format", "path", "factory", "preprocess"):
        assert f"model.{key}: fill in" in said
    assert "Then: privacy-gate doctor" in said


def test_several_models_are_listed_and_none_is_guessed(home):
    write_fixtures(home)
    save_onnx(home / "model.onnx")
    save_torch(home)
    error = invoke(code=2).stderr
    assert "several model files:\n  model.onnx\n  model.safetensors\n" in error
    assert "privacy-gate init --model model.onnx" in error
    assert "in its own directory" in error
    assert not (home / "privacy_gate.yaml").exists()
    invoke("--model", "model.onnx", "--no-measure")
    assert written(home)["model"]["path"] == "model.onnx"


def test_on_a_terminal_it_asks_and_elsewhere_it_never_does(home):
    """A real terminal: the question is answered with a name; wrong names are asked again."""
    write_fixtures(home)
    save_onnx(home / "a.onnx")
    save_onnx(home / "b.onnx")
    leader, follower = pty.openpty()
    script = "from privacy_gate.cli import main; main(['init', '--no-measure'])"
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    os.write(leader, b"c.onnx\nb.onnx\n")
    said, end = b"", time.monotonic() + 60
    while child.poll() is None and time.monotonic() < end:
        if select.select([leader], [], [], 0.1)[0]:
            try:
                said += os.read(leader, 4096)
            except OSError:  # the terminal closes with the process
                break
    assert child.wait(timeout=60) == 0, said.decode()
    os.close(leader)
    assert b"There are several model files" in said
    assert written(home)["model"]["path"] == "b.onnx"


def test_without_measuring_no_code_runs_and_what_only_that_shows_is_to_do(home):
    _, module = digits(home, "private", ".safetensors")
    code = home / f"{module}.py"
    code.write_text(f"{code.read_text()}\nopen('it-was-run', 'w').close()\n")
    invoke("--no-measure")
    assert not (home / "it-was-run").exists()
    model = written(home)["model"]
    assert model["factory"] == f"{module}:build"
    assert model["kwargs"] == {"width": "TODO"}
    assert model["preprocess"] == "TODO"
    assert "expected" not in model
    assert "# expected: {nonmember_accuracy: 0.84}" in (home / "privacy_gate.yaml").read_text()
    error = invoke(command="run", code=2).stdout
    assert re.search(r"privacy_gate\.yaml:9:\d+: model\.kwargs\.width: fill in the value", error)
    assert re.search(r"^ +privacy_gate\.yaml:10:\d+: model\.preprocess: fill in what", error, re.M)


def test_sizes_with_a_default_follow_from_the_weights(home):
    """As few of them as possible; what leaves the shapes as they are keeps its default."""
    write_fixtures(home)
    save_torch(home)
    (path,) = home.glob("project_code_*.py")
    path.write_text(MODEL_CODE.replace("build(classes=4)", "build(classes=9, seed=7)"))
    assert "Next: privacy-gate run" in invoke().stdout
    assert written(home)["model"]["kwargs"] == {"classes": 4}
    assert "with no other value" in (home / "privacy_gate.yaml").read_text()


def test_the_arguments_that_a_lightning_checkpoint_was_saved_with_are_taken(home):
    """Whatever the defaults are; what a configuration cannot hold, or the module has not, is left
    out."""
    import torch
    from safetensors.torch import load_file

    write_fixtures(home)
    save_torch(home)
    (path,) = home.glob("project_code_*.py")
    arguments = "classes=9, slope=0.5, layers=(), rate=None"
    path.write_text(MODEL_CODE.replace("build(classes=4)", f"build({arguments})"))
    kept = {"classes": 4, "slope": 0.01, "layers": [8, 8], "rate": None, "of_the_optimizer": 3}
    state = load_file("model.safetensors")
    Path("model.safetensors").unlink()
    torch.save({"state_dict": state, "hyper_parameters": kept}, "last.ckpt")
    assert "Next: privacy-gate run" in invoke().stdout
    assert written(home)["model"]["kwargs"] == {"classes": 4, "slope": 0.01, "layers": [8, 8]}
    assert "saved with" in (home / "privacy_gate.yaml").read_text()


@pytest.mark.parametrize("forgotten", [True, False])
def test_a_table_that_training_standardised_is_told_by_the_answers(home, forgotten):
    """What training did outside the model is missing, and said so; a model that does the scaling
    itself is taken as it is."""
    import torch
    from safetensors.torch import save_file

    random = np.random.default_rng(3)
    y = random.integers(0, 2, 1600)
    x = random.normal(0, 1, (1600, 2)) + np.stack([4 * y, 2 * y], axis=1)
    spread, shift = np.array([1, 50]), np.array([0, 100])
    raw = (x * spread + shift).astype(np.float32)
    write_fixtures(home, {"x": raw[:800], "y": y[:800]}, {"x": raw[800:], "y": y[800:]})
    mean, std = raw[:800].mean(0), raw[:800].std(0)
    weight, bias = np.array([[-1.0, -0.5], [1.0, 0.5]]), np.zeros(2)
    if not forgotten:
        weight, bias = weight / std, bias - (weight / std) @ mean
    names = {"0.weight": weight, "0.bias": bias}
    save_file({k: torch.tensor(v).float() for k, v in names.items()}, "model.safetensors")
    builds = "def build():\n    return nn.Sequential(nn.Linear(2, 2))\n"
    write_module(home, f"from torch import nn\n{builds}")
    said = invoke().stdout
    text = (home / "privacy_gate.yaml").read_text()
    assert ("seems to standardise the columns" in said) is forgotten
    assert ("module:function" in text) is forgotten
    assert (written(home)["model"].get("preprocess") == "TODO") is forgotten
    assert ("expected" in written(home)["model"]) is not forgotten


def test_of_several_receipts_that_of_the_model_is_taken(home):
    from safetensors.numpy import save_file

    write_fixtures(home)
    save_onnx(home / "model.onnx")
    digest = hashlib.sha256((home / "model.onnx").read_bytes()).hexdigest()
    for name, model in (("a", "0" * 64), ("b", digest), ("c", "1" * 64)):
        facts = {"schema": "privacy-gate.receipt/1", "model_sha256": model}
        rows = {"seen": np.zeros((1, 16), np.uint8)}
        save_file(rows, f"{name}.safetensors", metadata={"receipt": json.dumps(facts)})
    invoke("--no-measure")
    assert written(home)["fixtures"]["receipt"] == "b.safetensors"


def test_a_factory_that_does_not_build_the_weights_is_not_written(home):
    write_fixtures(home)
    save_torch(home)
    for path in home.glob("project_code_*.py"):
        path.write_text(MODEL_CODE.replace("nn.Linear(3, classes)", "nn.Linear(5, classes)"))
    assert "head.weight has the shape (4, 3) in the file but (4, 5)" in invoke().stdout
    assert written(home)["model"]["factory"] == "TODO"
    assert ":build was tried: head.weight has" in (home / "privacy_gate.yaml").read_text()


def test_several_factories_that_fit_are_named_and_none_is_taken(home):
    write_fixtures(home)
    save_torch(home)
    write_module(home)
    invoke()
    assert written(home)["model"]["factory"] == "TODO"
    assert len(re.findall(r"project_code_\d+:build", (home / "privacy_gate.yaml").read_text())) == 2


def test_a_program_that_could_run_code_waits_for_a_decision(home):
    import torch

    class Head(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1)

    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.script(Head()).save("model.pt")
    write_fixtures(home)
    invoke()
    model = written(home)["model"]
    assert (model["format"], model["trust"]) == ("torchscript", "TODO")
    assert "model.trust: fill in code, if you trust" in refused_run(home / "privacy_gate.yaml")


def test_a_model_that_guesses_under_every_scale_is_not_called_measured(home):
    write_fixtures(home)
    random = np.random.default_rng(0)
    save_onnx(home / "model.onnx", random.normal(size=(4, 3)), np.zeros(4))
    members = colours(700, 0)
    members["y"] = random.permutation(members["y"])
    write_fixtures(home / "other", members)
    said = invoke("--fixtures", "other/data").stdout
    model = written(home)["model"]
    assert model["preprocess"] == "TODO"
    assert "expected" not in model
    assert "guessing" in (home / "privacy_gate.yaml").read_text()
    assert "model.labels.order" in said


def test_a_missing_split_key_is_told_and_the_file_is_written(home):
    manifest = write_fixtures(home)
    content = json.loads((home / "data" / "manifest.json").read_text())
    del content["split_key"]["value"]
    write_manifest(home / "data", content)
    save_onnx(home / "model.onnx")
    said = invoke().stdout
    assert f"The split key of these fixtures (fingerprint {manifest.fingerprint}) was not" in said
    assert written(home)["model"]["preprocess"] == "TODO"


def test_altered_fixtures_and_unusable_models_are_errors_and_nothing_is_written(home):
    write_fixtures(home)
    save_onnx(home / "model.onnx")
    Path("lfs.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "Git LFS pointer" in invoke("--model", "lfs.onnx", code=2).stderr
    assert "does not exist" in invoke("--model", "absent.onnx", code=2).stderr
    assert "no manifest.json" in invoke("--model", "model.onnx", "--fixtures", ".", code=2).stderr
    members = home / "data" / "members.npz"
    members.write_bytes(members.read_bytes()[:-1])
    assert "members.npz" in invoke("--model", "model.onnx", code=2).stderr
    assert "There is no directory" in invoke("-o", "absent/x.yaml", code=2).stderr
    assert not list(home.rglob("*.yaml"))


def test_no_identifier_of_a_record_is_written_or_said(home):
    sides = [colours(300, seed) for seed in (0, 1)]
    for number, side in enumerate(sides):
        side["id"] = np.array([f"patient-{number}-{row}" for row in range(300)])
    write_fixtures(home, *sides, identifier="id")
    save_onnx(home / "model.onnx")
    said = invoke().output
    assert "patient-" not in said + (home / "privacy_gate.yaml").read_text()
    members = home / "data" / "members.npz"
    members.write_bytes(members.read_bytes()[:-1])
    assert "patient-" not in invoke("-o", "second.yaml", code=2).output


# ----------------------------------------------------------------- the file, once it is filled in


def fill(value, where=()):
    """A configuration with every TODO replaced by something of the right kind."""
    known = {
        "format": "torch", "path": "model.pt", "factory": "nets:build", "trust": "code",
        "preprocess": {"scale": 0.5}, "width": 3, "order": ["a", "b"], "name": 0,
        "signals": "gate:signals", "attacks": "mine", "root": ".", "inputs": {"a": "x"},
    }  # fmt: skip
    if value == "TODO":
        named = next(key for key in reversed(where) if isinstance(key, str))
        return known.get(named, "x")
    if isinstance(value, dict):
        return {key: fill(inner, (*where, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, (*where, index)) for index, inner in enumerate(value)]
    return value


def two_columns(count, seed):
    data = colours(count, seed)
    return {**data, "age": np.arange(count, dtype=np.float32) + seed * 10_000}


@pytest.mark.parametrize(
    ("task", "model", "columns"),
    [
        ("classification", None, 1),
        ("classification", "onnx", 2),
        ("classification", "torch", 1),
        ("classification", "torch", 2),
        ("classification", "torchscript", 1),
        ("custom", None, 2),
        ("custom", "onnx", 1),
    ],
)
def test_the_file_is_valid_once_the_todos_are_filled_in(home, task, model, columns):
    """Whatever was found: with every TODO replaced it is a configuration, by the JSON schema and by
    the reader; until then every TODO is one error at its line, and nothing else is wrong."""
    make = two_columns if columns == 2 else colours
    write_fixtures(home, make(300, 0), make(300, 1))
    if model == "onnx":
        save_onnx(home / "model.onnx")
    elif model == "torch":
        save_torch(home)
        write_module(home)
    elif model == "torchscript":
        import zipfile

        with zipfile.ZipFile("model.pt", "w") as archive:
            archive.writestr("model/constants.pkl", b"")
    said = invoke("--task", task, "--no-measure").stdout
    path = home / "privacy_gate.yaml"
    content = written(home)
    todos = [
        number
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for _ in re.findall(r"\bTODO\b", line.partition("  #")[0])
    ]
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    problems = str(caught.value).splitlines()
    assert [int(line.split(":")[1]) for line in problems] == todos
    assert all(": fill in " in line for line in problems)
    assert [int(n) for n in re.findall(r"^  privacy_gate\.yaml:(\d+):", said, re.M)] == todos

    filled = fill(content)
    if filled["model"]["format"] != "torch":
        filled["model"].pop("factory", None)
    jsonschema.validate(filled, config_schema())
    path.write_text(yaml.safe_dump(filled))
    assert load_config(path).task == task


def test_todos_are_collected_with_every_other_problem(home):
    changes = {
        "model": {"path": "TODO", "output": {"name": "TODO: which", "kind": "logits"}},
        "attacks": ["threshold", "TODO"],
        "budgets": [{"metric": "auc", "max": "TODO"}, {"metric": "auc", "max": 1.5}],
        "limits": {"seconds": -1},
    }
    path = write_config(home, **changes)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 6, lines
    for words in (
        "model.path: fill in the model file",
        "model.output.name: fill in the output to judge",
        "attacks[1]: fill in the names of the signals",
        "budgets[0].max: fill in a value; `privacy-gate plan --members N",
        "budgets[1].max: a budget of 1 or more",
        "limits.seconds: must be greater than 0",
    ):
        assert sum(words in line for line in lines) == 1, words


@pytest.mark.parametrize("name", ["TODOs/model.onnx", "TODO.onnx", "TODO-app.onnx", "todo.onnx"])
def test_names_that_only_begin_like_it_are_no_todo(home, name):
    config = load_config(write_config(home, model={"path": name}))
    assert config.model_path.name == Path(name).name


def test_a_policy_can_be_unfinished_too(home):
    (home / "privacy_policy.yaml").write_text("version: 1\nowner: TODO\n")
    with pytest.raises(ConfigError, match=r"privacy_policy\.yaml:2:8: owner: fill in a value"):
        load_config(write_config(home, policy="privacy_policy.yaml"))


# -------------------------------------------------------------------------------------- budgets


def budgets_of(text):
    return {
        (b["metric"], b.get("fpr") or b.get("fnr") or b.get("regime")): b["max"]
        for b in yaml.safe_load(text)["budgets"]
    }


@pytest.mark.parametrize("sizes", [(100, 120), (892, 905), (20_000, 30_000)])
def test_the_budgets_can_be_certified_and_are_no_stricter_than_the_default(home, sizes):
    text = budgets_section(Sizes(*sizes), None)
    asked = default_question()
    default = {(c.metric.name, c.metric.argument): c.budget for c in asked.checks}
    smallest = {
        (row.row.metric.name, row.row.metric.argument): row.smallest
        for row in plan_budgets(asked, Sizes(*sizes), 0.95).rows
    }
    found = budgets_of(text)
    assert found == {key: max(default[key], smallest[key]) for key in default}
    config = settings(budgets=yaml.safe_load(text)["budgets"], attacks=["threshold", "few-shot"])
    (home / "c.yaml").write_text(yaml.safe_dump(config))
    evaluation = Sizes(*(asked.evaluation_records(size) for size in sizes))
    assert not feasibility(
        question(load_config(home / "c.yaml")).checks, evaluation, 0.95
    ).impossible


def test_fixtures_that_certify_nothing_are_refused(home):
    write_fixtures(home, colours(6, 0), colours(6, 1))
    save_onnx(home / "model.onnx")
    assert "fewer than 2 evaluation records" in invoke(code=2).stderr
    assert not (home / "privacy_gate.yaml").exists()


# -------------------------------------------------------------------------------------- the file


def test_a_file_is_written_whole_or_not_at_all_and_never_twice(home, monkeypatch):
    path = home / "x.yaml"
    write_new(path, "first\n")
    with pytest.raises(UsageError, match="exists already"):
        write_new(path, "second\n")
    assert path.read_text() == "first\n"
    (home / "link.yaml").symlink_to(home / "absent")
    with pytest.raises(UsageError, match="exists already"):
        write_new(home / "link.yaml", "third\n")
    assert not (home / "absent").exists()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UsageError, match="No space left"):
        write_new(home / "y.yaml", "content\n")
    assert not (home / "y.yaml").exists()
    assert files(home) == [".git", "link.yaml", "x.yaml"]
