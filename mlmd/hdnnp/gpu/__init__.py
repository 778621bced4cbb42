"""The engine's kernels for a GPU, in single precision: `mlmd.hdnnp.gpu.evaluator`.

Nothing here is imported before somebody asks for a GPU.
"""
