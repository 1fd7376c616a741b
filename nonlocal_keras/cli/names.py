"""Names of the zoo, as commands on videos take them."""

# Of what `predict`, `export` and `flops` take.
TASK = "video_classification"


def find_classifier(name, cache_dir):
    """Returns the record of a classifier of videos.

    Args:
        name: String, of the zoo.
        cache_dir: As for `zoo.load`.

    Returns:
        A `zoo.Record`.

    Raises:
        ValueError: If the zoo has no such name, or its task is another one.
    """
    import zoo

    record = zoo.info(name, cache_dir)
    if record.task != TASK:
        raise ValueError(
            f"The model must be of the task {TASK!r}. Received: {name}, which "
            f"is of {record.task!r}"
        )
    return record
