"""Measures that align two representations, in float64 NumPy by their definitions: CCA and regression, Procrustes and shape, matching."""

import numpy as np
import torch
from oracle import save, versions
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import linear_sum_assignment

SEED = 611
NONE = float("nan")  # the measure has no value on that pair


def centre(x):
    return x - x.mean(0)


def unit(x):
    return x / np.linalg.norm(x)


def rank(x, tolerance=1e-10):
    s = np.linalg.svd(x, compute_uv=False)
    return int((s > tolerance * s[0]).sum())


def padded(x, y):
    d = max(x.shape[1], y.shape[1])
    return [np.pad(z, ((0, 0), (0, d - z.shape[1]))) for z in (x, y)]


def root(m, power=-0.5):
    """A power of a positive semi-definite matrix, on its range."""
    w, v = np.linalg.eigh(m)
    kept = w > 1e-13 * w[-1]
    return (v[:, kept] * w[kept] ** power) @ v[:, kept].T


def cca(x, y):
    """Correlations and canonical variates by whitening with the covariances: Hotelling's own way."""
    x, y = centre(x), centre(y)
    a, b = root(x.T @ x), root(y.T @ y)
    p, rho, q = np.linalg.svd(a @ x.T @ y @ b)
    k = min(rank(x), rank(y))
    return rho[:k], x @ a @ p[:, :k], y @ b @ q.T[:, :k]


def trivial(x):
    """Centred data that span every direction there is: each correlation with them is 1."""
    return rank(centre(x)) >= len(x) - 1


def mean_cca(x, y, power=1):
    return NONE if trivial(x) or trivial(y) else (cca(x, y)[0] ** power).mean()


def reduced(x, share, squared=True):
    """The first principal components that hold a share of the variance."""
    u, s, _ = np.linalg.svd(centre(x), full_matrices=False)
    held = np.cumsum(s ** (2 if squared else 1))
    k = int(np.searchsorted(held, share * held[-1])) + 1
    return u[:, :k] * s[:k]


def svcca(x, y, share, squared=True):
    return mean_cca(reduced(x, share, squared), reduced(y, share, squared))


def pwcca(x, y, side):
    if trivial(x) or trivial(y):
        return NONE
    rho, h, g = cca(x, y)
    values = [(np.abs(v.T @ centre(z)).sum(1) * rho).sum() / np.abs(v.T @ centre(z)).sum() for v, z in ((h, x), (g, y))]
    return {"left": values[0], "right": values[1], "mean": sum(values) / 2}[side]


def regression(x, y):
    """R² of all columns of x at once, predicted from y with an intercept, by least squares."""
    if trivial(y):
        return NONE
    design = np.hstack([np.ones((len(y), 1)), y])
    left = x - design @ np.linalg.lstsq(design, x, rcond=1e-12)[0]
    return 1 - (left**2).sum() / (centre(x) ** 2).sum()


def gulp_squared(x, y, penalty=0.0):
    """The trace formula on covariances; (Σ+λI)⁻¹ on the range of Σ where λ is 0."""
    if penalty == 0 and (trivial(x) or trivial(y)):
        return NONE
    n = len(x)
    x, y = np.sqrt(n) * unit(centre(x)), np.sqrt(n) * unit(centre(y))
    s, t, c = x.T @ x / n, y.T @ y / n, x.T @ y / n
    inverse = lambda m: np.linalg.pinv(m, rcond=1e-13) if penalty == 0 else np.linalg.inv(m + penalty * np.eye(len(m)))
    a, b = inverse(s), inverse(t)
    return np.trace(a @ s @ a @ s) + np.trace(b @ t @ b @ t) - 2 * np.trace(a @ c @ b @ c.T)


def gulp(x, y, penalty=0.0):
    """The distance itself, between the smoothing matrices X(XᵀX + NλI)⁻¹Xᵀ."""
    value = gulp_squared(x, y, penalty)
    if np.isnan(value):
        return NONE

    def smoother(z):
        u, s, _ = np.linalg.svd(centre(z), full_matrices=False)
        u, s = u[:, s > 1e-10 * s[0]], s[s > 1e-10 * s[0]] ** 2 / (s**2).sum()
        return (u * (s / (s + penalty))) @ u.T

    distance = np.linalg.norm(smoother(x) - smoother(y))
    assert abs(distance**2 - value) < 1e-11
    return distance


def eigenspace_overlap(x, y):
    r, s = rank(x), rank(y)
    if max(r, s) >= len(x):
        return NONE
    u, v = (np.linalg.svd(z, full_matrices=False)[0][:, :k] for z, k in ((x, r), (y, s)))
    return ((u.T @ v) ** 2).sum() / max(r, s)


def procrustes(x, y):
    x, y = padded(x, y)
    return np.linalg.norm(x @ orthogonal_procrustes(x, y)[0] - y)


def angle(x, y):
    x, y = padded(unit(x), unit(y))
    r = x @ orthogonal_procrustes(x, y)[0]
    return 2 * np.arctan2(np.linalg.norm(r - y), np.linalg.norm(r + y))


def bures(x, y):
    """The normalised Bures similarity from the Gram matrices alone: tr √(√K L √K) / √(tr K · tr L)."""
    k, l = (centre(z) @ centre(z).T for z in (x, y))
    h = root(k, 0.5)
    values = np.linalg.eigvalsh(h @ l @ h)
    return np.sqrt(values[values > 1e-13 * values[-1]]).sum() / np.sqrt(np.trace(k) * np.trace(l))


def partially_whitened(x, alpha):
    """netrep's: αI + (1-α)(XᵀX)^(-1/2), then back to the norm that it had; on the range of X."""
    x = centre(x)
    values, v = np.linalg.eigh(x.T @ x)
    kept = values > 1e-13 * values[-1]
    values, v = values[kept], v[:, kept]
    white = x @ (v * (alpha + (1 - alpha) * values**-0.5)) @ v.T
    return white * np.linalg.norm(x) / np.linalg.norm(white)


def shape(x, y, alpha, distance):
    if alpha == 0 and (trivial(x) or trivial(y)):
        return NONE
    return distance(partially_whitened(x, alpha), partially_whitened(y, alpha))


def permutation_procrustes(x, y):
    x, y = padded(x, y)
    i, j = linear_sum_assignment(x.T @ y, maximize=True)
    return np.linalg.norm(x[:, i] - y[:, j])


def aligned_cosine(x, y):
    x, y = padded(x, y)
    r = x @ orthogonal_procrustes(x, y)[0]
    return ((r * y).sum(1) / np.linalg.norm(r, axis=1) / np.linalg.norm(y, axis=1)).mean()


def correlations(x, y):
    x, y = (z[:, np.ptp(z, 0) > 0] for z in (x, y))  # neurons that never change have no correlation
    return np.array([[np.corrcoef(a, b)[0, 1] for b in y.T] for a in x.T])


def hard_match(x, y):
    c = correlations(x, y)
    return c[linear_sum_assignment(c, maximize=True)].mean()


def soft_match(x, y):
    c = correlations(x, y)
    return (c.max(0).mean() + c.max(1).mean()) / 2


MEASURES = {
    "cca": mean_cca,
    "cca-squared": lambda x, y: mean_cca(x, y, 2),
    "svcca": lambda x, y: svcca(x, y, 0.99),
    "svcca-0.9": lambda x, y: svcca(x, y, 0.9),
    "pwcca-left": lambda x, y: pwcca(x, y, "left"),
    "pwcca-right": lambda x, y: pwcca(x, y, "right"),
    "pwcca-mean": lambda x, y: pwcca(x, y, "mean"),
    "linear-regression": regression,
    "gulp": gulp,
    "gulp-0.01": lambda x, y: gulp(x, y, 0.01),
    "gulp-squared": gulp_squared,
    "gulp-squared-0.01": lambda x, y: gulp_squared(x, y, 0.01),
    "gulp-squared-1.0": lambda x, y: gulp_squared(x, y, 1.0),
    "eigenspace-overlap": eigenspace_overlap,
    "procrustes": lambda x, y: procrustes(unit(centre(x)), unit(centre(y))),
    "procrustes-size-and-shape": lambda x, y: procrustes(centre(x), centre(y)),
    "shape-angular": lambda x, y: angle(centre(x), centre(y)),
    "shape-angular-0.5": lambda x, y: shape(x, y, 0.5, angle),
    "shape-angular-0.0": lambda x, y: shape(x, y, 0.0, angle),
    "shape-euclidean-0.5": lambda x, y: shape(x, y, 0.5, procrustes),
    "shape-euclidean-0.0": lambda x, y: shape(x, y, 0.0, procrustes),
    "nbs": bures,
    "procrustes-permutation": permutation_procrustes,
    "aligned-cosine": aligned_cosine,
    "correlation-match-hard": hard_match,
    "correlation-match-soft": soft_match,
}

# The specification's numbers, which packages of others gave: repsim, google/svcca, netrep, ReSi, sim_metric.
GOLDEN = {
    "cca": 0.653474968278098, "cca-squared": 0.514025724336595, "svcca": 0.653474968278098, "svcca-0.9": 0.920513124908861,
    "pwcca-left": 0.706557769742562, "pwcca-right": 0.814850418385105, "pwcca-mean": 0.760704094063833,
    "linear-regression": 0.480380301758092, "gulp-squared": 5.88779420530723, "gulp-squared-0.01": 4.57409482481429,
    "gulp-squared-1.0": 0.113689472396848, "eigenspace-overlap": 0.342783288932524, "procrustes": 0.792975240947196,
    "procrustes-size-and-shape": 6.769659273016, "shape-angular": 0.815375432037856, "nbs": 0.685595133622368,
    "procrustes-permutation": 8.03497770153014, "aligned-cosine": 0.644600719308598,
    "correlation-match-hard": 0.654650962291403, "correlation-match-soft": 0.626416031281614,
}


def golden():
    i, j, l = np.arange(1, 25)[:, None], np.arange(6)[None], np.arange(4)[None]
    x = np.sin(0.98 * i * (j + 1)) + 0.5 * np.cos(0.45 * i + j)
    return x, 0.8 * np.tanh(x @ np.cos(np.arange(6)[:, None] + 2 * l)) + 0.3 * np.sin(0.53 * i * (l + 2))


def sets():
    rng = np.random.default_rng(SEED)

    def related(n, widths, offset=0.0):
        latent = rng.normal(size=(n, 4))
        return [latent @ rng.normal(size=(4, w)) + 0.8 * rng.normal(size=(n, w)) + offset for w in widths]

    yield "golden", list(golden())
    yield "sixty", related(60, (10, 7, 15))
    yield "offset", related(60, (10, 7), 30.0)
    # More neurons than images, and representations that span fewer directions than they have neurons.
    yield "wide", related(20, (45, 6))
    x, y = related(40, (6, 5))
    yield "deficient", [np.hstack([x, x @ rng.normal(size=(6, 3)), np.full((40, 1), 0.7)]), y]


def assignments():
    """Costs and the least sum: square, tall, wide, ties, infinite spread, one row."""
    rng = np.random.default_rng(SEED + 1)
    cases = [rng.normal(size=s) for s in ((1, 1), (1, 5), (5, 1), (3, 3), (8, 8), (12, 30), (30, 12), (50, 50))]
    cases += [rng.integers(0, 4, size=s).astype(float) for s in ((6, 6), (20, 20), (9, 15))]
    cases += [np.outer(np.arange(1, 17), np.arange(1, 17)).astype(float), np.zeros((7, 7)), 10.0 ** rng.uniform(-9, 9, (15, 15))]
    cases += [np.add.outer(rng.normal(size=40), rng.normal(size=40))]
    return cases


def main():
    tensors, counts = {}, {}
    for name, xs in sets():
        wide = name in ("golden", "deficient")  # rounding to float32 would fill the rank
        xs = xs if wide else [x.astype(np.float32).astype(np.float64) for x in xs]
        counts[name] = len(xs)
        tensors |= {f"{name}/x{i}": x if wide else x.astype(np.float32) for i, x in enumerate(xs)}
        for key, measure in MEASURES.items():
            tensors[f"{name}/{key}"] = np.array([[measure(a, b) for b in xs] for a in xs])
    x, y = golden()
    for key, value in GOLDEN.items():
        assert abs(tensors[f"golden/{key}"][0, 1] - value) < 2e-13 * abs(value), (key, tensors[f"golden/{key}"][0, 1], value)
    assert np.allclose(cca(x, y)[0], [0.952068838694808, 0.926479619527276, 0.469980366778702, 0.265371048111607], rtol=1e-13)
    assert abs(svcca(x, y, 0.9, squared=False) - 0.708631524397663) < 1e-13
    assert abs(regression(y, x) - 0.825381800231669) < 1e-13
    four = {f"shape-{g}-{a}": shape(x[:, :4], y, a, d) for g, d in (("angular", angle), ("euclidean", procrustes)) for a in (0.5, 0.0)}
    for key, value in {"shape-angular-0.5": 0.859980652511219, "shape-euclidean-0.5": 6.09795305869342,
                       "shape-angular-0.0": 0.965954669970232, "shape-euclidean-0.0": 6.7367619375197}.items():
        assert abs(four[key] - value) < 2e-13 * value, (key, four[key], value)
    assert abs(gulp_squared(x, y) - (10 - 2 * (cca(x, y)[0] ** 2).sum())) < 1e-12

    costs = assignments()
    tensors |= {f"assignment/{i}": c for i, c in enumerate(costs)}
    tensors["assignment/least"] = np.array([c[linear_sum_assignment(c)].sum() for c in costs])
    save("similarity/alignment.safetensors", {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in tensors.items()}, {
        "script": "Oracles/alignment.py", "seed": str(SEED), "versions": versions("scipy"), "sets": counts, "assignments": str(len(costs)),
        "notes": "SET/x0, x1, …: rows are images (float32 where float32 is exact, else float64). SET/MEASURE: [sets, sets] in float64, "
        "the row is the left side, NaN where the measure has no value. assignment/i: costs; assignment/least: the least sum of each",
    })
    for key in MEASURES:
        print(f"{key:28}", repr(float(tensors[f"golden/{key}"][0, 1])), repr(float(tensors[f"golden/{key}"][1, 0])))


if __name__ == "__main__":
    main()
