"""ASE's database files (SQLite): read without trusting them.

Only a plain table ``systems`` is read, from a file that is opened read-only and
immutable; views, triggers and virtual tables never run, and no value is executed.

Source: ase/db/sqlite.py, format versions 4 to 9.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmd.documents import calculation_from_document
from mlmd.elements import MAXIMUM_NUMBER
from mlmd.errors import FormatError, HostileInput, InvalidInput
from mlmd.formats.atoms import stress_matrix
from mlmd.formats.issues import IssueLog
from mlmd.formats.source import Source
from mlmd.frame import Calculation, FloatArray, Frame

MAGIC = b"SQLite format 3\0"
_NEWEST = 9
_MOST_UNPACKED = 2 << 30  # a compressed database has to be in memory as a whole
_LONGEST_JSON = 4 << 20
_COLUMNS = (
    "id",
    "numbers",
    "positions",
    "cell",
    "pbc",
    "energy",
    "free_energy",
    "forces",
    "stress",
    "magmoms",
    "constraints",
    "calculator",
    "charge",
    "key_value_pairs",
    "data",
)
# SQLite's own messages may quote bytes of the file that are no text.
_DAMAGE = (sqlite3.Error, UnicodeError)
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)


def read_ase_db(source: Source, log: IssueLog) -> Iterator[tuple[str, Frame]]:
    """Yield (place, frame) of every row; rows that can't be used go to ``log``.

    Raises:
        FormatError: not an ASE database, or a damaged one.
        HostileInput: refused for safety.
    """
    provenance = Calculation(source_name=source.name, source_sha256=source.sha256)
    with closing(_connection(source)) as connection:
        try:
            columns = _columns(connection, source)
            names = ", ".join(c if c in columns else "NULL" for c in _COLUMNS)
            # `id` is the key of the table, so that the order costs nothing.
            rows = connection.execute(f"SELECT {names} FROM systems ORDER BY id")  # noqa: S608 -- own names only
        except _DAMAGE as error:
            raise _damaged(source, error) from error
        number = last = 0
        while True:
            number += 1
            try:
                values = rows.fetchone()
            except (*_DAMAGE, OverflowError) as error:
                log.lose(f"row {number}", f"damaged ({error})", "", "The rows before were kept.")
                return
            if values is None:
                return
            row = dict(zip(_COLUMNS, values, strict=True))
            place = f"row {row['id']}"
            # Damaged pages that point at each other could give rows without end.
            if number > 1 and row["id"] <= last:
                log.lose(place, "rows out of order", "", "The rows before were kept.")
                return
            last = row["id"]
            try:
                yield place, _frame(row, number - 1, provenance)
            except (ValueError, TypeError, InvalidInput) as error:
                log.lose(place, str(error), "", "The row was left out.")


def _connection(source: Source) -> sqlite3.Connection:
    try:
        connection = _opened(source)
        connection.text_factory = _text
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA mmap_size = 0")
        connection.setlimit(
            sqlite3.SQLITE_LIMIT_LENGTH, min(source.limits.atoms * 24 + 1024, 1 << 30)
        )
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 1 << 20)
        connection.set_authorizer(_authorize)
    except _DAMAGE as error:
        raise _damaged(source, error) from error
    return connection


def _opened(source: Source) -> sqlite3.Connection:
    with source.path.open("rb") as stream:
        is_plain = stream.read(len(MAGIC)) == MAGIC
    if is_plain:
        uri = f"{source.path.resolve().as_uri()}?mode=ro&immutable=1"
        return sqlite3.connect(uri, uri=True, check_same_thread=False)
    content = bytearray()
    for chunk in source.chunks():
        content += chunk
        if len(content) > _MOST_UNPACKED:
            raise HostileInput(
                source.name,
                f"a compressed database of more than {_MOST_UNPACKED >> 20} MiB",
                "a smaller one",
                "Send it uncompressed.",
            )
    # A database in WAL mode can't be opened from memory; without its log it is complete.
    content[18:20] = b"\1\1"
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.deserialize(content)
    return connection


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _authorize(action: int, table: str | None, column: str | None, *_: Any) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _columns(connection: sqlite3.Connection, source: Source) -> set[str]:
    """Return the columns of the table ``systems``, after making sure that it is a plain one."""
    found = connection.execute(
        "SELECT type, sql FROM sqlite_master WHERE name = 'systems' COLLATE NOCASE"
    ).fetchall()
    if len(found) != 1 or found[0][0] != "table":
        raise FormatError(
            source.name,
            "an SQLite database without a table “systems”",
            "a database written by ASE",
        )
    sql = str(found[0][1])
    if "VIRTUAL" in sql[:40].upper() or "GENERATED" in sql.upper() or " AS (" in sql.upper():
        raise HostileInput(source.name, "a table that runs code", "the plain table that ASE writes")
    version = _version(connection)
    if not 4 <= version <= _NEWEST:
        raise FormatError(
            source.name,
            f"version {version} of ASE's database",
            f"version 4 to {_NEWEST}",
            "Convert it with ase.db.convert.",
        )
    cursor = connection.execute("SELECT * FROM systems LIMIT 0")
    columns = {str(column[0]) for column in cursor.description}
    missing = {"id", "numbers", "positions", "cell", "pbc"} - columns
    if missing:
        raise FormatError(
            source.name,
            f"the table “systems” lacks {', '.join(sorted(missing))}",
            "a database written by ASE",
        )
    return columns


def _version(connection: sqlite3.Connection) -> int:
    try:
        row = connection.execute("SELECT value FROM information WHERE name = 'version'").fetchone()
        return int(row[0])
    except (sqlite3.OperationalError, TypeError, ValueError):
        return 0


def _damaged(source: Source, error: Exception) -> FormatError:
    return FormatError(
        source.name, f"a damaged SQLite database ({error})", "a database written by ASE"
    )


def _frame(row: dict[str, Any], index: int, provenance: Calculation) -> Frame:
    numbers = _array(row["numbers"], "numbers", np.int32)
    if numbers is None or not len(numbers):
        raise ValueError("no atoms")
    if numbers.min() < 1 or numbers.max() > MAXIMUM_NUMBER:
        raise ValueError("an atom without an element; expected atomic numbers 1 to 118")
    count = len(numbers)
    positions, cell = _vectors(row, "positions", count), _vectors(row, "cell", 3)
    if positions is None or cell is None:
        raise ValueError("no positions or no cell")
    forces, moments = _vectors(row, "forces", count), _array(row["magmoms"], "magmoms")
    if moments is not None and len(moments) != count:
        moments = None  # non-collinear moments of old versions
    energy, sigma0 = _energies(row)
    stress = _array(row["stress"], "stress")
    pairs, data = _json(row["key_value_pairs"]), _data(row["data"])
    bits = int(row["pbc"] or 0)
    is_labelled = energy is not None or forces is not None
    step = pairs.get("ionic_step", index)
    converged = pairs.get("scf_converged")
    return Frame(
        numbers=numbers.astype(np.uint8),
        positions=positions,
        cell=cell,
        pbc=(bool(bits & 1), bool(bits & 2), bool(bits & 4)),
        energy=energy,
        energy_sigma0=_number(pairs.get("energy_sigma0")) if sigma0 is None else sigma0,
        forces=forces,
        stress=None if stress is None else stress_matrix(stress),
        magnetic_moments=moments,
        fixed=_fixed(row["constraints"], count),
        ionic_step=int(step) if isinstance(step, (int, float)) and step >= 0 else index,
        label_source=str(pairs.get("label_source", "ab initio" if is_labelled else "none")),
        scf_converged=None if converged is None else bool(converged),
        kind=str(pairs.get("kind", data.get("kind", pairs.get("config_type", ""))))[:200],
        flags=tuple(str(pairs.get("flags", "")).split()),
        calculation=_calculation(row, data, provenance),
    )


def _energies(row: dict[str, Any]) -> tuple[float | None, float | None]:
    """ASE's energy is E0 where its free energy differs from it."""
    energy, free = _number(row["energy"]), _number(row["free_energy"])
    if free is None:
        return energy, None
    return free, energy if energy != free else None


def _calculation(row: dict[str, Any], data: dict[str, Any], provenance: Calculation) -> Calculation:
    document = data.get("calculation")
    if isinstance(document, dict):
        return calculation_from_document(document)
    code = row["calculator"] if isinstance(row["calculator"], str) else ""
    charge = _number(row["charge"]) or 0.0
    if code in ("", "unknown") and charge == 0.0:
        return provenance
    return Calculation(
        code=code[:40] or "unknown",
        charge=charge,
        source_name=provenance.source_name,
        source_sha256=provenance.source_sha256,
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _array(blob: Any, name: str, dtype: Any = np.float64) -> NDArray[Any] | None:
    if blob is None:
        return None
    if not isinstance(blob, bytes) or len(blob) % np.dtype(dtype).itemsize:
        raise ValueError(f"{name} is not an array")
    return np.frombuffer(blob, np.dtype(dtype).newbyteorder("<")).astype(dtype)


def _vectors(row: dict[str, Any], name: str, count: int) -> FloatArray | None:
    flat = _array(row[name], name)
    if flat is None:
        return None
    if flat.size != 3 * count:
        raise ValueError(f"{name} has {flat.size} values; expected {3 * count}")
    return flat.reshape(count, 3)


def _json(text: Any) -> dict[str, Any]:
    if not isinstance(text, str) or len(text) > _LONGEST_JSON:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("its key-value pairs are not JSON") from None
    return value if isinstance(value, dict) else {}


def _data(blob: Any) -> dict[str, Any]:
    """Return the JSON part of a row's data; arrays in it are left alone."""
    if not isinstance(blob, bytes) or len(blob) < 10:
        return _json(blob) if isinstance(blob, str) else {}
    offset = int(np.frombuffer(blob[:8], "<i8")[0])
    if not 8 <= offset <= len(blob):
        return {}
    return _json(blob[offset:].decode("utf-8", "replace"))


def _fixed(text: Any, count: int) -> NDArray[np.bool_] | None:
    """Return which components ASE's FixAtoms and FixCartesian hold."""
    if not isinstance(text, str) or len(text) > _LONGEST_JSON:
        return None
    try:
        constraints = json.loads(text)
    except (ValueError, RecursionError):
        return None
    mask = np.zeros((count, 3), dtype=bool)
    for constraint in constraints if isinstance(constraints, list) else []:
        _hold(mask, constraint)
    return mask if mask.any() else None


def _hold(mask: NDArray[np.bool_], constraint: Any) -> None:
    known = isinstance(constraint, dict) and constraint.get("name") in ("FixAtoms", "FixCartesian")
    details = constraint.get("kwargs") if known else None
    if not isinstance(details, dict):
        return
    indices = _plain(details.get("indices", details.get("a")))
    components = _plain(details.get("mask", [True, True, True]))
    if indices is None or components is None or components.size != 3:
        return
    inside = indices[(indices >= -len(mask)) & (indices < len(mask))].astype(np.int64)
    mask[inside] |= components.astype(bool)


def _plain(value: Any) -> NDArray[Any] | None:
    """Return the numbers of a JSON list, or of an array in ASE's JSON."""
    if isinstance(value, dict):
        packed = value.get("__ndarray__")
        value = packed[2] if isinstance(packed, list) and len(packed) == 3 else None
    try:
        array = np.atleast_1d(np.array(value, dtype=np.float64)).ravel()
    except (ValueError, TypeError):
        return None
    return array if np.isfinite(array).all() else None
