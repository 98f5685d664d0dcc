"""scikit-learn, exported to ONNX: a table of numbers, one row per patient.

python train.py
privacy-gate fixtures build --from data/patients.npz --label y --id patient -o fixtures
privacy-gate run
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from privacy_gate.holdout import Holdout, Receipt


def load_data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """3 000 made-up patients: 20 measurements, a diagnosis, a number."""
    x, y = make_classification(3000, n_informative=8, flip_y=0.05, random_state=0)
    return x.astype(np.float32), y.astype(np.int64), np.arange(len(y))


def main() -> None:
    x, y, patients = load_data()
    Path("data").mkdir(exist_ok=True)
    np.savez("data/patients.npz", x=x, y=y, patient=patients)

    kept = ~Holdout(rate=0.5).left_out(patients)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[kept], y[kept])

    Path("models").mkdir(exist_ok=True)
    # without zipmap the probabilities are one array instead of a list of dictionaries
    exported = to_onnx(model, x[:1], options={"zipmap": False})
    Path("models/candidate.onnx").write_bytes(exported.SerializeToString())

    receipt = Receipt()
    receipt.saw(patients[kept])
    receipt.write("models/receipt.safetensors", model="models/candidate.onnx")


if __name__ == "__main__":
    main()
