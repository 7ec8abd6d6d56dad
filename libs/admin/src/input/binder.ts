import type { UseCaseParts } from '../parts.js';
import { assertGroupTarget, assertTopicTarget, type GroupTarget, type TopicTarget } from '../topics/known-topic.js';
import { plainInput } from './plain-input.js';

type UseCase<Rest extends unknown[], Answer> = (parts: UseCaseParts, ...rest: Rest) => Promise<Answer>;

type OnTopic<Rest extends unknown[]> = [TopicTarget, ...Rest];

type OnGroup<Rest extends unknown[]> = [GroupTarget, ...Rest];

type Bound<Rest extends unknown[], Answer> = (...rest: Rest) => Promise<Answer>;

/**
 * Gives use cases their parts, and checks the target that each is given. Wrong input rejects, too: no use case throws before it
 * returns.
 */
export class Binder {
  readonly #parts: UseCaseParts;

  constructor(parts: UseCaseParts) {
    this.#parts = parts;
  }

  bind<Rest extends unknown[], Answer>(useCase: UseCase<Rest, Answer>): Bound<Rest, Answer> {
    return async (...rest) => useCase(this.#parts, ...(plainInput(rest) as Rest));
  }

  onTopic<Rest extends unknown[], Answer>(useCase: UseCase<OnTopic<Rest>, Answer>): Bound<OnTopic<Rest>, Answer> {
    return this.bind((parts, target, ...rest) => {
      assertTopicTarget(target);
      return useCase(parts, target, ...rest);
    });
  }

  onGroup<Rest extends unknown[], Answer>(useCase: UseCase<OnGroup<Rest>, Answer>): Bound<OnGroup<Rest>, Answer> {
    return this.bind((parts, target, ...rest) => {
      assertGroupTarget(target);
      return useCase(parts, target, ...rest);
    });
  }
}
