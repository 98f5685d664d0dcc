"""The cache as a store: what goes in comes out, what was touched does not, and who may use it."""

from __future__ import annotations

import datetime
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from privacy_gate.cache import Cache, naming, open_cache
from privacy_gate.errors import UsageError

SECRET = b"s" * 32
NAN = np.array([0x7FF8DEADBEEF0001], np.uint64).view(np.float64)
ARRAYS = {
    "strided": np.arange(10.0)[::2],
    "fortran": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "scalar": np.array(7),
    "empty": np.zeros((0, 4), np.int8),
    "nan and -0": np.concatenate([NAN, [-0.0, np.inf]]),
    "truth/values": np.array([True, False]),
    "file": np.array(["a name that savez would take", "ü"]),
    "big-endian": np.array([1, 2], ">u2"),
}
WANTED = {name: np.asarray(array, order="C") for name, array in ARRAYS.items()}


@pytest.fixture
def cache(tmp_path):
    return open_cache(tmp_path / "cache", tmp_path, SECRET)


def never():
    raise AssertionError("there is an entry")


def entries(cache):
    return sorted(path for path in cache.directory.iterdir() if path.suffix == ".entry")


def exactly(first, second):
    """The same bytes, types, shapes and memory order under the same names."""
    assert list(first) == list(second)
    for name, array in first.items():
        other = second[name]
        assert (array.dtype, array.shape) == (other.dtype, other.shape), name
        assert array.tobytes() == other.tobytes(), name
        assert array.flags.c_contiguous
        assert other.flags.c_contiguous


# ---------------------------------------------------------------------------------- what is kept


def test_a_hit_gives_bit_for_bit_what_was_made(cache):
    made = cache.get_or_make("some", {"seed": 1}, lambda: ARRAYS)
    found = cache.get_or_make("some", {"seed": 1}, never)
    exactly(found, made)
    exactly(found, WANTED)


def test_what_was_used_is_what_an_earlier_run_kept(cache, tmp_path):
    cache.get_or_make("some", {}, lambda: ARRAYS)
    cache.get_or_make("some", {}, never)
    assert cache.used == set()
    later = open_cache(cache.directory, tmp_path, SECRET)
    later.get_or_make("some", {}, never)
    later.get_or_make("other", {}, lambda: ARRAYS)
    assert later.used == {"some"}


def test_facts_come_back_with_the_arrays(cache):
    facts = {"batch_size": 256, "device": "cpu", "nothing": None, "list": [1, 2.5]}
    cache.put("some", {}, {"x": np.ones(2)}, facts)
    assert cache.get("some", {}).facts == facts
    assert cache.get("other", {}) is None


def test_without_a_directory_everything_is_made_and_nothing_kept(tmp_path):
    off = open_cache("off", tmp_path, SECRET)
    for _ in range(2):
        exactly(off.get_or_make("some", {}, lambda: ARRAYS), WANTED)
    assert off.get("some", {}) is None
    assert list(tmp_path.iterdir()) == []


def test_objects_are_refused_rather_than_pickled(cache):
    with pytest.raises(TypeError):
        cache.put("some", {}, {"x": np.array([{}], object)})
    assert entries(cache) == []


DIFFERENT = [
    1, 1.0, True, "1", None, "None", [1], (1, 2), [1, [2]], [[1], 2], {"a": 1}, {1: "a"},
    {"1": "a"}, {"a": {"b": 1}}, {"a": {"b": 2}}, b"1", {1, 2}, datetime.date(2026, 1, 1),
    datetime.datetime(2026, 1, 1), np.arange(3), np.arange(3.0), np.arange(3).reshape(1, 3),
    np.array([0, 1, 3]), np.arange(3, dtype=">i8"), 1e-300, 0.1, 0.1 + 2**-56, -0.0, 0.0,
]  # fmt: skip


def test_different_parts_have_different_names():
    names = {naming.canonical("kind", {"part": value}) for value in DIFFERENT}
    names |= {naming.canonical("kind", {"other": 1}), naming.canonical("other", {"part": 1})}
    assert len(names) == len(DIFFERENT) + 2


def test_equal_parts_have_one_name():
    same = [
        {"a": 1, "b": {"x": {3, 1, 2}, 2: np.arange(6)}},
        {"b": {2: np.arange(12)[::2] // 2, "x": {2, 3, 1}}, "a": 1},
    ]
    assert len({naming.canonical("kind", parts) for parts in same}) == 1


@pytest.mark.parametrize("value", [object(), np.array([{}], object), Path(), lambda: 0])
def test_what_need_not_print_all_of_itself_is_no_part(value):
    with pytest.raises(TypeError, match="cache key"):
        naming.canonical("kind", {"part": [value]})


def test_every_entry_depends_on_the_tool_and_on_all_packages(cache, monkeypatch):
    known = naming._surroundings()
    assert {f"numpy-{np.__version__}.dist-info"} < set(known["packages"])
    assert any(name.startswith("torch-") for name in known["packages"])
    cache.put("some", {}, ARRAYS)
    for key in known:
        monkeypatch.setattr(naming, "_surroundings", lambda key=key: {**known, key: "another"})
        assert cache.get("some", {}) is None
    monkeypatch.setattr(naming, "_surroundings", lambda: known)
    assert cache.get("some", {}) is not None


def test_a_change_of_the_tool_itself_changes_every_name(tmp_path, monkeypatch):
    package = tmp_path / "privacy_gate"
    shutil.copytree(Path(naming.__file__).parent, package / "cache")
    monkeypatch.setattr(naming, "__file__", str(package / "cache" / "naming.py"))
    first = naming._surroundings.__wrapped__()["tool"]
    (package / "cache" / "entries.py").write_text("")
    assert naming._surroundings.__wrapped__()["tool"] != first


# ----------------------------------------------------------------------- what is not to be trusted


def replace(path, content):
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o600)


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def damaged_content():
    yield "empty", lambda whole: b""
    yield "shorter than a code", lambda whole: whole[:20]
    yield "nothing but a code", lambda whole: whole[:32]
    yield "one byte short", lambda whole: whole[:-1]
    yield "half", lambda whole: whole[: len(whole) // 2]
    yield "longer", lambda whole: whole + b"\0"
    yield "a zip without a code", lambda whole: bytes(32) + whole[32:]
    yield "no zip at all", lambda whole: b"not an entry" * 99
    for share in (0.0, 0.01, 0.3, 0.6, 0.9, 0.9999):
        yield f"a bit at {share}", lambda whole, s=share: flipped(whole, int(s * len(whole)))


@pytest.mark.parametrize("change", [pytest.param(f, id=name) for name, f in damaged_content()])
def test_a_damaged_entry_is_not_there_and_is_replaced(cache, change):
    made = cache.get_or_make("some", {}, lambda: ARRAYS)
    (path,) = entries(cache)
    whole = path.read_bytes()
    replace(path, change(whole))
    assert cache.get("some", {}) is None
    exactly(cache.get_or_make("some", {}, lambda: ARRAYS), made)
    assert path.read_bytes() == whole
    exactly(cache.get_or_make("some", {}, never), made)


def test_an_entry_under_the_name_of_another_is_not_there(cache):
    cache.put("some", {"seed": 1}, {"x": np.ones(3)})
    (first,) = entries(cache)
    cache.put("some", {"seed": 2}, {"x": np.zeros(3)})
    (second,) = set(entries(cache)) - {first}
    shutil.copy2(second, first)
    assert cache.get("some", {"seed": 1}) is None
    assert cache.get("some", {"seed": 2}) is not None


@pytest.mark.parametrize(("key", "believed"), [(SECRET, True), (b"", False), (b"t" * 32, False)])
def test_who_does_not_know_the_key_cannot_forge_an_entry(cache, key, believed):
    cache.put("some", {}, {"x": np.ones(3)})
    (path,) = entries(cache)
    with path.open("w+b") as stream:
        Cache(cache.directory, key)._write(stream, path.name, {"x": np.zeros(3)}, {})
    assert (cache.get("some", {}) is not None) == believed
    assert Cache(cache.directory, b"t" * 32).get("some", {}) is None


def links(path):
    target = path.with_suffix(".moved")
    path.rename(target)
    path.symlink_to(target)


def pipes(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.chmod(0o660),
        lambda path: path.chmod(0o602),
        links,
        pipes,
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["the group may write", "all may write", "a link", "a pipe", "a directory"],
)
def test_what_others_may_have_written_is_not_there(cache, change):
    cache.put("some", {}, ARRAYS)
    (path,) = entries(cache)
    change(path)
    assert cache.get("some", {}) is None
    exactly(cache.get_or_make("some", {}, lambda: ARRAYS), WANTED)


def test_a_file_of_another_user_is_not_there(cache, monkeypatch):
    cache.put("some", {}, ARRAYS)
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(cache.directory).st_uid + 1)
    assert cache.get("some", {}) is None


def test_a_full_disk_is_no_error(cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    exactly(cache.get_or_make("some", {}, lambda: ARRAYS), WANTED)
    assert [path.name for path in cache.directory.iterdir()] == [".gitignore"]


# --------------------------------------------------------------------------------- the directory


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def test_nobody_else_can_read_or_write_it_and_git_ignores_it(tmp_path):
    before = os.umask(0)
    try:
        cache = open_cache(None, tmp_path, SECRET, {})
        cache.put("some", {}, ARRAYS)
    finally:
        os.umask(before)
    assert cache.directory == tmp_path / ".privacy_gate" / "cache"
    assert [mode(path) for path in (cache.directory.parent, cache.directory)] == [0o700, 0o700]
    assert [mode(path) for path in entries(cache)] == [0o600]
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    found = subprocess.run(
        ["git", "-C", tmp_path, "status", "--porcelain"], capture_output=True, check=True
    )
    assert found.stdout == b""


@pytest.mark.parametrize(
    ("wanted", "environment", "place"),
    [
        (None, {}, ".privacy_gate/cache"),
        (None, {"PRIVACY_GATE_CACHE": " "}, ".privacy_gate/cache"),
        (None, {"CI": ""}, ".privacy_gate/cache"),
        (None, {"CI": "true"}, None),
        (None, {"CI": "1", "PRIVACY_GATE_CACHE": ""}, None),
        (None, {"CI": "true", "PRIVACY_GATE_CACHE": "there"}, "there"),
        (None, {"PRIVACY_GATE_CACHE": "off"}, None),
        ("here", {"CI": "true", "PRIVACY_GATE_CACHE": "there"}, "here"),
        (Path("here"), {"PRIVACY_GATE_CACHE": "off"}, "here"),
        ("off", {"PRIVACY_GATE_CACHE": "there"}, None),
        (Path("off"), {}, None),
    ],
)
def test_where_it_is(tmp_path, monkeypatch, wanted, environment, place):
    monkeypatch.chdir(tmp_path)
    found = open_cache(wanted, tmp_path, SECRET, environment).directory
    assert found == (None if place is None else tmp_path / place)
    assert place is not None or list(tmp_path.iterdir()) == []


def refusal(*arguments):
    with pytest.raises(UsageError) as caught:
        open_cache(*arguments)
    assert str(caught.value).count("The cache directory") == 1
    return str(caught.value)


@pytest.mark.parametrize("rights", [0o777, 0o1777, 0o770, 0o702])
@pytest.mark.parametrize("named", [True, False])
def test_a_directory_that_others_can_write_to_is_refused(tmp_path, rights, named):
    place = tmp_path / ".privacy_gate" / "cache"
    place.mkdir(parents=True)
    place.chmod(rights)
    message = refusal(place if named else None, tmp_path, SECRET, {})
    assert "others can write to it" in message
    assert str(place) in message


def test_a_directory_of_somebody_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert "somebody else" in refusal(tmp_path, tmp_path, SECRET)


@pytest.mark.parametrize("link", [".privacy_gate", ".privacy_gate/cache"])
def test_a_link_in_the_place_of_the_directory_is_refused(tmp_path, link):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(elsewhere)
    assert "symbolic link" in refusal(None, tmp_path, SECRET, {})
    assert "symbolic link" in refusal(tmp_path / link, tmp_path, SECRET)
    assert list(elsewhere.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_refused_if_asked_for_and_else_does_without(tmp_path):
    (tmp_path / ".privacy_gate").write_text("a file")
    assert open_cache(None, tmp_path, SECRET, {}).directory is None
    assert "cannot be made" in refusal(tmp_path / ".privacy_gate" / "cache", tmp_path, SECRET)


def test_a_system_without_owners_of_files_has_no_cache(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "geteuid")
    assert open_cache(None, tmp_path, SECRET, {}).directory is None
    assert "no owner" in refusal(tmp_path, tmp_path, SECRET)


# -------------------------------------------------------------------------------- size, processes


def seeds(cache):
    return [seed for seed in range(9) if cache.get("some", {"seed": seed}) is not None]


def test_what_was_not_used_for_longest_goes_first(cache):
    array = {"x": np.zeros(1000)}
    for seed in range(3):
        cache.put("some", {"seed": seed}, array)
    size = entries(cache)[0].stat().st_size
    for age, seed in enumerate((1, 0, 2)):
        os.utime(cache._path(cache.directory, "some", {"seed": seed}), (age, age))
    assert cache.get("some", {"seed": 1}) is not None  # which makes it the youngest
    small = Cache(cache.directory, SECRET, limit=3 * size)
    small.put("some", {"seed": 3}, array)
    assert seeds(cache) == [1, 2, 3]
    assert sum(path.stat().st_size for path in entries(cache)) <= small.limit
    small.put("some", {"seed": 4}, {"x": np.zeros(10_000)})
    assert 4 not in seeds(cache)
    assert seeds(cache) == [1, 2, 3]


def test_what_a_killed_process_left_goes_and_what_is_being_written_stays(cache):
    old, young, foreign = (cache.directory / name for name in ("tmpold", "tmpyoung", "notes.txt"))
    for path in (old, young, foreign):
        path.touch()
    for path in (old, foreign):
        os.utime(path, (0, 0))
    cache.put("some", {}, ARRAYS)
    assert [path.exists() for path in (old, young, foreign)] == [False, True, True]


WRITER = """
import sys
from pathlib import Path
import numpy as np
from privacy_gate.cache import Cache

random = np.random.default_rng(int(sys.argv[2]))
cache = Cache(Path(sys.argv[1]), b"s" * 32, limit=100_000)
for _ in range(400):
    seed = int(random.integers(6))
    made = lambda: {"x": np.full(4000, seed)}
    found = cache.get_or_make("some", {"seed": seed}, made)["x"]
    assert found.shape == (4000,) and (found == seed).all()
print(len(cache.made) > 0)
"""


def test_two_processes_share_a_directory_while_entries_come_and_go(cache):
    """Six entries of 32 kB do not fit in 100 kB, so each process removes what the other reads."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, cache.directory, str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, "True\n"), err
    assert 1 <= len(entries(cache)) <= 3
    assert len(list(cache.directory.iterdir())) == len(entries(cache)) + 1
