"""Do the fixtures carry a verdict? Each check is a module: arrays in, a ``FixtureCheck`` out.

Those that need no model run before it is opened, the others before any verdict counts. The levels
of the checks that rest on chance sum to ``levels.FAMILY``, so that a false alarm anywhere among 20
sound fixture sets has a chance of at most 5 %.
"""
