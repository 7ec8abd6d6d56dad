import { Topic } from '@millrace/core';
import { IsInt } from 'class-validator';

@Topic<Numbered>('test.numbered', { key: ({ value }) => String(value), partitions: 3 })
export class Numbered {
  @IsInt() value!: number;
}

@Topic<Single>('test.single')
export class Single {
  @IsInt() value!: number;
}

/** Many partitions: more streams than a member has slots. */
@Topic<Wide>('test.wide', { key: ({ value }) => String(value), partitions: 16 })
export class Wide {
  @IsInt() value!: number;
}

export function numbers(count: number): { payload: { value: number } }[] {
  return Array.from({ length: count }, (_, value) => ({ payload: { value } }));
}
