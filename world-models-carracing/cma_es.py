"""CMA-ES with full covariance matrix: Hansen, The CMA evolution strategy: a tutorial (arXiv:1604.00772), figure 6."""

import numpy as np


class CMAES:
    """Minimises by ask() and tell(); `mean`, `sigma` and `C` are the search distribution N(mean, sigma^2 C)."""

    def __init__(self, mean: np.ndarray, sigma: float, population: int):
        """Start at `mean` (d,) with step size `sigma`; `population` candidates per generation, at least 4."""
        d = len(mean)
        self.mean, self.sigma, self.population, self.generation = mean.astype(float), sigma, population, 0
        weights = np.log((population + 1) / 2) - np.log(np.arange(1, population // 2 + 1))
        self.weights = weights / weights.sum()
        mu_eff = self.mu_eff = 1 / (self.weights**2).sum()
        self.c_sigma = (mu_eff + 2) / (d + mu_eff + 5)
        self.d_sigma = 1 + 2 * max(0, np.sqrt((mu_eff - 1) / (d + 1)) - 1) + self.c_sigma
        self.c_c = (4 + mu_eff / d) / (d + 4 + 2 * mu_eff / d)
        self.c_1 = 2 / ((d + 1.3) ** 2 + mu_eff)
        self.c_mu = min(1 - self.c_1, 2 * (mu_eff - 2 + 1 / mu_eff) / ((d + 2) ** 2 + mu_eff))
        self.chi = np.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d))  # E |N(0, I)|
        self.p_sigma, self.p_c = np.zeros(d), np.zeros(d)
        self.C, self.B, self.D = np.eye(d), np.eye(d), np.ones(d)  # C = B diag(D^2) B'

    def ask(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the candidates of a generation, (population, d)."""
        noise = rng.standard_normal((self.population, len(self.mean)))
        return self.mean + self.sigma * (noise * self.D) @ self.B.T

    def tell(self, candidates: np.ndarray, cost: np.ndarray) -> None:
        """Adapt the distribution to the `cost` (population,) of what ask() returned."""
        self.generation += 1
        best = np.argsort(cost, kind="stable")[: len(self.weights)]
        y = (candidates[best] - self.mean) / self.sigma
        step = self.weights @ y
        self.mean = self.mean + self.sigma * step
        whitened = self.B @ (self.B.T @ step / self.D)
        self.p_sigma *= 1 - self.c_sigma
        self.p_sigma += np.sqrt(self.c_sigma * (2 - self.c_sigma) * self.mu_eff) * whitened
        length = np.linalg.norm(self.p_sigma)
        # the evolution path stalls while the step size still grows fast
        expected = self.chi * np.sqrt(1 - (1 - self.c_sigma) ** (2 * self.generation))
        path = length / expected < 1.4 + 2 / (len(step) + 1)
        self.p_c = (1 - self.c_c) * self.p_c
        self.p_c += path * np.sqrt(self.c_c * (2 - self.c_c) * self.mu_eff) * step
        lost = self.c_1 * (1 - path) * self.c_c * (2 - self.c_c)
        self.C *= 1 - self.c_1 - self.c_mu + lost
        self.C += self.c_1 * np.outer(self.p_c, self.p_c) + self.c_mu * (y.T * self.weights) @ y
        self.sigma *= np.exp(self.c_sigma / self.d_sigma * (length / self.chi - 1))
        eigenvalues, self.B = np.linalg.eigh(self.C)
        self.D = np.sqrt(eigenvalues)
