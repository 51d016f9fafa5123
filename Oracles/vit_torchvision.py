"""torchvision's Vision Transformer in miniature: weights under its own names."""

from functools import partial

import torch
from oracle import images, model_fixture, randomise
from torchvision.models.vision_transformer import VisionTransformer

SEED = 141
model = VisionTransformer(image_size=24, patch_size=8, num_layers=2, num_heads=3, hidden_dim=24, mlp_dim=96, num_classes=10,
                          norm_layer=partial(torch.nn.LayerNorm, eps=1e-6))
model = randomise(model, SEED)
with torch.no_grad():
    # Its position embedding begins with the class token's; `randomise` knows neither by this name.
    model.class_token.normal_(0, 0.5, generator=torch.Generator().manual_seed(SEED + 2))
    model.class_token.copy_(model.class_token.half().float())
model_fixture("models/vit-torchvision.safetensors", "Oracles/vit_torchvision.py", model, images(SEED + 1, 2, 3, 24, 24),
              {"image_size": 24, "patch_size": 8, "num_layers": 2, "num_heads": 3, "hidden_dim": 24, "mlp_dim": 96}, SEED,
              ("torchvision",), notes="older files call mlp.0 and mlp.3 mlp.linear_1 and mlp.linear_2")
