"""What a report may hold, part by part, when nobody vouches for it: types, ranges and lengths.

A field that is not named here may be there, since the schema grows; one that is named must be what
``run`` writes. What contradicts itself in plain sight is refused, too.
"""

from privacy_gate.report.shapes.whole import refuse

__all__ = ["refuse"]
