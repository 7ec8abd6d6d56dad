export * from './create-streams.js';
export type { DeliveryState, DeliveryStep, StoredPlace } from './inspect/delivery-state.js';
export * from './inspect/inspector.js';
export type { PendingMessage, PendingPage, PendingRange, PendingStream } from './inspect/pending-messages.js';
export {
  type DelayedFacts, type LogItem, type LogPage, type LogRange, type LogRangeBack, LogReader, type PartitionFacts, readStored,
  type StoredMessage, type StreamPlace,
} from './inspect/log-reader.js';
export { DeadLetters, type DiscardResult, type ReasonCounts, type RedriveResult } from './redeliver/dead-letters.js';
export type { DeadLetterPage, DeadLetterRange, DeadLetterRecord } from './redeliver/dead-letter-record.js';
export type { DeadLetterQuery, DeadLetterSelection, DiscardOptions, RedriveOptions } from './redeliver/redrive-options.js';
export type { BrokenMember } from './break/broken-members.js';
export { Groups, type PauseResult } from './group/groups.js';
export type { PauseOptions, SeekOptions } from './group/group-options.js';
export type { GroupMember, MemberPresence } from './group/group-members.js';
export type { PauseState } from './group/pause.js';
export type { SeekStep } from './group/seek.js';
export { Orders, type ParkedKey, type StoppedPartition } from './ordered/orders.js';
export type { GoOnOptions, ReleaseOptions } from './ordered/order-options.js';
export { type PartitionsRaised, type Purged, Topics, type TopicRemoval } from './remove/topics.js';
export type { RaiseOptions } from './raise/raise-options.js';
export type { GroupRemoval } from './remove/group-removal.js';
export type { PurgeOptions } from './remove/purge-options.js';
export type { RemoveOptions } from './remove/remove-options.js';
export { type GivenUpHalf, type HalfId, Halves, type HalvesState } from './half/halves.js';
