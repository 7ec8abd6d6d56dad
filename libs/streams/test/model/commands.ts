import { expect } from '@jest/globals';
import fc from 'fast-check';
import type { RedisGroup } from './redis-group.js';
import { type Item, type Kind, type Member, MEMBERS, type Published, SharedMode, type Token } from './shared-mode.js';
import { bodyOf, viewOf } from './view.js';

type Step = (model: SharedMode, real: RedisGroup) => Promise<void>;
type Command = fc.AsyncCommand<SharedMode, RedisGroup>;

/** Does one thing to both and compares what they answer; then all that can be seen. */
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

const member = fc.constantFrom(...MEMBERS);
const kind = fc.constantFrom<Kind>('log', 'retry');
/** Which of those that there are, counted from the newest. */
const back = fc.nat({ max: 12 });
const hasTokens = ({ tokens }: SharedMode): boolean => tokens.length > 0;
const hasPending = ({ streams }: SharedMode): boolean => streams.log.pending.size + streams.retry.pending.size > 0;

function nth<T>(items: readonly T[], index: number): T {
  return items[items.length - 1 - (index % items.length)]!;
}

const ordinals = (tokens: readonly Token[]): [number, number][] => tokens.map(({ entry, count }) => [entry.ordinal, count]);

const publish = fc
  .record({
    producer: fc.constantFrom('p', 'q'),
    step: fc.constantFrom(1, 1, 1, 1, 0, -1),
    messages: fc.array(fc.record({ key: fc.constantFrom('', '', 'k', 'l'), digest: fc.constantFrom('d', 'd', 'e') }), { minLength: 1, maxLength: 5 }),
  })
  .map(({ producer, step, messages }) => {
    const name = `publish ${producer}${step} ${messages.map(({ key, digest }) => key + digest).join(' ')}`;
    return new Compared(name, async (model, real) => {
      const sequence = Math.max(1, (model.producers.get(producer)?.sequence ?? 0) + step);
      const batch = messages.map(({ key, digest }, index): Published => {
        const id = `${model.next}.${model.producers.size}.${index}`;
        return { key, digest, id, envelope: `[1,"${id}",null,null,null,{}]` };
      });
      expect(await real.publish(producer, sequence, batch)).toBe(model.publish(producer, sequence, batch));
    });
  });

/** Numbers that `XADD` with `*` gives, those of entries of ours, and the highest of all. */
const number = fc.constantFrom('0', '1', '15', '160', '99999', '9007199254740992', '18446744073709551615');

const foreign = fc.record({ ahead: fc.constantFrom(1, 1, 2, 60_000), number }).map(
  (id) =>
    new Compared(`foreign entry ${id.ahead} ms ahead, number ${id.number}`, async (model, real) => {
      const envelope = `foreign ${model.streams.log.entries.length}`;
      model.publishForeign(envelope, id);
      await real.publishForeign(envelope, id);
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

function itemOf(token: Token, which: number, how: Outcome): Item {
  const message = nth(token.entry.messages, which);
  const retried = bodyOf({ ...message, attempt: message.attempt + 1 });
  switch (how) {
    case 'retry':
      return { token, message, outcome: 'retry', first: '0', second: retried };
    case 'retry later':
      return { token, message, outcome: 'retry', first: '3600000', second: retried };
    case 'dead':
      return { token, message, outcome: 'dead', first: message.envelope, second: '{"reason":"r"}' };
    case 'release':
      return { token, message, outcome: 'release', first: bodyOf(message), second: '' };
    default:
      return { token, message, outcome: 'ack', first: how, second: '' };
  }
}

/** By whoever ever held it, with what it was told then: old tokens and new ones, of one member and stream in one call. */
const settle = fc
  .record({
    picks: fc.array(fc.tuple(back, back, outcome), { minLength: 1, maxLength: 4 }),
    isRepetition: fc.boolean(),
    twice: fc.boolean(),
  })
  .map(({ picks, isRepetition, twice }) => {
    const name = `settle${isRepetition ? ' again' : ''}${twice ? ' twice' : ''} ${picks.map((pick) => pick.join('/')).join(' ')}`;
    return new Compared(
      name,
      async (model, real) => {
        const tokens = picks.map(([token]) => nth(model.tokens, token));
        const [first] = tokens;
        const items = picks.flatMap(([, which, how], index) => {
          const token = tokens[index]!;
          return token.member === first!.member && token.entry.kind === first!.entry.kind ? [itemOf(token, which, how)] : [];
        });
        expect(await real.settle(items, isRepetition)).toBe(model.settle(items, isRepetition));
        if (!twice) return;
        await real.view();
        expect(await real.settle(items, true)).toBe(model.settle(items, true));
      },
      hasTokens,
    );
  });

const beat = fc.tuple(member, fc.option(back)).map(
  ([who, stale]) =>
    new Compared(`${who} beats${stale === null ? '' : ` with token ${stale}`}`, async (model, real) => {
      const isOwn = (token: Token): boolean => token.member === who;
      const [tokens, ever] = [model.believed.filter(isOwn), model.tokens.filter(isOwn)];
      if (stale !== null && ever.length > 0) tokens.push(nth(ever, stale));
      expect(await real.beat(who, tokens)).toBe(model.beat(who, tokens));
    }),
);

const silence = member.map(
  (who) =>
    new Compared(`${who} falls silent`, async (model, real) => {
      model.silence(who);
      await real.silence(who);
    }),
);

const crash = member.map(
  (who) =>
    new Compared(`${who} forgets what it holds`, async (model) => {
      model.believed = model.believed.filter((token) => token.member !== who);
    }),
);

function pendingEntry(model: SharedMode, which: number): [Token['entry'], { owner: Member; isOver: boolean }] {
  return nth([...model.streams.log.inOrder(), ...model.streams.retry.inOrder()], which);
}

const expire = back.map(
  (which) =>
    new Compared(
      `lease ${which} runs out`,
      async (model, real) => {
        const [entry, holding] = pendingEntry(model, which);
        // The command with which the time is set would itself let go of an entry that was deleted.
        if (!entry.isThere) return;
        holding.isOver = true;
        await real.expire(entry, holding.owner);
      },
      hasPending,
    ),
);

const remove = back.map(
  (which) =>
    new Compared(
      `entry ${which} is deleted`,
      async (model, real) => {
        const entry = nth(model.streams.log.entries, which);
        entry.isThere = false;
        await real.delete(entry);
      },
      ({ streams }) => streams.log.entries.length > 0,
    ),
);

const reclaim = fc.tuple(member, kind, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3 })).map(
  ([who, where, look, take]) =>
    new Compared(`${who} reclaims ${take} of ${look} in ${where}`, async (model, real) => {
      const after = model.cursor(who, where);
      const own = model.believed.filter((token) => token.member === who && token.entry.kind === where);
      const page = { kind: where, look, take };
      const [next, taken] = model.reclaim(who, page);
      const got = await real.reclaim(who, { ...page, after, holds: own.map(({ entry }) => entry) });
      expect(got).toEqual([next?.ordinal ?? -1, ordinals(taken)]);
    }),
);

const promote = fc.integer({ min: 1, max: 4 }).map(
  (limit) =>
    new Compared(`promote ${limit}`, async (model, real) => {
      expect(await real.promote(limit)).toEqual(model.promote(limit));
    }),
);

const ripen = fc.constant(
  new Compared('time passes', async (model, real) => {
    for (const waiting of model.due) waiting.isRipe = true;
    await real.ripen();
  }),
);

const audit = fc.constant(new Compared('audit', async (model, real) => expect(await real.audit()).toBe(model.audit())));

const forget = fc.option(member).map(
  (leaving) =>
    new Compared(leaving ? `${leaving} leaves` : 'forget the silent', async (model, real) => {
      expect(await real.forget(leaving)).toBe(model.forget(leaving));
    }),
);

const declare = fc.constant(new Compared('declare again', async (_, real) => expect(await real.declare()).toBe('present')));

const lose = kind.map(
  (where) =>
    new Compared(`the group of the ${where} is lost`, async (model, real) => {
      model.streams[where].lose();
      expect(await real.lose(where)).toBe('remade');
    }),
);

const everyday = [publish, read, read, settle, settle, settle, reclaim, reclaim];
const rare = [promote, promote, beat, beat, beat, silence, crash, expire, ripen];
const rarest = [turn, forget, audit, remove, foreign, declare, lose, lose];

/** What may happen to a group, the everyday more often. */
export const commands: fc.Arbitrary<Iterable<Command>> = fc.commands<SharedMode, RedisGroup, false>(
  [...everyday, ...everyday, ...rare, ...rarest],
  { size: 'max', maxCommands: 60 },
);
