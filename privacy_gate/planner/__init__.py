"""How many records a configuration needs, or which budgets given records can certify.

``question`` reads what is to be planned, ``records`` and ``budgets`` answer, ``words`` says it.
"""
