"""Names of the zoo, as commands take them."""

VIDEOS, IMAGES = "video_classification", "object_detection"


def find_record(name, cache_dir, *tasks):
    """Returns the record of a model that a command can take.

    Args:
        name: String, of the zoo.
        cache_dir: As for `zoo.load`.
        *tasks: Strings, the tasks of models that the command takes.

    Returns:
        A `zoo.Record`.

    Raises:
        ValueError: If the zoo has no such name, or its task is another one.
    """
    import zoo

    record = zoo.info(name, cache_dir)
    if record.task not in tasks:
        raise ValueError(
            f"The model must be of the task {' or '.join(map(repr, tasks))}. "
            f"Received: {name}, which is of {record.task!r}"
        )
    return record
