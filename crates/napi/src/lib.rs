//! The differ and the embedded store for Node. JavaScript has checked the arguments' types; here they become slices, and errors become messages that
//! start with a code.
#![deny(unsafe_op_in_unsafe_fn)]

mod direct;
mod memory;
mod store;

use holdfast_delta::{ApplyError, DiffError, SignatureError};
use memory::{Bytes, BytesList, Word, Words, apart};
use napi::bindgen_prelude::Object;
use napi::{Env, Error, Result, Status};
use napi_derive::napi;

/// Of the package that this addon belongs to: no other may use it.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// What the macros do not export.
#[napi(module_exports)]
pub fn export(exports: Object<'_>, env: Env) -> Result<()> {
    direct::export_to(&exports, env)
}

/// Words that a batch writes per entry.
const BATCH_STRIDE: usize = 3;
/// Words per content-defined chunk.
const CHUNK_STRIDE: usize = 3;

/// Turns the base into the target where it lies; how many bytes were written.
#[napi(catch_unwind)]
pub fn apply_in_place(bytes: Bytes, delta: Bytes) -> Result<u32> {
    apart(bytes.range(), &[delta.range()])?;
    // SAFETY: the two ranges come from live arrays of this call and do not overlap, and no JavaScript runs until this function
    // returns.
    let (bytes, delta) = unsafe { (bytes.write(), delta.read()) };
    let written = holdfast_delta::apply_in_place(bytes, delta).map_err(|error| apply_error(error, &error))?;
    Ok(written as u32)
}

/// Writes the base's signature to the start of `out`; its length.
#[napi(catch_unwind)]
pub fn signature_into(base: Bytes, chunk_bits: u8, out: Bytes) -> Result<u32> {
    apart(out.range(), &[base.range()])?;
    // SAFETY: as in `apply_in_place`.
    let (base, out) = unsafe { (base.read(), out.write()) };
    let length = holdfast_delta::signature_into(base, chunk_bits, out).map_err(signature_error)?;
    Ok(length as u32)
}

/// Writes a delta from the signature's base to the target to the start of `out`; its length.
#[napi(catch_unwind)]
pub fn diff_signature_into(signature: Bytes, target: Bytes, out: Bytes) -> Result<u32> {
    apart(out.range(), &[signature.range(), target.range()])?;
    // SAFETY: as in `apply_in_place`.
    let (signature, target, out) = unsafe { (signature.read(), target.read(), out.write()) };
    let length = holdfast_delta::diff_signature_into(signature, target, out).map_err(signature_error)?;
    Ok(length as u32)
}

/// Writes length and hash of each content-defined chunk; how many there are. `results` must have room for `chunks_max`.
#[napi(catch_unwind)]
pub fn chunks_into(bytes: Bytes, average_bits: u8, results: Words) -> Result<u32> {
    apart(results.range(), &[bytes.range()])?;
    // SAFETY: as in `apply_in_place`, `results` being the output.
    let (bytes, results) = unsafe { (bytes.read(), results.write()) };
    let mut count = 0;
    let chunks = holdfast_delta::chunks(bytes, average_bits);
    for (chunk, result) in chunks.zip(results.chunks_exact_mut(CHUNK_STRIDE)) {
        result[0] = (chunk.length as u32).to_ne_bytes();
        put_hash(chunk.hash, result);
        count += 1;
    }
    Ok(count)
}

/// Applies the deltas in turn and writes the last state to `out` if it fits; its length in any case.
#[napi(catch_unwind)]
pub fn apply_chain_into(base: Bytes, deltas: BytesList, limit: u32, out: Bytes) -> Result<u32> {
    apart(out.range(), &[base.range()])?;
    for delta in deltas.items() {
        apart(out.range(), &[delta.range()])?;
    }
    // SAFETY: as in `apply_in_place`.
    let (base, out) = unsafe { (base.read(), out.write()) };
    // SAFETY: as in `apply_in_place`.
    let deltas: Vec<&[u8]> = deltas.items().iter().map(|delta| unsafe { delta.read() }).collect();
    let target =
        holdfast_delta::apply_chain(base, &deltas, limit as usize).map_err(|error| apply_error(error.error, &error))?;
    if let Some(out) = out.get_mut(..target.len()) {
        out.copy_from_slice(&target);
    }
    Ok(target.len() as u32)
}

/// Hashes each value; see `Differ.hashBatch`.
#[napi(catch_unwind)]
pub fn hash_batch(values: BytesList, results: Words) -> Result<()> {
    for value in values.items() {
        apart(results.range(), &[value.range()])?;
    }
    // SAFETY: `results` overlaps no input; otherwise as in `apply_in_place`.
    let results = unsafe { results.write() };
    for (value, result) in values.items().iter().zip(results.chunks_exact_mut(BATCH_STRIDE)) {
        // SAFETY: as above.
        put_hash(holdfast_delta::hash64(unsafe { value.read() }), result);
    }
    Ok(())
}

fn put_hash(hash: u64, result: &mut [Word]) {
    result[1] = (hash as u32).to_ne_bytes();
    result[2] = ((hash >> 32) as u32).to_ne_bytes();
}

fn diff_error(error: DiffError) -> Error {
    let code = match error {
        DiffError::OutTooSmall { .. } => "ERR_LIMIT",
        DiffError::InputTooLong { .. } => "ERR_INVALID",
    };
    Error::new(Status::GenericFailure, format!("{code}: {error}"))
}

fn signature_error(error: SignatureError) -> Error {
    let code = match error {
        SignatureError::OutTooSmall { .. } => "ERR_LIMIT",
        SignatureError::InputTooLong { .. } => "ERR_INVALID",
        _ => "ERR_CORRUPT",
    };
    Error::new(Status::GenericFailure, format!("{code}: {error}"))
}

fn apply_error(error: ApplyError, message: &dyn std::fmt::Display) -> Error {
    let code = match error {
        ApplyError::OverLimit { .. } | ApplyError::OutTooSmall { .. } => "ERR_LIMIT",
        ApplyError::NotInPlace { .. } => "ERR_INVALID",
        _ => "ERR_CORRUPT",
    };
    Error::new(Status::GenericFailure, format!("{code}: {message}"))
}

fn graph_error(error: holdfast_graph::ApplyError) -> Error {
    match error {
        holdfast_graph::ApplyError::Binary(inner) => apply_error(inner, &inner),
        holdfast_graph::ApplyError::OverLimit { .. } => {
            Error::new(Status::GenericFailure, format!("ERR_LIMIT: {error}"))
        }
        _ => Error::new(Status::GenericFailure, format!("ERR_CORRUPT: {error}")),
    }
}
