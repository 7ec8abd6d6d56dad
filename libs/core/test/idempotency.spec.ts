import { describe, expect, it } from '@jest/globals';
import {
  type Attempt, type Begun, chain, Discard, fixed, idempotent, Lease, type LedgerPort, MillraceError, NoIdempotencyKeyError,
  type Outcome, outcomes, Verdict,
} from '@millrace/core';

/** A ledger whose answers the test gives; it writes down how it is asked. */
class ToldLedger implements LedgerPort {
  readonly asked: string[] = [];
  begun: () => Promise<Begun> = () => Promise.resolve({ kind: 'mine', token: 't' });
  completed: () => Promise<boolean> = () => Promise.resolve(true);

  begin(id: string): Promise<Begun> {
    this.asked.push(`begin ${id}`);
    return this.begun();
  }

  complete(id: string, token: string): Promise<boolean> {
    this.asked.push(`complete ${id} ${token}`);
    return this.completed();
  }

  release(id: string, token: string): Promise<void> {
    this.asked.push(`release ${id} ${token}`);
    return Promise.resolve();
  }
}

class Work implements Attempt {
  readonly lease = new Lease();
  readonly number = 1;
  payload: unknown = null;
  readonly paused: AbortSignal | undefined;

  constructor(paused?: AbortSignal) {
    this.paused = paused;
  }
}

const policy = { attempts: 2, backoff: fixed('10ms'), deadLetterOn: [] };

interface Told {
  readonly ledger?: ToldLedger;
  readonly holder?: { member: string; isSure: boolean };
  readonly work?: Work;
  readonly idOf?: () => string;
}

async function outcomeOf(handle: (work: Work) => unknown, told: Told = {}): Promise<Outcome & { asked: string[] }> {
  const { ledger = new ToldLedger(), holder = { member: 'm', isSure: true }, work = new Work(), idOf = () => 'a' } = told;
  const step = idempotent<Work>({ ledger, holder, place: {}, idOf }, (next) => outcomes(policy, next));
  const outcome = await outcomes(policy, chain([step], handle))(work);
  return { ...outcome, asked: ledger.asked };
}

const fails = (): never => {
  throw new Error('as planned');
};

describe('work with a ledger', () => {
  it.each<[string, () => unknown, object, string]>([
    ['that is done', () => 'x', { kind: 'ack' }, 'complete a t'],
    ['that is discarded', () => { throw new Discard(); }, { kind: 'ack', discarded: true }, 'complete a t'],
    ['that was done before', () => new Verdict({ kind: 'ack', deduplicated: true }), { kind: 'ack', deduplicated: true }, 'complete a t'],
    ['that has expired', () => new Verdict({ kind: 'ack', expired: true }), { kind: 'ack', expired: true }, 'release a t'],
    ['that fails', fails, { kind: 'retry', delayMs: 10 }, 'release a t'],
    ['that goes back', () => new Verdict({ kind: 'release' }), { kind: 'release' }, 'release a t'],
  ])('%s has its entry completed or released', async (_, handle, outcome, last) => {
    const { asked, ...rest } = await outcomeOf(handle);
    expect([rest, asked]).toEqual([expect.objectContaining(outcome), ['begin a', last]]);
  });

  it('is not run when it is done, and comes again while it is in progress elsewhere', async () => {
    const ledger = new ToldLedger();
    ledger.begun = () => Promise.resolve({ kind: 'done', result: '' });
    expect(await outcomeOf(fails, { ledger })).toEqual({ kind: 'ack', deduplicated: true, asked: ['begin a'] });
    ledger.begun = () => Promise.resolve({ kind: 'busy', retryMs: 77 });
    expect(await outcomeOf(fails, { ledger })).toMatchObject({ kind: 'release', delayMs: 77 });
  });

  it('comes again when the ledger fails or is full, and counts no attempt', async () => {
    const ledger = new ToldLedger();
    ledger.begun = () => Promise.reject(new MillraceError('LEDGER_FULL', 'full', { retryable: true }));
    expect(await outcomeOf(fails, { ledger })).toEqual({ kind: 'release', delayMs: 1_000, asked: ['begin a'] });
  });

  it('comes again, and begins nothing, while others may take the process for dead', async () => {
    const told = await outcomeOf(fails, { holder: { member: 'm', isSure: false } });
    expect(told).toEqual({ kind: 'release', delayMs: 50, asked: ['begin a', 'release a t'] });
  });

  it('goes back, and begins nothing, when that was to end before the ledger answered', async () => {
    const paused = new AbortController();
    const ledger = new ToldLedger();
    ledger.begun = () => {
      paused.abort();
      return Promise.resolve({ kind: 'mine', token: 't' });
    };
    const told = await outcomeOf(fails, { ledger, work: new Work(paused.signal) });
    expect(told).toEqual({ kind: 'release', asked: ['begin a', 'release a t'] });
  });

  it('is recorded as soon as the ledger takes it', async () => {
    const ledger = new ToldLedger();
    let failures = 2;
    ledger.completed = () => {
      failures -= 1;
      return failures >= 0 ? Promise.reject(new MillraceError('REDIS_FAILED', 'away', { retryable: true })) : Promise.resolve(true);
    };
    expect(await outcomeOf(() => 'x', { ledger })).toEqual({
      kind: 'ack', asked: ['begin a', 'complete a t', 'complete a t', 'complete a t'],
    });
  });

  it('is released when it is not recorded and others may have begun it', async () => {
    const [ledger, holder] = [new ToldLedger(), { member: 'm', isSure: true }];
    ledger.completed = () => Promise.resolve(false);
    expect(await outcomeOf(() => 'x', { ledger, holder })).toMatchObject({ kind: 'ack' });
    expect(await outcomeOf(() => void (holder.isSure = false), { ledger, holder })).toMatchObject({ kind: 'release' });
  });

  it('is released once, and never completed, when its lease is given up', async () => {
    const [ledger, work] = [new ToldLedger(), new Work()];
    const told = await outcomeOf(({ lease }) => lease.giveUp(new MillraceError('STATE_LOST', 'lost')), { ledger, work });
    expect(told).toEqual({ kind: 'release', asked: ['begin a', 'release a t'] });
  });

  it('is a dead letter when its key cannot be told', async () => {
    const idOf = (): string => {
      throw new NoIdempotencyKeyError('no key');
    };
    expect(await outcomeOf(fails, { idOf })).toMatchObject({ kind: 'dead-letter', reason: 'NO_IDEMPOTENCY_KEY', asked: [] });
  });
});
