import { Topic } from '@millrace/core';
import { IsInt } from 'class-validator';

/** Steps of things: those of one thing have an order. */
@Topic<Step>('test.steps', { key: ({ thing }) => `thing-${thing}`, partitions: 4 })
export class Step {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

/** The steps of so many things, in turn. */
export function stepsOf(things: number, steps: number): { payload: Step }[] {
  const stepOf = (index: number): Step => ({ thing: index % things, step: Math.floor(index / things) });
  return Array.from({ length: things * steps }, (_, index) => ({ payload: stepOf(index) }));
}
