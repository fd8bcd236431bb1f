/**
 * The same package built without code generation. It is an instance of its own: extensions that an application adds to
 * `msgpackr` (its registry is one per process) neither change our bytes nor see ours.
 */
declare module 'msgpackr/index-no-eval' {
  export { addExtension, Packr, RESET_BUFFER_MODE, Unpackr } from 'msgpackr';
}
