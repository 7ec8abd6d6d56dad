/** The abilities that an implementation of the ports may lack. All others it must have. */
export const CONFORMANCE_FEATURES = [
  /** A group's messages are shared by its members, and each group gets every message. */
  'consumerGroups',
  /** Messages that a member held when it vanished are handled by another. */
  'takeOver',
  /** The outcome `retry` brings a message again, later. */
  'retries',
  /** The outcome `dead-letter` is announced to the handler of dead letters. */
  'deadLetters',
  /** A publish may say when its groups get the message. */
  'delays',
  /** A second publish with the same idempotency key stores nothing. */
  'idempotencyKeys',
  /** A publish whose answer is lost is stored once, without an idempotency key. */
  'producerIdempotence',
  'batches',
  'broadcast',
  'pause',
  /** A group can be set to another position. */
  'seek',
  /** A new group begins where its subscription says. */
  'startPosition',
  'prefilter',
  /** A message whose time is over is not handled. */
  'expiry',
  /** Messages outlive the crash of their store. */
  'persistsAcrossRestart',
  /** A group of one member with one call at once handles a partition in its order. */
  'guaranteesOrderWithOneMember',
  /** With `ordering: { by: 'key' }` messages of a key are handled one after the other, whatever the members do. */
  'orderByKey',
  /** With `ordering: { by: 'partition' }` all messages of a partition are. */
  'orderByPartition',
] as const;

export type ConformanceFeature = (typeof CONFORMANCE_FEATURES)[number];

/** The declaration of an implementation. A feature that is new here has to be decided by each. */
export type ConformanceFeatures = Readonly<Record<ConformanceFeature, boolean>>;
