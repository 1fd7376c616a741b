"""What is drawn of a run, read off the figure."""

import itertools
import json
import math
import shutil
import sys

import numpy as np
import pytest
from matplotlib import colors

from nonlocal_keras.visualize import curves
from tests.support import runs


@pytest.fixture
def run(tmp_path):
    return runs.write_run(tmp_path / "run")


def plot(folder):
    """Draws a run that is whole: nothing may be said."""
    return curves.plot_run(folder, say=pytest.fail)


def plot_loudly(folder):
    said = []
    return curves.plot_run(folder, say=said.append), "\n".join(said)


def line(panel, label):
    (found,) = (x for x in panel.get_lines() if x.get_label() == label)
    return found


def texts(panel):
    return [text.get_text() for text in panel.texts]


def test_each_model_has_a_column_and_each_quantity_a_row(run):
    panels = plot(run).axes
    assert len(panels) == 2 * 2 + 1
    titles = [panel.get_title() for panel in panels]
    assert titles == ["nl_c2d_tiny", "c2d_tiny", "", "", ""]
    labels = [panel.get_ylabel() for panel in panels]
    assert labels == ["loss", "", "top-1 accuracy (%)", "", ""]
    assert panels[2].get_xlabel() == "step"


def test_a_value_stands_at_the_last_step_of_its_part(run):
    loss, _, accuracy, *_ = plot(run).axes
    x, y = line(loss, "training").get_data()
    np.testing.assert_allclose(x, [10, 20, 30, 40])
    np.testing.assert_allclose(y, [1, 1 / 2, 1 / 3, 1 / 4])
    y = line(accuracy, "validation").get_ydata()
    np.testing.assert_allclose(y, [0, 100 / 3, 50, 60])


def test_axes_are_shared_where_models_compare(run):
    runs.write_log(run / "c2d_tiny", [(i, 3, 0.1, 0.1) for i in range(4)])
    loss, other_loss, accuracy, _, _ = plot(run).axes
    assert loss.get_ylim() == other_loss.get_ylim()
    assert loss.get_ylim()[1] > 3
    assert accuracy.get_ylim() == (0, 100)
    assert loss.get_xlim() == accuracy.get_xlim()


def test_lines_differ_by_color_dash_and_marker(run):
    accuracy = plot(run).axes[2]
    names = ("training", "validation", "chance")
    lines = [line(accuracy, name) for name in names]
    for a, b in itertools.combinations(lines, 2):
        assert a.get_color() != b.get_color()
        assert a.get_marker() != b.get_marker()
    # As `Line2D` keeps dashes, solid ones without any.
    assert len({str(x._unscaled_dash_pattern) for x in lines}) == 3
    for x in lines:
        # Against white, by the rule of the W3C: 3 to 1 for graphics.
        assert 1.05 / (luminance(x.get_color()) + 0.05) > 3


def luminance(color):
    """As the W3C defines it for sRGB."""
    rgb = np.array(colors.to_rgb(color))
    steep = ((rgb + 0.055) / 1.055) ** 2.4
    linear = np.where(rgb <= 0.04045, rgb / 12.92, steep)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_each_line_is_named_at_its_end(run):
    loss, _, accuracy, *_ = plot(run).axes
    assert texts(loss) == ["training"]
    assert texts(accuracy) == ["training", "validation", "chance"]
    assert accuracy.texts[1].xy == pytest.approx((40, 60))
    assert accuracy.texts[1].get_color() == (
        line(accuracy, "validation").get_color()
    )


@pytest.mark.parametrize("value", [0, 0.5, 0.97])
def test_names_of_lines_that_end_together_do_not_overlap(run, value):
    rows = [(i, 1, value, value) for i in range(4)]
    runs.write_log(run / "nl_c2d_tiny", rows)
    figure = plot(run)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[2].texts]
    assert len(boxes) == 3
    for a, b in itertools.combinations(boxes, 2):
        assert not a.overlaps(b)
    bottom = figure.axes[2].get_window_extent().y0
    assert all(box.y0 > bottom - 2 for box in boxes)


def test_chance_is_that_of_the_classes(tmp_path):
    run = runs.write_run(tmp_path / "run", classes=5)
    *panels, tests = plot(run).axes
    for panel in panels[2:]:
        assert set(line(panel, "chance").get_ydata()) == {20}
    assert tests.get_lines()[-1].get_xdata() == [20, 20]


def test_the_test_is_a_dot_on_its_interval_with_its_videos(run):
    panel = plot(run).axes[-1]
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == ["nl_c2d_tiny", "c2d_tiny"]
    interval, dot, *_ = panel.get_lines()
    assert list(interval.get_xdata()) == [50, 87.5]
    assert list(dot.get_xdata()) == [75] and dot.get_marker() == "o"
    assert texts(panel)[0] == "75.0% (50.0 to 87.5), 1,200 videos"
    # The first row is the upper one.
    bottom, top = panel.get_ylim()
    assert bottom > top and panel.get_xlim() == (0, 100)


def test_a_detector_is_shown_by_its_ap_in_percent(tmp_path):
    run = runs.write_run(tmp_path / "run", models=("nl_mask_rcnn",))
    columns = ("box_loss", "loss", "val_boxes_ap", "val_masks_ap")
    rows = [(part, 0.25, 0.5, 0.75, 0.125) for part in range(4)]
    runs.write_log(run / "nl_mask_rcnn", rows, columns)
    numbers = {"boxes": {"AP": 0.625}}
    report = [{"model": "nl_mask_rcnn", "numbers": numbers, "images": 5000}]
    (run / "report.json").write_text(json.dumps(report))
    *panels, test = plot(run).axes
    assert [panel.get_ylabel() for panel in panels] == [
        "loss",
        "box AP (%)",
        "mask AP (%)",
        "box_loss",
    ]
    assert set(line(panels[1], "validation").get_ydata()) == {75}
    assert texts(test)[0] == "62.5%, 5,000 images"
    assert test.get_xlabel() == "box AP in the test (%)"


def test_a_run_in_its_middle_tells_how_far_it_is(tmp_path):
    run = runs.write_run(tmp_path / "run", parts=2, ended=False)
    figure, said = plot_loudly(run)
    assert "has not been tested" in said and len(figure.axes) == 4
    assert figure.axes[0].get_title() == "nl_c2d_tiny\nstep 20 of 40"
    assert figure.axes[0].get_xlim()[1] > 40


def test_one_row_is_a_marked_point(tmp_path):
    run = runs.write_run(tmp_path / "run", parts=1, ended=False)
    figure, _ = plot_loudly(run)
    drawn = line(figure.axes[0], "training")
    assert list(drawn.get_xdata()) == [10] and drawn.get_markevery() == [0]


def test_a_long_line_is_marked_only_where_a_point_stands_alone(run):
    rows = [(i, 1 + i, 0.5, 0.5) for i in range(60)]
    rows[9], rows[11] = (9, "nan", 0.5, 0.5), (11, "nan", 0.5, 0.5)
    runs.write_log(run / "nl_c2d_tiny", rows)
    figure, _ = plot_loudly(run)
    loss, _, accuracy, *_ = figure.axes
    assert line(loss, "training").get_markevery() == [10]
    assert line(accuracy, "training").get_markevery() == []


def test_values_that_are_no_numbers_are_gaps_and_said(run):
    rows = [(0, 1, 0, 0), (1, "nan", 0, ""), (2, 2, 0, "NA")]
    runs.write_log(run / "nl_c2d_tiny", rows)
    figure, said = plot_loudly(run)
    y = line(figure.axes[0], "training").get_ydata()
    assert list(map(math.isnan, y)) == [False, True, False]
    assert "left out 1 of 3 values of loss" in said
    # Where the last number is.
    assert figure.axes[2].texts[1].xy == (10, 0)


def test_the_learning_rate_is_the_last_row_if_it_is_logged(run):
    columns = ("learning_rate", "loss", "mean_error", "top1")
    rows = [(i, 10.0 ** -(i + 1), 1, 5, 0.5) for i in range(4)]
    for name in ("nl_c2d_tiny", "c2d_tiny"):
        runs.write_log(run / name, rows, columns)
    panels = plot(run).axes[:-1:2]
    assert [panel.get_ylabel() for panel in panels] == [
        "loss",
        "top-1 accuracy (%)",
        "mean_error",
        "learning rate",
    ]
    scales = [panel.get_yscale() for panel in panels]
    assert scales == ["linear", "linear", "linear", "log"]


def test_the_loss_of_the_validation_is_drawn_if_it_is_logged(run):
    rows = [(i, 1, 2 + i) for i in range(4)]
    for name in ("nl_c2d_tiny", "c2d_tiny"):
        runs.write_log(run / name, rows, ("loss", "val_loss"))
    y = line(plot(run).axes[0], "validation").get_ydata()
    assert list(y) == [2, 3, 4, 5]


def test_without_settings_the_axis_counts_parts(run):
    (run / "c2d_tiny" / "experiment.json").unlink()
    panels = plot(run).axes
    assert list(line(panels[0], "training").get_xdata()) == [1, 2, 3, 4]
    assert panels[2].get_xlabel() == "part of the run"


def test_more_models_than_a_page_holds_are_left_out_and_said(tmp_path):
    run = runs.write_run(tmp_path / "run", models=tuple("abcdefgh"), parts=1)
    figure, said = plot_loudly(run)
    assert len(figure.axes) == 2 * 6 + 1
    assert "all but the first 6 of 8 models" in said


def test_foreign_names_are_drawn_as_they_are(tmp_path):
    names = ("a$\\foo$b", "b\x1b[31m", "c" * 200)
    run = runs.write_run(tmp_path / "run", models=names)
    figure = plot(run)
    figure.draw_without_rendering()
    titles = [panel.get_title() for panel in figure.axes[:3]]
    assert titles[:2] == ["a$\\foo$b", "b\\x1b[31m"] and len(titles[2]) < 50


def test_a_report_without_logs_is_drawn(run):
    for name in ("nl_c2d_tiny", "c2d_tiny"):
        shutil.rmtree(run / name)
    (panel,) = plot(run).axes
    assert len(panel.get_yticklabels()) == 2


def test_a_run_without_a_number_is_told(tmp_path):
    run = runs.write_run(tmp_path / "run", models=("m",), ended=False)
    runs.write_log(run / "m", [(0, "nan", "nan", "nan")])
    with pytest.raises(ValueError, match="finite number in its logs. Received"):
        plot_loudly(run)


def test_pyplot_is_left_alone(run):
    from matplotlib import pyplot

    pyplot.figure()
    before = pyplot.get_fignums()
    plot(run)
    assert pyplot.get_fignums() == before
    pyplot.close()


def test_without_matplotlib_its_install_line_is_told(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure")
    with pytest.raises(
        ImportError, match=r"needs matplotlib.*nonlocal-keras\[visualize\]"
    ):
        plot(run)
