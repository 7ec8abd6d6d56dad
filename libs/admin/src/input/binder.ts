import { assertQueueTarget, type QueueTarget } from '../jobs/job-parts.js';
import type { UseCaseParts } from '../parts.js';
import { assertGroupTarget, assertTopicTarget, type GroupTarget, type TopicTarget } from '../topics/known-topic.js';
import { plainInput } from './plain-input.js';

type UseCase<Parts, Rest extends unknown[], Answer> = (parts: Parts, ...rest: Rest) => Promise<Answer>;

type Bound<Rest extends unknown[], Answer> = (...rest: Rest) => Promise<Answer>;

/**
 * Gives use cases their parts, and checks the target that each is given. Wrong input rejects, too: no use case throws before it
 * returns.
 */
export class Binder<Parts extends UseCaseParts> {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  bind<Rest extends unknown[], Answer>(useCase: UseCase<Parts, Rest, Answer>): Bound<Rest, Answer> {
    return async (...rest) => useCase(this.#parts, ...(plainInput(rest) as Rest));
  }

  onTopic<Rest extends unknown[], Answer>(
    useCase: UseCase<Parts, [TopicTarget, ...Rest], Answer>,
  ): Bound<[TopicTarget, ...Rest], Answer> {
    return this.#on(assertTopicTarget, useCase);
  }

  onGroup<Rest extends unknown[], Answer>(
    useCase: UseCase<Parts, [GroupTarget, ...Rest], Answer>,
  ): Bound<[GroupTarget, ...Rest], Answer> {
    return this.#on(assertGroupTarget, useCase);
  }

  onQueue<Target extends QueueTarget, Rest extends unknown[], Answer>(
    useCase: UseCase<Parts, [Target, ...Rest], Answer>,
  ): Bound<[Target, ...Rest], Answer> {
    return this.#on(assertQueueTarget, useCase);
  }

  #on<Target, Rest extends unknown[], Answer>(
    assertTarget: (target: unknown) => void,
    useCase: UseCase<Parts, [Target, ...Rest], Answer>,
  ): Bound<[Target, ...Rest], Answer> {
    return this.bind<[Target, ...Rest], Answer>((parts, target, ...rest) => {
      assertTarget(target);
      return useCase(parts, target, ...rest);
    });
  }
}
