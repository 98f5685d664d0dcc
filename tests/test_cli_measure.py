"""``privacy-gate measure``: score files good and bad, exit codes, and JSON equal to Python's."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import privacy_gate
from privacy_gate.cli import main

GENERATOR = np.random.default_rng(0)
LEAKY, QUIET, FRESH = (
    GENERATOR.normal(2, 1, 600),
    GENERATOR.normal(0, 1, 600),
    GENERATOR.normal(0, 1, 600),
)


@pytest.fixture(autouse=True)
def _working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def scores(members=FRESH, nonmembers=QUIET, path="scores.npz", **more):
    np.savez(path, members=members, nonmembers=nonmembers, **more)
    return path


def invoke(*arguments, code):
    result = CliRunner().invoke(main, ["measure", *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


# -------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("members", "budget", "code", "word"),
    [
        (LEAKY, "auc<=0.6", 1, "FAIL"),
        (FRESH, "auc<=0.6", 0, "PASS"),
        (FRESH, "auc<=0.51", 3, "INCONCLUSIVE"),
        (LEAKY, "tpr_at_fpr[0.05]<=0.2", 1, "FAIL"),
        (FRESH, "tpr_at_fpr[0.05]<=0.2", 0, "PASS"),
        (FRESH, "tpr_at_fpr[0.001]<=0.002", 3, "INCONCLUSIVE"),
        (LEAKY, "log_mia[a]<=0.3", 1, "FAIL"),
    ],
)
def test_a_budget_decides_the_exit_code(members, budget, code, word):
    result = invoke(scores(members), "--budget", budget, code=code)
    assert word in result.stdout
    content = strict(invoke("scores.npz", "--budget", budget, "--json", "-", code=code).stdout)
    assert content["verdict"] == word.lower()
    assert [check["verdict"] for check in content["checks"]] == [word.lower()]


def test_one_failed_budget_of_several_fails():
    budgets = ("--budget", "auc<=0.9999", "--budget", "log_mia[a]<=0.3", "--budget", "auc<=0.6")
    invoke(scores(LEAKY), *budgets[:4], code=1)
    assert "Two budgets for auc" in invoke("scores.npz", *budgets, code=2).stderr


def test_each_line_of_a_verdict_names_its_budget():
    budgets = ("--budget", "tpr_at_fpr[0.05]<=0.2", "--budget", "tpr_at_fpr[0.1]<=0.3")
    shown = invoke(scores(FRESH), *budgets, code=0).stdout
    assert [line.split(":")[0].split() for line in shown.splitlines()[-2:]] == [
        ["PASS", "tpr_at_fpr[0.05]"],
        ["PASS", "tpr_at_fpr[0.1]"],
    ]


def test_without_a_budget_there_is_no_verdict():
    assert strict(invoke(scores(LEAKY), "--json", "-", code=0).stdout)["verdict"] is None


WRONG_WAYS = {
    "losses taken for scores": (-LEAKY, [], "say so: --lower-is-member"),
    "scores taken for losses": (LEAKY, ["--lower-is-member"], "leave out --lower-is-member"),
}


@pytest.mark.parametrize("case", WRONG_WAYS)
@pytest.mark.parametrize("budget", ["auc<=0.6", "tpr_at_fpr[0.05]<=0.9", "log_mia[a]<=0.9"])
def test_scores_that_point_the_wrong_way_never_pass(case, budget):
    """However generous the budget: below chance, every number looks safe."""
    members, options, cure = WRONG_WAYS[case]
    path = scores(members, -QUIET if members is not LEAKY else QUIET)
    shown = " ".join(invoke(path, "--budget", budget, *options, code=3).stdout.split())
    for words in ("point the wrong way", "not a sign of safety", cure, "INCONCLUSIVE"):
        assert words in shown
    assert "PASS" not in shown
    content = strict(invoke(path, "--json", "-", *options, code=0).stdout)
    assert any("point the wrong way" in caution for caution in content["cautions"])


def test_losses_the_right_way_round():
    losses = scores(-LEAKY, -QUIET)
    right_way = invoke(losses, "--budget", "auc<=0.6", "--lower-is-member", code=1)
    assert "wrong way" not in right_way.stdout
    invoke(scores(-FRESH, -QUIET), "--budget", "auc<=0.6", "--lower-is-member", code=0)


# ---------------------------------------------------------------------------------------- output


@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        ([], {}),
        (["--fpr", "0.05", "--fpr", "0.2"], {"fpr": [0.05, 0.2]}),
        (["--fpr", "0.05", "--fnr", "0.1"], {"fpr": [0.05], "fnr": [0.1]}),
        (
            ["--budget", "auc<=0.6", "--budget", "tnr_at_fnr[0.05]<=0.2", "--confidence", "0.9"],
            {"budgets": ["auc<=0.6", "tnr_at_fnr[0.05]<=0.2"], "confidence": 0.9},
        ),
        (["--episode-size", "20", "--lower-is-member"], {"episode_size": 20, "lower_is_member": 1}),
    ],
)
def test_json_equals_python_key_for_key(options, keywords):
    path = scores(LEAKY, QUIET)
    expected = privacy_gate.measure(LEAKY, QUIET, **keywords)
    result = invoke(path, *options, "--json", "m.json", code=int(expected.exit_code))
    with open("m.json") as file:
        assert strict(file.read()) == expected.to_dict()
    assert result.stdout.startswith("600 members + 600 non-members")
    printed = invoke(path, *options, "--json", "-", code=int(expected.exit_code)).stdout
    assert strict(printed) == expected.to_dict()


def test_a_rate_below_the_resolution_is_never_shown_as_measured():
    """600 non-members cannot show an FPR of 0.001; text says so and JSON keeps the value."""
    path = scores(LEAKY)
    text = invoke(path, code=0).stdout
    (line,) = [line for line in text.splitlines() if line.startswith("TPR at FPR 0.001")]
    assert "not observable (m = 600), at most 0.34" in line
    assert "p (no leakage)" not in line
    content = strict(invoke(path, "--json", "-", code=0).stdout)
    entries = {entry["fpr"]: entry for entry in content["tpr_at_fpr"]}
    assert entries[0.001]["observable"] is False
    assert entries[0.01]["observable"] is True


def test_text_shows_every_statistic():
    text = invoke(scores(LEAKY), code=0).stdout
    for name in (
        "AUC",
        "Advantage",
        "TPR at FPR 0.01",
        "TNR at FNR 0.01",
        "Log-MIA A",
        "Log-MIA B",
    ):
        assert name in text
    assert "95 % intervals" in text


# ------------------------------------------------------------------------------------- bad files


class Payload:
    def __reduce__(self):
        return (open, ("ran", "w"))


def object_array():
    array = np.empty(3, dtype=object)
    array[:] = [Payload()] * 3
    return array


def write_pickle(path):
    with open(path, "wb") as file:
        pickle.dump({"members": Payload()}, file)


def truncated():
    scores()
    with open("scores.npz", "rb") as file:
        content = file.read()
    with open("scores.npz", "wb") as file:
        file.write(content[: len(content) // 2])
    return "scores.npz"


def damaged_member():
    """A good zip whose array is cut short."""
    scores()
    with zipfile.ZipFile("scores.npz") as archive:
        content = archive.read("members.npy")
    with zipfile.ZipFile("damaged.npz", "w") as archive:
        archive.writestr("members.npy", content[:-100])
        archive.writestr("nonmembers.npy", content)
    return "damaged.npz"


def written(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


def renamed(path, name):
    return str(Path(path).rename(name))


def only(**arrays):
    np.savez("only.npz", **arrays)
    return "only.npz"


def with_value(value, count=1):
    changed = FRESH.copy()
    changed[:count] = value
    return changed


BAD_FILES = {
    "missing": (lambda: "missing.npz", "does not exist"),
    "a directory": (lambda: Path("d.npz").mkdir() or "d.npz", "cannot be read"),
    "text file": (lambda: written("scores.txt", b"score,member\n1,0\n"), "not .txt"),
    "no suffix": (lambda: written("scores", b""), "without a suffix"),
    "empty": (lambda: written("empty.npz", b""), "cannot be read"),
    "text": (lambda: written("text.npz", b"members"), "cannot be read"),
    "truncated": (truncated, "cannot be read"),
    "damaged": (damaged_member, "damaged"),
    "one npy": (lambda: np.save("a.npy", FRESH) or "a.npy", "not .npy"),
    "npy named npz": (lambda: np.save("b.npy", FRESH) or renamed("b.npy", "b.npz"), "cannot be"),
    "the same twice": (lambda: scores(QUIET, QUIET), "hold the same scores"),
    "a pickle": (lambda: write_pickle("p.npz") or "p.npz", "cannot be read"),
    "no non-members": (lambda: only(members=FRESH), "Exactly the arrays"),
    "other names": (lambda: only(train=FRESH, test=QUIET), "Exactly the arrays"),
    "an extra array": (lambda: scores(y=QUIET), "Exactly the arrays"),
    "objects": (lambda: scores(object_array()), "never unpickled"),
    "two-dimensional": (lambda: scores(np.zeros((5, 2))), "shape (5, 2)"),
    "text scores": (lambda: scores(np.array(["a", "b"])), "not real numbers"),
    "booleans": (lambda: scores(np.array([True, False])), "not real numbers"),
    "complex": (lambda: scores(np.array([1j, 2])), "not real numbers"),
    "huge integers": (lambda: scores(np.array([1, 2**53 + 1])), "members holds integers of"),
    "very negative": (
        lambda: scores(nonmembers=np.array([-(2**62), 0])),
        "nonmembers holds integers",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_an_error(case):
    make, words = BAD_FILES[case]
    path = make()
    result = invoke(path, "--budget", "auc<=0.6", "--json", "m.json", code=2)
    assert result.stdout == ""
    assert result.stderr.startswith("privacy-gate: error: ")
    assert words in result.stderr
    with open("m.json") as file:
        content = strict(file.read())
    assert (content["schema"], content["verdict"]) == ("privacy-gate.measure/1", "error")
    assert content["error"]["message"]
    assert not Path("ran").exists()


# A row of what other tools make of bad scores: a number with no warning, or the wrong cause.
NAMED_ERRORS = {
    "one NaN score": (with_value(np.nan), QUIET, "1 of 600 scores of the members are NaN"),
    "infinite loss": (FRESH, with_value(-np.inf), "scores of the nonmembers are NaN or infinite"),
    "all NaN": (with_value(np.nan, 600), QUIET, "600 of 600"),
    "one member": (FRESH[:1], QUIET, "There is 1 score(s) of members"),
    "no members": (FRESH[:0], QUIET, "There are 0 score(s) of members"),
    "no non-members": (FRESH, QUIET[:0], "There are 0 score(s) of nonmembers"),
}


@pytest.mark.parametrize("case", NAMED_ERRORS)
def test_bad_scores_are_named_errors(case):
    members, nonmembers, words = NAMED_ERRORS[case]
    assert words in invoke(scores(members, nonmembers), code=2).stderr


UNDECIDED = {
    "all scores equal": (np.zeros(600), np.zeros(600)),
    "five members": (LEAKY[:5], QUIET),
    "300 members, 30 non-members": (FRESH[:300], QUIET[:30]),
    "members and non-members exchanged": (QUIET, LEAKY),
    "saturated at the top": (np.minimum(LEAKY, 0.5), np.minimum(QUIET, 0.5)),
}


@pytest.mark.parametrize("case", UNDECIDED)
def test_scores_that_say_too_little_never_pass(case):
    """Each of these is a reassuring number elsewhere; here a budget of 0.05 stays open."""
    path = scores(*UNDECIDED[case])
    result = invoke(path, "--budget", "tpr_at_fpr[0.01]<=0.05", code=3)
    assert "INCONCLUSIVE" in result.stdout
    assert "PASS" not in result.stdout


def test_five_members_are_no_leak_either():
    """Majority voting calls 5 against 300 a leak of 0.97; nothing here is certified."""
    content = strict(
        invoke(scores(FRESH[:5], QUIET[:300]), "--budget", "auc<=0.6", "--json", "-", code=3).stdout
    )
    assert content["auc"]["high"] - content["auc"]["low"] > 0.3


def test_few_values_may_agree_by_chance():
    """Two models that are always right, say: the bounds are what they are, and no error."""
    content = strict(invoke(scores(np.ones(600), np.ones(600)), "--json", "-", code=0).stdout)
    assert content["auc"]["estimate"] == 0.5
    assert content["auc"]["high"] > 0.5
    assert content["tpr_at_fpr"][0]["high"] == 1.0


# --------------------------------------------------------------------------------- bad arguments


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "auc"], "Wrong budget"),
        (["--budget", "auc<=1.5"], "strictly between 0 and 1"),
        (["--budget", "acu<=0.5"], "unknown metric"),
        (["--budget", "tpr_at_fpr<=0.5"], "Write for example 'tpr_at_fpr[0.01]<=0.05'."),
        (["--fpr", "0"], "strictly between 0 and 1"),
        (["--fpr", "x"], "not a valid float"),
        (["--fpr", "nan"], "strictly between 0 and 1"),
        (["--confidence", "95"], "confidence"),
        (["--episode-size", "3"], "episode_size"),
        (["--higher-is-member"], "No such option"),
        (["another.npz"], "unexpected extra argument"),
        (["--json", "no/such/\0/place"], ""),
    ],
)
def test_bad_arguments_are_usage_errors(options, words):
    assert words in invoke(scores(), *options, code=2).stderr


def test_a_file_that_cannot_be_written():
    written("taken", b"")
    assert "Cannot write taken/m.json" in invoke(scores(), "--json", "taken/m.json", code=2).stderr


def test_the_unforeseen_is_an_error_without_its_text(monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("secret 123")

    monkeypatch.setattr("privacy_gate.measurement.summary", broken)
    result = invoke(scores(), "--json", "m.json", code=2)
    assert "internal error (RuntimeError)" in result.stderr
    assert "secret" not in result.output
    with open("m.json") as file:
        assert strict(file.read())["error"]["message"] == "Internal error (RuntimeError)."
