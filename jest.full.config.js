import quick from './jest.config.js';

// The suites that take minutes: those that exist in a small size as well, in their full one, and those that have no other.
process.env.MILLRACE_MODEL_RUNS ??= '1000';
process.env.MILLRACE_SIGTERMS ??= '200';
process.env.MILLRACE_RELAYED_ROWS ??= '20000';
process.env.MILLRACE_HALVES ??= '300';
process.env.MILLRACE_FORWARDED ??= '10000';

/** @type {import('jest').Config} */
export default {
  ...quick,
  testRegex: [
    '\\.full\\.ts$', '/model/model\\.spec\\.ts$', '/full/shutdown\\.spec\\.ts$', '/outbox/relays\\.spec\\.ts$', '/half-killed\\.spec\\.ts$',
    '/forward/relay\\.spec\\.ts$',
  ],
  reporters: ['default', '<rootDir>/tools/full/figures-reporter.js'],
};
