import { type DeliveryContext, type Duration, fixed, type RetryPolicy } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from '../bed.js';
import type { GroupPartition } from '../../src/consume/group-partition.js';
import { pairs } from '../model/hash.js';
import { Step } from './keyed.js';

export const BY_KEY = { by: 'key' } as const;

/** So many attempts, with so long between them. */
export function times(attempts: number, delay: Duration = '5ms'): RetryPolicy {
  return { attempts, backoff: fixed(delay), deadLetterOn: [] };
}

/** Begun handlers as `<thing>.<step> <attempt>/<crashes>`, in their order. */
export class Log {
  readonly lines: string[] = [];

  add({ thing, step }: Step, { attempt, crashes, replayed }: DeliveryContext): void {
    this.lines.push(`${thing}.${step} ${attempt}/${crashes}${replayed ? ' replayed' : ''}`);
  }

  of(thing: number): string[] {
    return this.lines.filter((line) => line.startsWith(`${thing}.`)).map((line) => line.slice(`${thing}.`.length));
  }

  until(count: number, timeoutMs = 20_000): Promise<unknown> {
    const enough = (): boolean => {
      if (this.lines.length < count) throw new Error(this.lines.join(', '));
      return true;
    };
    return waitFor(enough, { what: `${count} handlers to have begun`, timeoutMs });
  }
}

/** A bed whose groups are ordered. */
export class OrderedBed extends Bed {
  get places(): GroupPartition[] {
    return [0, 1, 2, 3].map((partition) => this.place(Step, 'g', partition));
  }

  /** Fields of the hashes `control`, of all partitions, that tell of messages. */
  async notes(): Promise<string[]> {
    const all = await Promise.all(this.places.map(({ groupKeys }) => this.command('HKEYS', groupKeys.control) as Promise<string[]>));
    return all.flat().filter((field) => /^(tried:|given-up:|stopped$)/.test(field));
  }

  /** The epochs of all partitions. */
  async epochs(): Promise<number[]> {
    return Promise.all(this.places.map(async ({ groupKeys }) => Number(await this.command('HGET', groupKeys.control, 'epoch'))));
  }

  /** Makes all messages due that wait for another attempt, as if the time had passed, for owners that read them from now on. */
  async ripen(): Promise<void> {
    for (const { groupKeys: { control } } of this.places) {
      const fields = pairs((await this.command('HGETALL', control)) as string[]);
      for (const [field, text] of fields) {
        if (field.startsWith('tried:')) await this.command('HSET', control, field, text.replace(/ \d+ (\d+)$/, ' 0 $1'));
      }
    }
  }
}
