"""Few-shot membership inference: attackers that learn from a handful of labelled records.

``draws`` picks the labelled records, ``simple_shot``, ``laplacian_shot`` and ``anchored`` learn
from them, ``selection`` chooses hyper-parameters on validation records only, ``attack`` makes each
of them an attack of the gate, ``paper`` runs the published protocol of random episodes.
"""
