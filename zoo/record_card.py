"""The model card: a record told in words."""


def make_card(record):
    """Gives the card of a model as Markdown.

    Args:
        record: A `zoo.Record`.

    Returns:
        String.
    """
    clip, views = record.input, record.views
    labels = ", ".join(record.labels[:10])
    more = len(record.labels) - 10
    if more > 0:
        labels += f" and {more} more"
    rows = {
        "licence of the weights": record.licence,
        **({"note": record.note} if record.note else {}),
        "source": record.source,
        **_file(record.download),
        "parameters": f"{record.parameters:,}",
        "multiply-adds per clip": f"{record.macs:,}",
        "input": f"{clip['frames']} frames, {_stride(clip)}, "
        f"{clip['size']} x {clip['size']} pixels of a frame {_frame(clip)}, "
        f"{clip['channels']}, (x / 255 - mean) "
        f"/ std with mean {clip['mean']} and std {clip['std']}",
        "test": f"{views['clips']} clips x {views['crops']} crops of "
        f"{views['size']} pixels, placed as by {views.get('rule', 'vnl')}, "
        f"{_averaged(views['average'])}",
        "classes": f"{len(record.labels)}: {labels}",
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    return (
        f"# {record.name}\n\n{record.description}.\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        f"## Accuracy\n\n{_accuracy(record.metrics)}\n"
    )


def _averaged(average):
    if average == "maximum":
        return "maximum of probabilities"
    return f"mean of {average}"


def _stride(clip):
    if clip["stride"] is None:
        return "one out of each of as many equal parts of the video"
    if clip.get("fps") is None:
        return f"every {clip['stride']}."
    return f"every {clip['stride']}. of {clip['fps']} per second"


def _frame(clip):
    with_side = f"with a shorter side of {clip['short_side']}"
    if clip.get("resize") is None:
        return with_side
    return "stretched to {} x {}, ".format(*clip["resize"]) + with_side


def _file(download):
    if download is None:
        return {}
    checksum = download["checksum"] or "none is published"
    return {"file": download["url"], "checksum of the file": checksum}


def _accuracy(metrics):
    parts = []
    for key, word in (("top1", "Top-1"), ("top5", "top-5"), ("map", "mAP")):
        if key in metrics:
            parts.append(f"{word} {metrics[key]:.2%}")
    text = ", ".join(parts) or "No accuracy is published"
    if "interval" in metrics:
        low, high = metrics["interval"]
        text += f" (95% interval {low:.1%} to {high:.1%})"
    number = f"{metrics['videos']} videos of " if "videos" in metrics else ""
    text += f" on {number}{metrics['dataset']}; {metrics['protocol']}."
    for key, word in (("command", "Measured by"), ("source", "Published in")):
        if key in metrics:
            text += f"\n\n{word} `{metrics[key]}`."
    return text
