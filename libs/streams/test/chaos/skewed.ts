import { Topic } from '@millrace/core';
import { IsInt } from 'class-validator';
import { keyOf } from './plan.js';

/** Numbers under few keys, some of them busy, over more partitions than there are workers. */
@Topic<Skewed>('test.skewed', { key: ({ value }) => keyOf(value), partitions: 8 })
export class Skewed {
  @IsInt() value!: number;
}
