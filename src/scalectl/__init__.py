"""scalectl: plan, train and fit scaling-law studies of Vision Transformers; the only import name that it owns."""
