"""V and M of a world model: a variational autoencoder of frames and an LSTM with the density of the next code.

Symbols: x a frame, z its code, eps the noise of a sampled code; a the action, h and c the output and the cells of the
LSTM; pi, mean, sigma the mixture of Gaussians.
"""

import numpy as np

LOG_2_PI = float(np.log(2 * np.pi))
Params = dict[str, np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1), updating a dict of arrays in place."""

    def __init__(self, params: dict[str, np.ndarray], beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8):
        self.beta1, self.beta2, self.eps, self.t = beta1, beta2, eps, 0
        self.m = {name: np.zeros_like(p) for name, p in params.items()}
        self.v = {name: np.zeros_like(p) for name, p in params.items()}

    def step(self, params: dict[str, np.ndarray], grads: dict[str, np.ndarray], lr: float) -> None:
        """One update of every array in `params` along `grads` (same keys and shapes) at rate `lr`."""
        self.t += 1
        lr_t = lr * np.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        for name, g in grads.items():
            m, v = self.m[name], self.v[name]
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (g * g - v)
            params[name] -= lr_t * m / (np.sqrt(v) + self.eps)


def layer(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    """Weights N(0, 1 / fan_in) in float32."""
    return rng.normal(0, fan_in**-0.5, (fan_in, fan_out)).astype(np.float32)


# V: a variational autoencoder of single frames


def v_init(rng: np.random.Generator, pixels: int, units: int, z: int) -> Params:
    """Encoder pixels -> units -> mu and log sigma^2 (s) of z; decoder z -> units -> logits of the pixels (x)."""
    sizes = {"e": (pixels, units), "mu": (units, z), "s": (units, z), "d": (z, units), "x": (units, pixels)}
    params = {f"W_{name}": layer(rng, *size) for name, size in sizes.items()}
    return params | {f"b_{name}": np.zeros(size[1], np.float32) for name, size in sizes.items()}


def encode(v: Params, x: np.ndarray) -> np.ndarray:
    """Mean codes mu (..., z) of frames x (..., pixels): what C and M get to see of a frame."""
    return np.tanh(x @ v["W_e"] + v["b_e"]) @ v["W_mu"] + v["b_mu"]


def spread(v: Params, x: np.ndarray) -> np.ndarray:
    """Standard deviations sigma (..., z) of the codes of frames x (..., pixels)."""
    return np.exp(0.5 * (np.tanh(x @ v["W_e"] + v["b_e"]) @ v["W_s"] + v["b_s"]))


def decode(v: Params, z: np.ndarray) -> np.ndarray:
    """Probability of road in every pixel (..., pixels) for codes z (..., z)."""
    return sigmoid(np.tanh(z @ v["W_d"] + v["b_d"]) @ v["W_x"] + v["b_x"])


def v_loss_and_grad(v: Params, batch: tuple[np.ndarray, np.ndarray], beta: float) -> tuple[float, Params]:
    """Per frame -log p(x | z) + beta KL(q(z | x) | N(0, I)), z = mu + sigma eps; batch = x (n, pixels), eps (n, z)."""
    x, eps = batch
    n = len(x)
    e = np.tanh(x @ v["W_e"] + v["b_e"])
    mu, log_var = e @ v["W_mu"] + v["b_mu"], e @ v["W_s"] + v["b_s"]
    sigma = np.exp(0.5 * log_var)
    z = mu + sigma * eps
    d = np.tanh(z @ v["W_d"] + v["b_d"])
    logits = d @ v["W_x"] + v["b_x"]
    surprise = (np.logaddexp(0, logits) - x * logits).sum()
    kl = 0.5 * (mu**2 + sigma**2 - 1 - log_var).sum()

    d_x = (sigmoid(logits) - x) / n
    d_d = d_x @ v["W_x"].T * (1 - d**2)
    d_z = d_d @ v["W_d"].T
    d_mu = d_z + beta / n * mu
    d_s = 0.5 * (d_z * eps * sigma + beta / n * (sigma**2 - 1))
    d_e = (d_mu @ v["W_mu"].T + d_s @ v["W_s"].T) * (1 - e**2)
    grads = {}
    for name, source, d_net in (("e", x, d_e), ("mu", e, d_mu), ("s", e, d_s), ("d", z, d_d), ("x", d, d_x)):
        grads[f"W_{name}"], grads[f"b_{name}"] = source.T @ d_net, d_net.sum(axis=0)
    return float(surprise + beta * kl) / n, grads


def rescale(v: Params, frames: np.ndarray) -> Params:
    """The same V with another scale of its code: over `frames`, sampled z has mean 0 and variance 1."""
    mu = encode(v, frames)
    shift, scale = mu.mean(axis=0), np.sqrt(mu.var(axis=0) + (spread(v, frames) ** 2).mean(axis=0))
    return v | {
        "W_mu": v["W_mu"] / scale,
        "b_mu": (v["b_mu"] - shift) / scale,
        "b_s": v["b_s"] - 2 * np.log(scale),
        "W_d": v["W_d"] * scale[:, None],
        "b_d": v["b_d"] + shift @ v["W_d"],
    }


# M: an LSTM with a mixture of Gaussians for the change of every entry of the code


def m_init(rng: np.random.Generator, z: int, h: int, mixture: int) -> Params:
    """LSTM on (z, a), gates in the order input, forget, output, candidate; head (y): log pi, means, log sigmas."""
    outputs = 3 * mixture * z
    b_h = np.repeat([0, 1, 0, 0], h).astype(np.float32)  # remember at first
    b_y = rng.normal(0, 0.5, outputs).astype(np.float32)  # no two Gaussians alike
    W_x, W_h, W_y = layer(rng, z + 2, 4 * h), layer(rng, h, 4 * h), layer(rng, h, outputs)
    return {"W_x": W_x, "W_h": W_h, "b_h": b_h, "W_y": W_y, "b_y": b_y}


def lstm_step(
    m: Params, x: np.ndarray, h: np.ndarray, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Next h and c (n, cells), and the gates (n, 3 cells) and candidates g (n, cells); x (n, 4 cells) = (z, a) W_x."""
    k = h.shape[1]
    net = x + h @ m["W_h"] + m["b_h"]
    gates, g = sigmoid(net[:, : 3 * k]), np.tanh(net[:, 3 * k :])
    c = gates[:, k : 2 * k] * c + gates[:, :k] * g
    return gates[:, 2 * k :] * np.tanh(c), c, gates, g


def mixture_of(m: Params, h: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log weights, means and log sigmas, each (mixture, z, n), of the change of the code after memory h (n, cells)."""
    y = m["W_y"].T @ h.T + m["b_y"][:, None]
    z = len(m["W_x"]) - 2
    logits, mean, log_sigma = y.reshape(3, -1, z, len(h))
    top = logits.max(axis=0)
    return logits - top - np.log(np.exp(logits - top).sum(axis=0)), mean, log_sigma


def density_loss_and_grad(m: Params, h: np.ndarray, change: np.ndarray) -> tuple[float, Params, np.ndarray]:
    """Mean -log p(change | h) over entries of `change` (n, z) for memory h (n, cells), and its gradients (head, h)."""
    log_pi, mean, log_sigma = mixture_of(m, h)
    u = (change.T - mean) * np.exp(-log_sigma)
    log_p = log_pi - log_sigma - 0.5 * u * u - 0.5 * LOG_2_PI
    top = log_p.max(axis=0)
    share = np.exp(log_p - top)
    total = share.sum(axis=0)
    loss = -(top + np.log(total)).mean()
    share /= total  # of each Gaussian in the density
    d_y = np.stack([np.exp(log_pi) - share, -share * u * np.exp(-log_sigma), share * (1 - u * u)])
    d_y = d_y.reshape(-1, len(h)) / change.size
    return float(loss), {"W_y": (d_y @ h).T, "b_y": d_y.sum(axis=1)}, (m["W_y"] @ d_y).T


def m_loss_and_grad(m: Params, batch: tuple[np.ndarray, np.ndarray]) -> tuple[float, Params]:
    """Mean of -log p(z[t+1] - z[t]) over steps, windows and entries; batch = z (T+1, n, z), a (T, n, 2)."""
    z, a = batch
    T, n, cells = *a.shape[:2], len(m["W_h"])
    x = np.concatenate([z[:-1], a], axis=-1)
    x_net = x @ m["W_x"]
    h, c = np.zeros((2, T + 1, n, cells), x.dtype)
    gates, g = np.empty((T, n, 3 * cells), x.dtype), np.empty((T, n, cells), x.dtype)
    for t in range(T):
        h[t + 1], c[t + 1], gates[t], g[t] = lstm_step(m, x_net[t], h[t], c[t])
    change = (z[1:] - z[:-1]).reshape(T * n, -1)
    loss, grads, d_seen = density_loss_and_grad(m, h[1:].reshape(T * n, cells), change)

    d_seen = d_seen.reshape(T, n, cells)
    i, f, o = np.split(gates, 3, axis=-1)
    tanh_c = np.tanh(c[1:])
    # derivatives of c by the net inputs of i, f, g and of h by that of o; of h by c
    to_net = np.concatenate([g * i * (1 - i), c[:-1] * f * (1 - f), tanh_c * o * (1 - o), i * (1 - g * g)], axis=-1)
    to_c = o * (1 - tanh_c**2)
    d_net = np.empty_like(to_net)
    d_h, d_c = np.zeros((2, n, cells), x.dtype)
    for t in reversed(range(T)):
        d_h = d_h + d_seen[t]
        d_c = d_c + d_h * to_c[t]
        d_net[t] = np.concatenate([d_c, d_c, d_h, d_c], axis=1) * to_net[t]
        d_c = d_c * f[t]
        d_h = d_net[t] @ m["W_h"].T
    d_net = d_net.reshape(T * n, -1)
    grads["W_x"], grads["W_h"] = x.reshape(T * n, -1).T @ d_net, h[:-1].reshape(T * n, -1).T @ d_net
    return loss, grads | {"b_h": d_net.sum(axis=0)}


def remember(m: Params, z: np.ndarray, a: np.ndarray) -> np.ndarray:
    """M's memory h (n, T+1, cells) before and after each step of codes z (n, T, z) and actions a (n, T, 2)."""
    x = np.concatenate([z, a], axis=-1) @ m["W_x"]
    h = np.zeros((x.shape[0], x.shape[1] + 1, len(m["W_h"])), x.dtype)
    c = h[:, 0]
    for t in range(x.shape[1]):
        h[:, t + 1], c, _, _ = lstm_step(m, x[:, t], h[:, t], c)
    return h


def sample_change(m: Params, h: np.ndarray, temperature: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the change of the code (n, z) after memory h (n, cells); `temperature` 1 is M's density."""
    log_pi, mean, log_sigma = mixture_of(m, h)
    # the largest of logits with Gumbel noise is a draw from their softmax
    drawn = (log_pi / temperature + rng.gumbel(size=log_pi.shape)).argmax(axis=0)[None]
    mean, log_sigma = np.take_along_axis(mean, drawn, 0)[0], np.take_along_axis(log_sigma, drawn, 0)[0]
    return (mean + temperature**0.5 * np.exp(log_sigma) * rng.standard_normal(mean.shape, np.float32)).T


def copy_ratio(m: Params, z: np.ndarray, a: np.ndarray, valid: np.ndarray) -> float:
    """Squared error of M's expected next code over that of repeating the last; z, a and `valid` as in (n, T, ...)."""
    h = remember(m, z, a)[:, 1:]
    both = valid[:, 1:]  # a step and its successor
    change = (z[:, 1:] - z[:, :-1])[both]
    log_pi, mean, _ = mixture_of(m, h[:, :-1][both])
    expected = (np.exp(log_pi) * mean).sum(axis=0).T
    return float(((change - expected) ** 2).sum() / (change**2).sum())


def read_out(features: np.ndarray, speed: np.ndarray) -> float:
    """R^2 of a linear read-out of `speed` (n,) from `features` (n, d): fitted on the first half, tested on the rest."""
    x, half = np.column_stack([features, np.ones(len(features))]), len(speed) // 2
    w = np.linalg.lstsq(x[:half], speed[:half])[0]
    return float(1 - np.mean((x[half:] @ w - speed[half:]) ** 2) / np.var(speed[half:]))
