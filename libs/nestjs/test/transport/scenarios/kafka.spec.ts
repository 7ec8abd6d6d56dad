import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, type INestApplication, Inject, Param, Post } from '@nestjs/common';
import { type ClientProxy, MessagePattern, Payload } from '@nestjs/microservices';
import { MillraceRecordBuilder } from '@millrace/nestjs';
import type { Observable } from 'rxjs';
import { Journal } from '../../fixture.js';
import { EventPattern } from '../fixture.js';
import { NUMBERS, sumOf } from './adder.js';
import { bodyOf, posted, ScenarioBench } from './scenario-bench.js';

interface User {
  readonly name: string;
  readonly email: string;
}

const told = new Journal<unknown>();
const heardB = new Journal();
const begunA = new Journal();
const endedA = new Journal();

/** A handler of `topics.a` waits for it. */
let gate = Promise.resolve();
let open!: () => void;

@Controller()
class Routes {
  constructor(@Inject('ADDER') readonly client: ClientProxy) {}

  @Post('sum/record')
  record(@Body() numbers: number[]): Observable<number> {
    return this.client.send('sum.numbers', new MillraceRecordBuilder({ numbers }).setKey('1').build());
  }

  @Post('sum/record-without-key')
  recordWithoutKey(@Body() numbers: number[]): Observable<number> {
    return this.client.send('sum.numbers', new MillraceRecordBuilder({ numbers }).build());
  }

  @Post('sum/object')
  object(@Body() numbers: number[]): Observable<number> {
    return this.client.send('sum.numbers', { numbers });
  }

  @Post('sum/array')
  array(@Body() numbers: number[]): Observable<number> {
    return this.client.send('sum.array', numbers);
  }

  @Post('sum/text')
  text(@Body() numbers: number[]): Observable<number> {
    return this.client.send('sum.text', numbers.join());
  }

  @Post('sum/number')
  number(@Body() numbers: number[]): Observable<number> {
    return this.client.send('sum.digits', Number(numbers.join('')));
  }

  @Post('users')
  user(@Body() user: User): Observable<object> {
    return this.client.send('user.create', new MillraceRecordBuilder({ user }).setKey('1').build());
  }

  @Post('firms')
  firm(@Body() firm: object): Observable<object> {
    return this.client.send('firm.create', new MillraceRecordBuilder({ firm }).setKey('1').build());
  }

  @Post('emit/:topic')
  emit(@Param('topic') topic: string, @Body() data: object): Observable<unknown> {
    return this.client.emit(topic, new MillraceRecordBuilder(data).setKey('1').build());
  }
}

class StoredUser {
  readonly createdBy = 'user.create';
  constructor(readonly user: User) {}
}

@Controller()
class Handlers {
  @MessagePattern('sum.numbers')
  sumNumbers(@Payload('numbers') numbers: number[]) {
    return sumOf(numbers);
  }

  @MessagePattern('sum.array')
  sumArray(@Payload() numbers: number[]) {
    return sumOf(numbers);
  }

  @MessagePattern('sum.text')
  sumText(@Payload() text: string) {
    return sumOf(text.split(',').map(Number));
  }

  @MessagePattern('sum.digits')
  sumDigits(@Payload() digits: number) {
    return sumOf([...String(digits)].map(Number));
  }

  @MessagePattern('user.create')
  async createUser(@Payload('user') user: User) {
    return new StoredUser(user);
  }

  @MessagePattern('firm.create')
  async createFirm(@Payload('firm') firm: object) {
    return { firm, id: 7 };
  }

  @EventPattern('told')
  hear(@Payload() data: unknown) {
    told.add(data);
  }

  @EventPattern('topics.a')
  async hearA() {
    begunA.add('a');
    await gate;
    endedA.add('a');
  }

  @EventPattern('topics.b')
  hearB() {
    heardB.add('b');
  }
}

let bench: ScenarioBench;
let app: INestApplication;
beforeAll(async () => {
  bench = await ScenarioBench.start();
  app = await bench.hybrid({ imports: [bench.client()], controllers: [Routes, Handlers] });
});
afterAll(() => bench.stop());

const USER: User = { name: 'Ada', email: 'ada@example.org' };

async function jsonOf(route: string, body: object): Promise<unknown> {
  return JSON.parse(await bodyOf(posted(app, route, body)));
}

describe('in the place of the Kafka transport', () => {
  it('the handler of a request gets the value of a record with a key as it was given', async () => {
    expect(await bodyOf(posted(app, 'sum/record', NUMBERS))).toBe('15');
  });

  it('the handler of a request gets the value of a record without a key as it was given', async () => {
    expect(await bodyOf(posted(app, 'sum/record-without-key', NUMBERS))).toBe('15');
  });

  it('the handler of a request gets a plain object as it was given', async () => {
    expect(await bodyOf(posted(app, 'sum/object', NUMBERS))).toBe('15');
  });

  it('the handler of a request gets an array as it was given', async () => {
    expect(await bodyOf(posted(app, 'sum/array', NUMBERS))).toBe('15');
  });

  it('the handler of a request gets a text as it was given', async () => {
    expect(await bodyOf(posted(app, 'sum/text', NUMBERS))).toBe('15');
  });

  it('the handler of a request gets a number as it was given', async () => {
    expect(await bodyOf(posted(app, 'sum/number', NUMBERS))).toBe('15');
  });

  it('the handler of an event gets the value of a record', async () => {
    await bodyOf(posted(app, 'emit/told', { news: true }));
    expect(await told.has(1)).toEqual([{ news: true }]);
  });

  it('a handler answers with an instance of a class, as an object', async () => {
    expect(await jsonOf('users', USER)).toEqual({ createdBy: 'user.create', user: USER });
  });

  it('a handler gets an object inside an object', async () => {
    expect(await jsonOf('firms', { name: 'Mill', owner: USER })).toEqual({ id: 7, firm: { name: 'Mill', owner: USER } });
  });

  it('a hundred requests at once get each its own answer', async () => {
    const users = Array.from({ length: 100 }, (_, index) => ({ ...USER, name: `Ada ${index}` }));
    const answers = await Promise.all(users.map((user) => jsonOf('users', user)));
    expect(answers).toEqual(users.map((user) => ({ createdBy: 'user.create', user })));
  });
});

describe('in the place of consumers of one topic each', () => {
  it('events of two topics reach the handlers of both', async () => {
    await Promise.all([posted(app, 'emit/topics.a'), posted(app, 'emit/topics.b')]);
    expect([await endedA.has(1), await heardB.has(1)]).toEqual([['a'], ['b']]);
  });

  it('a handler of one topic works while that of another is held up', async () => {
    gate = new Promise((resolve) => (open = resolve));
    await posted(app, 'emit/topics.a');
    await begunA.has(2);
    await posted(app, 'emit/topics.b');
    await heardB.has(2);
    expect(endedA.entries).toHaveLength(1);
    open();
    expect(await endedA.has(2)).toEqual(['a', 'a']);
  });
});
