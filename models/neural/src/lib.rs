//! What the neural generators share: layers, optimiser, kernels, training loop.
