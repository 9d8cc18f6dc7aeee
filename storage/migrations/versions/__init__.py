"""One file a step, written out by hand: a step must not change when the code does."""
