import { describe, expect, it } from '@jest/globals';
import { Silence } from '../src/group/silence.js';

const LEASE_MS = 3_000;
const BEAT_MS = 300;

/** An observer with a clock of its own. */
class Observer {
  readonly silence = new Silence({ leaseMs: LEASE_MS, beatMs: BEAT_MS });
  #nowMs = 1_000_000;

  /** An answered look, so long after the look before. @returns whether a process has just died */
  look(afterMs: number, words: Readonly<Record<string, string | null>>): boolean {
    this.#nowMs += afterMs;
    return this.lookThen(this.#nowMs, words);
  }

  /** An answered look that was sent at another moment. */
  lookThen(sentAtMs: number, words: Readonly<Record<string, string | null>>): boolean {
    return this.silence.looked(new Map(Object.entries(words)), { sentAtMs, answeredAtMs: this.#nowMs });
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Looks a beat apart in which no record changes. @returns the numbers of those that saw a death, from 1 on */
  silentLooks(count: number, words: Readonly<Record<string, string | null>>): number[] {
    return Array.from({ length: count }, (_, index) => (this.look(BEAT_MS, words) ? index + 1 : 0)).filter((each) => each > 0);
  }
}

describe('the silence of another process', () => {
  it('ends in death after 0.9 of a lease of answered looks, and is reported once', () => {
    const observer = new Observer();
    observer.look(0, { a: '7' });
    expect(observer.silentLooks(8, { a: '7' })).toEqual([]);
    expect(observer.silence.isDead('a')).toBe(false);
    expect(observer.silentLooks(20, { a: '7' })).toEqual([1]);
    expect(observer.silence.isDead('a')).toBe(true);
  });

  it('is remembered when nobody has looked for a while: a process that has said nothing since is dead two looks later', () => {
    const observer = new Observer();
    observer.look(0, { a: '7', b: '7' });
    observer.silentLooks(9, { a: '7', b: '7' });
    observer.silentLooks(50, {});
    expect(observer.silence.isDead('a')).toBe(false);
    // Its record may be gone by then.
    expect([observer.look(BEAT_MS, { a: '7', b: null }), observer.look(BEAT_MS, { a: '7', b: null })]).toEqual([false, true]);
    expect([observer.silence.isDead('a'), observer.silence.isDead('b')]).toEqual([true, true]);
  });

  it('is forgotten when it has said something since, and then lasts as long as any', () => {
    const observer = new Observer();
    observer.look(0, { a: '7' });
    observer.silentLooks(9, { a: '7' });
    observer.silentLooks(5, {});
    observer.look(BEAT_MS, { a: '8' });
    expect(observer.silentLooks(9, { a: '8' })).toEqual([9]);
    observer.silentLooks(5, {});
    observer.look(BEAT_MS, { a: '9' });
    observer.silentLooks(3, {});
    expect(observer.silentLooks(8, { a: '9' })).toEqual([]);
  });

  it('does not grow with looks that piled up while Redis was away, and are answered at one moment', () => {
    const observer = new Observer();
    observer.look(0, { a: '7' });
    observer.look(5_000, { a: '7' });
    for (let late = 4_700; late > 0; late -= BEAT_MS) expect(observer.lookThen(observer.nowMs - late, { a: '7' })).toBe(false);
    expect(observer.silence.isDead('a')).toBe(false);
  });

  it('does not grow over an outage: a living process raises its counter in the looks after it', () => {
    const observer = new Observer();
    const words = (beat: number): Record<string, string> => ({ a: `${beat}`, b: `${beat}` });
    observer.look(0, words(1));
    for (let outage = 1; outage <= 10; outage += 1) {
      expect(observer.look(5_000, words(outage))).toBe(false);
      expect(observer.look(BEAT_MS, words(outage + 1))).toBe(false);
    }
    expect([observer.silence.isDead('a'), observer.silence.isDead('b')]).toEqual([false, false]);
  });

  it('grows by two beats a look at the most, however long ago the last look was', () => {
    const observer = new Observer();
    observer.look(0, { a: '7' });
    const deaths = [1, 2, 3, 4, 5].map(() => observer.look(60_000, { a: '7' }));
    expect(deaths).toEqual([false, false, false, false, true]);
  });

  it('begins with the first look: earlier changes are not known', () => {
    const observer = new Observer();
    observer.look(0, {});
    observer.look(BEAT_MS, { a: '7' });
    expect(observer.silentLooks(8, { a: '7' })).toEqual([]);
    expect(observer.silentLooks(1, { a: '7' })).toEqual([1]);
  });

  it('begins anew with each change of the record', () => {
    const observer = new Observer();
    observer.look(0, { a: '7' });
    observer.silentLooks(8, { a: '7' });
    observer.look(BEAT_MS, { a: '8' });
    expect(observer.silentLooks(8, { a: '8' })).toEqual([]);
    expect(observer.silentLooks(1, { a: '8' })).toEqual([1]);
  });

  it('is counted for each process by itself', () => {
    const observer = new Observer();
    for (let beat = 0; beat <= 9; beat += 1) observer.look(BEAT_MS, { a: '7', b: `${beat}` });
    expect([observer.silence.isDead('a'), observer.silence.isDead('b')]).toEqual([true, false]);
  });
});

describe('a record that vanished', () => {
  it('is no change: its last content stays, and its process dies of silence', () => {
    const observer = new Observer();
    observer.look(0, { a: '7 2 ' });
    expect(observer.silentLooks(9, { a: null })).toEqual([9]);
    expect(observer.silence.lastWords('a')).toBe('7 2 ');
  });

  it('and comes back with its old content is no change either', () => {
    const observer = new Observer();
    observer.look(0, { a: '7' });
    observer.look(BEAT_MS, { a: null });
    expect(observer.silentLooks(8, { a: '7' })).toEqual([8]);
  });

  it('is that of a living process when it comes back with new content, also after death', () => {
    const observer = new Observer();
    observer.look(0, { a: '7' });
    observer.silentLooks(9, { a: null });
    expect(observer.look(BEAT_MS, { a: '1' })).toBe(false);
    expect([observer.silence.isDead('a'), observer.silence.lastWords('a')]).toEqual([false, '1']);
    expect(observer.silentLooks(9, { a: '1' })).toEqual([9]);
  });

  it('and was never there is that of a process that is silent from the first look on', () => {
    const observer = new Observer();
    observer.look(0, { a: null });
    expect(observer.silentLooks(9, { a: null })).toEqual([9]);
    expect(observer.silence.lastWords('a')).toBeNull();
  });
});

describe('a process that is not in a look', () => {
  it('is forgotten: it is not dead, and its silence begins anew', () => {
    const observer = new Observer();
    observer.look(0, { a: '7', b: '7' });
    observer.silentLooks(9, { a: '7', b: '7' });
    observer.look(BEAT_MS, { b: '7' });
    expect([observer.silence.isDead('a'), observer.silence.lastWords('a'), observer.silence.isDead('b')]).toEqual([false, null, true]);
    observer.look(BEAT_MS, { a: '7', b: '7' });
    expect(observer.silence.isDead('a')).toBe(false);
  });
});
