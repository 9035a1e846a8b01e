"""ResNet keeps the model contract."""

from modelry_testing import ModelContract


class TestResNet(ModelContract):
    model_type = "resnet"
    compiles = True
