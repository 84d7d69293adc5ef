"""What a training step of the paper's shapes needs on each chip of a TPU slice, on a machine that has none.

uv run --extra aot python benchmarks/ahead.py G/14 --batch 4096 --topology v5e:16x16
"""

import argparse
import os
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from scalectl.trainer.flops import params
from scalectl.trainer.memory import GIB, compiler_here, estimate
from scalectl.trainer.presets import preset
from scalectl.trainer.spec import DataSpec, RecipeSpec, TrunkSpec
from scalectl.trainer.topology import topology

CLASSES = 29_593  # of JFT-3B, as the paper's GFLOPs imply


def trunk(args: argparse.Namespace) -> TrunkSpec:
    name, patch_size = args.model.split("/")
    data = DataSpec("synthetic", 10**6, 1000, 0, 0, args.resolution, 3, args.classes)
    rates = (1e-3, 1.0, 3.0, 0.03)
    later = {"layers": args.layers, "remat": args.remat, "microbatch": args.microbatch}
    recipe = RecipeSpec(
        args.batch, args.precision, args.head, -10.0, "sigmoid", args.optimizer, *rates, 10_000, 10_000, **later
    )
    return TrunkSpec(preset(name, int(patch_size)), data, recipe, seed=0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--topology", default="v5e:16x16")
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--classes", type=int, default=CLASSES)
    parser.add_argument("--precision", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--head", choices=["map", "gap", "tok"], default="map")
    parser.add_argument("--optimizer", choices=["adafactor", "adamw"], default="adafactor")
    parser.add_argument("--layers", choices=["scan", "loop"], default="scan")
    parser.add_argument("--remat", choices=["full", "none"], default="full")
    parser.add_argument("--microbatch", type=int, default=0)
    args = parser.parse_args()
    of = trunk(args)
    counts = {"image_size": args.resolution, "channels": 3, "num_classes": args.classes}
    print(f"{args.model}: {params(of.model, head=args.head, **counts) / 1e6:,.0f}M parameters, batch {args.batch}")
    slices = topology(args.topology)
    if compiler_here():
        from scalectl.trainer.aot import compiled

        need = compiled(of, slices)
    else:
        need = estimate(of, slices)
    for name in ("arguments", "peak", "limit"):
        print(f"{name:12} {getattr(need, name) / GIB:8.3f} GiB on each device")
    source = "compiled by libtpu" if need.compiled else "estimated: libtpu alone knows"
    print(f"{slices}, {slices.devices} devices: {need.verdict} ({source})")
    print(f"{need.seconds:.0f} s, and this process was on a core for {time.process_time():.0f} s")


if __name__ == "__main__":
    main()
