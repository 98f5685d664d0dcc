"""A report and everything it was made under, as one archive or as the predicate of an attestation.

``bundle`` gathers and verifies the files, ``page`` writes what they are evidence of, ``predicate``
states the verdict about a model's digest.
"""
