"""Probes by scikit-learn and by an independent transcription of big_vision's few-shot regression in NumPy; then probes of every
block of a miniature ViT and a miniature ResNet, from files of pixels to accuracies, by hooks on timm's modules.

The transcription solves the linear systems directly, without a decomposition, and is held against scikit-learn's Ridge.
"""

import hashlib
import json

import numpy as np
import torch
from cnn_resnet import build as resnet
from oracle import FIXTURES, record, save, versions
from receptive_field import held
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from timm.models.resnet import Bottleneck
from vit import build as vit

PENALTIES = [2.0**i for i in range(-10, 21, 2)]


def standardised(train, other):
    mean, scale = train.mean(0), train.std(0) + 1e-5
    return (train - mean) / scale, (other - mean) / scale


def beside(z):
    return np.hstack([z, np.full((len(z), 1), 100.0)])


def weights(train, labels, classes, penalty):
    """big_vision's form, by whichever system is smaller."""
    z = beside(standardised(train, train)[0])
    t = 2.0 * np.eye(classes)[labels] - 1.0
    if len(z) >= z.shape[1]:
        return np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ t)
    return z.T @ np.linalg.solve(z @ z.T + penalty * np.eye(len(z)), t)


def scores(train, labels, classes, penalty, other):
    return beside(standardised(train, other)[1]) @ weights(train, labels, classes, penalty)


def weighted_votes(bank, labels, classes, queries, k=20, temperature=0.07):
    """DINO's eval_knn.py."""
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = unit(queries) @ unit(bank).T
    near = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    votes = np.zeros((len(queries), classes))
    for row, places in enumerate(near):
        for place in places:
            votes[row, labels[place]] += np.exp(cosines[row, place] / temperature)
    return votes.argmax(1)


def majority(bank, labels, queries, k):
    return KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(bank, labels).predict(queries)


def logistic(train, labels, penalty):
    return LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-13, max_iter=1000).fit(train, labels)


def library(tensors, facts):
    generator = np.random.default_rng(11)
    for name, (images, width, classes) in {"narrow": (60, 7, 3), "wide": (24, 50, 4), "square": (20, 19, 5)}.items():
        labels = np.arange(images) % classes
        centres = generator.normal(size=(classes, width))
        draw = lambda labels: centres[labels] * 0.8 + generator.normal(size=(len(labels), width)) + 3
        x, other_labels = draw(labels), np.arange(40) % classes
        other = draw(other_labels)
        x[:, 2] = 0.7  # a constant column
        other[:, 2] = np.where(np.arange(40) % 2, 0.7, 0.700002)
        found = np.stack([scores(x, labels, classes, p, other) for p in PENALTIES], 1)
        z, t = beside(standardised(x, x)[0]), 2.0 * np.eye(classes)[labels] - 1
        for place, penalty in enumerate(PENALTIES):
            ridge = Ridge(alpha=penalty, fit_intercept=False, solver="svd").fit(z, t)
            theirs = ridge.predict(beside(standardised(x, other)[1]))
            assert np.abs(theirs - found[:, place]).max() < 1e-7, (name, penalty)
        model = logistic(standardised(x, x)[0], labels, 1.0)
        tensors |= {
            f"{name}/x": x, f"{name}/other": other, f"{name}/scores": found,
            f"{name}/weights": weights(x, labels, classes, 1024.0),
            f"{name}/logistic/weights": model.coef_.T, f"{name}/logistic/intercepts": model.intercept_,
            f"{name}/weighted": weighted_votes(x, labels, classes, other),
        }
        for k in (1, 5, 10, 20):
            tensors[f"{name}/majority/{k}"] = majority(x, labels, other, k)
        facts[name] = {"classes": classes}


# From pixels to accuracies.


def order(ids, what, seed):
    return sorted(ids, key=lambda i: hashlib.sha256(f"{what}\n{seed}\n{i}".encode()).hexdigest())


def split(ids, seed, share=0.4):
    """By class the test images and the pool."""
    test, pool = [], []
    for name in sorted({i.split("/")[0] for i in ids}):
        own = order([i for i in ids if i.startswith(name + "/")], "test", seed)
        count = min(len(own) - 1, max(1, int(share * len(own) + 0.5)))
        test.append(own[:count])
        pool.append(own[count:])
    return test, pool


def tuned(hits):
    distance = [abs(np.log2(p) - 10) for p in PENALTIES]
    return max(range(len(PENALTIES)), key=lambda i: (hits[i], -distance[i], i))


def probe(features, ids, seed, shots, draws):
    """Accuracy by draw, log2 λ by draw, and accuracy with shuffled labels."""
    test, pool = split(ids, seed)
    row = {i: n for n, i in enumerate(ids)}
    classes = len(test)
    flat = lambda parts: (np.array([row[i] for p in parts for i in p], int), np.array([c for c, p in enumerate(parts) for _ in p], int))
    test_rows, test_labels = flat(test)
    result, places, mixed = [], [], []
    for draw in range(draws):
        orders = [order(p, "shots", seed + draw) for p in pool]
        train_ids = [o[:shots] for o in orders]
        train, labels = flat(train_ids)
        rest, rest_labels = flat([o[shots:] for o in orders])
        can_tune = all(len(o) > shots for o in orders)
        predicted = lambda p, rows: scores(features[train], labels, classes, p, features[rows]).argmax(1)
        hits = [int((predicted(p, rest) == rest_labels).sum()) if can_tune else 0 for p in PENALTIES]
        place = tuned(hits)
        places.append(np.log2(PENALTIES[place]))
        result.append((predicted(PENALTIES[place], test_rows) == test_labels).mean())
        dealt = order([i for p in train_ids for i in p], "shuffled", seed + draw)
        own = {i: c for c, p in enumerate(train_ids) for i in p}
        shuffled = np.array([own[i] for i in dealt])
        guess = scores(features[train], shuffled, classes, PENALTIES[place], features[test_rows]).argmax(1)
        mixed.append((guess == test_labels).mean())
    return result, places, mixed


def everything(features, ids, seed, most=50):
    """One fit to all training images but the last tenth of each class, which tunes λ, by scikit-learn's Ridge."""
    test, pool = split(ids, seed)
    row = {i: n for n, i in enumerate(ids)}
    counts = [0 if len(p) < 2 else min(most, max(1, int(0.1 * len(p) + 0.5))) for p in pool]
    training, held = [p[:len(p) - c] for p, c in zip(pool, counts)], [p[len(p) - c:] for p, c in zip(pool, counts)]
    flat = lambda parts: (np.array([row[i] for p in parts for i in p], int), np.array([c for c, p in enumerate(parts) for _ in p], int))
    (rows, labels), (held_rows, held_labels), (test_rows, test_labels) = flat(training), flat(held), flat(test)

    def predicted(own, penalty, others):
        a, b = (beside(z) for z in standardised(features[rows], features[others]))
        t = 2.0 * np.eye(len(pool))[own] - 1
        return Ridge(alpha=penalty, fit_intercept=False, solver="svd").fit(a, t).predict(b).argmax(1)

    place = tuned([int((predicted(labels, p, held_rows) == held_labels).sum()) for p in PENALTIES])
    flat_ids = [i for p in training for i in p]
    own = {i: c for c, p in enumerate(training) for i in p}
    shuffled = np.array([own[i] for i in order(flat_ids, "shuffled", seed)])
    share = lambda own, p: float((predicted(own, p, test_rows) == test_labels).mean())
    return {"accuracy": share(labels, PENALTIES[place]), "shuffled": share(shuffled, PENALTIES[place]), "log2": float(np.log2(PENALTIES[place])),
            "training": len(rows), "validation": len(held_rows), "byPenalty": [share(labels, p) for p in PENALTIES]}


def whole(features, ids, seed, shots, draws):
    """Neighbours of the whole pool, and logistic regression on the shots."""
    test, pool = split(ids, seed)
    row = {i: n for n, i in enumerate(ids)}
    flat = lambda parts: (np.array([row[i] for p in parts for i in p], int), np.array([c for c, p in enumerate(parts) for _ in p], int))
    (test_rows, test_labels), (bank, labels) = flat(test), flat(pool)
    votes = {k: float((majority(features[bank], labels, features[test_rows], k) == test_labels).mean()) for k in (1, 5, 10, 20) if k <= len(bank)}
    weighted = float((weighted_votes(features[bank], labels, len(test), features[test_rows], min(20, len(bank))) == test_labels).mean())
    found = []
    for draw in range(draws):
        train, own = flat([order(p, "shots", seed + draw)[:shots] for p in pool])
        a, b = standardised(features[train], features[test_rows])
        found.append((logistic(a, own, 1.0).predict(b) == test_labels).mean())
    return {"votes": votes, "weighted": weighted, "logistic": float(np.mean(found))}


def pictures(side, per_class):
    """Noise on a grey wave whose direction tells the class, as bytes, by id; classes of different sizes."""
    generator = np.random.default_rng(5)
    y, x = np.mgrid[:side, :side] / side
    found = {}
    for place, (name, count) in enumerate(per_class.items()):
        for number in range(count):
            wave = np.sin(6 * (np.cos(place) * x + np.sin(place) * y) + generator.uniform(0, 6))
            pixels = 127 + 40 * wave + generator.normal(scale=45, size=(side, side))
            found[f"{name}/{number:02}.png"] = np.clip(pixels, 0, 255).astype(np.uint8)
    return found


def network(name):
    parameters, x, config = held(name)
    if name == "vit-timm":
        names = ("img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "num_classes")
        model, prefix = vit({k: config[k] for k in names}), 1
    else:
        model, prefix = resnet(Bottleneck, config["layers"], config["channels"], config["stem"], config["num_classes"]), 0
        x = torch.zeros(1, 3, 40, 40)  # the last map has 2×2 positions
    model.eval().load_state_dict(parameters)
    return model, prefix, x.shape[-1]


def end_to_end(tensors, facts):
    for name in ("vit-timm", "resnet-bottleneck"):
        model, prefix, side = network(name)
        # Of nine images five remain for fitting: with five shots nothing is left to tune with.
        images = pictures(side, {"ash": 11, "birch": 10 if prefix else 9, "cedar": 11})
        ids = sorted(images)
        x = torch.from_numpy(np.stack([images[i] for i in ids])).unsqueeze(1).expand(-1, 3, -1, -1).float() / 255
        with torch.no_grad():
            sites, _ = record(model, lambda: model((x - 0.5) / 0.25))
        blocks = [s for s in sites if (s.startswith("blocks.") or s.startswith("layer")) and s.count(".") == 1]
        facts[name] = {"side": side, "ids": ids, "sites": {}}
        tensors[f"{name}/pixels"] = np.stack([images[i] for i in ids])
        last = sites[blocks[-1]]
        for site in blocks:
            value = sites[site].double().numpy()
            if prefix:
                views = {"cls": value[:, 0], "avg": value[:, 1:].mean(1), "all": value.mean(1)}
                single = value
            else:
                views = {"avg": value.mean((2, 3))}
                grid = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(value), last.shape[2:]).numpy()
                single = grid.transpose(0, 2, 3, 1).reshape(len(ids), -1, value.shape[1])
            numbers = {}
            for view, features in views.items():
                numbers[view] = whole(features, ids, 3, 5, 3)
                numbers[view]["all"] = everything(features, ids, 3)
                for shots in (1, 5):
                    accuracy, places, mixed = probe(features, ids, 3, shots, 3)
                    numbers[view][str(shots)] = {"accuracy": accuracy, "log2": places, "shuffled": float(np.mean(mixed))}
            tokens = [float(np.mean(probe(single[:, t], ids, 3, 5, 3)[0])) for t in range(single.shape[1])]
            facts[name]["sites"][site] = {"views": numbers, "tokens": tokens}


def main():
    tensors, facts = {}, {}
    library(tensors, facts)
    end_to_end(tensors, facts)
    save(
        "probe/probe.safetensors", {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in tensors.items()},
        {"script": "Oracles/probe.py", "versions": versions("timm", "scikit-learn"), "seed": "11", "facts": facts,
         "notes": "scores [images, penalties, classes] for λ = 2^-10, 2^-8, ..., 2^20; labels are i mod classes"},
    )


if __name__ == "__main__":
    main()
