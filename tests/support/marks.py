"""Marks for parameters of which not all belong into the fast suite."""

import pytest


def mostly_slow(parametrize, *fast):
    """The same parameters, of which only some run in the fast suite.

    Args:
        parametrize: A `pytest.mark.parametrize(...)`.
        *fast: Integers, the places of those that stay in the fast suite.
    """
    names, values = parametrize.args
    several = "," in names
    # A place beyond the last would leave the fast suite without a word.
    assert set(fast) <= set(range(len(values))), (names, fast)

    def marked(place, value):
        if place in fast:
            return value
        if isinstance(value, tuple) and hasattr(value, "marks"):
            marks, name = (*value.marks, pytest.mark.slow), value.id
            return pytest.param(*value.values, marks=marks, id=name)
        return pytest.param(
            *(value if several else (value,)), marks=pytest.mark.slow
        )

    values = [marked(*pair) for pair in enumerate(values)]
    return pytest.mark.parametrize(names, values, **parametrize.kwargs)
