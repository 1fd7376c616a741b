"""The one place that asks for matplotlib."""


class NoMatplotlibError(ImportError):
    """There is nothing to draw with."""


def new_figure(width, height):
    """Returns an empty figure; inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NoMatplotlibError(
            "The plots of the benchmarks need matplotlib. Install it with: "
            'pip install "nonlocal-keras[bench]"'
        ) from error
    return Figure(figsize=(width, height), layout="constrained")
