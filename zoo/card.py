"""The model card: a record told in words."""


def make_card(record):
    """Gives the card of a model as Markdown.

    Args:
        record: A `zoo.record.Record`.

    Returns:
        String.
    """
    low, high = record.metrics["interval"]
    clip, metrics = record.input, record.metrics
    labels = ", ".join(record.labels[:10])
    more = len(record.labels) - 10
    if more > 0:
        labels += f" and {more} more"
    return f"""# {record.name}

{record.description}.

| | |
|---|---|
| licence of the weights | {record.licence} |
| source | {record.source} |
| parameters | {record.parameters:,} |
| multiply-adds per clip | {record.macs:,} |
| input | {clip["frames"]} frames, every {clip["stride"]}., \
{clip["size"]} x {clip["size"]} pixels of a frame with a shorter side of \
{clip["short_side"]}, {clip["channels"]}, (x / 255 - mean) / std with mean \
{clip["mean"]} and std {clip["std"]} |
| classes | {len(record.labels)}: {labels} |
| SHA-256 of model.keras | {record.sha256} |

## Accuracy

Top-1 {metrics["top1"]:.1%} (95% interval {low:.1%} to {high:.1%}) on \
{metrics["videos"]} test videos of {metrics["dataset"]}; \
{metrics["protocol"]}.

Measured by `{metrics["command"]}`.
"""
