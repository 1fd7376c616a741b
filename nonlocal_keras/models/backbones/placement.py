"""Where non-local blocks stand: `{"res4": (1, 3, 5)}`.

An index names the residual block, counted from 0, after which the non-local
block stands.
"""

STAGES = ("res2", "res3", "res4", "res5")

# Blocks of res3 and res4 for the 5- and 10-block models. ResNet-50: section
# 3.3 of the paper; ResNet-101: the authors' release and GluonCV.
_PUBLISHED = {
    (50, 5): {"res3": (1, 3), "res4": (1, 3, 5)},
    (50, 10): {"res3": (0, 1, 2, 3), "res4": (0, 1, 2, 3, 4, 5)},
    (101, 5): {"res3": (1, 3), "res4": (6, 13, 20)},
    (101, 10): {"res3": (0, 1, 2, 3), "res4": (2, 6, 10, 14, 18, 22)},
}


def published_placement(number, depth, stage_blocks):
    """Returns the placement of the paper for a number of non-local blocks.

    Args:
        number: Integer, 1, 5 or 10. One block stands in res4, right before
            the last residual block.
        depth: Integer, the depth of the ResNet.
        stage_blocks: Tuple of 4 Integers, residual blocks per stage.

    Returns:
        Dictionary of stage name to tuple of block indices.

    Raises:
        ValueError: If the paper places no such number of blocks.
    """
    if number == 1 and stage_blocks[2] > 1:
        return {"res4": (stage_blocks[2] - 2,)}
    if (depth, number) in _PUBLISHED:
        return _PUBLISHED[depth, number]
    raise ValueError(
        "`non_local` must be 1, 5 or 10 for ResNet-50 and ResNet-101, for "
        "which the paper places them; otherwise name the places, e.g. "
        'non_local={"res4": (0,)}. '
        f"Received: non_local={number}, depth={depth}"
    )


def check_placement(non_local, stage_blocks):
    """Checks a placement and returns it as a dictionary of sorted tuples."""
    if non_local is None:
        return {}
    if not isinstance(non_local, dict):
        raise ValueError(
            "`non_local` must be None or a dictionary of stage to block "
            'indices, e.g. {"res3": (1, 3), "res4": (1, 3, 5)}. '
            f"Received: non_local={non_local!r}"
        )
    blocks = dict(zip(STAGES, stage_blocks))
    checked = {}
    for stage, indices in non_local.items():
        if stage not in blocks:
            raise ValueError(
                f"`non_local` names a stage that is none of {STAGES}. "
                f"Received: {stage!r}"
            )
        if not isinstance(indices, (tuple, list)):
            raise ValueError(
                "`non_local` must hold a tuple of block indices per stage, "
                f"e.g. {{{stage!r}: (0,)}}. Received: {stage!r}: {indices!r}"
            )
        indices = tuple(indices)
        for index in indices:
            if not 0 <= index < blocks[stage]:
                raise ValueError(
                    f"`non_local` must name blocks 0 to {blocks[stage] - 1} "
                    f"of {stage}, which has {blocks[stage]}. "
                    f"Received: {stage!r}: {indices}"
                )
        if len(set(indices)) != len(indices):
            raise ValueError(
                "`non_local` names a block twice. "
                f"Received: {stage!r}: {indices}"
            )
        if indices:
            checked[stage] = tuple(sorted(indices))
    if not checked:
        raise ValueError(
            "`non_local` names no block, so that it would change nothing. Use "
            "None for a model without non-local blocks. "
            f"Received: non_local={non_local!r}"
        )
    return {s: checked[s] for s in STAGES if s in checked}


def check_options(options, placement):
    """Splits the options of the blocks into `{stage: options}`."""
    options = dict(options or {})
    if options and not placement:
        raise ValueError(
            "`non_local_options` without `non_local` would change nothing. "
            f"Received: non_local_options={options}"
        )
    per_stage = {s: options.pop(s) for s in STAGES if s in options}
    for stage in per_stage:
        if stage not in placement:
            raise ValueError(
                "`non_local_options` has options for a stage without "
                f"non-local blocks. Received: {stage!r}"
            )
    return {s: {**options, **per_stage.get(s, {})} for s in placement}


def describe(placement):
    """Returns `"5 non-local blocks at res3[1,3] res4[1,3,5]"`."""
    number = sum(map(len, placement.values()))
    if not number:
        return "no non-local block"
    places = " ".join(
        f"{stage}[{','.join(map(str, indices))}]"
        for stage, indices in placement.items()
    )
    plural = "s" if number > 1 else ""
    return f"{number} non-local block{plural} at {places}"
