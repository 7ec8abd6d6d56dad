import type { PublishImpact } from '@millrace/admin';
import type { PublishResult } from '@millrace/core';
import { Option } from 'commander';
import { usage } from '../failure/cli-error.js';
import { TEXT } from '../output/humanise.js';
import type { Column } from '../output/table.js';
import { act } from '../session/act.js';
import type { CommandSpec } from '../session/command-spec.js';
import { PLACE } from './place.js';
import { EFFECT, messageOf, type MessageOptions, messageOptions, payloadIn, PUBLISHED } from './published-shape.js';

export const republish: CommandSpec = {
  name: 'republish',
  summary: 'Publish a message again as a new one, for all groups.',
  args: ['<topic>', '<place>'],
  options: [new Option('--edit <json>', 'with this payload, which takes the place of the whole one'), ...messageOptions()],
  isAction: true,
  help: `The new message gets a header that names its origin. With --edit nothing is left of the payload that it had: a field that is not written again is
gone. To give a dead letter back to the group that gave it up, see millrace dlq redrive.`,
  examples: ['millrace messages republish shop.orders 0:42', "millrace messages republish shop.orders 0:42 --edit '{\"total\":5}' --execute"],
  run: async (session) => {
    const [topic, place] = [session.arg(0), session.arg(1)];
    const [, partition, offset] = PLACE.exec(place) ?? [];
    if (partition === undefined || offset === undefined) throw usage('A place is a partition and an offset, as 0:42. See millrace messages find.');
    const { edit, ...options } = session.options<MessageOptions & { edit?: string }>();
    const given: { readonly payload?: unknown } = edit === undefined ? {} : { payload: payloadIn(edit, '--edit') };
    const impact = edit === undefined ? EFFECT : [newPayload(given.payload), ...EFFECT];
    await act<PublishImpact, PublishResult>(session, {
      operation: 'messages.republish', target: { topic, partition, offset }, name: topic,
      options: { ...messageOf(options), ...given }, given, impact, result: PUBLISHED.columns,
    });
  },
};

function newPayload(payload: unknown): Column<unknown> {
  return { title: 'new payload', form: TEXT, of: () => JSON.stringify(payload) };
}
