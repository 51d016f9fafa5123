"""Small encoded images of every kind, and the pixels that Pillow decodes from them."""

import io
import struct
import zlib

import numpy as np
import torch
from oracle import FIXTURES, save, versions
from PIL import Image, ImageOps, features

FOLDER = FIXTURES / "images"
SEED = 401


def scene(width, height, seed=SEED):
    """A gradient with a disc, a bar at the upper left and some noise: no symmetry, so that a turned image is seen."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([255 * x / width, 255 * y / height, 255 * (1 - x / width) * (y / height)], -1)
    rgb[(x - 0.65 * width) ** 2 + (y - 0.6 * height) ** 2 < (0.22 * height) ** 2] = (230, 40, 60)
    rgb[: height // 5, : width // 2] = (20, 200, 240)
    return np.clip(rgb + rng.normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)


def alpha(width, height):
    y, x = np.mgrid[0:height, 0:width]
    return np.clip(400 * (x / width) - 80 + 60 * np.sin(y), 0, 255).astype(np.uint8)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(samples, colour, depth, interlaced=False, extra=b""):
    """A PNG written by hand, for Pillow writes neither 16-bit colour nor interlaced files. samples: [h, w, channels]."""
    h, w, _ = samples.shape

    def rows(part):
        out = b""
        for row in part:
            if depth == 16:
                body = row.astype(">u2").tobytes()
            elif depth == 8:
                body = row.astype(np.uint8).tobytes()
            else:
                bits = np.concatenate([(row.reshape(-1, 1) >> s) & 1 for s in range(depth - 1, -1, -1)], 1).reshape(-1)
                body = np.packbits(bits.astype(np.uint8)).tobytes()
            out += b"\0" + body
        return out

    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        data = b"".join(rows(samples[r::dr, c::dc]) for r, c, dr, dc in passes if samples[r::dr, c::dc].size)
    else:
        data = rows(samples)
    header = struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def pillow(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def files():
    w, h = 35, 26
    rgb = scene(w, h)
    image, a = Image.fromarray(rgb), alpha(w, h)
    rgba = Image.fromarray(np.dstack([rgb, a]))
    rng = np.random.default_rng(SEED + 1)
    wide = (rgb.astype(np.uint16) << 8) + rng.integers(0, 256, rgb.shape, np.uint16)
    wide_alpha = (a.astype(np.uint16) << 8) + rng.integers(0, 256, a.shape, np.uint16)

    yield "baseline-444.jpg", pillow(image, "JPEG", quality=90, subsampling=0)
    yield "baseline-422.jpg", pillow(image, "JPEG", quality=90, subsampling=1)
    yield "baseline-420.jpg", pillow(image, "JPEG", quality=90, subsampling=2)
    yield "progressive.jpg", pillow(image, "JPEG", quality=85, progressive=True)
    yield "restart.jpg", pillow(image, "JPEG", quality=85, restart_marker_rows=1)
    yield "grey.jpg", pillow(image.convert("L"), "JPEG", quality=90)
    yield "cmyk.jpg", pillow(image.convert("CMYK"), "JPEG", quality=95)
    for k in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = k
        yield f"orientation-{k}.jpg", pillow(Image.fromarray(scene(24, 16)), "JPEG", quality=90, subsampling=0, exif=exif)

    yield "rgb.png", pillow(image, "PNG")
    yield "grey.png", pillow(image.convert("L"), "PNG")
    yield "grey-alpha.png", pillow(rgba.convert("LA"), "PNG")
    yield "grey16.png", png(wide[..., 1:2], 0, 16)
    yield "grey4.png", png(rgb[..., :1] >> 4, 0, 4)
    yield "grey2.png", png(rgb[..., :1] >> 6, 0, 2)
    yield "one-bit.png", pillow(image.convert("1"), "PNG")
    yield "palette.png", pillow(image.quantize(32), "PNG")
    palette4 = image.quantize(13)
    yield "palette4.png", pillow(palette4, "PNG", bits=4)
    yield "palette-transparent.png", pillow(palette4, "PNG", bits=4, transparency=bytes(range(0, 256, 20))[:13])
    yield "palette-one-transparent.png", pillow(palette4, "PNG", transparency=3)
    yield "rgba.png", pillow(rgba, "PNG")
    yield "rgb-colour-key.png", pillow(palette4.convert("RGB"), "PNG", transparency=palette4.convert("RGB").getpixel((0, 0)))
    yield "rgb16.png", png(wide, 2, 16)
    yield "rgba16.png", png(np.dstack([wide, wide_alpha]), 6, 16)
    yield "interlaced.png", png(rgb, 2, 8, interlaced=True)
    yield "interlaced-rgba.png", png(np.dstack([rgb, a]), 6, 8, interlaced=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "orientation-6.png", pillow(Image.fromarray(scene(24, 16)), "PNG", exif=exif)

    yield "lossy.webp", pillow(image, "WEBP", quality=80)
    yield "lossless.webp", pillow(image, "WEBP", lossless=True)
    yield "lossy-alpha.webp", pillow(rgba, "WEBP", quality=80)
    yield "lossless-alpha.webp", pillow(rgba, "WEBP", lossless=True, exact=True)
    yield "orientation-8.webp", pillow(Image.fromarray(scene(24, 16)), "WEBP", lossless=True, exif=orientation(8))


def orientation(k):
    exif = Image.Exif()
    exif[0x0112] = k
    return exif


def has_alpha(image):
    return image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info


def eight_bit(image):
    """Pillow keeps the high byte of 16-bit colour but clips 16-bit grey at 255; here grey keeps its high byte too."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    return image


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    tensors, facts = {}, {}
    for name, data in files():
        (FOLDER / name).write_bytes(data)
        opened = Image.open(FOLDER / name)
        facts[name] = {"mode": opened.mode, "stored": list(opened.size), "orientation": opened.getexif().get(0x0112, 1),
                       "alpha": has_alpha(opened), "bytes": len(data)}
        image = eight_bit(ImageOps.exif_transpose(opened))
        drop = np.asarray(image.convert("RGB"))
        over = drop
        if has_alpha(opened):
            layer = image.convert("RGBA")
            over = np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, (255, 255, 255, 255)), layer).convert("RGB"))
            tensors[f"drop/{name}"] = torch.from_numpy(drop.copy())
        tensors[f"rgb/{name}"] = torch.from_numpy(over.copy())
    save("images/expected.safetensors", tensors, {
        "script": "Oracles/image_files.py", "seed": str(SEED),
        "versions": versions("pillow") | {k: features.version(k) for k in ("libjpeg_turbo", "webp", "zlib")}, "files": facts,
        "notes": "uint8 [height, width, 3] after EXIF orientation. rgb/NAME: over white where there is alpha or a transparent "
        "colour (Image.alpha_composite), else convert('RGB'); drop/NAME: convert('RGB'), only where it differs. 16-bit: the "
        "high byte. CMYK: Pillow's plain conversion, no colour profile",
    })
    for n, f in facts.items():
        print(n, f, tensors[f"rgb/{n}"].shape)


if __name__ == "__main__":
    main()
