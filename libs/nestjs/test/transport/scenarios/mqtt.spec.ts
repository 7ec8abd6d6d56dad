import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, type INestApplication, Inject, Param, Post } from '@nestjs/common';
import { type ClientProxy, MessagePattern, Payload } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import { Journal } from '../../fixture.js';
import { EventPattern } from '../fixture.js';
import { Adder, AdderRoutes, LISTS, NUMBERS, sumOf, SUMS } from './adder.js';
import { bodyOf, posted, ScenarioBench } from './scenario-bench.js';

const told = new Journal<unknown>();
const heard = {
  rest: new Journal<unknown>(),
  one: new Journal<unknown>(),
  sharedRest: new Journal<unknown>(),
  sharedOne: new Journal<unknown>(),
};

@Controller()
class Routes extends AdderRoutes {
  constructor(@Inject('ADDER') readonly client: ClientProxy) {
    super();
  }

  @Post('send/:subject')
  send(@Param('subject') subject: string, @Body() numbers: number[]): Observable<number> {
    return this.client.send(subject, numbers);
  }

  @Post('emit/:subject')
  emit(@Param('subject') subject: string, @Body() data: object): Observable<unknown> {
    return this.client.emit(subject, data);
  }
}

/** The parts of a subject stand between dots, and `*` is for one of them, as `+` is in MQTT. */
@Controller()
class Handlers extends Adder {
  @EventPattern('told')
  hear(@Payload() data: unknown) {
    told.add(data);
  }

  @MessagePattern('sum.rest.#')
  sumRest(@Payload() numbers: number[]) {
    return sumOf(numbers);
  }

  @MessagePattern('sum.one.*.end')
  sumOne(@Payload() numbers: number[]) {
    return sumOf(numbers);
  }

  @EventPattern('news.rest.#')
  hearRest(@Payload() data: unknown) {
    heard.rest.add(data);
  }

  @EventPattern('news.one.*.end')
  hearOne(@Payload() data: unknown) {
    heard.one.add(data);
  }
}

/** MQTT would name the group in the pattern. A group hears an event once, however many instances it has. */
@Controller()
class SharedHandlers {
  @EventPattern('shared.rest.#', { group: 'readers' })
  hearRest(@Payload() data: unknown) {
    heard.sharedRest.add(data);
  }

  @EventPattern('shared.one.*.end', { group: 'readers' })
  hearOne(@Payload() data: unknown) {
    heard.sharedOne.add(data);
  }

  @MessagePattern('shared-sum.rest.#')
  sumRest(@Payload() numbers: number[]) {
    return sumOf(numbers);
  }

  @MessagePattern('shared-sum.one.*.end')
  sumOne(@Payload() numbers: number[]) {
    return sumOf(numbers);
  }
}

let bench: ScenarioBench;
let app: INestApplication;
beforeAll(async () => {
  bench = await ScenarioBench.start();
  app = await bench.hybrid({ imports: [bench.client()], controllers: [Routes, Handlers, SharedHandlers] });
  // Instances of one service share its requests, and those of one group its events.
  await bench.hybrid({ controllers: [Handlers, SharedHandlers] });
});
afterAll(() => bench.stop());

/** The events that a handler got when two were emitted. A second delivery of the first would be among them. */
async function heardOnce(name: keyof typeof heard, subject: string): Promise<unknown[]> {
  await bodyOf(posted(app, `emit/${subject}`, { event: 1 }));
  await heard[name].has(1);
  await bodyOf(posted(app, `emit/${subject}`, { event: 2 }));
  return heard[name].has(2);
}

const BOTH = [{ event: 1 }, { event: 2 }];

describe('in the place of the MQTT transport', () => {
  it('one of two instances returns a number', async () => {
    expect(await bodyOf(posted(app, 'ask/add', NUMBERS))).toBe('15');
  });

  it('one of two instances returns the promise of a number', async () => {
    expect(await bodyOf(posted(app, 'ask/add-later', NUMBERS))).toBe('15');
  });

  it('one of two instances returns an Observable of a number', async () => {
    expect(await bodyOf(posted(app, 'ask/add-observed', NUMBERS))).toBe('15');
  });

  it('two instances answer ten requests at once', async () => {
    expect(JSON.parse(await bodyOf(posted(app, 'ask-at-once', LISTS)))).toEqual(SUMS);
  });

  it('one of two instances streams its answer', async () => {
    expect(await bodyOf(posted(app, 'running-sum', NUMBERS))).toBe('15');
  });

  it('one of two instances gets an event', async () => {
    await bodyOf(posted(app, 'tell', { news: true }));
    expect(await told.has(1)).toEqual([{ news: true }]);
  });

  it('a handler of all that follows gets an event', async () => {
    expect(await heardOnce('rest', 'news.rest.today')).toEqual(BOTH);
  });

  it('a handler of all that follows answers a request', async () => {
    expect(await bodyOf(posted(app, 'send/sum.rest.today', NUMBERS))).toBe('15');
  });

  it('a handler of any one part gets an event', async () => {
    expect(await heardOnce('one', 'news.one.paris.end')).toEqual(BOTH);
  });

  it('a handler of any one part answers a request', async () => {
    expect(await bodyOf(posted(app, 'send/sum.one.paris.end', NUMBERS))).toBe('15');
  });

  it('a group that shares all that follows gets an event once', async () => {
    expect(await heardOnce('sharedRest', 'shared.rest.today')).toEqual(BOTH);
  });

  it('instances that share all that follows answer a request', async () => {
    expect(await bodyOf(posted(app, 'send/shared-sum.rest.today', NUMBERS))).toBe('15');
  });

  it('a group that shares any one part gets an event once', async () => {
    expect(await heardOnce('sharedOne', 'shared.one.paris.end')).toEqual(BOTH);
  });

  it('instances that share any one part answer a request', async () => {
    expect(await bodyOf(posted(app, 'send/shared-sum.one.paris.end', NUMBERS))).toBe('15');
  });
});
