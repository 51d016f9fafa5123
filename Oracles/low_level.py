"""Low-level statistics of pictures by NumPy, SciPy and scikit-image, and the ridge probe by scikit-learn.

Definitions are spelt out once more, on the whole frequency plane and by other people's functions where they have them: hue and saturation (rgb2hsv), Sobel (sobel_h, sobel_v),
entropy (shannon_entropy), windows (scipy.signal), area averages (resize_local_mean), KFold, RidgeCV, r2_score.
"""

import numpy as np
import torch
from oracle import save, versions
from scipy import signal, stats
from skimage import color, filters, measure, transform
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict

SEED = 911


# Pictures, [3, h, w] in uint8 (or float32).


def smooth(h, w, alpha, seed):
    """Coloured noise with power 1/f^alpha, one field a channel plus one that they share."""
    rng = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None])
    f[0, 0] = 1
    fields = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(h, w))) * f ** (-alpha / 2)).real for _ in range(4)]
    picture = np.stack([fields[3] + 0.4 * fields[c] for c in range(3)])
    return np.clip(128 + 50 * picture / picture.std(), 0, 255).astype(np.uint8)


def plain(h, w, *colour):
    return np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (3, h, w)).copy()


def pictures():
    rng = np.random.default_rng(SEED)
    y, x = np.mgrid[:40, :40]
    wave = np.round(127.5 + 100 * np.sin(2 * np.pi * 5 * x / 40))
    disc = plain(36, 52, 20, 60, 200)
    rows, columns = np.mgrid[:36, :52]
    disc[:, np.hypot(rows - 17.3, columns - 30.1) < 11] = np.array([[250], [210], [30]])
    yield "black", plain(12, 15, 0, 0, 0)
    yield "white", plain(15, 12, 255, 255, 255)
    yield "grey", plain(9, 9, 77, 77, 77)
    yield "orange", plain(21, 18, 240, 130, 15)
    yield "ramp", np.broadcast_to((5 * np.arange(48)).astype(np.uint8), (3, 30, 48)).copy()
    yield "wave", np.broadcast_to(wave.astype(np.uint8), (3, 40, 40)).copy()
    yield "grey-noise", np.broadcast_to(rng.integers(0, 256, (1, 33, 20)).astype(np.uint8), (3, 33, 20)).copy()
    yield "noise", rng.integers(0, 256, (3, 41, 41)).astype(np.uint8)
    yield "disc", disc
    yield "smooth", smooth(64, 64, 2, SEED + 1)
    yield "tall", smooth(57, 24, 2.5, SEED + 2)
    yield "wide", smooth(25, 60, 1.5, SEED + 3)
    yield "reals", rng.random((3, 23, 26)).astype(np.float32) ** 2
    yield "dark", (rng.random((3, 16, 16)) * 3).astype(np.uint8)
    # Luminance differences whose gradient meets the threshold: 90² + 48² = 102² in 255ths of an eighth.
    yield "tie", np.broadcast_to(rng.choice([0, 6, 12, 24, 45, 51], (1, 31, 31)).astype(np.uint8), (3, 31, 31)).copy()
    yield "pixel", plain(1, 1, 10, 200, 30)
    yield "row", rng.integers(0, 256, (3, 1, 9)).astype(np.uint8)
    yield "four", rng.integers(0, 256, (3, 2, 2)).astype(np.uint8)
    yield "six", rng.integers(0, 256, (3, 6, 7)).astype(np.uint8)


# Statistics


def ratio(a, b):
    return a / b if b > 0 else 0.0


def flat(x):
    """Whether all numbers are the same: then deviations, gradients and power are 0 and not what rounding leaves."""
    return (x == x.flat[0]).all()


def deviation(x):
    return 0.0 if flat(x) else x.std()


def shannon(p):
    return sum(-v * np.log2(v) for v in p if v > 0)


def spectrum(light):
    h, w = light.shape
    window = np.outer(signal.windows.cosine(h) ** 2, signal.windows.cosine(w) ** 2)
    if flat(light):
        return [0.0] * 6
    power = np.abs(np.fft.fft2((light - np.average(light, weights=window)) * window)) ** 2
    f = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None])
    power[0, 0] = 0
    total = power.sum()
    tiny = 1e-12  # the ends of bands are met exactly
    bands = [power[(f > low * (1 + tiny)) & (f <= 2 * low * (1 + tiny))].sum() / total for low in (1 / 32, 1 / 16, 1 / 8, 1 / 4)]
    high = power[f > (1 + tiny) / 8].sum() / total
    radius = np.floor(f * min(h, w) + 0.5 + tiny).astype(int)
    radial = {r: power[radius == r].mean() for r in range(1, min(h, w) // 2 + 1)}
    points = [(np.log(r), np.log(p)) for r, p in radial.items() if r >= 2 and p > 1e-12 * max(radial.values())]
    slope = -stats.linregress(*zip(*points)).slope if len(points) > 1 else 0.0
    return [slope, *bands, high]


def statistics(picture):
    """Names and numbers of one picture [3, h, w] in float64."""
    r, g, b = picture
    light = np.tensordot([0.2126, 0.7152, 0.0722], picture, 1)
    light = np.full_like(light, light.flat[0]) if all(flat(c) for c in picture) else light
    out = {"luminance.mean": light.mean(), "luminance.sd": deviation(light), "contrast.rms": ratio(deviation(light), light.mean())}
    for name, channel in zip(("red", "green", "blue"), picture):
        out |= {f"colour.{name}.mean": channel.mean(), f"colour.{name}.sd": deviation(channel)}
    hue, saturation, _ = np.moveaxis(color.rgb2hsv(np.moveaxis(picture, 0, -1)), -1, 0)
    chroma = np.ptp(picture, axis=0)
    mean = ratio((chroma * np.exp(2j * np.pi * hue)).sum(), chroma.sum())
    out |= {"colour.saturation": saturation.mean(), "colour.hue.cos": mean.real, "colour.hue.sin": mean.imag}
    rg, yb = r - g, 0.5 * (r + g) - b
    out["colourfulness"] = 255 * (np.hypot(deviation(rg), deviation(yb)) + 0.3 * np.hypot(rg.mean(), yb.mean()))
    # The library's own luminance is of other weights; the 8 bits are ours, halves up.
    out["entropy"] = measure.shannon_entropy(np.floor(255 * light + 0.50005).clip(0, 255).astype(np.uint8))
    # scikit-image divides by 4 and leaves the distance of two pixels.
    down, across = filters.sobel_h(light) / 2, filters.sobel_v(light) / 2
    if flat(light):
        down, across = 0 * down, 0 * across
    size = np.hypot(down, across)
    out |= {"edges.gradient": size.mean(), "edges.density": (size > 0.05 * (1 + 5e-6)).mean()}
    degrees = np.degrees(np.arctan2(down, across)) % 180
    shares = [ratio(size[np.abs((degrees - 22.5 * k + 90) % 180 - 90) < 11.25].sum(), size.sum()) for k in range(8)]
    out |= {f"edges.orientation{k + 1}": v for k, v in enumerate(shares)} | {"edges.entropy": shannon(shares)}
    names = ("slope", "octave1", "octave2", "octave3", "octave4", "high")
    return out | {f"spectrum.{k}": v for k, v in zip(names, spectrum(light))}


def area(picture, height, width):
    return transform.resize_local_mean(picture, (height, width), channel_axis=0, preserve_range=True)


# The probe


PENALTIES = [float(f"{m}e{e}") for e in range(-8, 2) for m in (1, 3)] + [100.0]


class Scaled(RegressorMixin, BaseEstimator):
    """RidgeCV on features whose whole variance is 1 over the images that are fitted."""

    def __init__(self, penalties):
        self.penalties = penalties

    def fit(self, x, y):
        self.scale = np.sqrt(((x - x.mean(0)) ** 2).sum())
        self.model = RidgeCV(alphas=self.penalties, alpha_per_target=True).fit(x / self.scale, y)
        return self

    def predict(self, x):
        return self.model.predict(x / self.scale)


def probe(x, y, order, folds):
    """R² and penalties; scikit-learn's folds over the shuffled images."""
    x, y = x[order], y[order]
    cut = KFold(folds)
    predicted = cross_val_predict(Scaled(PENALTIES), x, y, cv=cut)
    scores = [r2_score(t, p) if np.ptp(t) > 0 else np.nan for t, p in zip(y.T, predicted.T)]
    return np.array(scores), np.array([Scaled(PENALTIES).fit(x[train], y[train]).model.alpha_ for train, _ in cut.split(x)])


def probe_sets():
    for name, n, width, folds in (("narrow", 60, 7, 5), ("wide", 41, 90, 5), ("near", 50, 44, 5), ("ten", 33, 12, 10), ("two", 20, 40, 2)):
        rng = np.random.default_rng(SEED + n)
        x = (rng.normal(size=(n, width)) * 2.0 ** -np.arange(width).clip(0, 12) + 3).astype(np.float32)
        z = (x - x.mean(0)).astype(np.float64)
        exact = z @ rng.normal(size=width)
        y = np.stack([exact, exact + 0.7 * rng.normal(size=n), rng.normal(size=n), np.full(n, 2.5), np.tanh(z[:, 0]) + 100], 1)
        seed = 3 * n
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).numpy()
        yield name, x, y, order, {"folds": folds, "seed": seed}


def main():
    tensors, names = {}, None
    kinds = dict(pictures())
    for name, picture in kinds.items():
        wide = picture.astype(np.float64) if picture.dtype == np.float32 else (picture.astype(np.float32) / np.float32(255)).astype(np.float64)
        found = statistics(wide)
        assert all(np.isfinite(v) for v in found.values()), name
        names = list(found)
        tensors |= {f"picture/{name}": picture, f"statistics/{name}": np.array(list(found.values()))}
        if name in ("disc", "tall", "six"):
            for height, width in ((8, 8), (13, 11)):
                tensors[f"area/{name}/{height}x{width}"] = area(wide, height, width)
    facts = {}
    for name, x, y, order, fact in probe_sets():
        scores, penalties = probe(x.astype(np.float64), y, order, fact["folds"])
        facts[name] = fact
        tensors |= {f"probe/{name}/x": x, f"probe/{name}/y": y, f"probe/{name}/order": order, f"probe/{name}/scores": scores,
                    f"probe/{name}/penalties": penalties}
        print(name, scores, penalties[0])
    save("images/low-level.safetensors", {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in tensors.items()}, {
        "script": "Oracles/low_level.py", "seed": str(SEED), "versions": versions("scipy", "scikit-image", "scikit-learn"), "names": names,
        "pictures": list(kinds), "probes": facts,
        "notes": "picture/NAME is [3, h, w] in uint8, divided by 255 in float32, or float32; statistics/NAME float64 in the order of names. "
        "probe/NAME: x, y, the order of the images before they are cut into folds, R² (NaN: constant), penalty by fold and target",
    })


if __name__ == "__main__":
    main()
