"""What of a user's environment may reach a job: the one list of JAX's options, XLA's flags and variables.

What could change a number is pinned for as long as a job trains: by the worker in its own process, and by `train`
wherever it is called. What changes none, such as logs, caches and timeouts, stays the user's.
"""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, NamedTuple

# Options of JAX that change numbers or break jobs, with JAX's own defaults, which every job has. An option that the
# installed version lacks is passed over; a test holds this table and FREE against all options of that version.
PINNED: dict[str, Any] = {
    "check_vma": False,
    "eager_constant_folding": False,
    "jax_accurate_erf_inv": False,
    "jax_allow_f16_reductions": True,
    "jax_array_garbage_collection_guard": None,
    "jax_auto_pcast": True,
    "jax_backend_target": "",
    "jax_bcoo_cusparse_lowering": False,
    "jax_check_static_indices": False,
    "jax_check_tracer_leaks": False,
    "jax_compilation_cache_expect_pgle": False,
    "jax_compiler_enable_remat_pass": True,
    "jax_cpu_collectives_implementation": "gloo",
    "jax_custom_jvp3": False,
    "jax_custom_vjp3": False,
    "jax_debug_infs": False,
    "jax_debug_key_reuse": False,
    "jax_debug_nans": False,  # a loss that isn't finite is a result
    "jax_default_device": None,
    "jax_default_matmul_precision": None,
    "jax_default_prng_impl": "threefry2x32",
    "jax_disable_bwd_checks": False,
    "jax_disable_jit": False,
    "jax_disable_most_optimizations": False,
    "jax_disable_vmap_shmap_error": False,
    "jax_disallow_mesh_context_manager": False,
    "jax_embedded_constants_max_bytes": 32,
    "jax_enable_checks": False,
    "jax_enable_custom_prng": False,
    "jax_enable_pgle": False,
    "jax_enable_x64": False,
    "jax_error_checking_behavior_divide": "ignore",
    "jax_error_checking_behavior_nan": "ignore",
    "jax_error_checking_behavior_oob": "ignore",
    "jax_exec_time_optimization_effort": 0.0,
    "jax_experimental_unsafe_xla_runtime_errors": False,
    "jax_explicit_x64_dtypes": "warn",
    "jax_high_dynamic_range_gumbel": False,
    "jax_legacy_prng_key": "allow",
    "jax_memory_fitting_effort": 0.0,
    "jax_memory_fitting_level": "O2",
    "jax_mock_gpu_topology": "",
    "jax_mosaic_allow_hlo": False,
    "jax_mutable_array_checks": True,
    "jax_no_execution": False,
    "jax_no_tracing": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_optimization_level": "UNKNOWN",
    "jax_pallas_auto_assign_collective_ids": "no",
    "jax_pallas_auto_assign_collective_ids_limit": 25,
    "jax_pallas_enable_debug_checks": False,
    "jax_pallas_poison_buffers": False,
    "jax_pallas_use_mosaic_gpu": True,
    "jax_pgle_aggregation_percentile": 90,
    "jax_pgle_profiling_runs": 3,
    "jax_pjrt_client_create_options": None,
    "jax_platform_name": "",
    "jax_ragged_dot_use_gpu_pallas_triton_lowering": False,
    "jax_ragged_dot_use_ragged_dot_instruction": True,
    "jax_raise_on_ppermute_sort_diff": True,
    "jax_random_seed_offset": 0,
    "jax_refs_to_pins": False,
    "jax_remat3": False,
    "jax_remat_barrier_no_cotangents": False,
    "jax_remove_custom_partitioning_ptr_from_cache_key": False,
    "jax_remove_size_one_mesh_axis_from_type": False,
    "jax_scan3": False,
    "jax_softmax_custom_jvp": False,
    "jax_sort_devices_by_process_index": True,
    "jax_thread_guard": False,
    "jax_threefry_gpu_kernel_lowering": False,
    "jax_threefry_partitionable": True,
    "jax_transfer_guard": None,
    "jax_transfer_guard_device_to_device": None,
    "jax_transfer_guard_device_to_host": None,
    "jax_transfer_guard_host_to_device": None,
    "jax_use_cpp_shard_args": False,
    "jax_use_direct_linearize": True,
    "jax_use_emit_pipeline_primitive": False,
    "jax_use_hlo_logistic_lowering": None,
    "jax_use_magma": "auto",
    "jax_use_rgv3": True,
    "jax_use_shardy_partitioner": True,
    "jax_use_simplified_jaxpr_constants": False,
    "jax_xla_backend": "",
    "mock_num_gpu_processes": 0,
}

_WHERE = """
jax_cpu_enable_async_dispatch jax_cuda_visible_devices jax_num_cpu_devices jax_oneapi_visible_devices jax_platforms
jax_rocm_visible_devices
"""  # a job trains on one CPU device, however many there are: `trainer.sharding.everywhere`
_CACHES = """
jax_compilation_cache_check_contents jax_compilation_cache_dir jax_compilation_cache_include_metadata_in_key
jax_compilation_cache_max_size jax_enable_compilation_cache jax_persistent_cache_enable_xla_caches
jax_persistent_cache_min_compile_time_secs jax_persistent_cache_min_entry_size_bytes jax_raise_persistent_cache_errors
"""
_WORDS = """
jax_captured_constants_report_frames jax_captured_constants_warn_bytes jax_check_proxy_envs
jax_compiler_detailed_logging_min_ops jax_debug_leaked_clients_on_clear_backends jax_debug_log_modules
jax_distributed_debug jax_dump_ir_modes jax_dump_ir_to jax_explain_cache_misses
jax_hlo_source_file_canonicalization_regex jax_include_debug_info_in_dumps jax_include_full_tracebacks_in_locations
jax_log_checkpoint_residuals jax_log_compiles jax_logging_level jax_mosaic_unzip_debug_locations
jax_pallas_verbose_errors jax_pprint_use_color jax_send_traceback_to_runtime jax_source_url_schema
jax_traceback_filtering jax_traceback_in_locations_limit jax_tracer_error_num_traceback_frames jax_xla_profile_version
"""
_NETWORK = """
jax_cpu_get_global_topology_timeout_minutes jax_cpu_get_local_topology_timeout_minutes
jax_cross_host_transfer_socket_address jax_cross_host_transfer_timeout_seconds jax_cross_host_transfer_transfer_size
jax_cross_host_transport_addresses jax_distributed_verify_secure_credentials jax_enable_preemption_service
jax_enable_recoverability jax_force_dcn_cross_host_transfers jax_mtls_ca_file jax_mtls_cert_file jax_mtls_key_file
jax_mtls_peer_uri_prefix jax_share_binary_between_hosts jax_share_binary_between_hosts_timeout_ms
"""
_UNUSED = """
jax2tf_associative_scan_reductions jax2tf_default_native_serialization jax_export_calling_convention_version
jax_export_deserialize_expired_versions jax_export_ignore_forward_compatibility jax_serialization_version
"""
_TESTED = "jax_numpy_rank_promotion"  # our tests train with the strictest value
FREE = frozenset(f"{_WHERE} {_CACHES} {_WORDS} {_NETWORK} {_UNUSED} {_TESTED}".split())
"""Options of JAX that change no number and break no job."""

PINNED_IN_FLAX: dict[str, Any] = {
    "flax_always_shard_variable": True,
    "flax_array_ref": False,
    "flax_fix_rng_separator": False,
    "flax_hijax_variable": False,
    "flax_preserve_adopted_names": False,
    "flax_pytree_module": True,
    "flax_return_frozendict": False,
    "flax_use_flaxlib": False,
    "nnx_graph_mode": True,
    "nnx_graph_updates": True,
    "nnx_sow_capture_noop": False,
}

_FLAGS = ("XLA_FLAGS", "LIBTPU_INIT_ARGS")
_FREE_FLAGS = ("--xla_dump_", "--xla_gpu_cuda_data_dir=")
_DEVICES = "--xla_force_host_platform_device_count"
# switches of arithmetic and kernels of NVIDIA's libraries, and all options of Flax
_SWITCHES = ("NVIDIA_TF32_OVERRIDE", "CUDNN_FRONTEND_", "CUBLAS_", "CUBLASLT_", "TF_CUDNN_", "FLAX_", "NNX_")


def left_out(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that no job gets, each with what is left of it: nothing, or the flags that change no number."""
    changed = {}
    for name, value in environment.items():
        if name in _FLAGS:
            kept = " ".join(flag for flag in value.split() if flag.startswith(_FREE_FLAGS))
            if kept != " ".join(value.split()):
                changed[name] = kept
        elif name.startswith(_SWITCHES) or (name.startswith("JAX_") and name.lower() not in FREE):
            changed[name] = ""
    return changed


def clear(environment: MutableMapping[str, str]) -> None:
    """Take from an environment what no job gets; for JAX's own options it has to be done before JAX is imported."""
    for name, kept in left_out(environment).items():
        if kept:
            environment[name] = kept
        else:
            del environment[name]


@contextmanager
def pinned() -> Iterator[None]:
    """Give JAX and Flax in this process the options of every job; afterwards they and the environment are as before.

    Raises ValueError, naming the cause, where JAX was started in this process with what can't be taken back, or where
    a `with` around this has set an option for this thread.
    """
    import flax
    import jax

    _check_start()
    environment = dict(os.environ)
    clear(os.environ)
    changed = [*_changed(jax.config, PINNED), *_changed(flax.config, PINNED_IN_FLAX)]
    held: list[str] = []
    try:
        for change in changed:
            change.config.update(change.name, change.pinned)
        held += [change.name for change in _changed(jax.config, PINNED)]
        if held:
            raise ValueError(f"{', '.join(held)}: set by a `with` of JAX, which changes numbers. Train outside of it.")
        yield
    finally:
        for change in changed:
            if change.name not in held:  # else what it was for the process isn't known
                change.config.update(change.name, change.before)
        for name in left_out(environment):
            os.environ[name] = environment[name]


class _Change(NamedTuple):
    """An option of a library that has another value than jobs have."""

    config: Any
    name: str
    before: Any
    pinned: Any


def _changed(config: Any, pinned: Mapping[str, Any]) -> Iterator[_Change]:
    values = getattr(config, "values", {})
    for name, value in pinned.items():
        before = values.get(name, getattr(config, name, value))
        if not _is(before, value):
            yield _Change(config, name, before, value)


def _is(value: Any, pinned: Any) -> bool:
    """Whether an option has its pinned value, which for one of JAX's enumerations is the name of a member."""
    return bool(value == pinned) or getattr(value, "name", "").lower() == pinned


def started() -> bool:
    """Whether JAX has looked for its devices in this process; there is no public way to ask without having it look."""
    import sys

    bridge = sys.modules.get("jax._src.xla_bridge")
    return bridge is not None and bool(bridge.backends_are_initialized())


_started_with: list[str] = []  # what JAX had read before the trainer was imported, and can't forget


def note_start() -> None:
    """Note what JAX has read already when the trainer is imported, and give its CPU client one thread."""
    if started():
        if os.environ.get("PJRT_NPROC") != "1":
            _started_with.append("without PJRT_NPROC=1")
        for name in _FLAGS:
            flags = [flag for flag in os.environ.get(name, "").split() if not flag.startswith((*_FREE_FLAGS, _DEVICES))]
            _started_with.extend(f"with {flag} in {name}" for flag in flags)
    # JAX on a CPU sums in another order for another number of threads. With one, a run comes to the same bits on any
    # slot and any machine of a kind; more cores run more jobs. JAX reads this when its first array is made.
    os.environ["PJRT_NPROC"] = "1"


def _check_start() -> None:
    if _started_with:
        raise ValueError(
            f"JAX was started {' and '.join(_started_with)}, which changes numbers."
            " Import scalectl.trainer before the first array of JAX is made."
        )


def platforms(environment: Mapping[str, str]) -> str:
    """What JAX looks for devices of, in its own words: JAX_PLATFORMS, or the CPU where it is empty or not set."""
    return environment.get("JAX_PLATFORMS", "").strip().lower() or "cpu"
