"""What an attack looks at, in a clause."""

from __future__ import annotations

from privacy_gate.attacks.few_shot.draws import VALIDATION
from privacy_gate.registry import ATTACKS, split_family, split_surface

_LOOKS_AT = {
    "loss": "how strongly the model believes in the record's own label",
    "confidence": "how sure the model is of its answer, right or wrong",
    "entropy": "how little the model hesitates between its answers",
    "modified-entropy": "how little it hesitates, weighed by whether it is right",
    "margin": "how far the record's own label is ahead of all others",
    "correctness": "whether the model's answer is right",
    "noise-robustness": "in how many noisy copies of the record the model still sees its label",
    "augmentation-robustness": "in how many shifted, mirrored, cropped or partly masked copies of"
    " the record the model still sees its label",
    "boundary-distance": "how far the record is from where the model's answer changes",
}
_LEARNS = {
    "anchored": "a rule about all of these signs, known beforehand to point towards members, and"
    " corrected by examples",
    "simple-shot": "whether the record is closer to the average member or to the average outsider",
    "laplacian-shot": "whether the record and those like it are closer to members or to outsiders",
    "transductive": "the answers of a copy of the model that is trained on to tell members from"
    " outsiders",
}


_SURFACES = {
    "raw": "in the scores behind what the service shows",
    "averaged": "in the mean of repeated answers",
}


def looks_at(name: str, custom: bool) -> str:
    """What the attack of this name does; ``custom``: it is named after a signal of the project."""
    if custom:
        return "the score of this name that the project's own function computes"
    base, surface = split_surface(name)
    if surface:
        return f"{looks_at(base, custom)}, {_SURFACES[surface]}"
    family = split_family(name)
    if family is not None:
        return (
            f"{_LEARNS[family[0]]}; shown {family[1]} members and {family[1]} outsiders to learn"
            f" from, and {VALIDATION} of each to tune itself"
        )
    if name in ATTACKS:
        return _LOOKS_AT[name]
    return "an attack that another installed package brings"
