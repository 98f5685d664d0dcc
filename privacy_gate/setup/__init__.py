"""Setting up a project: ``init`` writes a first configuration, ``doctor`` says what is wrong.

``search``, ``source_code``, ``factories``, ``matching``, ``model_files`` and ``fixture_facts`` look
at what is there without running any of it; ``trial`` runs the model and ``preprocessing`` judges
its answers; ``initial`` makes a ``drafting.Draft`` of it, ``sections`` and ``text`` write it down.
``environment``, ``project`` and ``batch`` are the findings of ``doctor``.
"""
