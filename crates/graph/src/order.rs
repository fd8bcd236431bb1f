//! Permutations of places: for each place of the result the one that it comes from.

use crate::error::ApplyError;
use crate::format::{ORDER_PACKED, ORDER_RUNS};
use crate::reader::{Reader, number_length, put_number};

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// The two numbers of each run of places that follow each other, one way or the other: its start, seen from the end of the run
/// before, and its length and direction.
fn runs_of(order: &[u32]) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut expected = 0;
    let mut at = 0;
    while at < order.len() {
        let first = i64::from(order[at]);
        let is_down = order.get(at + 1).is_some_and(|&next| i64::from(next) == first - 1);
        let step = if is_down { -1 } else { 1 };
        let follow = order[at..].windows(2).take_while(|pair| i64::from(pair[1]) == i64::from(pair[0]) + step);
        let more = follow.count();
        numbers.push(zigzag(first - expected));
        numbers.push(2 * more as u64 + u64::from(is_down));
        expected = if is_down { first + 1 } else { first + more as i64 + 1 };
        at += more + 1;
    }
    numbers
}

fn bits_for(size: usize) -> u32 {
    if size < 2 { 0 } else { (size - 1).ilog2() + 1 }
}

/// The order as it is written, in whichever way is shorter.
pub(crate) fn written(order: &[u32]) -> Vec<u8> {
    let runs = runs_of(order);
    let packed = (order.len() * bits_for(order.len()) as usize).div_ceil(8);
    let as_runs: usize = runs.iter().map(|&number| number_length(number)).sum();
    let mut out = Vec::with_capacity(1 + as_runs.min(packed));
    if as_runs <= packed {
        out.push(ORDER_RUNS);
        runs.into_iter().for_each(|number| put_number(&mut out, number));
    } else {
        out.push(ORDER_PACKED);
        pack(order, &mut out);
    }
    out
}

fn pack(order: &[u32], out: &mut Vec<u8>) {
    let bits = bits_for(order.len());
    let (mut held, mut count) = (0u64, 0);
    for &place in order {
        held |= u64::from(place) << count;
        count += bits;
        while count >= 8 {
            out.push(held as u8);
            held >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        out.push(held as u8);
    }
}

/// Refuses what is no permutation of `size` places.
pub(crate) fn read(reader: &mut Reader<'_>, size: usize) -> Result<Vec<u32>, ApplyError> {
    let order = match reader.byte()? {
        ORDER_RUNS => read_runs(reader, size)?,
        ORDER_PACKED => read_packed(reader, size)?,
        _ => return reader.corrupt("an order is written in an unknown way"),
    };
    let mut seen = vec![false; size];
    for &place in &order {
        match seen.get_mut(place as usize) {
            Some(seen) if !*seen => *seen = true,
            _ => return reader.corrupt("an order names a place twice, or none"),
        }
    }
    Ok(order)
}

fn read_runs(reader: &mut Reader<'_>, size: usize) -> Result<Vec<u32>, ApplyError> {
    let mut order = Vec::with_capacity(size);
    let mut expected = 0;
    while order.len() < size {
        let coded = i64::from(reader.number()?);
        let first = expected + (coded >> 1 ^ -(coded & 1));
        let number = i64::from(reader.number()?);
        let more = number >> 1;
        let last = if number & 1 == 0 { first + more } else { first - more };
        let (low, high) = (first.min(last), first.max(last));
        if more >= (size - order.len()) as i64 || low < 0 || high >= size as i64 {
            return reader.corrupt("an order leads out of its sequence");
        }
        let (low, high) = (low as u32, high as u32);
        if first <= last {
            order.extend(low..=high)
        } else {
            order.extend((low..=high).rev())
        }
        expected = i64::from(high) + 1;
    }
    Ok(order)
}

fn read_packed(reader: &mut Reader<'_>, size: usize) -> Result<Vec<u32>, ApplyError> {
    let bits = bits_for(size);
    // What is not there cannot be asked for, however large the sequence is.
    if (size * bits as usize).div_ceil(8) > reader.left() {
        return reader.corrupt("it is cut short");
    }
    let (mut held, mut count) = (0u64, 0);
    let mut order = Vec::with_capacity(size);
    for _ in 0..size {
        while count < bits {
            held |= u64::from(reader.byte()?) << count;
            count += 8;
        }
        order.push((held & ((1 << bits) - 1)) as u32);
        held >>= bits;
        count -= bits;
    }
    if held == 0 { Ok(order) } else { reader.corrupt("an order has bits behind its end") }
}
