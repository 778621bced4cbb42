"""Carries a run directory to a cluster, runs it there, brings it back; reads no physics number."""
