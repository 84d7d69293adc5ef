"""Trained parameters in the layouts of others: the names of the formats; a module beside this makes each layout."""

FORMATS = {  # by name: the suffix of its files
    "safetensors": ".safetensors",
    "msgpack": ".msgpack",
    "npz": ".npz",
    "timm": ".safetensors",
}
