"""Which implementation of attention a device gets, and that all of them compute the same."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_train import TRUNK

from scalectl.trainer import aot, attention
from scalectl.trainer.attention import self_attention, suited
from scalectl.trainer.spec import ModelSpec
from scalectl.trainer.step import shape
from scalectl.trainer.vit import ViT

pytestmark = pytest.mark.usefixtures("little_optimised")

SHAPE = (2, 196, 12, 64)  # images, tokens, heads and width of a head in B/16 at 224 pixels


@pytest.fixture(autouse=True)
def asked_anew():
    suited.cache_clear()
    yield
    suited.cache_clear()


@pytest.fixture
def on_gpu(monkeypatch):
    """This machine as if it had a GPU of some compute capability; JAX has the kernel unless it `refuses`."""

    def pretend(capability, refuses=None):
        def kernel(q, k, v, *, implementation):
            if refuses:
                raise refuses
            return plain(q, k, v, implementation="xla" if implementation == "cudnn" else implementation)

        plain = jax.nn.dot_product_attention
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
        monkeypatch.setattr(jax, "local_devices", lambda: [SimpleNamespace(compute_capability=capability)])
        monkeypatch.setattr(attention.jax.nn, "dot_product_attention", kernel)

    return pretend


def test_a_cpu_has_our_own_products():
    assert suited(SHAPE, jnp.dtype("bfloat16")) == "own"


@pytest.mark.parametrize(
    ("capability", "expected"),
    [("9.0", "cudnn"), ("8.0", "cudnn"), ("10.0", "cudnn"), ("7.5", "own"), ("gfx942", "own")],
)
def test_a_gpu_of_nvidia_has_the_kernel_of_cudnn_from_its_first_generation_on(on_gpu, capability, expected):
    on_gpu(capability)
    assert suited(SHAPE, jnp.dtype("bfloat16")) == expected


@pytest.mark.parametrize("error", [NotImplementedError("head dim"), RuntimeError("no cuDNN"), ValueError("rank")])
def test_what_jax_refuses_of_the_kernel_is_left_to_our_own_products(on_gpu, error):
    on_gpu("9.0", refuses=error)
    assert suited(SHAPE, jnp.dtype("bfloat16")) == "own"


@pytest.mark.parametrize(
    ("shape", "dtype"), [(SHAPE, "float32"), ((2, 196, 12, 66), "bfloat16"), ((2, 196, 12, 512), "bfloat16")]
)
def test_jax_itself_says_which_types_and_heads_the_kernel_has(monkeypatch, shape, dtype):
    stablehlo = pytest.importorskip("jax._src.cudnn.fused_attention_stablehlo")
    if not hasattr(stablehlo, "check_cudnn_version"):
        pytest.skip("this JAX asks for cuDNN elsewhere")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "local_devices", lambda: [SimpleNamespace(compute_capability="9.0")])
    monkeypatch.setattr(stablehlo, "check_cudnn_version", lambda: 91000)
    assert suited(shape, jnp.dtype(dtype)) == "own"
    assert suited(SHAPE, jnp.dtype("bfloat16")) == "cudnn"


@pytest.mark.parametrize("kind", ["xla", "auto"])
def test_all_implementations_give_the_same_rows_and_gradients(on_gpu, kind):
    on_gpu("9.0")  # where `auto` is the kernel, here as XLA computes it
    rows = np.random.default_rng(7).normal(size=(2 * 5, 3 * 4 * 8)).astype(np.float32)

    def of(kind):
        def total(rows):
            mixed = self_attention(rows, 2, 4, kind)
            return jnp.sin(mixed).sum(), mixed

        return jax.jit(jax.grad(total, has_aux=True))(rows)

    for one, other in zip(of(kind), of("own"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("head", ["map", "tok"])
def test_a_model_answers_the_same_with_each_implementation(head):
    images = np.random.default_rng(5).uniform(-1, 1, (2, 8, 8, 1)).astype(np.float32)
    answers = []
    for kind in ("own", "xla"):
        vit = ViT(ModelSpec(24, 1, 50, 3, 2), 8, 1, 10, head, 0.0, "float32", attention=kind)
        weights = jax.jit(vit.init)(jax.random.key(3), images)
        answers.append(jax.jit(vit.apply)(weights, images)[1])
    np.testing.assert_allclose(*answers, rtol=1e-5, atol=1e-5)


def test_gpus_of_this_machine_have_no_say_in_programs_for_tpus(on_gpu):
    on_gpu("9.0")
    assert aot.parted(shape(TRUNK), 1).model.attention == "own" and shape(TRUNK).model.attention == "auto"
