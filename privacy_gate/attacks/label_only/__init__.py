"""The label-only suite: attackers that see nothing but the class the model answers.

They ask about changed copies of a record. A model is surer around what it was trained on, so the
label of a member survives larger changes (Choquette-Choo et al. 2021; Li & Zhang 2021). Hiding the
scores, or flattening them as HAMP does, takes nothing from these attackers.
"""
