"""Eight numbers at once, for kernels whose loops a compiler doesn't vectorise well.

Loops over rows of twenty to a hundred numbers in many arrays spend most of their time in checks
whether arrays overlap and in the numbers left over at the end. Here a kernel says itself what
happens to eight neighbouring numbers; compilers turn that into the widest instructions of the
processor, or into several narrower ones. Arrays need seven more elements than are used.

`keep8` writes those of eight numbers that a mask names, one after another, and `spread8` reads
such numbers back to where they were: one instruction each with AVX-512, eight moves without.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, cast

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import (
    intrinsic,
    lower_builtin,
    models,
    register_model,
)
from numpy.typing import NDArray

from mlmd.compiled import inline_kernel
from mlmd.frame import FloatArray

SmallIndexArray = NDArray[np.int32]

LANES = 8
_DOUBLE = ir.DoubleType()
_EIGHT = ir.VectorType(_DOUBLE, LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)
_BYTE = ir.IntType(8)
_WHOLE = ir.IntType(64)
_EIGHT_SMALL = ir.VectorType(ir.IntType(32), LANES)
# 1.5·2^52: added to a small whole number, its low mantissa bits are that number.
_WHOLE_NUMBER = 6755399441055744.0
# Sums may be reordered and products fused, as in all kernels.
_FAST = ("fast",)


class Vector(types.Type):
    """Numba's name for eight floats in registers."""

    def __init__(self) -> None:
        super().__init__(name="float64x8")


VECTOR = Vector()


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _EIGHT)  # type: ignore[no-untyped-call]


def _arithmetic(function: Callable[..., Any], instruction: str) -> None:
    @infer_global(function)  # type: ignore[no-untyped-call]
    class _Typing(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if tuple(args) == (VECTOR, VECTOR):
                return signature(VECTOR, VECTOR, VECTOR)  # type: ignore[no-untyped-call]
            return None

    @lower_builtin(function, Vector, Vector)  # type: ignore[no-untyped-call,untyped-decorator]
    def _build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args, flags=_FAST)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.iadd, "fadd"),
    (operator.isub, "fsub"),
    (operator.imul, "fmul"),
):
    _arithmetic(_function, _instruction)


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any, target: Any) -> Any:
    """Return a pointer to ``target`` at an element of an array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), target.as_pointer())


def _called(builder: Any, name: str, result: Any, arguments: list[Any], fast: bool = False) -> Any:
    kind = ir.FunctionType(result, [a.type for a in arguments])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, arguments, fastmath=_FAST if fast else ())


def _as_mask(builder: Any, whole: Any) -> Any:
    return builder.bitcast(builder.trunc(whole, _BYTE), _MASK)


def _load8(_typing: Any, array: Any, index: Any) -> Any:
    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _address(context, builder, sig.args[0], args[0], args[1], _EIGHT)
        return builder.load(place, align=8)

    return VECTOR(array, types.int64), build


def _store8(_typing: Any, array: Any, index: Any, value: Any) -> Any:
    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _address(context, builder, sig.args[0], args[0], args[1], _EIGHT)
        builder.store(args[2], place, align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, VECTOR), build


def _same8(_typing: Any, value: Any) -> Any:
    def build(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        one = builder.insert_element(ir.Constant(_EIGHT, ir.Undefined), args[0], ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(one, one, zeros)

    return VECTOR(types.float64), build


def _sum8(_typing: Any, value: Any) -> Any:
    def build(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        return _called(
            builder,
            "llvm.vector.reduce.fadd.v8f64",
            _DOUBLE,
            [ir.Constant(_DOUBLE, -0.0), args[0]],
            fast=True,
        )

    return types.float64(VECTOR), build


def _below8(_typing: Any, value: Any, limit: Any) -> Any:
    def build(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        lanes = builder.fcmp_ordered("<", args[0], args[1])
        return builder.zext(builder.bitcast(lanes, _BYTE), _WHOLE)

    return types.int64(VECTOR, VECTOR), build


def _count8(_typing: Any, mask: Any) -> Any:
    def build(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.int64), build


def _packs_at_once() -> bool:
    """Return whether the processor that is compiled for packs lanes in one instruction."""
    # Numba's variables of the environment; its stubs don't know them.
    chosen = cast(Any, config)
    if chosen.CPU_FEATURES is not None:
        return "+avx512f" in chosen.CPU_FEATURES
    if chosen.CPU_NAME not in (None, "", "host"):
        return False
    try:
        return bool(llvm.get_host_cpu_features().get("avx512f", False))
    except RuntimeError:  # LLVM doesn't know what this processor can do
        return False


def _places(builder: Any, place: Any, mask: Any) -> list[Any]:
    """Return where each lane stands once lanes that a mask leaves out are gone."""
    return [
        builder.gep(place, [builder.ctpop(builder.and_(mask, _WHOLE((1 << lane) - 1)))])
        for lane in range(LANES)
    ]


def _store_packed(builder: Any, value: Any, mask: Any, place: Any) -> None:
    # One after another: what isn't kept is overwritten by the next lane that is.
    for lane, target in enumerate(_places(builder, place, mask)):
        builder.store(builder.extract_element(value, ir.IntType(32)(lane)), target)


def _keep8(_typing: Any, mask: Any, value: Any, array: Any, index: Any) -> Any:
    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if not _packs_at_once():
            place = _address(context, builder, sig.args[2], args[2], args[3], _DOUBLE)
            _store_packed(builder, args[1], args[0], place)
            return context.get_dummy_value()
        packed = _called(
            builder,
            "llvm.experimental.vector.compress.v8f64",
            _EIGHT,
            [args[1], _as_mask(builder, args[0]), ir.Constant(_EIGHT, ir.Undefined)],
        )
        place = _address(context, builder, sig.args[2], args[2], args[3], _EIGHT)
        builder.store(packed, place, align=8)
        return context.get_dummy_value()

    return types.void(types.int64, VECTOR, array, types.int64), build


def _only8(_typing: Any, mask: Any, value: Any) -> Any:
    def build(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        nothing = ir.Constant(_EIGHT, [0.0] * LANES)
        return builder.select(_as_mask(builder, args[0]), args[1], nothing)

    return VECTOR(types.int64, VECTOR), build


def _larger8(_typing: Any, one: Any, other: Any) -> Any:
    def build(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return VECTOR(VECTOR, VECTOR), build


def _floor8(_typing: Any, value: Any) -> Any:
    def build(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        return _called(builder, "llvm.floor.v8f64", _EIGHT, [args[0]])

    return VECTOR(VECTOR), build


def _two_to8(_typing: Any, whole: Any) -> Any:
    def build(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        # The low bits of a whole number plus 1.5·2^52 are that number.
        wholes = ir.VectorType(_WHOLE, LANES)
        magic = ir.Constant(_EIGHT, [_WHOLE_NUMBER] * LANES)
        bits = builder.bitcast(builder.fadd(args[0], magic), wholes)
        bits = builder.add(bits, ir.Constant(wholes, [1023] * LANES))
        return builder.bitcast(builder.shl(bits, ir.Constant(wholes, [52] * LANES)), _EIGHT)

    return VECTOR(VECTOR), build


def _copy8(_typing: Any, mask: Any, source: Any, at: Any, target: Any, index: Any) -> Any:
    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _address(context, builder, sig.args[1], args[1], args[2], _EIGHT_SMALL)
        value = builder.load(place, align=4)
        if not _packs_at_once():
            place = _address(context, builder, sig.args[3], args[3], args[4], ir.IntType(32))
            _store_packed(builder, value, args[0], place)
            return context.get_dummy_value()
        packed = _called(
            builder,
            "llvm.experimental.vector.compress.v8i32",
            _EIGHT_SMALL,
            [value, _as_mask(builder, args[0]), ir.Constant(_EIGHT_SMALL, ir.Undefined)],
        )
        place = _address(context, builder, sig.args[3], args[3], args[4], _EIGHT_SMALL)
        builder.store(packed, place, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, source, types.int64, target, types.int64), build


def _square8(_typing: Any, x: Any, y: Any, z: Any) -> Any:
    def build(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        x, y, z = (builder.fmul(a, a) for a in args)
        return builder.fadd(builder.fadd(x, y), z)

    return VECTOR(VECTOR, VECTOR, VECTOR), build


def _spread8(_typing: Any, mask: Any, array: Any, index: Any) -> Any:
    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _address(context, builder, sig.args[1], args[1], args[2], _DOUBLE)
        if not _packs_at_once():
            value = ir.Constant(_EIGHT, ir.Undefined)
            for lane, source in enumerate(_places(builder, place, args[0])):
                value = builder.insert_element(value, builder.load(source), ir.IntType(32)(lane))
            nothing = ir.Constant(_EIGHT, [0.0] * LANES)
            return builder.select(_as_mask(builder, args[0]), value, nothing)
        return _called(
            builder,
            "llvm.masked.expandload.v8f64",
            _EIGHT,
            [place, _as_mask(builder, args[0]), ir.Constant(_EIGHT, [0.0] * LANES)],
        )

    return VECTOR(types.int64, array, types.int64), build


# What eight numbers are to a checker of types.
class Eight:
    """Eight floats; exists in compiled code only."""

    def __add__(self, other: Eight) -> Eight:
        raise NotImplementedError

    def __sub__(self, other: Eight) -> Eight:
        raise NotImplementedError

    def __mul__(self, other: Eight) -> Eight:
        raise NotImplementedError


load8 = cast(Callable[[FloatArray, int], Eight], intrinsic(_load8))
store8 = cast(Callable[[FloatArray, int, Eight], None], intrinsic(_store8))
same8 = cast(Callable[[float], Eight], intrinsic(_same8))
sum8 = cast(Callable[[Eight], float], intrinsic(_sum8))
below8 = cast(Callable[[Eight, Eight], int], intrinsic(_below8))
count8 = cast(Callable[[int], int], intrinsic(_count8))
keep8 = cast(Callable[[int, Eight, FloatArray, int], None], intrinsic(_keep8))
only8 = cast(Callable[[int, Eight], Eight], intrinsic(_only8))
larger8 = cast(Callable[[Eight, Eight], Eight], intrinsic(_larger8))
floor8 = cast(Callable[[Eight], Eight], intrinsic(_floor8))
two_to8 = cast(Callable[[Eight], Eight], intrinsic(_two_to8))
# From an array of whole numbers to another, as `keep8` does it.
copy8 = cast(Callable[[int, SmallIndexArray, int, SmallIndexArray, int], None], intrinsic(_copy8))
# x² + y² + z², not fused or reordered: the same wherever it is computed.
square8 = cast(Callable[[Eight, Eight, Eight], Eight], intrinsic(_square8))
spread8 = cast(Callable[[int, FloatArray, int], Eight], intrinsic(_spread8))


@inline_kernel
def lanes8(count: int) -> int:
    """Return the mask of the first ``count`` of eight numbers; all where there are more."""
    return 255 >> max(LANES - count, 0)
