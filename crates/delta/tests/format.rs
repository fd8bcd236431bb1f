//! `FORMAT.md` and the code agree on every number.

use holdfast_delta::format::*;

#[test]
fn the_table_has_the_numbers_of_the_code() {
    let code: [(&str, u64); 53] = [
        ("MAX_LEN", MAX_LEN as u64),
        ("MAX_OVERHEAD", MAX_OVERHEAD as u64),
        ("SAME", SAME.into()),
        ("WHOLE", WHOLE.into()),
        ("SIGNED", SIGNED.into()),
        ("KIND_MASK", KIND_MASK.into()),
        ("SPLICE", SPLICE.into()),
        ("OPS", OPS.into()),
        ("CODED", CODED.into()),
        ("SPLICE_WIDTH_SHIFT", SPLICE_WIDTH_SHIFT.into()),
        ("SPLICE_L_SHIFT", SPLICE_L_SHIFT.into()),
        ("SPLICE_L_VARINT", SPLICE_L_VARINT.into()),
        ("SPLICE_D_SAME", SPLICE_D_SAME.into()),
        ("SPLICE_D_NONE", SPLICE_D_NONE.into()),
        ("SPLICE_D_VARINT", SPLICE_D_VARINT.into()),
        ("SPLICE_DELETE", SPLICE_DELETE.into()),
        ("OPS_TAIL", OPS_TAIL.into()),
        ("TOKEN_OFFSET", TOKEN_OFFSET.into()),
        ("TOKEN_ADD_SHIFT", TOKEN_ADD_SHIFT.into()),
        ("TOKEN_ADD_DIRECT", TOKEN_ADD_DIRECT as u64),
        ("TOKEN_ADD_RUN", TOKEN_ADD_RUN.into()),
        ("TOKEN_ADD_LONG", TOKEN_ADD_LONG.into()),
        ("TOKEN_COPY_MORE", TOKEN_COPY_MORE.into()),
        ("TOKEN_COPY_BITS", TOKEN_COPY_BITS.into()),
        ("CODED_MIN", CODED_MIN as u64),
        ("CODE_MIN", CODE_MIN as u64),
        ("CHANCE_EVEN", CHANCE_EVEN.into()),
        ("CHANCE_STEPS", CHANCE_STEPS.into()),
        ("RATE_MOST", RATE_MOST.into()),
        ("SHORT_MAX", SHORT_MAX as u64),
        ("CRC_POLY", CRC_POLY.into()),
        ("SAMPLE_LEN", SAMPLE_LEN as u64),
        ("FINGERPRINT_SEED", FINGERPRINT_SEED.into()),
        ("FINGERPRINT_STEP", FINGERPRINT_STEP.into()),
        ("FINGERPRINT_END", FINGERPRINT_END.into()),
        ("SIGNATURE_MAGIC", SIGNATURE_MAGIC.into()),
        ("SIGNATURE_VERSION", SIGNATURE_VERSION.into()),
        ("SIGNATURE_HEADER", SIGNATURE_HEADER as u64),
        ("SIGNATURE_ENTRY", SIGNATURE_ENTRY as u64),
        ("SIGNATURE_CHECK", SIGNATURE_CHECK as u64),
        ("CHUNK_BITS_MIN", CHUNK_BITS_MIN.into()),
        ("CHUNK_BITS", CHUNK_BITS.into()),
        ("CHUNK_BITS_MAX", CHUNK_BITS_MAX.into()),
        ("SIGNED_HEADER", SIGNED_HEADER as u64),
        ("SIGNED_CHECK", SIGNED_CHECK as u64),
        ("SIGNED_OVERHEAD", SIGNED_OVERHEAD as u64),
        ("CDC_BITS_MIN", CDC_BITS_MIN.into()),
        ("CDC_BITS", CDC_BITS.into()),
        ("CDC_BITS_MAX", CDC_BITS_MAX.into()),
        ("CDC_MIN_SHIFT", CDC_MIN_SHIFT.into()),
        ("CDC_MAX_SHIFT", CDC_MAX_SHIFT.into()),
        ("CDC_LEVEL", CDC_LEVEL.into()),
        ("GEAR_SEED", GEAR_SEED.into()),
    ];
    let page = include_str!("../FORMAT.md");
    let section = page.split("\n## ").find(|part| part.starts_with("Delta\n")).expect("a section on deltas");
    let table = section.split("### Numbers of the format").nth(1).expect("a table of numbers");
    let rows: Vec<(String, u64)> = table.lines().filter_map(row).collect();
    let code: Vec<(String, u64)> = code.map(|(name, value)| (name.to_owned(), value)).into();
    assert_eq!(rows, code);
}

fn row(line: &str) -> Option<(String, u64)> {
    let (name, value) = line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")?;
    let value = match value.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => value.parse(),
    };
    Some((name.to_owned(), value.expect("a number")))
}
