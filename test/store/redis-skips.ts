const NO_WATCH = 'hints of changes would be sent with each append, which nobody needs yet';
const ONE_CLOCK = 'scripts have one clock, the wall clock of their server';

/** What of the suite of stores a Redis store does not do, and why. */
export const REDIS_SKIPS: Readonly<Record<string, string>> = {
  'those who watch hear of appends and replacements': NO_WATCH,
  'a watch takes the place of the one before': NO_WATCH,
  'nothing is heard of what changed nothing': NO_WATCH,
  'a wall clock that jumps expires nothing, nor costs more than a lease': ONE_CLOCK,
  'a session expires by the monotonic clock while the wall clock is wrong': ONE_CLOCK,
  'a use while the wall clock is wrong is not taken for an old one': ONE_CLOCK,
  'a use voids the look of a clock that was wrong': ONE_CLOCK,
};
