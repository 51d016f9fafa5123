"""Numbers of the processing steps from made-up tables of distances, with SciPy.

Curves by SciPy's linear interpolation on triangles (each cell cut along its diagonal), rank correlations, exact permutations of labels and Student's t by
scipy.stats, sample deviations and means by NumPy; the jackknife by its formula.
"""

import json
from pathlib import Path

import numpy as np
import scipy
from scipy import stats
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

SEED = 2601
BLOCKS, LEADING, SPACES = [7, 5, 4], [2, 1, 0], 3
GROUPS, ORDERS = 8, 5
FLOOR = 0.01
DEPTHS = [i / 20 for i in range(21)]
OUT = Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "steps" / "steps.json"


def places():
    sites, start = [], 0
    for count, leading in zip(BLOCKS, LEADING):
        sites.append(list(range(start, start + count + leading)))
        start += count + leading
    return sites, start


SITES, COUNT = places()
OWN = [sites[leading:] for sites, leading in zip(SITES, LEADING)]
SIZE = COUNT + SPACES


def relative(model):
    return np.linspace(0, 1, BLOCKS[model])


def tables(random):
    depth = np.concatenate([np.concatenate([np.zeros(l), np.linspace(0, 1, n)]) for n, l in zip(BLOCKS, LEADING)] + [np.zeros(SPACES)])
    base = 0.1 + 0.5 * np.abs(depth[:, None] - depth[None]) + 0.25 * random.random((SIZE, SIZE))
    np.fill_diagonal(base, FLOOR)
    left = [base + 0.02 * random.standard_normal((SIZE, SIZE)) for _ in range(GROUPS)]
    shuffled = [1 + 0.05 * random.standard_normal((SIZE, SIZE)) for _ in range(ORDERS)]
    return tuple(np.round(t, 4) for t in (base, np.array(left), np.array(shuffled)))


def mean(table):
    return (table + table.T) / 2


def block(table, a, b):
    return table[np.ix_(OWN[a], OWN[b])]


def triangles(rows, columns):
    """SciPy's interpolator on these triangles: each cell of the grid of places, cut from its first corner to its last."""
    points = np.array([(i, j) for i in range(rows) for j in range(columns)], float)
    # Delaunay leaves the diagonal of a square open; a shear decides for the one along (1, 1).
    sheared = points @ np.array([[1.0, -0.4], [-0.4, 1.0]])
    return Delaunay(sheared)


def curve(table, a, b):
    rows, columns = BLOCKS[a], BLOCKS[b]
    grid = LinearNDInterpolator(triangles(rows, columns), block(table, a, b).ravel())
    points = np.array([(s * (rows - 1), s * (columns - 1)) for s in DEPTHS]) @ np.array([[1.0, -0.4], [-0.4, 1.0]])
    inside = points * (1 - 1e-13) + 1e-13 * np.array([(rows - 1) / 2, (columns - 1) / 2]) @ np.array([[1.0, -0.4], [-0.4, 1.0]])
    return grid(inside)


def matches(table, a, b):
    return block(mean(table), a, b).argmin(1)


def gap(table, a, b):
    return np.abs(relative(a) - relative(b)[matches(table, a, b)]).mean()


def random_gap(table, a, b):
    return np.abs(relative(a)[:, None] - relative(b)[matches(table, a, b)][None]).mean()


def shifts(table, a, b):
    """The gaps of the matches and of their reversal, rolled by every number of places."""
    found = relative(b)[matches(table, a, b)]
    return np.array([np.abs(relative(a) - np.roll(line, k)).mean() for line in (found, found[::-1]) for k in range(len(found))])


def gain(table):
    return np.mean([random_gap(table, a, b) - gap(table, a, b) for a in range(3) for b in range(3) if a != b])


def along(table, a, b):
    return block(mean(table), a, b).min(1).mean()


def ratio(table, a, b):
    near = np.abs(relative(a)[:, None] - relative(b)[None]) <= 0.1 + 1e-9
    cells = block(mean(table), a, b)
    return cells[near].mean() / cells[~near].mean()


def steps(table, model):
    return np.array([mean(table)[i, j] for i, j in zip(OWN[model], OWN[model][1:])])


def statistics(values):
    n, m, sd = len(values), values.mean(), values.std(ddof=1)
    variation = np.abs(np.diff(values)).sum()
    return [m, values.max(), stats.variation(values - FLOOR, ddof=1), int((values > m + 2 * sd).sum()), variation,
            (values - FLOOR).sum(), (values - FLOOR).max() * n, variation * n]


def asymmetry(table, model):
    return np.mean([table[j, i] - table[i, j] for i, j in zip(OWN[model], OWN[model][1:])])


def rise(table, model):
    known = table[OWN[model], COUNT]
    depth = relative(model)
    return known[depth >= 0.8].mean() - known[(depth >= 0.2) & (depth < 0.8)].mean()


def main():
    random = np.random.default_rng(SEED)
    base, left, shuffled = tables(random)

    def estimate(f):
        value, parts = f(base), np.array([f(t) for t in left])
        error = np.sqrt((GROUPS - 1) / GROUPS * ((parts - parts.mean(0)) ** 2).sum(0))
        margin = stats.t.ppf(0.975, GROUPS - 1) * error
        return [float(value), float(value - margin), float(value + margin)]

    def share(table):
        return np.mean([(along(table, a, b) - FLOOR) / (np.mean([along(t, a, b) for t in shuffled]) - FLOOR)
                        for a in range(3) for b in range(3) if a != b])

    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    labels = []
    for values, chosen in [([0.3, 0.1, 0.25, 0.05], [0, 2]), ([1.0, 2.0, 3.0, 4.0, 5.0], [1, 4]), ([1.0, 1.0, 2.0, 2.0, 0.5], [2, 3])]:
        values = np.array(values)
        rest = [i for i in range(len(values)) if i not in chosen]
        test = stats.permutation_test((values[chosen], values[rest]), lambda x, y, axis: x.mean(axis) - y.mean(axis),
                                      n_resamples=np.inf, alternative="greater", vectorized=True)
        labels.append({"values": values.tolist(), "labelled": chosen, "difference": float(test.statistic), "p": float(test.pvalue)})
    result = {
        "script": "steps.py", "seed": SEED, "numpy": np.__version__, "scipy": scipy.__version__,
        "blocks": BLOCKS, "leading": LEADING, "spaces": SPACES, "floor": FLOOR,
        "whole": base.ravel().tolist(), "left": [t.ravel().tolist() for t in left],
        "shuffled": [t.ravel().tolist() for t in shuffled],
        "curves": [{"a": a, "b": b, "forward": curve(base, a, b).tolist(),
                    "mean": [estimate(lambda t, i=i: curve(mean(t), a, b)[i]) for i in range(21)],
                    "changes": [estimate(lambda t, i=i: np.diff(curve(mean(t), a, b))[i]) for i in range(20)],
                    "chance": float(np.mean([curve(mean(t), a, b).mean() for t in shuffled]))}
                   for a, b in pairs if a < b],
        "all": [estimate(lambda t, i=i: np.mean([curve(mean(t), a, b)[i] for a, b in pairs if a < b])) for i in range(21)],
        "positions": [{"a": a, "b": b, "matches": matches(base, a, b).tolist(),
                       "correlation": float(stats.spearmanr(relative(a), relative(b)[matches(base, a, b)])[0]),
                       "p": float((shifts(base, a, b) <= gap(base, a, b) + 1e-12).mean()), "chance": float(random_gap(base, a, b)),
                       "gap": estimate(lambda t: gap(t, a, b)), "ratio": estimate(lambda t: ratio(t, a, b)),
                       "residual": estimate(lambda t: along(t, a, b) - FLOOR)} for a, b in pairs],
        "gain": estimate(gain), "share": estimate(share),
        "smoothness": [{"steps": [estimate(lambda t, i=i: steps(t, m)[i]) for i in range(BLOCKS[m] - 1)],
                        "statistics": [estimate(lambda t, i=i: statistics(steps(t, m))[i]) for i in range(8)],
                        "asymmetry": estimate(lambda t: asymmetry(t, m))} for m in range(3)],
        "rise": [estimate(lambda t: rise(t, m)) for m in range(3)],
        "labels": labels,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result) + "\n")
    print(OUT, OUT.stat().st_size)


if __name__ == "__main__":
    main()
