"""What model cards have in common: Markdown of a title and a table."""

# Names of classes; a card is read by people.
SHOWN = 10


def make_head(title, summary, rows):
    """Returns the beginning of a card.

    Args:
        title: String.
        summary: String, a sentence without its full stop.
        rows: Dictionary of a word to what is said of it, rows of a table.

    Returns:
        String of Markdown.
    """
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    return f"# {title}\n\n{summary}.\n\n| | |\n|---|---|\n{table}\n"


def tell_classes(labels):
    """Returns the number of classes and the first of their names.

    Args:
        labels: Sequence of strings.
    """
    more = len(labels) - SHOWN
    rest = f" and {more} more" if more > 0 else ""
    return f"{len(labels)}: {', '.join(labels[:SHOWN])}{rest}"
