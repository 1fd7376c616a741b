"""The names that each project gives its tensors, spelled out by hand.

Written independently of the name maps of the converters. Each method
gives what stands before the name of a value.
"""


class Caffe2:
    value = {"kernel": "_w", "bias": "_b"}
    vectors = {
        "gamma": "_s",
        "beta": "_b",
        "moving_mean": "_rm",
        "moving_variance": "_riv",
    }
    maps = {"theta": "theta", "phi": "phi", "g": "g", "w_z": "out"}

    def stem(self):
        return "conv1", "res_conv1_bn"

    def convolution(self, stage, block, branch):
        name = f"res{stage}_{block}_branch{branch}"
        return name, f"{name}_bn"

    def non_local(self, stage, block, name):
        return f"nonlocal_conv{stage}_{block}_{self.maps[name]}"

    def norm(self, stage, block):
        return f"nonlocal_conv{stage}_{block}_bn"

    def classifier(self):
        return "pred"


class Torch(Caffe2):
    value = {"kernel": ".weight", "bias": ".bias"}
    vectors = {
        "gamma": ".weight",
        "beta": ".bias",
        "moving_mean": ".running_mean",
        "moving_variance": ".running_var",
    }


class PySlowFast(Torch):
    maps = {n: f"conv_{m}" for n, m in Caffe2.maps.items()}

    def stem(self):
        return "s1.pathway0_stem.conv", "s1.pathway0_stem.bn"

    def convolution(self, stage, block, branch):
        name = f"s{stage}.pathway0_res{block}.branch{branch}"
        if len(branch) == 2:
            name = f"{name[:-1]}.{branch[1]}"
        return name, f"{name}_bn"

    def non_local(self, stage, block, name):
        return f"s{stage}.pathway0_nonlocal{block}.{self.maps[name]}"

    def norm(self, stage, block):
        return f"s{stage}.pathway0_nonlocal{block}.bn"

    def classifier(self):
        return "head.projection"


class PyTorchVideo(Torch):
    def __init__(self, pool2=True, prefix=""):
        self.places = (1, 3, 4, 5, 6) if pool2 else (1, 2, 3, 4, 5)
        self.prefix = prefix

    def stem(self):
        return f"{self.prefix}blocks.0.conv", f"{self.prefix}blocks.0.norm"

    def convolution(self, stage, block, branch):
        name = f"{self.prefix}blocks.{self.places[stage - 2]}."
        name += f"res_blocks.{block}."
        if branch == "1":
            return f"{name}branch1_conv", f"{name}branch1_norm"
        name += "branch2."
        return f"{name}conv_{branch[1]}", f"{name}norm_{branch[1]}"

    def classifier(self):
        return f"{self.prefix}blocks.{self.places[4]}.proj"


class MMAction2(Torch):
    def __init__(self, pooled=True):
        self.pooled = ".0" if pooled else ""

    def stem(self):
        return "backbone.conv1.conv", "backbone.conv1.bn"

    def convolution(self, stage, block, branch):
        part = (
            "downsample" if branch == "1" else f"conv{' abc'.index(branch[1])}"
        )
        name = f"backbone.layer{stage - 1}.{block}.{part}"
        return f"{name}.conv", f"{name}.bn"

    def non_local(self, stage, block, name):
        part = {
            "theta": "theta.conv",
            "phi": f"phi{self.pooled}.conv",
            "g": f"g{self.pooled}.conv",
            "w_z": "conv_out.conv",
            "w_f": "concat_project.conv",
        }[name]
        return f"backbone.layer{stage - 1}.{block}.non_local_block.{part}"

    def norm(self, stage, block):
        return f"backbone.layer{stage - 1}.{block}.non_local_block.conv_out.bn"

    def classifier(self):
        return "cls_head.fc_cls"


class Wrapped:
    """Two wrappers of TSM: of first convolutions, of blocks before a block."""

    def __init__(self, wrapped, **options):
        # The places of non-local blocks, e.g. {"res3": (1,)}.
        self.wrapped = wrapped
        super().__init__(**options)

    def convolution(self, stage, block, branch):
        names = super().convolution(stage, block, branch)
        if block in self.wrapped.get(f"res{stage}", ()):
            layer = f"layer{stage - 1}.{block}."
            names = [n.replace(layer, f"{layer}block.") for n in names]
        kernel, norm = names
        return (f"{kernel}.net" if branch == "2a" else kernel), norm


class MMAction2TSM(Wrapped, MMAction2):
    pass


class GluonCV(Torch):
    maps = {"theta": "theta", "phi": "phi", "g": "g", "w_z": "W"}

    def __init__(self, mxnet=False):
        if mxnet:
            self.vectors = {
                "gamma": ".gamma",
                "beta": ".beta",
                "moving_mean": ".running_mean",
                "moving_variance": ".running_var",
            }

    def stem(self):
        return "first_stage.0", "first_stage.1"

    def convolution(self, stage, block, branch):
        name = f"res_layers.{stage - 2}.{block}."
        if branch == "1":
            return f"{name}downsample.0", f"{name}downsample.1"
        number = " abc".index(branch[1])
        return f"{name}conv{number}", f"{name}bn{number}"

    def non_local(self, stage, block, name):
        name = self.maps[name]
        return f"res_layers.{stage - 2}.{block}.nonlocal_block.{name}"

    def norm(self, stage, block):
        return f"res_layers.{stage - 2}.{block}.nonlocal_block.bn"

    def classifier(self):
        return "fc"


class TorchVision(Torch):
    def stem(self):
        return "conv1", "bn1"

    def convolution(self, stage, block, branch):
        name = f"layer{stage - 1}.{block}."
        if branch == "1":
            return f"{name}downsample.0", f"{name}downsample.1"
        number = " abc".index(branch[1])
        return f"{name}conv{number}", f"{name}bn{number}"

    def classifier(self):
        return "fc"


class TSM(Wrapped, TorchVision):
    def stem(self):
        return "base_model.conv1", "base_model.bn1"

    def convolution(self, stage, block, branch):
        kernel, norm = super().convolution(stage, block, branch)
        return f"base_model.{kernel}", f"base_model.{norm}"

    def non_local(self, stage, block, name):
        part = {"theta": "theta", "phi": "phi.0", "g": "g.0", "w_z": "W.0"}
        return f"base_model.layer{stage - 1}.{block}.nl.{part[name]}"

    def norm(self, stage, block):
        return f"base_model.layer{stage - 1}.{block}.nl.W.1"

    def classifier(self):
        return "new_fc"
