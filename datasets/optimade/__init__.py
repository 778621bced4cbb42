"""The published frames for other databases and their clients: the OPTIMADE API, version 1.2."""
