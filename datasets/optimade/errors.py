"""What can't be answered, with the HTTP status that OPTIMADE wants for it."""

from __future__ import annotations


class OptimadeError(Exception):
    """A request that is not answered as asked; the text is for the person who sent it."""

    status = 400
    title = "Bad Request"


class BadRequest(OptimadeError):
    """Something in the address can't be understood, or names what doesn't exist."""


class TooMuch(OptimadeError):
    """More entries a page than this site gives."""

    status = 403
    title = "Forbidden"


class NotFound(OptimadeError):
    """No such endpoint."""

    status = 404
    title = "Not Found"


class NotAcceptable(OptimadeError):
    """A media type with parameters that this site doesn't have."""

    status = 406
    title = "Not Acceptable"


class TooManyRequests(OptimadeError):
    """More requests a minute than one address may send."""

    status = 429
    title = "Too Many Requests"


class Unavailable(OptimadeError):
    """The store of documents is away."""

    status = 503
    title = "Service Unavailable"


class NotSupported(OptimadeError):
    """Allowed by the standard, but optional and not offered for this property."""

    status = 501
    title = "Not Implemented"


class WrongVersion(OptimadeError):
    """An address of a version of the API that isn't served."""

    status = 553
    title = "Version Not Supported"
