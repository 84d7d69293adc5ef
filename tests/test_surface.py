"""L(N, D): a planted law at awkward scales, the published fit of the Chinchilla runs, refusals."""

import numpy as np
import pandas as pd
import pytest
from runs import METRIC, shared, table

from scalectl.analysis import fit_surface, predict
from scalectl.analysis.checks import Refused

# Besiroglu et al., arXiv 2404.10102, table 1, in the order E, A, B, alpha, beta
PUBLISHED = (1.8169, 482.01, 2085.43, 0.3478, 0.3659)
NAMES = ("E", "A", "B", "alpha", "beta")
PLANTED = (3.7e-3, 0.41, 9.3, 0.37, 0.29)


def law(of, N, D):
    E, A, B, alpha, beta = of
    return E + A * N**-alpha + B * D**-beta


def planted(noise=0.0, seed=0):
    random = np.random.default_rng(seed)
    N = np.repeat(np.geomspace(4e6, 9e9, 8), 6).round().astype(np.int64)
    D = (N * np.tile(np.geomspace(3, 300, 6), 8)).astype(np.int64)
    return N, D, law(PLANTED, N.astype(float), D.astype(float)) * np.exp(random.normal(0, noise, len(N)))


def huber(of, N, D, L):
    off = np.abs(np.log(law(of, N, D) / L))
    return np.where(off <= 1e-3, off**2 / 2, 1e-3 * (off - 5e-4)).sum()


def values(surface):
    return [getattr(surface, name) for name in NAMES]


def chinchilla():
    return pd.read_csv(shared("laws/chinchilla_kyo234.csv"))[["params", "tokens", "loss"]].to_numpy(float).T


def test_it_finds_a_planted_law():
    found = fit_surface(*planted())
    assert values(found) == pytest.approx(PLANTED, rel=1e-4) and found.loss == pytest.approx(0, abs=1e-12)
    assert found.predict([10**9], 2 * 10**10) == pytest.approx([law(PLANTED, 1e9, 2e10)], rel=1e-6)


def test_noise_moves_it_within_its_intervals():
    covered = []
    for seed in range(12):
        intervals = fit_surface(*planted(0.01, seed)).bootstrap(100, seed=1)
        covered += [
            intervals[name][0] <= value <= intervals[name][1] for name, value in zip(NAMES, PLANTED, strict=True)
        ]
    assert np.mean(covered) > 0.85


def test_the_best_split_of_compute_is_the_best():
    found = fit_surface(*planted())
    N, D = found.optimal(1e21)
    compute = 6 * N * D
    assert compute == pytest.approx(1e21, rel=1e-9)
    others = found.predict(N * np.array([0.9, 1.1]), D / np.array([0.9, 1.1]))
    assert (others > found.predict(N, D)).all()
    a, b = found.exponents
    assert (a, b) == pytest.approx((0.29 / 0.66, 0.37 / 0.66), rel=1e-4)
    assert found.optimal(1e22)[0] / N == pytest.approx(10**a, rel=1e-9)
    assert found.optimal(1e21, flops=2)[0] / N == pytest.approx(3**a, rel=1e-9)


def test_no_unit_matters_and_whole_numbers_do_not_overflow():
    N, D, L = planted(0.01)
    found, other = fit_surface(N, D, L), fit_surface(N / 1e9, D * 37.0, L * 1e5)
    assert (other.alpha, other.beta, other.E / 1e5) == pytest.approx((found.alpha, found.beta, found.E), rel=1e-6)
    assert other.predict(1.0, 37e10) == pytest.approx(1e5 * found.predict(10**9, 10**10), rel=1e-9)
    assert 6 * int(N[-1]) * int(D[-1]) > 2**63 - 1  # where whole numbers of NumPy wrap round
    assert found.optimal(6 * int(N[-1]) * int(D[-1]))[0] > 0


def test_a_floor_that_is_nothing_is_shown_as_0():
    N, D, L = planted()
    assert "E      0\n" in str(fit_surface(N, D, L - PLANTED[0])) and "E      0\n" not in str(fit_surface(N, D, L))


def test_one_wild_run_hardly_bends_it():
    N, D, L = planted(0.002)
    calm = fit_surface(N, D, L)
    wild = fit_surface(N, D, np.where(np.arange(len(N)) == 20, 3 * L, L))
    assert wild.predict(1e10, 1e12) == pytest.approx(calm.predict(1e10, 1e12), rel=0.02)


def test_the_published_optimum_of_the_chinchilla_runs():
    N, D, L = chinchilla()
    found = fit_surface(N, D, L)
    assert huber(values(found), N, D, L) == pytest.approx(found.loss, rel=1e-9)
    assert found.loss <= huber(PUBLISHED, N, D, L)
    assert (found.E, found.alpha, found.beta) == pytest.approx((1.8169, 0.3478, 0.3659), rel=0.07)
    intervals = found.bootstrap(200)
    assert all(intervals[name][0] < value < intervals[name][1] for name, value in zip(NAMES, PUBLISHED, strict=True))
    assert intervals == found.bootstrap(200) != found.bootstrap(200, seed=1)
    assert found.predict(N, D) == pytest.approx(law(PUBLISHED, N, D), rel=0.01)


def test_no_start_ends_lower():
    from scipy.optimize import minimize

    N, D, L = chinchilla()

    def loss(at):
        return huber((*np.exp(at[:3]), *at[3:]), N, D, L) * 1e3

    found = fit_surface(N, D, L)
    for start in ([0, 5, 5, 0.3, 0.3], [0.5, 10, 10, 0.6, 0.6], [-0.5, 5, 10, 0.5, 1.0]):
        assert minimize(loss, start, method="Nelder-Mead", options={"maxiter": 3000}).fun / 1e3 >= found.loss * (
            1 - 1e-6
        )


def test_runs_of_many_shapes():
    runs = pd.read_csv(shared("laws/gemstones.csv"))
    for _, part in runs.groupby("phase"):
        found = fit_surface(part["params"], part["tokens"], part["loss"])
        off = np.log(found.predict(part["params"], part["tokens"]) / part["loss"])
        assert np.median(np.abs(off)) < 0.02 and 0 < found.E < part["loss"].min()


def changed(which, value):
    runs = [array.astype(float) for array in planted()]
    runs[which][3] = value
    return runs


N, D, L = planted()
REFUSED = {
    "nan": (changed(2, np.nan), "1 of 48 values of L are not finite"),
    "no size": (changed(0, 0), "values of N"),
    "no end": (changed(1, np.inf), "values of D"),
    "few": ((N[:5], D[:5], L[:5]), "5 runs, and a law with 5 parameters needs 7"),
    "one size": ((N * 0 + 37, D, L), "all runs have N = 37"),
    "one amount": ((N, D * 0 + 37, L), "all runs have D = 37"),
    "two sizes": ((np.where(N > 1e8, 37, 37e3), D, L), "the runs have two model sizes: any exponent fits two"),
    "two rounded sizes": ((np.where(N > 1e8, 1e8, 1e6) + np.arange(48), D, L), "two model sizes"),
    "two amounts": ((N, np.where(D > 1e10, 37, 37e3), L), "two amounts of data: any exponent fits two, three"),
    "one line": ((N, 20.0 * N, L), "on one line"),
    "one line but for rounding": ((N, (N // 512 + 1) * 10240, L), "on one line"),
    "lengths": ((N, D[1:], L), "three lists of one length"),
    "texts": ((N, [f"{amount} tokens" for amount in D], L), "D must be a list or an array of numbers, not \\['12"),
    "none": ((N, D, None), "L must be"),
    "nothing": (([], [], []), "0 runs"),
    "no law": ((N, D, np.linspace(1, 2, 48)), "runs off to its bound"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_carries_no_law_is_refused_with_the_reason(name):
    arguments, said = REFUSED[name]
    with pytest.raises(Refused, match=said):
        fit_surface(*arguments)


def test_six_runs_carry_a_law_whose_exponents_are_one():
    runs = np.array([(1e7, 1e9), (1e7, 3e9), (1e8, 1e9), (1e8, 1e10), (1e9, 3e9), (1e9, 3e10)])
    tied = (0.7, 30.0, 80.0, 0.31, 0.31)
    found = fit_surface(*runs.T, law(tied, *runs.T))
    assert found.alpha == found.beta == pytest.approx(0.31, rel=1e-3)
    assert found.predict(1e10, 1e11) == pytest.approx(law(tied, 1e10, 1e11), rel=1e-4)
    with pytest.raises(Refused, match="5 parameters needs 7"):
        fit_surface(*runs.T, law(tied, *runs.T), tied=False)
    many = fit_surface(*planted(0.01), tied=True)
    assert many.alpha == many.beta and many.loss > fit_surface(*planted(0.01)).loss
    assert (many.draws(5)[:, 3] == many.draws(5)[:, 4]).all()


def test_three_levels_of_either_tell_one_exponent_and_two_of_both_tell_none():
    tied = (0.7, 30.0, 80.0, 0.31, 0.31)
    N, D = (axis.ravel() for axis in np.meshgrid([1e7, 1e9], np.geomspace(1e8, 1e11, 4)))
    for size, data in ((N, D), (D, N)):
        found = fit_surface(size, data, law(tied, size, data), tied=True)
        assert found.alpha == pytest.approx(0.31, rel=1e-3) and abs(found.E - 0.7) < 0.01
    two = np.tile([1e8, 1e11], 4)
    with pytest.raises(Refused, match="two model sizes and two amounts of data: any exponent fits two"):
        fit_surface(N, two, law(tied, N, two), tied=True)


def test_many_amounts_close_together_are_many():
    N, D = np.tile(np.geomspace(1e7, 1e9, 5), 400), np.geomspace(1e9, 2e9, 2000)
    assert fit_surface(N, D, law(PLANTED, N, D)).predict(1e8, 1.5e9) == pytest.approx(
        law(PLANTED, 1e8, 1.5e9), rel=1e-3
    )


def test_a_surface_is_a_value():
    found = fit_surface(*planted())
    assert found == fit_surface(*planted()) and "fitted" not in repr(found)
    with pytest.raises(AttributeError):
        found.E = 0


def test_a_new_run_is_expected_where_predict_expects_it():
    N, D, L = planted(0.01, seed=3)
    runs = table(6.0 * N * D, L).drop(columns=["data_size", "steps"]).assign(params=N, images_seen=D)
    said = predict(runs.sample(frac=1, random_state=0), METRIC, params=3e10, data=1e12)
    found = fit_surface(N, D, L).expected(3e10, 1e12)
    assert list(map(float, found)) == pytest.approx([said.estimate, said.low, said.high], rel=1e-6)


def test_places_are_expected_alike_alone_and_among_many():
    surface = fit_surface(*planted(0.01))
    many = surface.expected(np.geomspace(1e6, 1e12, 700)[:, None], [1e9, 1e12])
    alone = surface.expected(1e12, 1e12)
    assert [part.shape for part in many] == [(700, 2)] * 3
    assert [part[-1, -1] for part in many] == pytest.approx(list(map(float, alone)), rel=1e-6)
    assert [part.shape for part in surface.expected([], 1e9)] == [(0,)] * 3
    with pytest.raises(Refused, match="D"):
        surface.expected(1e9, [1e9, 0])


def tenth(N, D, L):
    """Runs up to a tenth of the compute, and the others."""
    spent = N * D
    cheap = spent <= spent.max() / 10
    return (N[cheap], D[cheap], L[cheap]), (N[~cheap], D[~cheap], L[~cheap])


def held(known, new):
    N, D, L = new
    _, low, high = fit_surface(*known).expected(N, D)
    return float(np.mean((low <= L) & (high >= L)))


def test_most_dearer_runs_lie_in_the_intervals_of_cheaper_ones():
    assert np.mean([held(*tenth(*planted(0.02, seed))) for seed in range(20, 28)]) >= 0.8


def test_most_of_published_runs_lie_in_the_intervals_of_those_up_to_a_tenth():
    assert held(*tenth(*chinchilla())) >= 0.8
    gemstones = pd.read_csv(shared("laws/gemstones.csv"))
    for _, runs in gemstones[gemstones["phase"].isin(["cool_end", "hot"])].groupby("phase"):
        ends = runs.groupby("run_name").nth([0, 5, 10, 20, -1])
        assert held(*tenth(*ends[["params", "tokens", "loss"]].to_numpy(float).T)) >= 0.8
