"""The model card of a record: the record told in words."""

from zoo import tasks


def make_record_card(record):
    """Returns the card of a model as Markdown.

    Args:
        record: A `zoo.Record`.

    Returns:
        String.
    """
    # Shared with cards of models that have no record; to import it is to
    # import Keras.
    from nonlocal_keras import card

    rows = {
        "license of the weights": record.license,
        **({"note": record.note} if record.note else {}),
        "source": record.source,
        **_tell_file(record.download),
        "parameters": f"{record.parameters:,}",
        **tasks.find(record.task).tell_fields(record),
    }
    rows.setdefault("classes", card.tell_classes(record.labels))
    head = card.make_head(record.name, record.description, rows)
    return f"{head}\n## Accuracy\n\n{_tell_accuracy(record)}\n"


def _tell_file(download):
    if download is None:
        return {}
    checksum = download["checksum"] or "none is published"
    return {"file": download["url"], "checksum of the file": checksum}


def _tell_accuracy(record):
    text = tasks.find(record.task).tell_accuracy(record)
    for key, word in (("command", "Measured by"), ("source", "Published in")):
        if key in record.metrics:
            text += f"\n\n{word} `{record.metrics[key]}`."
    return text
