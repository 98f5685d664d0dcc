"""Large weights: adopted instead of copied, and read from a directory of shards."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import torch
from model_zoo import configuration, images, reference, saved, seeded
from safetensors.torch import save_file
from torch import nn

from privacy_gate.errors import ModelError
from privacy_gate.models import strict_loading
from privacy_gate.models.model_file import model_sha256
from privacy_gate.models.opening import open_model
from privacy_gate.models.strict_loading import adopt

MLP = {"factory": "model_zoo:mlp", "device": "cpu"}


@pytest.fixture
def every_size(monkeypatch):
    """Adopt weights of any size."""
    monkeypatch.setattr(strict_loading, "LARGE_BYTES", 0)


class Factory:
    """A configuration whose factory is a plain function."""

    def __init__(self, build):
        self.build = build
        self.model = type("Model", (), {"factory": "here:build", "kwargs": {}})()

    def location(self, *keys):
        return None

    def load_callable(self, target, *keys):
        return self.build


def adopted(build, state=None):
    return adopt(Factory(build), build().state_dict() if state is None else state)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_an_adopted_model_answers_as_ever(every_size, tmp_path, name):
    config = saved(name, "safetensors", tmp_path, device="cpu")
    found = open_model(config).forward({"x": images(6)}).values
    np.testing.assert_array_equal(found, reference(seeded(name), images(6))[0])


def test_the_weights_are_those_of_the_file_not_copies(every_size):
    state = {"weight": torch.randn(3, 4), "bias": torch.randn(3)}
    module = adopted(lambda: nn.Linear(4, 3), state)
    assert module.weight.data_ptr() == state["weight"].data_ptr()


def test_small_weights_are_not_worth_it():
    assert adopted(lambda: nn.Linear(4, 3)) is None


def tied():
    module = nn.ModuleDict({"first": nn.Linear(4, 4), "second": nn.Linear(4, 4)})
    module["second"].weight = module["first"].weight
    return module


def with_hidden_buffer():
    module = nn.Linear(4, 3)
    module.register_buffer("table", torch.arange(4.0), persistent=False)
    return module


def reading_numbers():
    module = nn.Linear(4, 3)
    assert module.weight.sum().item() < 1e9
    return module


@pytest.mark.parametrize("build", [with_hidden_buffer, reading_numbers])
def test_what_needs_real_numbers_is_loaded_the_usual_way(every_size, build):
    assert adopted(build) is None


def test_tied_weights_that_the_file_holds_once_are_loaded_the_usual_way(every_size):
    state = tied().state_dict()
    del state["second.weight"]
    assert adopted(tied, state) is None


@pytest.mark.parametrize("spoil", ["missing", "unexpected", "shape", "type"])
def test_weights_that_do_not_fit_are_left_to_the_usual_way(every_size, spoil):
    state = dict(nn.Linear(4, 3).state_dict())
    if spoil == "missing":
        del state["bias"]
    elif spoil == "unexpected":
        state["other"] = torch.zeros(2)
    elif spoil == "shape":
        state["bias"] = torch.zeros(5)
    else:
        state["bias"] = torch.zeros(3, dtype=torch.float16)
    assert adopted(lambda: nn.Linear(4, 3), state) is None


def test_building_on_the_meta_device_draws_no_random_number(every_size):
    torch.manual_seed(3)
    state = nn.Linear(4, 3).state_dict()
    torch.manual_seed(7)
    expected = torch.rand(2)
    torch.manual_seed(7)
    assert adopted(lambda: nn.Linear(4, 3), state) is not None
    assert torch.equal(torch.rand(2), expected)


# ---------------------------------------------------------------------------------------- shards


@pytest.fixture
def shards(tmp_path):
    """The MLP in two files of a directory."""
    directory = tmp_path / "weights"
    directory.mkdir()
    state = seeded("mlp").state_dict()
    names = sorted(state)
    for number, part in enumerate((names[:1], names[1:]), start=1):
        save_file(
            {name: state[name].contiguous() for name in part},
            directory / f"model-{number:05}-of-00002.safetensors",
        )
    return directory


def test_shards_are_one_model(shards):
    found = open_model(configuration(shards, **MLP)).forward({"x": images(6)}).values
    np.testing.assert_array_equal(found, reference(seeded("mlp"), images(6))[0])


def test_the_digest_of_a_directory_can_be_had_by_hand(shards):
    line = "sha256sum *.safetensors | sha256sum"
    done = subprocess.run(["bash", "-c", line], cwd=shards, capture_output=True, text=True)
    assert model_sha256(shards, "torch") == done.stdout.split()[0]
    pinned = configuration(shards, sha256=done.stdout.split()[0], **MLP)
    assert open_model(pinned).sha256 == done.stdout.split()[0]


def test_a_shard_that_changed_changes_the_digest(shards):
    before = model_sha256(shards, "torch")
    save_file({"other": torch.zeros(1)}, shards / "model-00003-of-00003.safetensors")
    assert model_sha256(shards, "torch") != before
    with pytest.raises(ModelError, match="1 unexpected"):
        open_model(configuration(shards, **MLP))


def test_two_models_in_one_directory_are_refused(shards):
    save_file(
        {name: torch.zeros(1) for name in seeded("mlp").state_dict()}, shards / "b.safetensors"
    )
    with pytest.raises(ModelError, match="no shards of one model"):
        open_model(configuration(shards, **MLP))
