import { type PayloadClass, type TopicDefinition, topicOfRef } from '@millrace/core';
import { partitionKeys } from '../../src/keys.js';

type Read = (name: string, ...args: (string | number)[]) => Promise<unknown>;

/** Entries that are read together. */
const PAGE = 2_000;

/** Values of all messages that are stored in a topic, by partition, in their order. */
export async function storedValues(read: Read, prefix: string, topic: PayloadClass | TopicDefinition): Promise<number[][]> {
  const { name, partitions } = topicOfRef(topic);
  return Promise.all(Array.from({ length: partitions }, async (_, partition) => {
    const { log } = partitionKeys(prefix, name, partition);
    const values: number[] = [];
    for (let after = '-'; ; ) {
      const entries = (await read('XRANGE', log, after, '+', 'COUNT', PAGE)) as [string, [string, string]][];
      for (const [, [, text]] of entries) values.push(...(JSON.parse(text) as unknown[][]).map((envelope) => (envelope[5] as { value: number }).value));
      if (entries.length < PAGE) return values;
      after = `(${entries.at(-1)![0]}`;
    }
  }));
}

/** How many of the values 0 to count - 1 are missing, and how many are there more than once. */
export function countsOf(values: readonly number[], count: number): { readonly lost: number; readonly doubled: number } {
  const unique = new Set(values);
  return { lost: count - unique.size, doubled: values.length - unique.size };
}
