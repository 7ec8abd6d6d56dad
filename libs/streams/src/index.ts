export * from './create-streams.js';
export * from './inspect/inspector.js';
export type { DeadLetterReason } from './consume/settlement.js';
