"""Names that have changed: old ones work, and a warning says the new one."""

import warnings


def warn(old, new, where="", stacklevel=3):
    """Warns that an old name was used.

    Args:
        old: String, the name as it was.
        new: String, the name as it is.
        where: String that follows the old name, such as `" in FILE"`.
            Defaults to `""`.
        stacklevel: Integer, how many calls above this one the user is.
            Defaults to `3`, who called the caller of this function.
    """
    warnings.warn(
        f"`{old}`{where} is called `{new}` now; use that name.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


def take(old, old_value, new, value):
    """Returns the value of an argument that has an old name, too.

    Args:
        old: String, the old name.
        old_value: What was given under it, `None` for nothing.
        new: String, the new name.
        value: What was given under it, `None` for nothing.

    Raises:
        ValueError: If both are given.
    """
    if old_value is None:
        return value
    if value is not None:
        raise ValueError(
            f"`{old}` is the old name of `{new}`; give one of them. Received: "
            f"{old}={old_value!r}, {new}={value!r}"
        )
    warn(old, new, stacklevel=4)
    return old_value
