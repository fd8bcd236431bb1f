/**
 * The same package built without code generation. It is an instance of its own: extensions that an application adds to
 * `msgpackr` (its registry is one per process) do not change our bytes.
 */
declare module 'msgpackr/index-no-eval' {
  export { Packr, RESET_BUFFER_MODE } from 'msgpackr';
}
