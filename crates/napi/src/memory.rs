//! Typed arrays of the calling JavaScript as addresses, which become slices only after they are known not to overlap.

use core::ops::Range;
use core::ptr;
use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{Error, Result, Status, ValueType, sys};

/// An address range; a detached or empty array has none.
#[derive(Clone, Copy)]
struct Region {
    start: *mut u8,
    length: usize,
}

impl Region {
    fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.length
    }
}

/// A `Uint8Array` (or `Buffer`).
#[derive(Clone, Copy)]
pub struct Bytes(Region);

impl Bytes {
    pub fn range(self) -> Range<usize> {
        self.0.range()
    }

    /// # Safety
    /// Only within the call that received the array, with nothing writing to its memory meanwhile.
    pub unsafe fn read<'a>(self) -> &'a [u8] {
        if self.0.length == 0 {
            return &[];
        }
        // SAFETY: the region was reported by Node for a live array, which the call's arguments keep alive.
        unsafe { core::slice::from_raw_parts(self.0.start, self.0.length) }
    }

    /// # Safety
    /// As `read`, and no other slice overlaps it.
    pub unsafe fn write<'a>(self) -> &'a mut [u8] {
        if self.0.length == 0 {
            return &mut [];
        }
        // SAFETY: as in `read`.
        unsafe { core::slice::from_raw_parts_mut(self.0.start, self.0.length) }
    }
}

/// Four bytes of a `Uint32Array`, in the machine's order. Memory that is not JavaScript's own may begin at any address: a `u32`
/// there would have to be aligned.
pub type Word = [u8; 4];
const _: () = assert!(align_of::<Word>() == 1);

/// A `Uint32Array`.
#[derive(Clone, Copy)]
pub struct Words(Region);

impl Words {
    pub fn range(self) -> Range<usize> {
        self.0.range()
    }

    /// # Safety
    /// As `Bytes::write`.
    pub unsafe fn write<'a>(self) -> &'a mut [Word] {
        if self.0.length == 0 {
            return &mut [];
        }
        // SAFETY: as in `Bytes::read`; a `Word` may lie anywhere.
        unsafe { core::slice::from_raw_parts_mut(self.0.start.cast(), self.0.length / 4) }
    }
}

/// An array of `Uint8Array`.
pub struct BytesList(Vec<Bytes>);

impl BytesList {
    pub fn items(&self) -> &[Bytes] {
        &self.0
    }
}

/// An array of `Uint8Array | undefined`.
pub struct OptionalBytesList(Vec<Option<Bytes>>);

impl OptionalBytesList {
    pub fn items(&self) -> &[Option<Bytes>] {
        &self.0
    }
}

/// Refuses an output that shares memory with one of the inputs.
pub fn apart(out: Range<usize>, inputs: &[Range<usize>]) -> Result<()> {
    let overlaps = |input: &Range<usize>| out.start < input.end && input.start < out.end;
    if inputs.iter().any(overlaps) {
        return Err(invalid("the output overlaps an input: pass memory of its own"));
    }
    Ok(())
}

fn invalid(message: &str) -> Error {
    Error::new(Status::GenericFailure, format!("ERR_INVALID: {message}"))
}

unsafe fn region(env: sys::napi_env, value: sys::napi_value, kind: sys::napi_typedarray_type) -> Result<Region> {
    let (mut found, mut length, mut start, mut memory) = (0, 0, ptr::null_mut(), ptr::null_mut());
    // SAFETY: `env` and `value` are valid for this call; null skips what is not wanted.
    let status = unsafe {
        sys::napi_get_typedarray_info(env, value, &mut found, &mut length, &mut start, &mut memory, ptr::null_mut())
    };
    if status != sys::Status::napi_ok || found != kind {
        return Err(invalid("an argument is not the typed array that it should be"));
    }
    let mut is_ours = false;
    // SAFETY: as above, and `memory` was found by the call before.
    let status = unsafe { sys::napi_is_arraybuffer(env, memory, &mut is_ours) };
    if status != sys::Status::napi_ok || !is_ours {
        return Err(invalid("an argument is memory that other threads may write to: pass a copy of it"));
    }
    if start.is_null() || length == 0 {
        return Ok(Region { start: ptr::null_mut(), length: 0 });
    }
    let width = if kind == sys::TypedarrayType::uint32_array { 4 } else { 1 };
    Ok(Region { start: start.cast(), length: length * width })
}

unsafe fn list<T>(
    env: sys::napi_env,
    value: sys::napi_value,
    read: impl Fn(sys::napi_value) -> Result<T>,
) -> Result<Vec<T>> {
    let mut length = 0;
    // SAFETY: `env` and `value` are valid for this call.
    if unsafe { sys::napi_get_array_length(env, value, &mut length) } != sys::Status::napi_ok {
        return Err(invalid("an argument is not an array"));
    }
    let mut items = Vec::with_capacity(length as usize);
    for index in 0..length {
        let mut item = ptr::null_mut();
        // SAFETY: `value` is an array of at least `index + 1` elements.
        if unsafe { sys::napi_get_element(env, value, index, &mut item) } != sys::Status::napi_ok {
            return Err(invalid("an element cannot be read"));
        }
        items.push(read(item)?);
    }
    Ok(items)
}

impl FromNapiValue for Bytes {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: the caller vouches for `env` and `value`.
        unsafe { region(env, value, sys::TypedarrayType::uint8_array) }.map(Bytes)
    }
}

impl FromNapiValue for Words {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: the caller vouches for `env` and `value`.
        unsafe { region(env, value, sys::TypedarrayType::uint32_array) }.map(Words)
    }
}

impl FromNapiValue for BytesList {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: the caller vouches for `env` and `value`, and elements are read within the call.
        unsafe { list(env, value, |item| Bytes::from_napi_value(env, item)) }.map(BytesList)
    }
}

impl FromNapiValue for OptionalBytesList {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let read = |item| {
            let mut kind = 0;
            // SAFETY: `env` and `item` are valid within the call.
            let status = unsafe { sys::napi_typeof(env, item, &mut kind) };
            if status == sys::Status::napi_ok && kind == sys::ValueType::napi_undefined {
                return Ok(None);
            }
            // SAFETY: as above.
            unsafe { Bytes::from_napi_value(env, item) }.map(Some)
        };
        // SAFETY: the caller vouches for `env` and `value`.
        unsafe { list(env, value, read) }.map(OptionalBytesList)
    }
}

macro_rules! named {
    ($($name:ident $js:literal)*) => {$(
        impl TypeName for $name {
            fn type_name() -> &'static str {
                $js
            }
            fn value_type() -> ValueType {
                ValueType::Object
            }
        }
        impl ValidateNapiValue for $name {}
    )*};
}

named! { Bytes "Uint8Array" Words "Uint32Array" BytesList "Uint8Array[]" }
