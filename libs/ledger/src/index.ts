export * from './keys.js';
export * from './late-records.js';
export type { LedgerOptions } from './ledger-options.js';
export * from './ledger.js';
export * from './memo/memo.js';
