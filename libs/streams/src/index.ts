export * from './create-streams.js';
export * from './inspect/inspector.js';
export { DeadLetters, type DiscardResult, type ReasonCounts, type RedriveResult } from './redeliver/dead-letters.js';
export type { DeadLetterRecord } from './redeliver/dead-letter-record.js';
export type { DeadLetterQuery, DeadLetterSelection, DiscardOptions, RedriveOptions } from './redeliver/redrive-options.js';
export { Groups, type PauseResult } from './group/groups.js';
export type { PauseOptions, SeekOptions } from './group/group-options.js';
export type { SeekStep } from './group/seek.js';
