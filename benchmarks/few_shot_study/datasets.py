"""The six data sets, each as at most 4 000 independent records ready for a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Integer, random_generator

MOST_RECORDS = 4000
SETS = ("location30", "fashion_mnist", "orl", "cifar10", "groceries20", "diabetes130")

_NUMBERS = (
    "time_in_hospital",
    "num_lab_procedures",
    "num_procedures",
    "num_medications",
    "number_outpatient",
    "number_emergency",
    "number_inpatient",
    "number_diagnoses",
)
_CATEGORIES = (
    "race",
    "gender",
    "age",
    "admission_type_id",
    "discharge_disposition_id",
    "admission_source_id",
    "medical_specialty",
    "diag_1",
    "diag_2",
    "diag_3",
    "max_glu_serum",
    "A1Cresult",
    "metformin",
    "glipizide",
    "glyburide",
    "insulin",
    "change",
    "diabetesMed",
)
_RAREST_CATEGORY = 10


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """``inputs`` (N, d) float32 or images (N, channels, height, width); ``labels`` (N,) from 0."""

    inputs: NDArray[np.float32]
    labels: Integer

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1


def load(name: str, folder: Path) -> Dataset:
    """The same records every time: a random subset by a fixed seed."""
    inputs, labels = _READERS[name](folder)
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    rows = random_generator(0, name, "subset").permutation(labels.size)[:MOST_RECORDS]
    return Dataset(np.ascontiguousarray(inputs[rows], dtype=np.float32), labels[rows])


def _binary(file: str):
    def read(folder: Path):
        with np.load(folder / file) as stored:
            return stored["x"].astype(np.float32), stored["y"]

    return read


def _fashion_mnist(folder: Path):
    with np.load(folder / "fashion_mnist_25k.npz") as stored:
        return stored["x_train"][:, None] / np.float32(255) - np.float32(0.5), stored["y_train"]


def _cifar10(folder: Path):
    with np.load(folder / "cifar10_25k.npz") as stored:
        rows = random_generator(0, "cifar10", "rows").permutation(len(stored["y_train"]))
        rows = rows[:MOST_RECORDS]
        images = stored["x_train"][rows].transpose(0, 3, 1, 2)
        return images / np.float32(255) - np.float32(0.5), stored["y_train"][rows]


def _orl(folder: Path):
    """Faces at half the resolution, by means of 2 x 2 pixels."""
    with np.load(folder / "orl_faces.npz") as stored:
        faces = stored["x"].reshape(-1, 1, 56, 2, 46, 2).mean(axis=(3, 5))
        return faces / np.float32(255) - np.float32(0.5), stored["y"]


def _diabetes130(folder: Path):
    """Will the patient be readmitted (no, within 30 days, later)? One stay of each patient, so that
    records are independent."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise SystemExit("diabetes130 is a Parquet file: pip install pyarrow") from None
    table = parquet.read_table(folder / "diabetes130.parquet").to_pydict()
    _, first = np.unique(np.array(table["patient_nbr"]), return_index=True)
    rows = random_generator(0, "diabetes130", "patients").permutation(first)[:MOST_RECORDS]
    columns = [_standardised(np.array(table[name], dtype=np.float64)[rows]) for name in _NUMBERS]
    for name in _CATEGORIES:
        values = np.array([str(value).split(".")[0] for value in table[name]])[rows]
        found, counts = np.unique(values, return_counts=True)
        columns += [values == value for value in found[counts >= _RAREST_CATEGORY]]
    return np.stack(columns, axis=1), np.array(table["readmitted"])[rows]


def _standardised(column):
    return (column - column.mean()) / column.std()


_READERS = {
    "location30": _binary("location30.npz"),
    "groceries20": _binary("groceries20.npz"),
    "fashion_mnist": _fashion_mnist,
    "cifar10": _cifar10,
    "orl": _orl,
    "diabetes130": _diabetes130,
}
