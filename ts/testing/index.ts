export { storeSuite } from './store-suite.ts';
export type { Runner, StoreSuiteOptions } from './store-suite.ts';
export type { Place } from './place.ts';
export { VirtualClock } from './virtual-clock.ts';
