"""How well one embedding follows another: SciPy's correlations and the ratio of signal to noise of the metamers' programs.

`SNR = 10 log10(‖s‖ / ‖s − ŝ‖)`, of norms and not of powers, as `distance_measures.py` of model_metamers_pytorch has it. Embeddings: plain numbers;
after a ReLU, so that many are tied at 0; far from 0, where centring loses digits; negated; whole numbers.
"""

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr

from oracle import save, versions

SEED = 2023


def main():
    rng = np.random.default_rng(SEED)
    signal = rng.normal(size=400)
    found = signal + 0.5 * rng.normal(size=400)
    cases = {
        "plain": (found, signal),
        "relu": (np.maximum(found, 0), np.maximum(signal, 0)),
        "far": (found + 1e5, signal + 1e5),
        "negated": (-found, signal),
        "whole": (np.round(2 * found), np.round(2 * signal)),
    }
    tensors = {}
    for name, (a, s) in cases.items():
        snr = 10 * np.log10(np.linalg.norm(s) / np.linalg.norm(s - a))
        tensors[f"{name}/found"] = torch.from_numpy(a)
        tensors[f"{name}/signal"] = torch.from_numpy(s)
        tensors[f"{name}/numbers"] = torch.tensor([pearsonr(a, s).statistic, spearmanr(a, s).statistic, snr], dtype=torch.float64)
    save("similarity/agreement.safetensors", tensors, {"versions": versions("scipy"), "seed": str(SEED)})


main()
