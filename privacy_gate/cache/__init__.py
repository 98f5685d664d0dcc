"""Arrays that were costly to compute, kept between runs in files named after all they depend on.

``prepared.cache`` is the cache of a run; where caching is off it keeps nothing, so nobody asks::

    arrays = prepared.cache.get_or_make("generator", parts, make)

``parts`` is a mapping of plain values and arrays with all that ``make()``, a function of no
arguments that returns ``{name: array}``, depends on: digests of files, the seed, settings. What
every entry depends on is added here: this tool's own code, Python, all installed packages. ``get``
and ``put`` are the same in two steps, and carry ``facts``, JSON values, beside the arrays.

An entry's name is a keyed hash of its parts, and its content is authenticated with the same key,
which derives from the split key of the fixtures: no name gives a record away, and who does not know
that key cannot forge an entry. Whatever is damaged, truncated, or not ours is not there.
"""

from privacy_gate.cache.directory import OFF, VARIABLE, open_cache
from privacy_gate.cache.entries import Arrays, Cache, Entry

__all__ = ["OFF", "VARIABLE", "Arrays", "Cache", "Entry", "open_cache"]
