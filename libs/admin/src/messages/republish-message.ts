import { MillraceError, parseOptions, type PublishResult } from '@millrace/core';
import { readStored } from '@millrace/streams';
import { Allow } from 'class-validator';
import type { Mutation } from '../mutate/mutation.js';
import type { UseCaseParts } from '../parts.js';
import type { TopicTarget } from '../topics/known-topic.js';
import { itemAt, MessagePlace } from './get-message.js';
import { type MessageToPublish, OperatorMessageOptions, type PublishImpact, seeMessage, type SeenMessage } from './publish-message.js';

/** The header of a republished message that says where it is from: `<topic> <partition>:<offset> <id>`. */
export const REPUBLISHED_FROM = 'millrace-republished-from';

/** The options of `messages.republish`. One that is left out is that of the message; only the idempotency key is none then. */
export class RepublishMessageOptions extends OperatorMessageOptions {
  /** Another payload, any JSON value. Default: that of the message. */
  @Allow()
  payload?: unknown;
}

/**
 * Publishes a message again as a new one, for all groups, with a header that names its origin. To give a dead letter back to the
 * group that gave it up, redrive it.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, INVALID_HEADERS, FORBIDDEN, UNKNOWN_TOPIC, UNKNOWN_MESSAGE,
 *   MALFORMED_ENVELOPE, UNSUPPORTED_VERSION, PAYLOAD_TOO_LARGE, AUDIT_FAILED: nothing was stored; PUBLISH_INDEFINITE: it may be
 *   stored
 */
export async function republishMessage(
  parts: UseCaseParts,
  { topic }: TopicTarget,
  { place: given, options }: Republishing,
): Promise<Mutation<PublishImpact, PublishResult>> {
  const parsed: RepublishMessageOptions = parseOptions(RepublishMessageOptions, options, 'messages.republish()');
  const { payload, key, headers, type, idempotencyKey, delay, ...terms } = parsed;
  const place = parseOptions(MessagePlace, given, 'messages.republish()');
  if (idempotencyKey !== undefined && parts.mask.isClosing) throw forbidden();
  const changes = { payload, key, headers, type, idempotencyKey, delay };
  const edited = { type, delay, payload: payload !== undefined };
  return parts.mutations.run<PublishImpact, PublishResult, SeenMessage>(
    {
      name: 'messages.republish', target: { topic, partition: `${place.partition}`, offset: `${place.offset}` }, terms: edited,
      isDestructive: false,
      observe: async () => seeMessage(parts, topic, await edit(parts, { topic, place }, changes)),
      apply: ({ publish }) => publish(),
    },
    terms,
  );
}

interface Republishing {
  readonly place: MessagePlace;
  readonly options: RepublishMessageOptions;
}

type Changes = Omit<RepublishMessageOptions, 'actor' | 'dryRun' | 'confirm'>;

interface Origin extends TopicTarget {
  readonly place: MessagePlace;
}

async function edit(parts: UseCaseParts, { topic, place }: Origin, changes: Changes): Promise<MessageToPublish> {
  const item = await itemAt(parts, { topic }, place);
  const where = `${topic} ${place.partition}:${place.offset}`;
  if (item === null) {
    throw new MillraceError('UNKNOWN_MESSAGE', `There is no message ${where} (any more), so nothing was published. Look for it with messages.find.`);
  }
  const { message, problem } = readStored(item.envelope);
  if (message === null) throw new MillraceError(problem, `The message ${where} cannot be read, so nothing was published. Look at it with messages.get.`);
  const { payload = message.payload, key = message.key ?? undefined, type = message.type, idempotencyKey, delay } = changes;
  const headers = { ...message.headers, ...changes.headers, [REPUBLISHED_FROM]: `${where} ${message.id}` };
  return { payload, type, schema: message.schema, options: { key, headers, idempotencyKey, delay } };
}

/** With a key of theirs on a payload that they may not see, a later publish would tell whether they guessed it. */
function forbidden(): MillraceError {
  return new MillraceError(
    'FORBIDDEN',
    'messages.republish() with an idempotencyKey would let you guess at a payload that you may not see in full, so nothing was published. Leave the key out.',
  );
}
