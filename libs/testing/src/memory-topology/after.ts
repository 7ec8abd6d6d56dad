import type { After } from './network.js';

/** Turns of real time. */
export const after: After = (ms, work) => {
  if (ms <= 0) {
    const immediate = setImmediate(work);
    return () => clearImmediate(immediate);
  }
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};
