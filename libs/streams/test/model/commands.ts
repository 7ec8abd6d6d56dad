import { expect } from '@jest/globals';
import fc from 'fast-check';
import type { RedisGroup } from './redis-group.js';
import { type Fate, type Published, type Run, SharedMode } from './shared-mode.js';
import { type Kind, type Member, MEMBERS, type Stored, type Token } from './stream.js';
import { bodyOf, viewOf } from './view.js';

type Step = (model: SharedMode, real: RedisGroup) => Promise<void>;
type Command = fc.AsyncCommand<SharedMode, RedisGroup>;

/** Runs one command on both, and compares their answers, then their visible states. */
class Compared implements Command {
  readonly #name: string;
  readonly #step: Step;
  readonly #isPossible: (model: SharedMode) => boolean;

  constructor(name: string, step: Step, isPossible: (model: SharedMode) => boolean = () => true) {
    this.#name = name;
    this.#step = step;
    this.#isPossible = isPossible;
  }

  check(model: Readonly<SharedMode>): boolean {
    return this.#isPossible(model as SharedMode);
  }

  async run(model: SharedMode, real: RedisGroup): Promise<void> {
    await this.#step(model, real);
    expect(await real.view()).toEqual(viewOf(model));
  }

  toString(): string {
    return this.#name;
  }
}

/** One member does most, so that much happens to the same messages. */
const member = fc.constantFrom<Member>('a', 'a', ...MEMBERS);
const kind = fc.constantFrom<Kind>('log', 'retry');
/** Index into the existing ones, from the newest on. */
const back = fc.nat({ max: 12 });
const hasTokens = ({ tokens }: SharedMode): boolean => tokens.length > 0;

function nth<T>(items: readonly T[], index: number): T {
  return items[items.length - 1 - (index % items.length)]!;
}

const ordinals = (tokens: readonly Token[]): number[] => tokens.map(({ entry }) => entry.ordinal);

/** How a message waits: with its history, and as it is where it has no offset. */
const waitingOf = (message: Stored): string =>
  message.offset >= 0 ? `${message.attempt} ${message.crashes} -` : JSON.stringify(bodyOf(message));

const publish = fc
  .record({
    producer: fc.constantFrom('p', 'q'),
    step: fc.constantFrom(1, 1, 1, 1, 0, -1, 2),
    messages: fc.array(fc.record({ key: fc.constantFrom('', '', 'k', 'l'), digest: fc.constantFrom('d', 'd', 'e') }), { minLength: 1, maxLength: 5 }),
  })
  .map(({ producer, step, messages }) => {
    const name = `publish ${producer}${step} ${messages.map(({ key, digest }) => key + digest).join(' ')}`;
    return new Compared(name, async (model, real) => {
      const sequence = Math.max(1, (model.producers.get(producer)?.length ?? 0) + step);
      const batch = messages.map(({ key, digest }, index): Published => {
        const id = `${model.next}.${model.producers.size}.${index}`;
        return { key, digest, id, envelope: `[1,"${id}",null,null,null,{}]` };
      });
      expect(await real.publish(producer, sequence, batch)).toBe(model.publish(producer, sequence, batch));
    });
  });

const close = fc.record({ producer: fc.constantFrom('p', 'q'), step: fc.constantFrom(1, 1, 0, -1, -3, 2), more: fc.nat(3) }).map(
  ({ producer, step, more }) =>
    new Compared(`close ${producer}${step} and ${more} more`, async (model, real) => {
      const first = Math.max(1, (model.producers.get(producer)?.length ?? 0) + step);
      expect(await real.close(producer, first, first + more)).toEqual(model.close(producer, first, first + more));
    }),
);

/** Numbers that `XADD` with `*` gives, those of entries of ours, and the highest of all. */
const number = fc.constantFrom('0', '1', '15', '160', '99999', '9007199254740992', '18446744073709551615');

const foreign = fc.record({ ahead: fc.constantFrom(1, 1, 2, 60_000), number }).map(
  (id) =>
    new Compared(`foreign entry ${id.ahead} ms ahead, number ${id.number}`, async (model, real) => {
      const text = `a/"foreign"\\/${model.streams.log.entries.length}`;
      model.publishForeign(JSON.stringify(['m', text]), id);
      await real.publishForeign(text, id);
    }),
);

const turn = fc.constantFrom<1 | 2>(1, 1, 2).map(
  (windows) =>
    new Compared(`${windows} windows pass`, async (model, real) => {
      model.turn(windows);
      await real.turn(windows);
    }),
);

const read = fc.tuple(member, kind, fc.integer({ min: 1, max: 4 }), fc.constantFrom(false, false, false, true)).map(
  ([who, where, count, isLost]) =>
    new Compared(`${who} reads ${where} ${count}${isLost ? ', reply lost' : ''}`, async (model, real) => {
      const expected = model.read(who, { kind: where, count, isLost });
      expect(await real.read(who, where, count)).toEqual(ordinals(expected));
    }),
);

type Outcome = 'handled' | 'discarded' | 'deduplicated' | 'retry' | 'retry later' | 'dead' | 'release';
const outcome = fc.constantFrom<Outcome>('handled', 'handled', 'discarded', 'deduplicated', 'retry', 'retry later', 'dead', 'release');

/** A run of messages of an entry, or the whole entry; outcomes but acknowledgements are settled one by one. */
function runOf(token: Token, { which, count, how }: { which: number; count: number | 'all'; how: Outcome }): Run {
  const { messages } = token.entry;
  const message = nth(messages, which);
  const [one, retried] = [{ token, messages: [message] }, waitingOf({ ...message, attempt: message.attempt + 1 })];
  switch (how) {
    case 'retry':
      return { ...one, outcome: 'retry', first: '0', second: retried };
    case 'retry later':
      return { ...one, outcome: 'retry', first: '3600000', second: retried };
    case 'dead':
      return { ...one, outcome: 'dead', first: message.envelope, second: '{"reason":"r"}' };
    case 'release':
      return { ...one, outcome: 'release', first: waitingOf(message), second: '' };
    default: {
      const from = messages.indexOf(message);
      const run = count === 'all' ? messages : messages.slice(from, from + count);
      return { token, messages: run, outcome: 'ack', first: how, second: '' };
    }
  }
}

const pick = fc.record({ token: back, which: back, count: fc.constantFrom<(number | 'all')[]>('all', 'all', 1, 2), how: outcome });

/** Settles with any token that was ever given out, old or new; those of one member and stream in one call. */
const settle = fc
  .record({
    picks: fc.array(pick, { minLength: 1, maxLength: 4 }),
    isRepetition: fc.boolean(),
    twice: fc.boolean(),
    isWhole: fc.boolean(),
    mostHeld: fc.constantFrom(1, 2, 1_000),
  })
  .map(({ picks, isRepetition, twice, ...options }) => {
    const description = picks.map(({ token, which, count, how }) => [token, which, count, how].join('/')).join(' ');
    const name = `settle${isRepetition ? ' again' : ''}${twice ? ' twice' : ''}${options.isWhole ? ' whole' : ''} ${description}`;
    return new Compared(
      name,
      async (model, real) => {
        const tokens = picks.map(({ token }) => nth(model.tokens, token));
        const [first] = tokens;
        const runs = picks.flatMap((each, index) => {
          const token = tokens[index]!;
          return token.member === first!.member && token.entry.kind === first!.entry.kind ? [runOf(token, each)] : [];
        });
        expect(await real.settle(runs, { isRepetition, ...options })).toBe(model.settle(runs, isRepetition));
        if (!twice) return;
        await real.view();
        expect(await real.settle(runs, { isRepetition: true, ...options })).toBe(model.settle(runs, true));
      },
      hasTokens,
    );
  });

/** With any token of `again` that was ever given out. */
const begin = back.map((which) => {
  const ofRetries = ({ tokens }: SharedMode): Token[] => tokens.filter(({ entry }) => entry.kind === 'retry');
  return new Compared(
    `begin ${which}`,
    async (model, real) => {
      const token = nth(ofRetries(model), which);
      expect(await real.begin(token)).toBe(model.begin(token));
    },
    (model) => ofRetries(model).length > 0,
  );
});

const seized = fc.constantFrom<readonly Kind[]>(['log', 'retry'], ['log', 'retry'], ['log'], ['retry']);
const fate = fc.constantFrom<Fate>('dead', 'dead', 'dead', 'left', 'living');

const putBack = fc.tuple(member, seized, fate, fc.integer({ min: 1, max: 4 })).map(
  ([owner, kinds, how, look]) =>
    new Compared(`${kinds.join(' and ')} of ${owner}, ${how}, put back, ${look} in a call`, async (model, real) => {
      for (const each of kinds) {
        const believed = model.believed.filter((token) => token.member === owner && token.entry.kind === each);
        const kept = how === 'living' ? believed.map(({ entry }) => entry) : [];
        const wish = { kind: each, fate: how };
        expect(await real.putBack(owner, { ...wish, look, kept })).toBe(model.putBack(owner, wish));
        await real.view();
      }
    }),
);

const crash = member.map(
  (who) =>
    new Compared(`${who} forgets what it holds`, async (model) => {
      model.believed = model.believed.filter((token) => token.member !== who);
    }),
);

const remove = fc.tuple(kind, back).map(
  ([where, which]) =>
    new Compared(
      `entry ${which} of the ${where} is deleted`,
      async (model, real) => {
        const entry = nth(model.streams[where].entries, which);
        entry.isThere = false;
        await real.delete(entry);
      },
      ({ streams }) => streams[where].entries.length > 0,
    ),
);

const tend = fc.integer({ min: 1, max: 4 }).map(
  (limit) =>
    new Compared(`tend ${limit}`, async (model, real) => {
      expect(await real.tend(limit)).toEqual(model.tend(limit));
    }),
);

const ripen = fc.constant(
  new Compared('time passes', async (model, real) => {
    model.waiting.ripen();
    await real.ripen();
  }),
);

const audit = fc.constant(new Compared('audit', async (model, real) => expect(await real.audit()).toBe(model.audit())));

const leave = member.map(
  (who) =>
    new Compared(`${who} leaves`, async (model, real) => {
      expect(await real.leave(who)).toBe(model.leave(who));
    }),
);

const declare = fc.constant(new Compared('declare again', async (_, real) => expect(await real.declare()).toBe('present')));

const lose = kind.map(
  (where) =>
    new Compared(`the group of the ${where} is lost`, async (model, real) => {
      model.streams[where].lose();
      expect(await real.lose(where)).toEqual(['UNDECLARED', 'remade']);
    }),
);

const everyday = [publish, publish, read, read, read, settle, settle, putBack, putBack];
const rare = [tend, tend, tend, begin, begin, begin, crash, ripen];
const rarest = [close, turn, leave, audit, remove, foreign, declare, lose, lose];

/** The commands on a group, with the common ones more often. */
export const commands: fc.Arbitrary<Iterable<Command>> = fc.commands<SharedMode, RedisGroup, false>(
  [...everyday, ...everyday, ...rare, ...rarest],
  { size: 'max', maxCommands: 90 },
);
