"""timm's MLP-Mixer in miniature."""

from oracle import images, model_fixture, randomise
from timm.models.mlp_mixer import MlpMixer

PACKAGES = ("timm",)


def main():
    seed = 241
    config = dict(img_size=24, patch_size=8, num_blocks=2, embed_dim=24, num_classes=10)
    model = randomise(MlpMixer(**config), seed)
    model_fixture(
        "models/mixer-timm.safetensors", "Oracles/mixer.py", model, images(seed + 1, 2, 3, 24, 24),
        config | {"norm_eps": 1e-6, "mlp_ratio": [0.5, 4.0]}, seed, PACKAGES, optional=("blocks",),
        notes="mlp_tokens and what is in it have channels first: [batch, channels, ...]",
    )


if __name__ == "__main__":
    main()
