"""Programs of others that train potentials, run step by step: here, with MPI, or in a batch system."""
