"""CKA in float64 NumPy, by the definitions rather than by anybody's short cuts, with minibatches and jackknife errors."""

import numpy as np
import torch
from oracle import save, versions

SEED = 501


def centring(n):
    return np.eye(n) - 1.0 / n


def biased_hsic(k, l):
    """Gretton's: trace of K H L H over (n - 1) squared."""
    n = len(k)
    h = centring(n)
    return np.trace(k @ h @ l @ h) / (n - 1) ** 2


def unbiased_hsic(k, l):
    """Song's sum, in float64 on Grams of centred columns."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))
    one = np.ones(n)
    return (np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ l @ one)) / (
        n * (n - 3))


def u_centred_hsic(k, l):
    """The same by Székely and Rizzo's U-centring: a second derivation, to check the first."""
    n = len(k)

    def centre(m):
        m = m - np.diag(np.diag(m))
        m = m - m.sum(0)[None] / (n - 2) - m.sum(1)[:, None] / (n - 2) + m.sum() / ((n - 1) * (n - 2))
        return m - np.diag(np.diag(m))

    return (centre(k) * centre(l)).sum() / (n * (n - 3))


def feature_hsic(x, y):
    """The same in feature space, for centred columns: no n x n matrix."""
    n = len(x)
    xs, ys = (x**2).sum(1), (y**2).sum(1)
    return (((x.T @ y) ** 2).sum() - n / (n - 2) * (xs * ys).sum() + xs.sum() * ys.sum() / ((n - 1) * (n - 2))) / (n * (n - 3))


def gram(x):
    x = x - x.mean(0)
    return x @ x.T


def rbf(x, t=0.5):
    """exp(-d²/(2σ²)) with σ² = t² times the median of d² over the full matrix, its diagonal included."""
    d = ((x[:, None] - x[None]) ** 2).sum(-1)
    return np.exp(-d / (2 * t**2 * np.median(d)))


def ratio(table):
    """A ratio for every pair from a table of self and cross HSICs."""
    d = np.sqrt(np.diag(table))
    return table / d[:, None] / d[None]


def hsics(grams, hsic):
    return np.array([[hsic(a, b) for b in grams] for a in grams])


def minibatches(xs, size):
    """Unbiased HSICs of each block of consecutive rows, columns centred within the block; blocks of three rows or fewer left out."""
    n = len(xs[0])
    blocks = [slice(i, min(i + size, n)) for i in range(0, n, size)]
    kept = [b for b in blocks if b.stop - b.start > 3]
    return np.array([hsics([gram(x[b]) for x in xs], unbiased_hsic) for b in kept]), len(blocks) - len(kept)


def jackknife(tables, groups=20):
    """Delete-a-group: group of a block is its index modulo G, G = min(groups, blocks); se² = (G-1)/G Σ (θ_(g) - mean)²."""
    g = min(groups, len(tables))
    index = np.arange(len(tables)) % g
    left_out = np.array([ratio(tables[index != i].sum(0)) for i in range(g)])
    return np.sqrt((g - 1) / g * ((left_out - left_out.mean(0)) ** 2).sum(0)), left_out


def representations(n, widths, offset, seed):
    """Shared latent directions, noise, and one constant offset on every column of the last."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 4))
    xs = [latent @ rng.normal(size=(4, w)) + 0.8 * rng.normal(size=(n, w)) for w in widths]
    xs[-1] = xs[-1] + offset
    return [x.astype(np.float32).astype(np.float64) for x in xs]


def everything(xs, size):
    grams = [gram(x) for x in xs]
    centred = [x - x.mean(0) for x in xs]
    unbiased = hsics(grams, unbiased_hsic)
    assert np.allclose(unbiased, hsics(grams, u_centred_hsic), rtol=1e-11, atol=1e-13 * np.abs(unbiased).max())
    assert np.allclose(unbiased, hsics(centred, feature_hsic), rtol=1e-11, atol=1e-13 * np.abs(unbiased).max())
    tables, skipped = minibatches(xs, size)
    se, left_out = jackknife(tables)
    mean_of_ratios = np.mean([ratio(t) for t in tables if (np.diag(t) > 0).all()], 0)
    return {
        "hsic/biased": hsics(grams, biased_hsic), "hsic/unbiased": unbiased, "cka/biased": ratio(hsics(grams, biased_hsic)),
        "cka/debiased": ratio(unbiased), "minibatch/hsic": tables, "minibatch/cka": ratio(tables.sum(0)),
        "minibatch/cka_se": se, "minibatch/cka_left_out": left_out, "wrong/mean_of_ratios": mean_of_ratios,
    }, {"rows": len(xs[0]), "block": size, "blocks_used": len(tables), "blocks_skipped": skipped, "groups": min(20, len(tables))}


def main():
    tensors, facts = {}, {}
    for name, n, widths, offset, size in (
        ("forty", 40, (7, 5, 12), 30.0, 8),  # five blocks of 8
        ("remainder", 43, (7, 5, 12), 30.0, 8),  # and a block of 3 that is skipped
        ("short", 44, (7, 5, 12), 30.0, 8),  # and a block of 4 that counts
        ("many", 202, (3, 30), 0.0, 8),  # 25 blocks in 20 groups, and a block of 2 that is skipped
    ):
        xs = representations(n, widths, offset, SEED + n)
        tensors |= {f"{name}/x{i}": x.astype(np.float32) for i, x in enumerate(xs)}
        results, facts[name] = everything(xs, size)
        tensors |= {f"{name}/{k}": v for k, v in results.items()}

    i, j = np.arange(1, 25)[:, None], np.arange(6)[None]
    x = np.sin(0.98 * i * (j + 1)) + 0.5 * np.cos(0.45 * i + j)
    l = np.arange(4)[None]
    y = 0.8 * np.tanh(x @ np.cos(np.arange(6)[:, None] + 2 * l)) + 0.3 * np.sin(0.53 * i * (l + 2))
    results, facts["golden"] = everything([x, y], 8)
    assert abs(results["cka/debiased"][0, 1] - 0.654012049080623) < 1e-13
    assert abs(results["cka/biased"][0, 1] - 0.699222647056548) < 1e-13
    assert abs(results["minibatch/cka"][0, 1] - 0.52281541828203) < 1e-13
    assert abs(np.arccos(results["cka/biased"][0, 1]) - 0.796486762165723) < 1e-13
    kernels = [rbf(x), rbf(y)]
    assert abs(ratio(hsics(kernels, biased_hsic))[0, 1] - 0.681486465317542) < 1e-13
    assert abs(ratio(hsics(kernels, unbiased_hsic))[0, 1] - 0.485403548206178) < 1e-13
    tensors |= {f"golden/{k}": v for k, v in results.items()} | {"golden/x0": x, "golden/x1": y}

    # The demonstration of google-research's representation_similarity: NumPy's old generator, X first.
    np.random.seed(1337)
    x = np.random.randn(100, 10)
    y = np.random.randn(100, 10) + x
    assert abs(x[0, 0] + 0.70318730986241) < 1e-13
    results, facts["demo"] = everything([x, y], 32)
    assert abs(results["cka/biased"][0, 1] - 0.5576132566117589) < 1e-13
    assert abs(results["cka/debiased"][0, 1] - 0.513456489505526) < 1e-13
    assert abs(ratio(hsics([rbf(x), rbf(y)], biased_hsic))[0, 1] - 0.6548311822614981) < 1e-13
    tensors |= {f"demo/{k}": v for k, v in results.items()} | {"demo/x0": x, "demo/x1": y}

    save("similarity/cka.safetensors", {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in tensors.items()}, {
        "script": "Oracles/similarity.py", "seed": str(SEED), "versions": versions(), "sets": facts,
        "notes": "SET/x0, x1, …: rows are images (float32 where float32 is exact, else float64). Tables are [sets, sets] in float64; "
        "minibatch/hsic is [blocks, sets, sets]; columns are centred within the block; blocks are consecutive rows; those of three "
        "rows or fewer are skipped. minibatch/cka is one ratio of sums; wrong/mean_of_ratios is what it must not be",
    })
    for name in facts:
        print(name, facts[name], tensors[f"{name}/cka/debiased"][0, 1], tensors[f"{name}/cka/biased"][0, 1],
              tensors[f"{name}/minibatch/cka"][0, 1], tensors[f"{name}/minibatch/cka_se"][0, 1])


if __name__ == "__main__":
    main()
