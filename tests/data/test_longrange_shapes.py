"""The benchmark of shapes: what it says is in the pixels, context decides."""

import json

import numpy as np
import pytest
from pycocotools import mask as second_opinion

from nonlocal_keras import data
from nonlocal_keras.data import longrange_shapes
from nonlocal_keras.data import shape_images
from nonlocal_keras.models import ImageResNet
from nonlocal_keras.models.detection.fpn import feature_pyramid
from tests.support import videos
from tests.support.random_weights import randomize

SIZES = {"train": 5, "val": 2, "test": 3}
SEEDS = range(60)
LAMPS = {"red lamp", "green lamp"}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes")
    longrange_shapes.render(root, SIZES, workers=1)
    return root


@pytest.fixture(scope="module")
def drawn():
    return [shape_images.draw_image(seed) for seed in SEEDS]


def name(shape):
    return shape_images.CLASSES[shape.label]


def gap(one, other):
    """Columns between two shapes."""
    return max(one.box[0] - other.box[2], other.box[0] - one.box[2])


def parts(shapes):
    lamps = [s for s in shapes if name(s) in LAMPS]
    kites = [s for s in shapes if name(s) in longrange_shapes.CONTEXT_CLASSES]
    assert len(lamps) == 1 and kites
    return lamps[0], kites


def written(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob("*.jpg")}


def test_a_seed_gives_one_image():
    (first, _), (again, _) = (shape_images.draw_image(3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != shape_images.draw_image(4)[0]).any()


def test_an_image_has_a_lamp_and_kites_far_from_it(drawn):
    for _, shapes in drawn:
        assert 2 <= len(shapes) <= 7
        lamp, kites = parts(shapes)
        assert min(gap(lamp, kite) for kite in kites) >= shape_images.GAP


def test_kites_are_named_by_the_light(drawn):
    for _, shapes in drawn:
        lamp, kites = parts(shapes)
        light = name(lamp).split()[0]
        assert {name(kite) for kite in kites} == {f"kite by {light}"}


def test_the_other_light_changes_the_lamp_and_the_names_of_kites_alone(drawn):
    """So pixels that are not the lamp's say nothing of a kite."""
    for seed, (pixels, shapes) in zip(SEEDS, drawn):
        other = 1 - shape_images.draw_light(seed)
        changed, renamed = shape_images.draw_image(seed, other)
        lamp, kites = parts(shapes)
        differs = (pixels != changed).any(axis=-1)
        assert differs.any() and not (differs & ~lamp.mask).any()
        for one, two in zip(shapes, renamed, strict=True):
            np.testing.assert_array_equal(one.mask, two.mask)
            in_context = one is lamp or one in kites
            assert (name(one) != name(two)) == in_context


def test_both_lights_are_equally_likely():
    lights = [shape_images.draw_light(seed) for seed in range(4000)]
    # Five standard deviations of a count.
    assert abs(sum(lights) - 2000) < 5 * 1000**0.5


def test_the_light_is_in_the_pixels_of_the_lamp(drawn):
    for pixels, shapes in drawn:
        lamp, _ = parts(shapes)
        # The core, not the ring around it.
        y, x = (int(sum(lamp.box[axis::2]) / 2) for axis in (1, 0))
        red, green, _ = pixels[y - 2 : y + 3, x - 2 : x + 3].mean((0, 1))
        assert name(lamp) == ("red lamp" if red > green else "green lamp")


def test_masks_are_what_is_painted(drawn):
    """Within a mask the color is one, and around it another."""
    checked = 0
    for pixels, shapes in drawn:
        taken = np.any([shape.mask for shape in shapes], axis=0)
        for shape in shapes:
            if name(shape) in LAMPS:
                continue
            left, top, right, bottom = shape.box
            around = np.zeros_like(taken)
            around[top - 1 : bottom + 1, left - 1 : right + 1] = True
            color = np.median(pixels[shape.mask], axis=0)
            far = np.abs(pixels - color).max(axis=-1) > 45
            assert far[shape.mask].mean() < 0.2
            assert far[around & ~taken].mean() > 0.75
            checked += 1
    assert checked > 100


def test_no_shape_covers_another_or_leaves_the_image(drawn):
    for _, shapes in drawn:
        assert np.sum([shape.mask for shape in shapes], axis=0).max() == 1
        for shape in shapes:
            border = shape.mask.copy()
            border[1:-1, 1:-1] = False
            assert shape.mask.sum() > 100 and not border.any()


def test_joints_are_the_tip_and_the_corners_beside_it(drawn):
    for _, shapes in drawn:
        for shape in shapes:
            if name(shape) in LAMPS:
                assert shape.joints is None
                continue
            tip, right, left = shape.joints
            # At the border of the mask.
            y, x = np.nonzero(shape.mask)
            for joint in shape.joints:
                assert np.hypot(x - joint[0], y - joint[1]).min() < 3
            # Seen along the tip, y pointing down.
            forward = tip - (left + right) / 2
            across = right - left
            assert forward[0] * across[1] - forward[1] * across[0] > 0


def test_files_say_what_was_drawn(rendered):
    for split, number in SIZES.items():
        path = rendered / "annotations" / f"instances_{split}.json"
        dataset = data.read_coco(path, rendered / split)
        assert not dataset.faults and len(dataset.images) == number
        assert dataset.class_names == shape_images.CLASSES
        assert dataset.keypoint_names == shape_images.JOINTS
        for image, pixels in dataset.readable():
            drawn, shapes = shape_images.draw_image(image.id)
            # JPEG files are not the same to the last digit.
            assert np.abs(pixels.astype(int) - drawn).mean() < 4
            assert image.labels.tolist() == [s.label for s in shapes]
            assert image.boxes.tolist() == [list(s.box) for s in shapes]
            for row, shape in enumerate(shapes):
                np.testing.assert_array_equal(image.mask(row), shape.mask)
                if shape.joints is not None:
                    found = image.keypoints[row]
                    np.testing.assert_allclose(
                        found[:, :2], shape.joints, atol=0.051
                    )
                    assert (found[:, 2] == 2).all()


def test_annotations_are_of_coco(rendered):
    content = json.loads(
        (rendered / "annotations" / "instances_val.json").read_text()
    )
    for entry in content["annotations"]:
        code = second_opinion.frPyObjects(entry["segmentation"], 96, 192)
        assert second_opinion.area(code) == entry["area"]
        assert second_opinion.toBbox(code).tolist() == entry["bbox"]


def test_no_image_is_in_two_splits(rendered):
    names = [path.name for path in rendered.rglob("*.jpg")]
    assert len(names) == len(set(names)) == sum(SIZES.values())


def test_a_second_call_writes_nothing(rendered):
    before = written(rendered)
    longrange_shapes.render(rendered, SIZES, workers=1)
    assert written(rendered) == before


def test_goes_on_after_an_interruption(rendered, tmp_path, monkeypatch):
    draw, seen = longrange_shapes.draw_image, []

    def stop_at_the_fourth(seed):
        seen.append(seed)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return draw(seed)

    monkeypatch.setattr(longrange_shapes, "draw_image", stop_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        longrange_shapes.render(tmp_path, SIZES, workers=1)
    before = written(tmp_path)
    assert len(before) == 3
    longrange_shapes.render(tmp_path, SIZES, workers=1)
    assert before.items() <= written(tmp_path).items()
    for path in rendered.rglob("*.json"):
        copy = tmp_path / path.relative_to(rendered)
        assert copy.read_text() == path.read_text()


@pytest.mark.slow
def test_several_processes_render_the_same_files(rendered, tmp_path):
    longrange_shapes.render(tmp_path, SIZES, workers=2)
    for path in rendered.rglob("*.*"):
        copy = tmp_path / path.relative_to(rendered)
        assert copy.read_bytes() == path.read_bytes()


def test_other_folders_are_refused(rendered, tmp_path):
    with pytest.raises(ValueError, match="`root` holds another version or"):
        longrange_shapes.render(rendered, {**SIZES, "val": 9})
    videos.touch(tmp_path, "train/photo.jpg")
    with pytest.raises(ValueError, match="`root` must be empty.*Choose"):
        longrange_shapes.render(tmp_path, SIZES)


def reach(non_local):
    """How far features of a kite change with the light, in each pyramid."""
    backbone = ImageResNet(
        stage_blocks=(1, 1, 1, 1),
        width_per_group=4,
        non_local=non_local and {"res4": (0,)},
    )
    channels = [backbone.output[f"res{n}"].shape[-1] for n in range(2, 6)]
    pyramid = feature_pyramid(tuple(channels), 8, "float32")
    randomize(backbone)
    randomize(pyramid, seed=1)
    changes = []
    for seed in range(2):
        images = [shape_images.draw_image(seed, light)[0] for light in (0, 1)]
        pixels = np.array(images, "float32") / 255
        # Boxes of less than 112 pixels take features of the finest level.
        finest = np.asarray(pyramid(backbone(pixels))[0])
        lamp, kites = parts(shape_images.draw_image(seed)[1])
        for kite in kites:
            left, top, right, bottom = np.array(kite.box) // 4
            # Those between which boxes a quarter larger are interpolated.
            rows = slice(max(top - 3, 0), bottom + 4)
            columns = slice(max(left - 3, 0), right + 4)
            one, other = finest[:, rows, columns]
            changes.append(np.abs(one - other).max() / np.abs(one).max())
    return changes


def test_features_of_a_small_resnet_do_not_reach_from_a_kite_to_the_lamp():
    assert max(reach(non_local=None)) < 1e-5


def test_features_of_a_non_local_block_do():
    assert min(reach(non_local=True)) > 1e-4
