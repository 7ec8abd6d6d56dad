import type { PendingMessage } from '@millrace/streams';
import type { JsonOf } from '../operator/operator.js';
import { COUNT, MILLISECONDS, MOMENT, TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { CommandSpec } from '../session/command-spec.js';
import { cursorOption, limitOption } from '../session/common-options.js';
import { noteMore, readPages } from '../session/pages.js';

type Pending = JsonOf<PendingMessage>;

/** As `messages get` takes it; an entry that Millrace did not write has no such place. */
function placeOf({ partition, offset, entry }: Pending): string {
  return `${partition}:${offset ?? entry}`;
}

const PENDING: Shape<Pending> = {
  id: placeOf,
  columns: [
    { title: 'message', form: TEXT, of: placeOf },
    { title: 'id', form: TEXT, of: ({ messageId }) => messageId },
    { title: 'member', form: TEXT, of: ({ member }) => member },
    { title: 'attempt', form: COUNT, of: ({ attempt }) => attempt },
    { title: 'crashes', form: COUNT, of: ({ crashes }) => crashes },
    { title: 'held', form: MILLISECONDS, of: ({ heldMs }) => heldMs },
    { title: 'since', form: MOMENT, of: ({ since }) => since },
    { title: 'entry', form: TEXT, of: ({ stream, entry }) => `${stream} ${entry}` },
  ],
};

export const pending: CommandSpec = {
  name: 'pending',
  summary: 'List the messages that members of a group hold, and since when.',
  args: ['<topic>', '<group>'],
  options: [limitOption(1_000, 'messages'), cursorOption()],
  examples: ['millrace groups pending shop.orders billing', 'millrace groups pending shop.orders billing --json'],
  help: 'A member holds the messages that its handlers are at, and those that it has read for them. The others take them over once its process has '
    + 'been silent for a lease, and nobody has to do so by hand.',
  run: async (session) => {
    const { limit, cursor } = session.options<{ limit: number; cursor?: string }>();
    const question = { operation: 'groups.pending', target: { topic: session.arg(0), group: session.arg(1) } };
    const pages = await readPages<PendingMessage>(session, question, { limit, cursor });
    session.output.list(pages, PENDING);
    noteMore(pages, session);
  },
};
