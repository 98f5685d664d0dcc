"""Models: opened safely, fed raw fixture columns, asked once per record.

``opening`` checks the file and picks the back-end; ``torch_model`` and ``onnx_model`` are the
back-ends; ``preprocess`` turns fixture columns into model inputs; ``outputs`` turns whatever a
model returns into logits, probabilities or labels; ``forward`` streams records through all that.
"""
