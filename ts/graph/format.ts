/** Of a delta's first byte, the lowest two bits; `crates/delta/FORMAT.md` draws what follows each. */
export const GRAPH_SAME = 0;
export const GRAPH_EDITS = 1;
export const GRAPH_BINARY = 2;
export const GRAPH_WHOLE = 3;
/** A byte of its own before edits of what has something in several places. */
export const GRAPH_SHARED = 4;

/** The length of edits above the kind, up to this; from it on a number follows. */
export const GRAPH_LONG = 63;

/** Steps through a sequence, in the lowest three bits; above them, how many places before it stay as they are. */
export const STEP_EDIT = 0;
export const STEP_SET = 1;
export const STEP_DELETE = 2;
export const STEP_DELETE_RUN = 3;
export const STEP_INSERT = 4;
export const STEP_INSERT_RUN = 5;
export const STEP_PLACE = 6;
/**
 * Its places count otherwise: the end; places that are taken out follow; the end, and an order follows; what the sequence
 * is called follows.
 */
export const STEP_OTHER = 7;
export const OTHER_END = 0;
export const OTHER_TAKEN = 1;
export const OTHER_ORDER = 2;
export const OTHER_NAMED = 3;
export const STEP_BITS = 3;

/** What happens to what is placed, beside its ordinal. */
export const PLACE_AS_IS = 0;
export const PLACE_EDIT = 1;
export const PLACE_SET = 2;
/** Not taken out, but like another of the base: with an edit, or a copy of it. */
export const PLACE_LIKE = 3;
export const PLACE_COPY = 4;
export const PLACE_MODES = 5;

/** Beside the start of a text edit. */
export const TEXT_DELTA = 1;

/** In packed canonical bytes: a decimal fraction follows. MessagePack never uses it. */
export const PACKED_DECIMAL = 0xc1;
