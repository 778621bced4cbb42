"""A portal from Python, with a personal token."""

from mlmd.client.http import PortalError
from mlmd.client.portal import Listing, Portal, RemoteDataset, RemotePotential, RemoteVersion

__all__ = ["Listing", "Portal", "PortalError", "RemoteDataset", "RemotePotential", "RemoteVersion"]
