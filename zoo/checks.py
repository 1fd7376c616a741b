"""What the rules of records consist of; standard library only.

A rule is a tuple of the field that it is about, whether it holds, and what
must be. Rules are yielded in an order: one may rely on those before it.
"""


def check(record, rules):
    """Raises `ValueError` for the first rule that does not hold.

    Args:
        record: A `zoo.Record`.
        rules: Iterable of tuples of the name of a field, Boolean, and a
            String that goes on after "must be".
    """
    for field, holds, rule in rules:
        if not holds:
            raise ValueError(
                f"`{field}` of a zoo record must be {rule}. Received: "
                f"{getattr(record, field)!r} in record {record.name!r}"
            )


def has_fields(found, fields, more=()):
    """Tells whether a dictionary has all fields, and no others but `more`."""
    return set(fields) <= set(found) <= {*fields, *more}


def is_number(value):
    return isinstance(value, int | float) and type(value) is not bool


def is_list(values, length):
    return isinstance(values, list | tuple) and len(values) == length


def are_sizes(values):
    return all(type(value) is int and value >= 1 for value in values)
