"""What ``init`` finds and infers, piece by piece: files, code, outputs, preprocessing, YAML."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from gate_project import write_config, write_module
from hypothesis import given
from hypothesis import strategies as st

from privacy_gate.config import load_config
from privacy_gate.config.source import parse_source
from privacy_gate.errors import UsageError
from privacy_gate.models.fitting import fitting_arguments
from privacy_gate.models.onnx_signature import Port
from privacy_gate.setup import search as searching
from privacy_gate.setup.factories import Parameter, candidates
from privacy_gate.setup.matching import best, matches
from privacy_gate.setup.model_files import choose_output
from privacy_gate.setup.preprocessing import Tried, decided, possible, standardised
from privacy_gate.setup.search import search
from privacy_gate.setup.text import Line, block
from privacy_gate.setup.trial import in_order

# -------------------------------------------------------------------------------------- the walk


def touch(top, *names):
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def relative(paths, top):
    return [path.relative_to(top).as_posix() for path in paths]


def test_models_are_found_and_what_is_none_of_the_users_is_passed_over(tmp_path):
    touch(
        tmp_path, "b.onnx", "a/c.pt", "a/deep/er/d.ckpt", "pytorch_model.bin", "weights.txt",
        ".venv/x.pt", ".git/x.pt", "node_modules/x.pt", "__pycache__/x.pt", "site-packages/x.pt",
        "env/pyvenv.cfg", "env/x.pt", "optimizer.pt", "training_args.bin", "run/scheduler.pt",
    )  # fmt: skip
    (tmp_path / "link.pt").symlink_to(tmp_path / "b.onnx")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = search(tmp_path)
    assert relative(found.models, tmp_path) == [
        "b.onnx",
        "pytorch_model.bin",
        "a/c.pt",
        "a/deep/er/d.ckpt",
    ]
    assert found.complete


def test_shards_are_one_model_unless_another_lies_beside_them(tmp_path):
    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    touch(tmp_path, *(f"large/{name}" for name in shards))
    touch(tmp_path, *(f"mixed/{name}" for name in shards), "mixed/other.safetensors")
    assert relative(search(tmp_path).models, tmp_path) == [
        "large",
        *(f"mixed/{name}" for name in shards),
        "mixed/other.safetensors",
    ]


def test_fixtures_are_known_by_their_schema_and_hold_no_model(tmp_path):
    touch(tmp_path, "web/manifest.json", "set/members.safetensors", "set/nonmembers.safetensors")
    (tmp_path / "web" / "manifest.json").write_text('{"name": "a web page"}')
    (tmp_path / "set" / "manifest.json").write_text(
        '{"schema": "privacy-gate.fixtures/1", "sides": {'
        '"members": {"files": [{"path": "members.safetensors"}]},'
        '"nonmembers": {"files": [{"path": "nonmembers.safetensors"}, 7]}, "x": 3}}'
    )
    touch(tmp_path, "set/model.safetensors")
    found = search(tmp_path)
    assert relative(found.fixtures, tmp_path) == ["set"]
    assert relative(found.models, tmp_path) == ["set/model.safetensors"]


def test_the_walk_ends_and_says_so(tmp_path, monkeypatch):
    deep = "/".join("d" * (searching.DEEPEST + 2))
    touch(tmp_path, "a.onnx", f"{deep}/b.onnx")
    found = search(tmp_path)
    assert relative(found.models, tmp_path) == ["a.onnx"]
    assert not found.complete
    touch(tmp_path, *(f"many/{number}.png" for number in range(30)), "zoo/z.onnx")
    assert relative(search(tmp_path).models, tmp_path) == ["a.onnx", "zoo/z.onnx"]
    monkeypatch.setattr(searching, "MOST_ENTRIES", 20)
    found = search(tmp_path)
    assert relative(found.models, tmp_path) == ["a.onnx"]
    assert not found.complete


# --------------------------------------------------------------------------------------- the code


def code(top, **files):
    paths = []
    for name, text in files.items():
        path = top / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        paths.append(path)
    return paths


def targets(found):
    return [candidate.target for candidate in found]


def test_functions_and_classes_that_build_modules_are_found_without_being_run(tmp_path):
    found = candidates(
        code(
            tmp_path,
            nets="""
                import torch.nn as nn
                from torch.nn import Module
                from numpy import ndarray
                raise SystemExit("this code is never run")

                class Plain(Module):
                    def __init__(self, classes: int, dropout: float = 0.1):
                        super().__init__()
                        self.body, self.head = nn.Linear(3, 3), nn.Linear(3, classes)
                        self.register_buffer("mean", None)

                class Child(Plain):
                    def __init__(self, classes, *, name: str):
                        self.extra = nn.Linear(1, 1)

                class NotOne:
                    pass

                class _Hidden(Module):
                    pass

                def declared(a, b=1) -> nn.Module:
                    ...

                def quoted() -> "nn.Module":
                    ...

                def layers():
                    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
                    return model.eval()

                def by_name(classes):
                    return Plain(classes).to("cpu")

                def other(x) -> ndarray:
                    return nn.functional.relu(x)
            """,
            broken="def (",
            pkg__more="from nets import by_name, Plain\ndef again():\n    return Plain(3)\n",
        ),
        tmp_path,
    )
    assert targets(found) == [
        "nets:Plain", "nets:Child", "nets:declared", "nets:quoted", "nets:layers", "nets:by_name",
        "pkg.more:again",
    ]  # fmt: skip
    by_target = {candidate.target: candidate for candidate in found}
    assert by_target["nets:Plain"].children == {"body", "head", "mean"}
    assert by_target["nets:Plain"].parameters == (Parameter("classes", True),)
    assert by_target["nets:Plain"].optional == (Parameter("dropout", False),)
    assert by_target["nets:declared"].optional == (Parameter("b", True),)
    assert by_target["nets:Child"].children == {"body", "head", "mean", "extra"}
    assert by_target["nets:Child"].parameters == (
        Parameter("classes", True),
        Parameter("name", False),
    )
    assert by_target["nets:declared"].children is None
    assert by_target["nets:layers"].children == {"0", "1"}
    assert by_target["nets:by_name"].children == {"body", "head", "mean"}
    assert by_target["pkg.more:again"].children == {"body", "head", "mean"}


def test_relative_imports_lead_to_the_classes_of_the_package(tmp_path):
    paths = code(
        tmp_path,
        src__pkg____init__="",
        src__pkg__base="import torch\nclass Base(torch.nn.Module):\n    pass\n",
        src__pkg__net="from .base import Base\nclass Net(Base):\n    pass\n",
        src__pkg__sub__deep="from ..base import Base\nclass Deep(Base):\n    pass\n",
    )
    found = candidates(paths, tmp_path)
    assert targets(found) == ["pkg.base:Base", "pkg.net:Net", "pkg.sub.deep:Deep"]
    assert {candidate.python_path for candidate in found} == {tmp_path / "src"}


def matched(top, shapes, **files):
    found = best(matches(candidates(code(top, **files), top), shapes))
    return found and (found.candidate.target, found.prefix)


NETS = """
    from torch import nn
    class Block(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(3, 3, 3)
    class Net(nn.Module):
        def __init__(self):
            self.block, self.head = Block(), nn.Linear(3, 3)
"""


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["block.conv.weight", "head.weight"], ("nets:Net", "")),
        (["conv.weight"], ("nets:Block", "")),
        (["model.block.conv.weight", "model.head.weight"], ("nets:Net", "model.")),
        (["module.net.head.weight", "module.net.block.conv.bias"], ("nets:Net", "module.net.")),
        (["features.weight"], None),
    ],
)
def test_the_names_of_the_weights_choose_the_class(tmp_path, names, expected):
    assert matched(tmp_path, dict.fromkeys(names, (3,)), nets=NETS) == expected


def test_a_function_is_preferred_to_its_class_and_both_to_a_training_script(tmp_path):
    script = """
        from nets import Net
        def make():
            return Net()
        if __name__ == "__main__":
            make()
    """
    shapes = {"head.weight": (3,)}
    assert matched(tmp_path, shapes, nets=NETS, run=script) == ("nets:Net", "")
    builder = "from nets import Net\ndef build():\n    return Net()\n"
    files = {"nets": NETS, "run": script, "zoo": builder}
    assert matched(tmp_path, shapes, **files) == ("zoo:build", "")
    trains = "from nets import Net\ndef train_it():\n    return Net()\n"
    assert matched(tmp_path, shapes, **files, zap=trains) == ("zoo:build", "")
    again = "from nets import Net\ndef other():\n    return Net()\n"
    assert matched(tmp_path, shapes, **files, zip=again) is None


TWO_NUMBERS = """
    from torch import nn
    tried = []
    def build(width, classes, unused=0):
        tried.append((width, classes))
        return nn.Sequential(nn.Linear(8, width), nn.Linear(width, classes))
    def same(width, seed):
        return nn.Sequential(nn.Linear(8, width))
    def picky(width):
        if width != 5:
            raise ValueError(width)
        return nn.Sequential(nn.Linear(8, width))
"""


@pytest.mark.parametrize(
    ("factory", "names", "shapes", "expected"),
    [
        ("build", ("width", "classes"), {"0.weight": (5, 8), "1.weight": (3, 5)}, (5, 3)),
        ("build", ("width", "classes"), {"0.weight": (5, 8), "2.weight": (3, 5)}, None),
        ("same", ("width", "seed"), {"0.weight": (5, 8)}, None),  # any seed would do
        ("picky", ("width",), {"0.weight": (5, 8)}, (5,)),
        ("absent", ("width",), {"0.weight": (5, 8)}, None),
        ("build", ("width", "classes"), {f"{n}": (n, n + 100) for n in range(50)}, None),
    ],
)
def test_arguments_are_taken_if_they_alone_build_the_weights(
    tmp_path, factory, names, shapes, expected
):
    module = write_module(tmp_path, textwrap.dedent(TWO_NUMBERS))
    model = {"format": "torch", "path": "x.pt", "factory": f"{module}:{factory}"}
    config = load_config(write_config(tmp_path, model=model))
    found = fitting_arguments(config, names, shapes)
    assert found == (expected and dict(zip(names, expected, strict=True)))
    tries = getattr(sys.modules.get(module), "tried", [])
    assert len(tries) <= 200
    assert all(isinstance(number, int) for pair in tries for number in pair)


# ------------------------------------------------------------------------------------- the output


@pytest.mark.parametrize(
    ("ports", "judged", "kind", "features"),
    [
        ([("y", "float32", (None, 3))], "y", "auto", None),
        ([("logits", "float32", None), ("features", "float32", None)],
         "logits", "logits", "features"),
        ([("label", "int64", (None,)), ("probabilities", "float32", (None, 3))],
         "probabilities", "probabilities", None),
        ([("a", "float32", (None, 3)), ("b", "float32", (None, 64))], "a", "auto", None),
        ([("a", "float32", (None, 3)), ("b", "float32", (None, 3))], None, "auto", None),
        ([("label", "int64", (None,))], "label", "labels", None),
        ([("label", "int64", (None,)), ("output_probability", None, None)],
         "output_probability", "probabilities", None),
        ([("label", "int64", (None,)), ("x", "string", None)], None, "auto", None),
        ([("boxes", "float32", (None, 10, 4))], None, "auto", None),
    ],
)  # fmt: skip
def test_the_output_with_the_class_scores_is_chosen_by_name_and_shape(
    ports, judged, kind, features
):
    found = choose_output([Port(*port) for port in ports], 3)
    assert found.judged == next((Port(*port) for port in ports if port[0] == judged), None)
    assert found.kind == kind
    assert (found.features and found.features.name) == features


def test_one_number_serves_two_classes_only():
    port = Port("p", "float32", (None, 1))
    assert choose_output([port], 2).judged == port
    assert choose_output([port], 3).judged is None


# --------------------------------------------------------------------------------- preprocessing

SCALE = 1 / 255


@pytest.mark.parametrize(
    ("dtype", "row", "wanted", "whole", "largest", "expected"),
    [
        ("float32", (20,), (20,), False, 3.5, [{}]),
        ("float32", (20,), None, False, 3.5, [{}]),
        ("uint8", (5,), None, True, 200, [{}]),
        ("int64", (5,), (5,), False, 200, [{}]),
        ("uint8", (5,), (5,), False, 200, [{"scale": SCALE}, {}]),
        ("float32", (8, 8, 3), (3, 8, 8), False, 1, [{"layout": "NCHW"}]),
        ("float32", (3, 8, 8), (8, 8, 3), False, 1, [{"layout": "NHWC"}]),
        ("float32", (8, 8), (1, 8, 8), False, 1, [{"layout": "NCHW"}]),
        ("float32", (8, 8), (8, 8, 1), False, 1, [{"layout": "NHWC"}]),
        ("float32", (8, 8), (None, None, None), False, 1, [{"layout": "NCHW"}, {"layout": "NHWC"}]),
        ("float32", (8, 8), (64,), False, 1, []),
        ("float32", (8, 8, 3), (3, 9, 9), False, 1, []),
        ("float32", (8, 8, 3), None, False, 1, [{}, {"layout": "NCHW"}]),
    ],
)
def test_what_shapes_and_types_allow(dtype, row, wanted, whole, largest, expected):
    assert list(possible(dtype, row, wanted, whole, largest)) == expected


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ([0] * 90 + [1] * 10 + [1] * 80 + [0] * 20 + [2] * 50, True),
        ([1] * 90 + [0] * 10 + [0] * 80 + [1] * 20 + [2] * 50, False),  # two exchanged
        ([1] * 100 + [2] * 100 + [0] * 50, False),  # a cycle of three
        ([0] * 55 + [1] * 45 + [0] * 45 + [1] * 55 + [2] * 50, False),  # not credibly
        ([0] * 100 + [1] * 100 + [0] * 40 + [1] * 10, True),  # a rare class is never predicted
        ([5] * 100 + [1] * 100 + [2] * 50, False),  # position 5 is the better 0
    ],
)
def test_the_order_of_labels_is_taken_if_every_exchange_is_credibly_worse(predicted, expected):
    labels = np.repeat([0, 1, 2], [100, 100, 50])
    assert in_order(np.array(predicted), labels) is expected


def test_columns_are_standardised_by_themselves_and_nothing_else_is():
    table = np.array([[1, 5, 10], [3, 5, 30]], np.int32)
    assert standardised(table) == {"mean": [2, 5, 20], "std": [1, 1, 10]}
    assert standardised(np.zeros((3, 4, 4))) is None
    assert standardised(np.array([[1.0, np.nan], [0.0, 1.0]])) is None
    assert standardised(np.array([["a"], ["b"]])) is None


def test_pixels_that_end_at_a_round_number_are_scaled_by_it_first():
    scales = [found.get("scale") for found in possible("uint8", (8, 8), (8, 8), False, 16)]
    assert scales == [1 / 16, SCALE, None, 1 / 16]
    colours = possible("uint8", (8, 8, 3), (8, 8, 3), False, 240)
    assert [found.get("mean") for found in colours] == [None, None, [0.5], [0.485, 0.456, 0.406]]


def tried(preprocess, right, of=600, seed=0):
    """Answers right on about ``right`` of the members, independently for each seed."""
    return Tried(preprocess, np.random.default_rng(seed).random(of) < right)


def test_a_preprocessing_is_taken_only_if_the_others_are_credibly_worse():
    best_one = tried({"scale": SCALE}, 0.95)
    assert decided([tried({}, 0.5, seed=1), best_one]) is best_one
    normalised = tried({"scale": SCALE, "mean": [0.5], "std": [0.5]}, 0.94, seed=2)
    assert decided([best_one, normalised]) is None
    assert decided([best_one, tried({"layout": "NCHW"}, 0.95, seed=3)]) is None


def test_where_only_the_scale_differs_and_none_is_worse_the_first_is_taken():
    scaled, raw = tried({"scale": SCALE}, 0.94), tried({}, 0.95, seed=1)
    assert decided([scaled, raw]) is scaled


@given(
    st.lists(
        st.tuples(
            st.sampled_from([{}, {"scale": 0.5}, {"mean": [0.5]}, {"layout": "NCHW"}]),
            st.lists(st.booleans(), min_size=40, max_size=40),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_taken_is_never_credibly_worse_than_another(answers):
    """The slow twin counts the records that only one of both gets right."""
    found = [Tried(preprocess, np.array(right)) for preprocess, right in answers]
    taken = decided(found)
    if taken is None:
        assert len(found) > 1
        return
    top = max(found, key=lambda one: sum(one.correct))
    lost = sum(a and not b for a, b in zip(top.correct, taken.correct, strict=True))
    won = sum(b and not a for a, b in zip(top.correct, taken.correct, strict=True))
    assert lost - won <= 2.58 * (lost + won) ** 0.5


# ------------------------------------------------------------------------------------------ YAML

texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(
    lambda text: text.isprintable() and text.strip()
)
scalars = texts | st.integers(-(10**9), 10**9) | st.floats(1e-6, 1e6) | st.booleans()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(values, st.text("ab ,é", max_size=150).map(str.strip))
def test_every_value_is_read_back_as_it_was_written(value, comment):
    text = block([Line("a", value, comment), Line("b", [Line("c", value, comment)])])
    source = parse_source(text.encode(), Path("x.yaml"), "x.yaml")
    assert source.problems == ()
    assert source.data == {"a": value, "b": {"c": value}}
    for line in text.splitlines():
        assert len(line) <= 100 or ": " in line


@pytest.mark.parametrize(
    "text",
    ["yes", "1e-3", "010", "null", "12:30", "- a", "a: b", "a #b", "{", "'", '"', "é/ü.pt", "0x1"],
)
def test_words_that_yaml_would_read_otherwise_are_quoted(text):
    source = parse_source(block([Line("a", text)]).encode(), Path("x.yaml"), "x.yaml")
    assert (source.problems, source.data) == ((), {"a": text})


@pytest.mark.parametrize("text", ["a\nb", "\u202e", " ", "a\x07"])
def test_names_that_no_configuration_can_hold_are_refused(text):
    with pytest.raises(UsageError, match="characters that no configuration can hold"):
        block([Line("path", text)])
