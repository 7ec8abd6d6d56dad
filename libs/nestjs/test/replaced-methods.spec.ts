import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type CanActivate, type ExecutionContext, Injectable, type Provider, SetMetadata, UseGuards } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  Job, JobHandler, JobQueue, MessageType, MillraceModule, OnDeadLetter, type PayloadClass, Publisher, Subscribe, SubscribeBatch,
  SubscribeBroadcast, Topic,
} from '@millrace/nestjs';
import { IsString } from 'class-validator';
import { atOnce, Bench, failureOf, Journal, OrderPlaced, SendConfirmation } from './fixture.js';

let bench: Bench;
const journal = new Journal();
beforeAll(async () => void (bench = await Bench.start()));
afterEach(async () => {
  await bench.closeApps();
  journal.entries.length = 0;
});
afterAll(() => bench.stop());

type Method = (...args: unknown[]) => unknown;

/** As decorators of transactions and request contexts do. */
function Wrapped(note = 'wrapped'): MethodDecorator {
  return (_target, _name, descriptor: PropertyDescriptor) => {
    const inner = descriptor.value as Method;
    descriptor.value = function (this: unknown, ...args: unknown[]): unknown {
      journal.add(note);
      return inner.apply(this, args);
    };
  };
}

/** As decorators of bound methods do. */
function Bound(): MethodDecorator {
  return (_target, _name, descriptor: PropertyDescriptor) => {
    const { value } = descriptor as { value: Method };
    return { configurable: true, get: () => value } as never;
  };
}

const order: OrderPlaced = { orderId: 'a', amount: 1 };

async function handled(provider: Provider, count: number): Promise<string[]> {
  const app = await bench.app({ imports: [MillraceModule.forFeature([OrderPlaced, SendConfirmation])], providers: [provider] });
  await app.get(Publisher).publish(OrderPlaced, order);
  await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
  return (await journal.has(count)).sort();
}

describe('a decorator above ours that replaces the method', () => {
  it('is called around the handler, for every decorator of ours', async () => {
    @Injectable()
    class Handlers {
      @Wrapped()
      @Subscribe(OrderPlaced, { group: 'one', retry: { ...atOnce, attempts: 1 } })
      one(): void {
        journal.add('one');
        throw new Error('to the dead letters');
      }

      @Wrapped()
      @SubscribeBatch(OrderPlaced, { group: 'many' })
      many(): void {
        journal.add('many');
      }

      @Wrapped()
      @SubscribeBroadcast(OrderPlaced)
      all(): void {
        journal.add('all');
      }

      @Wrapped()
      @OnDeadLetter(OrderPlaced, { group: 'one' })
      gaveUp(): void {
        journal.add('gave up');
      }

      @Wrapped()
      @JobHandler(SendConfirmation)
      job(): void {
        journal.add('job');
      }
    }
    const expected = ['all', 'gave up', 'job', 'many', 'one', ...Array.from({ length: 5 }, () => 'wrapped')];
    expect(await handled(Handlers, expected.length)).toEqual(expected);
  });

  it('may stand between two of ours, and take guards and other metadata along', async () => {
    const Roles = (...roles: string[]): MethodDecorator => SetMetadata('roles', roles);
    @Injectable()
    class Below implements CanActivate {
      constructor(private readonly reflector: Reflector) {}

      canActivate(context: ExecutionContext): boolean {
        const roles = this.reflector.get<string[]>('roles', context.getHandler());
        journal.add(`below ${roles.join()}`);
        return true;
      }
    }
    @Injectable()
    class Above extends Below {
      override canActivate(): boolean {
        journal.add('above');
        return true;
      }
    }
    @Injectable()
    class Handlers {
      @UseGuards(Above)
      @Subscribe(OrderPlaced, { group: 'above' })
      @Wrapped()
      @UseGuards(Below)
      @Roles('clerk')
      @JobHandler(SendConfirmation)
      handle(): void {
        journal.add('handled');
      }
    }
    const once = ['above', 'below clerk', 'handled', 'wrapped'];
    expect(await handled(Handlers, 8)).toEqual([...once, ...once].sort());
    expect(journal.entries.slice(0, 2)).toEqual(['below clerk', 'above']);
  });

  it('keeps its guards when a constructor binds it, or a spy is put in its place before the application is made', async () => {
    @Injectable()
    class Guard implements CanActivate {
      canActivate(): boolean {
        journal.add('guard');
        return true;
      }
    }
    @Injectable()
    class Handlers {
      constructor() {
        this.bound = this.bound.bind(this);
      }

      @UseGuards(Guard)
      @Subscribe(OrderPlaced, { group: 'bound' })
      bound(): void {
        journal.add('bound');
      }

      @UseGuards(new Guard())
      @JobHandler(SendConfirmation)
      spied(): void {
        journal.add('never');
      }
    }
    Handlers.prototype.spied = () => journal.add('spy');
    expect(await handled(Handlers, 4)).toEqual(['bound', 'guard', 'guard', 'spy']);
  });

  it('is refused where the guards of what it replaced could not run any more', async () => {
    @Injectable()
    class Guard implements CanActivate {
      canActivate(): boolean {
        return true;
      }
    }
    @Injectable()
    class Handlers {
      @UseGuards(Guard)
      @Subscribe(OrderPlaced, { group: 'late' })
      handle(): void {
        journal.add('never');
      }
    }
    await Promise.resolve();
    Handlers.prototype.handle = () => undefined;
    const error = await failureOf(bench.app({ providers: [Handlers] }));
    expect(error.message).toBe(
      'The guard Guard of Handlers.handle() would not run: the method was replaced by another function, on which Nest has not seen it. ' +
        'Replace it where the class is declared, or give the guard as an instance.',
    );
  });

  it('is refused when it leaves no method behind', async () => {
    @Injectable()
    class Handlers {
      @Bound()
      @Subscribe(OrderPlaced, { group: 'bound' })
      handle(): void {
        journal.add('never');
      }
    }
    const error = await failureOf(bench.app({ providers: [Handlers] }));
    expect(error.message).toBe(
      '@Subscribe on Handlers.handle() would handle nothing: another decorator put something in its place that is no method. Remove ' +
        'that decorator: a handler is called on its instance and needs no binding.',
    );
  });
});

describe('a method that overrides a handler', () => {
  class Base {
    @Subscribe(OrderPlaced, { group: 'base' })
    handle(): void {
      journal.add('base');
    }

    @JobHandler(SendConfirmation)
    send(): void {
      journal.add('base job');
    }
  }

  it('is refused without a decorator of its own, all of them at once', async () => {
    @Injectable()
    class Derived extends Base {
      override handle(): void {
        super.handle();
      }

      override send(): void {
        super.send();
      }
    }
    const error = await failureOf(bench.app({ providers: [Derived] }));
    expect(error.code).toBe('INVALID_OPTIONS');
    expect(error.problems).toEqual([
      '@Subscribe on Base.handle() would handle nothing: Derived.handle() overrides it and has no decorator. Write the decorator above ' +
        'Derived.handle(), too, or give that method another name.',
      expect.stringContaining('@JobHandler on Base.send() would handle nothing: Derived.send() overrides it'),
    ]);
  });

  it('handles with the decorator that it has, and not with that of the method that it overrides', async () => {
    @Injectable()
    class Derived extends Base {
      @Subscribe(OrderPlaced, { group: 'derived' })
      override handle(): void {
        journal.add('derived');
      }
    }
    expect(await handled(Derived, 2)).toEqual(['base job', 'derived']);
  });

  it('handles when a class decorator put it in the place of the method, and is refused when it stands in a subclass', async () => {
    const inPlace = ({ prototype }: { prototype: { handle: Method } }): void => {
      const { handle } = prototype;
      prototype.handle = function (...args) {
        journal.add('in place');
        return handle.apply(this, args);
      };
    };
    const subclass = (type: typeof Base): typeof Base => class extends type {
      override handle(): void {
        journal.add('never');
      }
    };
    @inPlace
    @Injectable()
    class Handlers extends Base {
      @Subscribe(OrderPlaced, { group: 'own' })
      override handle(): void {
        journal.add('own');
      }
    }
    expect(await handled(Handlers, 3)).toEqual(['base job', 'in place', 'own']);
    const error = await failureOf(bench.app({ providers: [subclass(Base)] }));
    expect(error.message).toContain('a class decorator put a subclass with a handle() of its own in its place. Let it replace methods in place');
  });
});

describe('a contract that a class decorator replaced', () => {
  const extended = <T extends PayloadClass>(type: T): T => class extends (type as PayloadClass) {} as T;
  const proxied = <T extends object>(type: T): T => new Proxy(type, {});

  @extended
  @Topic('replaced.topic')
  class ReplacedTopic {
    @IsString() a!: string;
  }
  @proxied
  @Job('replaced-job', { queue: 'replaced' })
  class ReplacedJob {
    @IsString() a!: string;
  }
  @extended
  @MessageType('replaced')
  class ReplacedType extends OrderPlaced {}

  it.each([[ReplacedTopic], [ReplacedJob], [ReplacedType]])('is refused with how to mend it: %p', async (type) => {
    const error = await failureOf(bench.app({ imports: [MillraceModule.forFeature([type])] }));
    expect(error.message).toContain('if a class decorator put it in the place of that class, write ours above that decorator');
  });

  it('is refused in the same way where it is handled', async () => {
    @Injectable()
    class Handlers {
      @Subscribe(ReplacedTopic, { group: 'a' })
      topic(): void {
        journal.add('never');
      }

      @JobHandler(ReplacedJob)
      job(): void {
        journal.add('never');
      }
    }
    const { problems } = await failureOf(bench.app({ providers: [Handlers] }));
    expect(problems).toHaveLength(2);
    for (const problem of problems) expect(problem).toContain('write ours above that decorator');
  });
});
