import { afterEach, describe, expect, it } from '@jest/globals';
import { type EventMap, listen, Loop, type LoopOptions } from '@millrace/core';
import { weirdValues } from './weird-values.js';

const loops: Loop[] = [];

afterEach(async () => {
  await Promise.all(loops.splice(0).map((loop) => loop.stop()));
});

function loopOf(round: LoopOptions['round'], onError: LoopOptions['onError'] = () => undefined): Loop {
  const loop = new Loop({ name: 'test', round, onError });
  loops.push(loop);
  return loop;
}

/** A promise with its resolver outside. */
function signal<T = void>(): { readonly promise: Promise<T>; readonly fire: (value: T) => void } {
  let fire!: (value: T) => void;
  const promise = new Promise<T>((resolve) => (fire = resolve));
  return { promise, fire };
}

/** Counts rounds and tells when there were so many. */
class Rounds {
  count = 0;
  readonly #waiting = new Map<number, () => void>();

  next(): number {
    this.count += 1;
    this.#waiting.get(this.count)?.();
    return this.count;
  }

  async reached(count: number): Promise<void> {
    if (this.count < count) await new Promise<void>((resolve) => this.#waiting.set(count, resolve));
  }
}

/** Lets everything else that is due in the process happen, so many times. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const FOR_EVER = 3_600_000;

describe('a loop', () => {
  it('goes round until it is stopped', async () => {
    const rounds = new Rounds();
    const loop = loopOf(() => Promise.resolve(rounds.next() && 0));
    loop.start();
    await rounds.reached(10);
    await loop.stop();
    const { count } = rounds;
    await turns(1);
    expect(rounds.count).toBe(count);
  });

  it('runs once however often it is started', async () => {
    let atOnce = 0;
    let most = 0;
    const rounds = new Rounds();
    const loop = loopOf(async () => {
      most = Math.max(most, (atOnce += 1));
      await Promise.resolve();
      atOnce -= 1;
      return rounds.next() && 0;
    });
    loop.start();
    loop.start();
    await rounds.reached(20);
    loop.start();
    await rounds.reached(40);
    expect(most).toBe(1);
  });

  it('leaves room for everything else when its rounds never wait', async () => {
    let rounds = 0;
    const loop = loopOf(() => Promise.resolve((rounds += 1) && 0));
    loop.start();
    await turns(10);
    await loop.stop();
    expect(rounds).toBeGreaterThan(0);
  });

  it('leaves room when it is woken all the time, too', async () => {
    const loop: Loop = loopOf(() => {
      loop.wake();
      return Promise.resolve(FOR_EVER);
    });
    loop.start();
    await turns(10);
    await loop.stop();
  });

  it.each([Number.NaN, -1, Infinity, 1e19])('does not spin on a pause of %p', async (pause) => {
    const rounds = new Rounds();
    const loop = loopOf(() => Promise.resolve(rounds.next() && pause));
    loop.start();
    await turns(1);
    // A timer that is set later and for longer fires after one that Node has cut down to a millisecond.
    await new Promise((resolve) => setTimeout(resolve, 2));
    await loop.stop();
    if (pause > 0) expect(rounds.count).toBe(1);
  });
});

describe('stopping a loop', () => {
  it('before it was started keeps it from starting', async () => {
    const rounds = new Rounds();
    const loop = loopOf(() => Promise.resolve(rounds.next() && 0));
    await loop.stop();
    loop.start();
    loop.wake();
    await loop.stop();
    expect(rounds.count).toBe(0);
  });

  it('is for good', async () => {
    const rounds = new Rounds();
    const loop = loopOf(() => Promise.resolve(rounds.next() && 0));
    loop.start();
    await rounds.reached(1);
    await loop.stop();
    const { count } = rounds;
    loop.start();
    await loop.stop();
    expect(rounds.count).toBe(count);
  });

  it('aborts the round in progress and waits for its end', async () => {
    const begun = signal();
    const steps: string[] = [];
    const loop = loopOf(async (abort) => {
      begun.fire();
      await new Promise<void>((resolve) => abort.addEventListener('abort', () => resolve()));
      await Promise.resolve();
      steps.push('round ended');
      return FOR_EVER;
    });
    loop.start();
    await begun.promise;
    await loop.stop();
    steps.push('stopped');
    expect(steps).toEqual(['round ended', 'stopped']);
  });

  it('takes a round that gives up by throwing for no failure', async () => {
    const begun = signal();
    const errors: Error[] = [];
    const round = (abort: AbortSignal): Promise<number> => {
      begun.fire();
      return new Promise((_, reject) => abort.addEventListener('abort', () => reject(new Error('aborted'))));
    };
    const loop = loopOf(round, (error) => errors.push(error));
    loop.start();
    await begun.promise;
    await loop.stop();
    expect(errors).toEqual([]);
  });

  it('ends the pause', async () => {
    const rounds = new Rounds();
    const loop = loopOf(() => Promise.resolve(rounds.next() && FOR_EVER));
    loop.start();
    await rounds.reached(1);
    await turns(1);
    await loop.stop();
    expect(rounds.count).toBe(1);
  });

  it('ends the pause after a failure', async () => {
    const failed = signal();
    const loop = loopOf(() => Promise.reject(new Error('x')), (_, failures) => failures === 1 && failed.fire());
    loop.start();
    await failed.promise;
    await loop.stop();
  });

  it('twice, and at once, resolves each time when it has ended', async () => {
    const end = signal();
    let isOver = false;
    const loop = loopOf(async () => {
      await end.promise;
      isOver = true;
      return 0;
    });
    loop.start();
    const stops = [loop.stop(), loop.stop()].map((stop) => stop.then(() => isOver));
    end.fire();
    expect(await Promise.all([...stops, loop.stop().then(() => isOver)])).toEqual([true, true, true]);
  });

  it('from inside a round works, as long as the round does not wait for it', async () => {
    const stopped = signal();
    const loop: Loop = loopOf(() => {
      void loop.stop().then(stopped.fire);
      return Promise.resolve(FOR_EVER);
    });
    loop.start();
    await stopped.promise;
  });

  it('works at every moment of its life', async () => {
    for (let moment = 0; moment < 60; moment += 1) {
      let rounds = 0;
      const loop = loopOf(async () => {
        rounds += 1;
        for (let step = 0; step < rounds % 4; step += 1) await Promise.resolve();
        if (rounds % 3 === 0) throw new Error('every third');
        return rounds % 2;
      });
      loop.start();
      for (let step = 0; step < moment; step += 1) await (step % 7 === 6 ? turns(1) : Promise.resolve());
      await loop.stop();
      const { rounds: before } = { rounds };
      await turns(1);
      expect(rounds).toBe(before);
    }
  });
});

describe('waking a loop', () => {
  it('ends its pause', async () => {
    const rounds = new Rounds();
    const loop = loopOf(() => Promise.resolve(rounds.next() && FOR_EVER));
    loop.start();
    for (let count = 1; count < 5; count += 1) {
      await rounds.reached(count);
      loop.wake();
    }
    await rounds.reached(5);
  });

  it('during a round skips the next pause, and only that one', async () => {
    const rounds = new Rounds();
    const loop: Loop = loopOf(() => {
      if (rounds.next() === 1) loop.wake();
      return Promise.resolve(FOR_EVER);
    });
    loop.start();
    await rounds.reached(2);
    await turns(10);
    expect(rounds.count).toBe(2);
  });

  it('often counts as once', async () => {
    const rounds = new Rounds();
    const loop = loopOf(() => Promise.resolve(rounds.next() && FOR_EVER));
    loop.start();
    await rounds.reached(1);
    await turns(1);
    loop.wake();
    loop.wake();
    await rounds.reached(2);
    await turns(10);
    expect(rounds.count).toBeLessThanOrEqual(3);
  });

  it('before the start is remembered, and after the stop does nothing', async () => {
    const rounds = new Rounds();
    const loop = loopOf(() => Promise.resolve(rounds.next() && FOR_EVER));
    loop.wake();
    loop.start();
    await rounds.reached(2);
    await loop.stop();
    loop.wake();
    await turns(1);
    expect(rounds.count).toBe(2);
  });
});

describe('a round that fails', () => {
  it('never ends the loop, whatever it throws, at once or later', async () => {
    const weird = weirdValues();
    const told: Error[] = [];
    const done = signal();
    let round = 0;
    const loop: Loop = loopOf(
      () => {
        const [, thrown] = weird[round >> 1] ?? [];
        if (round >> 1 === weird.length) done.fire();
        round += 1;
        if (round >> 1 > weird.length) return Promise.resolve(FOR_EVER);
        loop.wake();
        if (round % 2 === 0) throw thrown;
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- rounds call other people's code
        return Promise.reject(thrown);
      },
      (error) => told.push(error),
    );
    loop.start();
    await done.promise;
    expect(told.length).toBeGreaterThanOrEqual(2 * weird.length);
    expect(told.every((error) => typeof error.message === 'string')).toBe(true);
  });

  it('counts its failures since the last good round', async () => {
    const counts: number[] = [];
    const rounds = new Rounds();
    const loop: Loop = loopOf(
      () => {
        const count = rounds.next();
        loop.wake();
        return count % 4 === 0 ? Promise.resolve(1) : Promise.reject(new Error('x'));
      },
      (_, failures) => counts.push(failures),
    );
    loop.start();
    await rounds.reached(8);
    expect(counts.slice(0, 6)).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('for ever does not keep it from being stopped', async () => {
    const failed = signal();
    const loop = loopOf(() => Promise.reject(new Error('always')), (_, failures) => failures > 3 && failed.fire());
    loop.start();
    await failed.promise;
    await loop.stop();
  });

  it('and that cannot even be told of, is told of as an event, and the loop goes on', async () => {
    const events: EventMap['loop-failed'][] = [];
    const stopListening = listen('loop-failed', (event) => events.push(event));
    const rounds = new Rounds();
    const round = (): Promise<number> => (rounds.next() < 3 ? Promise.reject(new Error('x')) : Promise.resolve(FOR_EVER));
    const loop = loopOf(round, () => {
      throw new Error('nobody to tell');
    });
    loop.start();
    await rounds.reached(3);
    stopListening();
    expect(events).toMatchObject([1, 2].map((failures) => ({ loop: 'test', failures, error: { message: 'nobody to tell' } })));
  });
});
