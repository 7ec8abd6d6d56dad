import { Topic, type TopicDefinition, topicOf } from '@millrace/core';
import { IsInt } from 'class-validator';

/** Steps of things, as code has them that was written before the raise: those of one thing have an order. */
@Topic<Grown>('test.grown', { key: ({ thing }) => `thing-${thing}`, partitions: 2 })
export class Grown {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

/** The same topic, as code has it that was written for more partitions. */
export function grownTo(partitions: number): typeof Grown {
  @Topic<Later>('test.grown', { key: ({ thing }) => `thing-${thing}`, partitions })
  class Later {
    @IsInt() thing!: number;
    @IsInt() step!: number;
  }
  return Later;
}

export function definitionWith(partitions: number): TopicDefinition {
  return { ...topicOf(Grown), partitions };
}

/** Handled steps of each thing, in the order in which their handlers began. */
export class Tape {
  readonly #steps = new Map<number, number[]>();

  add({ thing, step }: Grown): void {
    this.#steps.set(thing, [...(this.#steps.get(thing) ?? []), step]);
  }

  /** Steps in the order in which each was first handled: a message may be delivered again. */
  firstsOf(thing: number): number[] {
    return [...new Set(this.#steps.get(thing) ?? [])];
  }

  get count(): number {
    return [...this.#steps.values()].reduce((sum, { length }) => sum + length, 0);
  }
}

export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
