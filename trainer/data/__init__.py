"""Images: where they come from, how they are split and seen, and the batches of a step."""
