//! The calls of hot paths as plain Node-API callbacks: napi-rs's own take 70 of 170 ns for a scope that nothing here needs.
//! JavaScript has checked the arguments' types.

use core::ffi::{CStr, c_char};
use core::ptr;
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::memory::{Bytes, BytesList, OptionalBytesList, Words, apart};
use crate::{BATCH_STRIDE, apply_error, diff_error, graph_error, put_hash};
use holdfast_delta::ApplyError;
use holdfast_graph::ApplyError as GraphError;
use napi::bindgen_prelude::{FromNapiValue, JsValue, Object};
use napi::{Env, Error, Result, Status, sys};

type Callback = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

const FUNCTIONS: [(&CStr, Callback); 5] = [
    (c"diffInto", diff_into),
    (c"diffBatch", diff_batch),
    (c"applyInto", apply_into),
    (c"graphDiffInto", graph_diff_into),
    (c"graphApplyInto", graph_apply_into),
];

/// What the graph differ says of bytes that JavaScript has to look at: neither a delta nor a value has no bytes.
const FOREIGN: usize = 0;

/// Adds the functions to what the addon exports.
pub fn export_to(exports: &Object<'_>, env: Env) -> Result<()> {
    for (name, callback) in FUNCTIONS {
        let (name, length) = (name.as_ptr(), name.count_bytes() as isize);
        let mut function = ptr::null_mut();
        // SAFETY: `env` and `exports` are valid while the module is registered; the name outlives the call.
        let status = unsafe {
            sys::napi_create_function(env.raw(), name, length, Some(callback), ptr::null_mut(), &mut function)
        };
        // SAFETY: as above, and `function` was made by the call before if that succeeded.
        let is_set = status == sys::Status::napi_ok
            && unsafe { sys::napi_set_named_property(env.raw(), exports.raw(), name, function) }
                == sys::Status::napi_ok;
        if !is_set {
            return Err(Error::new(Status::GenericFailure, "a function cannot be exported"));
        }
    }
    Ok(())
}

/// Writes a delta (base, target, out) to the start of `out`; its length.
unsafe extern "C" fn diff_into(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let run = || {
        // SAFETY: Node calls with a live environment and the call's own info.
        let [base, target, out] = unsafe { arguments(env, info)? };
        // SAFETY: as above.
        let [base, target, out] = unsafe { [from::<Bytes>(env, base)?, from(env, target)?, from(env, out)?] };
        apart(out.range(), &[base.range(), target.range()])?;
        // SAFETY: the three ranges come from live arrays of this call, `out` overlaps neither input, and no JavaScript runs until
        // this function returns.
        let (base, target, out) = unsafe { (base.read(), target.read(), out.write()) };
        holdfast_delta::diff_into(base, target, out).map_err(diff_error)
    };
    // SAFETY: as above.
    unsafe { answer(env, run) }
}

/// Diffs each base against its target (bases, targets, out, results); see `Differ.diffBatch`.
unsafe extern "C" fn diff_batch(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let run = || {
        // SAFETY: as in `diff_into`.
        let [bases, targets, out, results] = unsafe { arguments(env, info)? };
        // SAFETY: as in `diff_into`.
        let (bases, targets) = unsafe { (from::<OptionalBytesList>(env, bases)?, from::<BytesList>(env, targets)?) };
        // SAFETY: as in `diff_into`.
        let (out, results) = unsafe { (from::<Bytes>(env, out)?, from::<Words>(env, results)?) };
        diff_all(&bases, &targets, out, results)
    };
    // SAFETY: as in `diff_into`.
    unsafe { answer(env, run) }
}

fn diff_all(bases: &OptionalBytesList, targets: &BytesList, out: Bytes, results: Words) -> Result<usize> {
    apart(out.range(), &[results.range()])?;
    for input in bases.items().iter().flatten().chain(targets.items()) {
        apart(out.range(), &[input.range()])?;
        apart(results.range(), &[input.range()])?;
    }
    // SAFETY: `out` and `results` overlap neither each other nor any input; otherwise as in `diff_into`.
    let (out, results) = unsafe { (out.write(), results.write()) };
    let mut at = 0;
    let pairs = bases.items().iter().zip(targets.items());
    for ((base, target), result) in pairs.zip(results.chunks_exact_mut(BATCH_STRIDE)) {
        // SAFETY: as above.
        let target = unsafe { target.read() };
        result[0] = 0u32.to_ne_bytes();
        if let Some(base) = base {
            // SAFETY: as above.
            let base = unsafe { base.read() };
            let length = holdfast_delta::diff_into(base, target, &mut out[at..]).map_err(diff_error)?;
            if out[at] == holdfast_delta::format::SAME {
                continue;
            }
            result[0] = (length as u32).to_ne_bytes();
            at += length;
        }
        put_hash(holdfast_delta::hash64(target), result);
    }
    Ok(at)
}

/// Writes a graph delta (base, target, out) to `out` if it fits; its length in any case, or `FOREIGN`.
unsafe extern "C" fn graph_diff_into(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let run = || {
        // SAFETY: as in `diff_into`.
        let [base, target, out] = unsafe { arguments(env, info)? };
        // SAFETY: as in `diff_into`.
        let [base, target, out] = unsafe { [from::<Bytes>(env, base)?, from(env, target)?, from(env, out)?] };
        apart(out.range(), &[base.range(), target.range()])?;
        // SAFETY: as in `diff_into`.
        let (base, target, out) = unsafe { (base.read(), target.read(), out.write()) };
        let Ok(delta) = holdfast_graph::diff(base, target) else { return Ok(FOREIGN) };
        if let Some(out) = out.get_mut(..delta.len()) {
            out.copy_from_slice(&delta);
        }
        Ok(delta.len())
    };
    // SAFETY: as in `diff_into`.
    unsafe { answer(env, run) }
}

/// Writes the target (base, graph delta, limit, out) to `out` if it fits; its length in any case, or `FOREIGN`.
unsafe extern "C" fn graph_apply_into(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let run = || {
        // SAFETY: as in `diff_into`.
        let Inputs { base, delta, limit, out } = unsafe { inputs(env, info)? };
        match holdfast_graph::apply(base, delta, limit) {
            Err(GraphError::Foreign) => Ok(FOREIGN),
            Err(error) => Err(graph_error(error)),
            Ok(target) => {
                let length = target.length();
                if let Some(out) = out.get_mut(..length) {
                    target.write(out);
                }
                Ok(length)
            }
        }
    };
    // SAFETY: as in `diff_into`.
    unsafe { answer(env, run) }
}

/// Writes the target (base, delta, limit, out) to `out` if it fits; its length in any case.
unsafe extern "C" fn apply_into(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let run = || {
        // SAFETY: as in `diff_into`.
        let Inputs { base, delta, limit, out } = unsafe { inputs(env, info)? };
        match holdfast_delta::apply_into(base, delta, limit, out) {
            Err(ApplyError::OutTooSmall { needed }) => Ok(needed),
            made => made.map_err(|error| apply_error(error, &error)),
        }
    };
    // SAFETY: as in `diff_into`.
    unsafe { answer(env, run) }
}

/// What both ways to apply a delta are given.
struct Inputs<'a> {
    base: &'a [u8],
    delta: &'a [u8],
    limit: usize,
    out: &'a mut [u8],
}

/// # Safety
/// As `arguments`; the slices live as long as the call.
unsafe fn inputs<'a>(env: sys::napi_env, info: sys::napi_callback_info) -> Result<Inputs<'a>> {
    // SAFETY: the caller vouches for `env` and `info`.
    let [base, delta, limit, out] = unsafe { arguments(env, info)? };
    let mut longest = 0;
    // SAFETY: as above.
    if unsafe { sys::napi_get_value_uint32(env, limit, &mut longest) } != sys::Status::napi_ok {
        return Err(Error::new(Status::GenericFailure, "ERR_INVALID: the limit is not a number"));
    }
    // SAFETY: as above.
    let [base, delta, out] = unsafe { [from::<Bytes>(env, base)?, from(env, delta)?, from(env, out)?] };
    apart(out.range(), &[base.range(), delta.range()])?;
    // SAFETY: as in `diff_into`.
    let (base, delta, out) = unsafe { (base.read(), delta.read(), out.write()) };
    Ok(Inputs { base, delta, limit: longest as usize, out })
}

/// # Safety
/// Within the call that `env` and `info` belong to.
unsafe fn arguments<const N: usize>(env: sys::napi_env, info: sys::napi_callback_info) -> Result<[sys::napi_value; N]> {
    let (mut values, mut count) = ([ptr::null_mut(); N], N);
    // SAFETY: there is room for `count` values, and null skips what is not wanted.
    let status =
        unsafe { sys::napi_get_cb_info(env, info, &mut count, values.as_mut_ptr(), ptr::null_mut(), ptr::null_mut()) };
    if status != sys::Status::napi_ok || count < N {
        return Err(Error::new(Status::GenericFailure, "ERR_INVALID: an argument is missing"));
    }
    Ok(values)
}

/// # Safety
/// As `arguments`.
unsafe fn from<T: FromNapiValue>(env: sys::napi_env, value: sys::napi_value) -> Result<T> {
    // SAFETY: the caller vouches for both.
    unsafe { T::from_napi_value(env, value) }
}

/// The number, or null with an error thrown in JavaScript; a panic becomes one as well.
///
/// # Safety
/// As `arguments`.
unsafe fn answer(env: sys::napi_env, run: impl FnOnce() -> Result<usize>) -> sys::napi_value {
    let message = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(number)) => {
            let mut value = ptr::null_mut();
            // SAFETY: the caller vouches for `env`; a failure leaves null, which is undefined to JavaScript.
            unsafe { sys::napi_create_uint32(env, number as u32, &mut value) };
            return value;
        }
        Ok(Err(error)) => error.reason.to_string(),
        Err(_) => "the differ panicked".to_owned(),
    };
    let message = CString::new(message).unwrap_or_default();
    let code: *const c_char = ptr::null();
    // SAFETY: the caller vouches for `env`, and the message outlives the call, which copies it.
    unsafe { sys::napi_throw_error(env, code, message.as_ptr()) };
    ptr::null_mut()
}
