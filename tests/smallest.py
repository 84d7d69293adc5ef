"""A study of one small run on digits that is valid as it is, for tests that spoil it."""

STUDY = """\
version: 1
name: smallest
models:
  nano: {width: 16, depth: 2, num_heads: 2, patch_size: 2}
data: {source: digits, sizes: [350]}
train:
  batch_size: 64
  optimizer: {name: adafactor, lr: 1e-3}
  schedule: {warmup: 20, timescale: 100}
budgets: {steps: [200]}
"""
