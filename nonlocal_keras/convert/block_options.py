"""Decides the arguments of non-local blocks that shapes cannot tell."""

from nonlocal_keras.convert import families
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.models.backbones.placement import STAGES

OVERRIDES = (
    "pairwise",
    "scale",
    "pool_size",
    "pool_first",
    "frame_groups",
    "attend_axes",
)
# Where names tell the pooling of keys: what stands before and after the block.
_POOLING_IN_NAMES = {
    "mmaction2": ("backbone", "non_local_block"),
    "tsm": ("base_model", "nl"),
}
# What a family has that does not say otherwise: the defaults of NonLocal3D.
_USUAL = {"use_bias": True, "output_bias": True, "normalization": "batch"}


class BlockOptions:
    """Decides the arguments of the non-local blocks, stage by stage.

    Args:
        source: String, key of `nonlocal_keras.convert.name_maps.SOURCES`.
        plan: `nonlocal_keras.convert.plan.Plan`, whose notes and warnings say
            what was taken from where.
        names: Names of the tensors of the file.
        hints: Dictionary, see `families.find_hints`.
        overrides: Dictionary of the user's settings.
        frames: Integer, frames of a clip.

    Attributes:
        groups: Boolean, whether some stage is split into groups of frames,
            which fixes their number.
    """

    def __init__(self, source, plan, names, hints, overrides, frames):
        self.source = source
        self.plan = plan
        self.names = names
        self.frames = frames
        self.given = {k: overrides[k] for k in OVERRIDES if k in overrides}
        if source in families.GROUPED and "frame_groups" in self.given:
            # The releases split res3 and no other stage.
            if not isinstance(self.given["frame_groups"], dict):
                self.given["frame_groups"] = {"res3": overrides["frame_groups"]}
        self.hints = hints
        self.groups = False

    def resolve(self, family_options, placement):
        """Returns `{stage: arguments of NonLocal3D}`."""
        for name, value in self.given.items():
            stages = value if isinstance(value, dict) else STAGES
            if not set(stages) & set(placement) or (
                isinstance(value, dict) and set(value) - set(placement)
            ):
                raise ConversionError(
                    f"`{name}` must be of stages with non-local blocks, or it "
                    "would change nothing; the blocks here stand at "
                    f"{placement or 'no place'}. Received: {name}={value!r}"
                )
        shared = {k: v for k, v in family_options.items() if k not in STAGES}
        return {
            stage: self._resolve_stage(
                stage, shared | family_options.get(stage, {})
            )
            for stage in placement
        }

    def _resolve_stage(self, stage, options):
        """Returns the arguments for one stage."""
        told = self.plan.architecture.block_options.get(stage, {})
        told = {k: v for k, v in told.items() if (k, v) != ("pairwise", None)}
        for name in ("use_bias", "output_bias", "normalization"):
            usual = options.get(name, _USUAL[name])
            if told.get(name, usual) != usual:
                self._say(
                    f"The blocks of the file have {name}={told[name]!r}, which "
                    f"was built; those of family {self.plan.family} have "
                    f"{usual!r}.",
                    warn=True,
                )
        options = {**options, **told}
        given = {
            name: value[stage] if isinstance(value, dict) else value
            for name, value in self.given.items()
            if not isinstance(value, dict) or stage in value
        }
        options["pairwise"] = self._choose_pairwise(stage, told, given, options)
        self._set_pooling(options, given, stage)
        if "scale" not in given:
            self._set_scale(options)
        if self.source in families.GROUPED and "frame_groups" not in given:
            options["frame_groups"] = self._default_groups(stage)
        options = {**options, **given}
        self.groups |= options.get("frame_groups", 1) > 1
        return options

    def _choose_pairwise(self, stage, told, given, options):
        """Returns the pairwise function of one stage."""
        if "pairwise" in told:
            if given.get("pairwise", told["pairwise"]) != told["pairwise"]:
                raise ConversionError(
                    f"`pairwise` follows from the tensors of {stage}, which "
                    f"are those of {told['pairwise']!r}. Leave it out. "
                    f"Received: pairwise={given['pairwise']!r}"
                )
            return told["pairwise"]
        if self.source == "imagenet":
            return given.get(
                "pairwise", options.get("pairwise", "embedded_gaussian")
            )
        possible = ("embedded_gaussian", "dot_product")
        hint, where = self.hints.get("pairwise", (None, None))
        if "pairwise" in given:
            if given["pairwise"] not in possible:
                raise ConversionError(
                    f"`pairwise` must be one of {possible} for blocks that "
                    f"have theta and phi alone, as here in {stage}. "
                    f"Received: pairwise={given['pairwise']!r}"
                )
            if hint not in (None, given["pairwise"]):
                self._say(
                    f"The override pairwise={given['pairwise']!r} was taken; "
                    f"{where} says {hint!r}.",
                    warn=True,
                )
            return given["pairwise"]
        if hint in possible:
            self._say(f"pairwise: {hint}, from {where}")
            return hint
        usual = options.get("pairwise", "embedded_gaussian")
        other = next(form for form in possible if form != usual)
        self._say(
            f"pairwise: {usual}, the default of the family; a file with "
            f"{other} has the same tensors",
            # The other sources publish one of the two.
            warn=self.source == "mmaction2",
        )
        return usual

    def _set_pooling(self, options, given, stage):
        """Takes the pooling of keys from names where they tell it."""
        if self.source in _POOLING_IN_NAMES:
            backbone, block = _POOLING_IN_NAMES[self.source]
            start = f"{backbone}.layer{int(stage[-1]) - 1}."
            pooled = any(
                name.startswith(start) and f".{block}.g.0." in name
                for name in self.names
            )
            options["pool_size"] = (1, 2, 2) if pooled else None
            if "pool_size" in given and bool(given["pool_size"]) != pooled:
                raise ConversionError(
                    "`pool_size` follows from the names of the file: g is "
                    f"{'followed' if pooled else 'not followed'} by a pooling "
                    f"in {stage}. Received: pool_size={given['pool_size']}"
                )
        if given.get("pool_first") is not None:
            if not given.get("pool_size", options.get("pool_size")):
                raise ConversionError(
                    "`pool_first` would change nothing: the blocks of "
                    f"{stage} have no pooling. "
                    f"Received: pool_first={given['pool_first']}"
                )

    def _set_scale(self, options):
        """Takes the scale from the file's configuration, if it is there."""
        if options["pairwise"] in ("dot_product", "concatenation"):
            # They have no softmax whose logits could be scaled.
            options.pop("scale", None)
        elif self.source == "mmaction2":
            if options["pairwise"] == "gaussian":
                options["scale"] = 1.0
            elif "scale" in self.hints:
                options["scale"], where = self.hints["scale"]
                self._say(f"scale: {options['scale']}, from {where}")

    def _default_groups(self, stage):
        """Returns the number of groups of 4 frames in res3 of affine models."""
        architecture = self.plan.architecture
        if architecture.normalization != "affine" or stage != "res3":
            return 1
        frames = families.frames_of_res3(self.frames, self.plan.backbone)
        size = families.FRAMES_OF_GROUP
        if frames > size and frames % size:
            raise ConversionError(
                f"Affine models split res3 into groups of {size} frames, and "
                f"`frames` must give a multiple of {size} there. Received: "
                f"frames={self.frames}, {frames} in res3. Choose another "
                "number, or name frame_groups."
            )
        groups = max(frames // size, 1)
        self._say(
            f"frame_groups of res3: {groups}, groups of {size} for "
            f"{self.frames} frames"
        )
        return groups

    def _say(self, sentence, warn=False):
        """Adds a note or a warning to the plan, once."""
        where = self.plan.warnings if warn else self.plan.notes
        if sentence not in where:
            where.append(sentence)
