"""What compiled code needs of the processor: ordered loads and stores, flush-to-zero, a clock, addresses.

Numba has no atomics for the processor, so these few instructions are named to LLVM. A plain move does on
x86-64; on ARM they become `ldar` and `stlr`.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import from_dtype
from numpy.typing import NDArray

_ALIGNED = 8
CACHE_LINES = 128
"""Bytes of a pair of cache lines."""
_X86 = platform.machine().lower() in ("x86_64", "amd64")
_ARM = platform.machine().lower() in ("aarch64", "arm64")
_MXCSR_FTZ_DAZ = 0x8040
_FPCR_FZ = 1 << 24
CLOCK_MONOTONIC = 6 if platform.system() == "Darwin" else 1

_clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.voidptr))
_nanosleep = types.ExternalFunction("nanosleep", types.int32(types.voidptr, types.voidptr))


inner = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""A function that only compiled code calls: it is compiled, and kept, with what calls it.

It has no way in from Python: `outer` gives one.
"""


inlined = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, inline="always")
"""An inner function with a single caller, which becomes a part of it before either is compiled.

For the largest ones: what each calls would else be compiled and made faster once more for every caller above.
"""


def outer(function: Any) -> Any:
    """An inner function with a way in from Python, for tests and measurements."""
    return njit(nogil=True)(function.py_func)


def _item(context, builder, array_type, array, index):
    """The address of `array[index]`."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


Layout: TypeAlias = Mapping[str, tuple[Any, tuple[int | None, ...]]]
"""Data type and shape of arrays, by their names. A length that is `None` is known when they are allocated."""


def record(integers: str, floats: str = "", *others: Any, doubles: str = "") -> np.dtype[Any]:
    """A record of int64, float32 and float64 fields, by their names, and of others as NumPy has them."""
    kinds = ((np.int64, integers), (np.float32, floats), (np.float64, doubles))
    fields = [(name, kind) for kind, names in kinds for name in names.split()]
    return np.dtype([*fields, *others], align=True)


def zeros(layout: Layout, length: int = 0) -> dict[str, NDArray[Any]]:
    """The arrays of a layout, empty, each at the start of a pair of cache lines.

    `length`: where the layout has `None`.
    """
    arrays = {}
    for name, (dtype, shape) in layout.items():
        lengths = [length if each is None else each for each in shape]
        size = math.prod(lengths) * np.dtype(dtype).itemsize
        raw = np.zeros(size + CACHE_LINES, np.uint8)
        skip = -raw.ctypes.data % CACHE_LINES
        arrays[name] = raw[skip : skip + size].view(dtype).reshape(lengths)
    return arrays


def views(record: Any, layout: Layout) -> Any:
    """Compiled code that gives the named tuple `record` of arrays, by addresses from a place of an array on.

    The length that is `None` in `layout` stands behind the addresses.
    """
    kinds = [types.Array(from_dtype(np.dtype(dtype)), len(shape), "C") for dtype, shape in layout.values()]
    whole = types.BaseTuple.from_types(kinds, record)

    @intrinsic
    def arrays_at(typingctx, at, first):
        signature = whole(at, types.int64)

        def codegen(context, builder, signature, args):
            def number(place):
                index = builder.add(args[1], context.get_constant(types.int64, place))
                return builder.load(_item(context, builder, signature.args[0], args[0], index))

            arrays = []
            for place, (kind, (_, shape)) in enumerate(zip(kinds, layout.values(), strict=True)):
                array = context.make_array(kind)(context, builder)
                lengths = [
                    number(len(layout)) if each is None else context.get_constant(types.intp, each)
                    for each in shape
                ]
                item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
                strides = [context.get_constant(types.intp, item)]
                for length in lengths[:0:-1]:
                    strides.insert(0, builder.mul(strides[0], length))
                data = builder.inttoptr(number(place), context.get_data_type(kind.dtype).as_pointer())
                populate_array(array, data, lengths, strides, item, None)
                arrays.append(array._getvalue())
            return context.make_tuple(builder, signature.return_type, arrays)

        return signature, codegen

    return arrays_at


@intrinsic
def load_acquire(typingctx, array, index):
    """`array[index]`, int64; nothing that is read after it is read before it."""
    signature = types.int64(array, types.int64)

    def codegen(context, builder, signature, args):
        pointer = _item(context, builder, signature.args[0], args[0], args[1])
        return builder.load_atomic(pointer, "acquire", _ALIGNED)

    return signature, codegen


@intrinsic
def store_release(typingctx, array, index, value):
    """`array[index] = value`, int64; what was written before it is there for whoever reads it."""
    signature = types.void(array, types.int64, types.int64)

    def codegen(context, builder, signature, args):
        pointer = _item(context, builder, signature.args[0], args[0], args[1])
        builder.store_atomic(args[2], pointer, "release", _ALIGNED)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def fence(typingctx):
    """What was written before it is seen by others before anything is read after it."""
    signature = types.void()

    def codegen(context, builder, signature, args):
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return signature, codegen


def _pointer_to(kind):
    @intrinsic
    def cast(typingctx, address):
        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return kind(types.int64), codegen

    return cast


float_pointer = _pointer_to(types.CPointer(types.float32))
"""An address, int64, as a pointer to float32."""
pointer = _pointer_to(types.voidptr)
"""An address, int64, as a `void *`."""


@intrinsic
def call(typingctx, function, first, second, third):
    """Call the compiled function at an address: int64 (int64, int64, int64)."""
    signature = types.int64(types.int64, types.int64, types.int64, types.int64)

    def codegen(context, builder, signature, args):
        wide = ir.IntType(64)
        kind = ir.FunctionType(wide, [wide, wide, wide]).as_pointer()
        return builder.call(builder.inttoptr(args[0], kind), list(args[1:]))

    return signature, codegen


@intrinsic
def prefetch(typingctx, address):
    """Ask for the cache line at an address, int64, which need not be a valid one."""
    signature = types.void(types.int64)

    def codegen(context, builder, signature, args):
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        read, keep, data = 0, 3, 1
        hints = [ir.Constant(word, each) for each in (read, keep, data)]
        builder.call(function, [builder.inttoptr(args[0], byte), *hints])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _control_word(typingctx):
    """The processor's floating-point control word."""
    signature = types.int64()

    def codegen(context, builder, signature, args):
        wide = ir.IntType(64)
        if _X86:
            word = cgutils.alloca_once(builder, ir.IntType(32))
            _call_x86(builder, "llvm.x86.sse.stmxcsr", word)
            return builder.zext(builder.load(word), wide)
        if _ARM:
            get = builder.module.declare_intrinsic("llvm.aarch64.get.fpcr", (), ir.FunctionType(wide, []))
            return builder.call(get, [])
        return ir.Constant(wide, 0)

    return signature, codegen


@intrinsic
def set_mode(typingctx, value):
    """Set the floating-point control word, such as to the one that `flush_to_zero` gave."""
    signature = types.void(types.int64)

    def codegen(context, builder, signature, args):
        if _X86:
            word = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(builder.trunc(args[0], ir.IntType(32)), word)
            _call_x86(builder, "llvm.x86.sse.ldmxcsr", word)
        elif _ARM:
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)])
            builder.call(builder.module.declare_intrinsic("llvm.aarch64.set.fpcr", (), kind), [args[0]])
        return context.get_dummy_value()

    return signature, codegen


def _call_x86(builder, name, word):
    byte = ir.IntType(8).as_pointer()
    function = builder.module.declare_intrinsic(name, (), ir.FunctionType(ir.VoidType(), [byte]))
    builder.call(function, [builder.bitcast(word, byte)])


@inner
def flush_to_zero():
    """Have denormal numbers count as zero on this thread; gives the control word of before.

    Arithmetic with denormals is some twenty times slower, and a sound that fades away is made of them.
    """
    before = _control_word()
    set_mode(before | (_MXCSR_FTZ_DAZ if _X86 else _FPCR_FZ))
    return before


@inner
def monotonic_ns(scratch):
    """The monotonic clock in ns. `scratch`: int64 (2,), a `timespec`."""
    _clock_gettime(CLOCK_MONOTONIC, pointer(scratch.ctypes.data))
    return scratch[0] * 1_000_000_000 + scratch[1]


@inner
def sleep_ns(scratch, nanoseconds):
    """Let other threads run for a while. `scratch`: int64 (2,), a `timespec`."""
    scratch[0] = nanoseconds // 1_000_000_000
    scratch[1] = nanoseconds % 1_000_000_000
    address = pointer(scratch.ctypes.data)
    _nanosleep(address, pointer(0))
