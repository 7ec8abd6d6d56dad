import { type PayloadClass, Topic } from '@millrace/core';
import { IsInt } from 'class-validator';

/** A message goes from stage to stage; each has two partitions. */
@Topic<A>('stage.a', { key: ({ value }) => String(value), partitions: 2 })
export class A {
  @IsInt() value!: number;
}

@Topic<B>('stage.b', { key: ({ value }) => String(value), partitions: 2 })
export class B {
  @IsInt() value!: number;
}

@Topic<C>('stage.c', { key: ({ value }) => String(value), partitions: 2 })
export class C {
  @IsInt() value!: number;
}

@Topic<D>('stage.d', { key: ({ value }) => String(value), partitions: 2 })
export class D {
  @IsInt() value!: number;
}

export interface Stage {
  readonly from: PayloadClass<{ value: number }>;
  readonly to: PayloadClass<{ value: number }>;
}

export const STAGES: readonly Stage[] = [
  { from: A, to: B },
  { from: B, to: C },
  { from: C, to: D },
];
