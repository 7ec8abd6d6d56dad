import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, type INestApplication, Inject, Post } from '@nestjs/common';
import { type ClientProxy, MessagePattern, Payload } from '@nestjs/microservices';
import type { MillraceClient } from '@millrace/nestjs';
import { BehaviorSubject, first, map, type Observable } from 'rxjs';
import { Journal } from '../../fixture.js';
import { sumOf } from './adder.js';
import { bodyOf, posted, ScenarioBench } from './scenario-bench.js';

let begun: Journal<number[]>;

@Controller()
class Routes {
  constructor(@Inject('ADDER') readonly client: ClientProxy) {}

  @Post('ask')
  ask(@Body() numbers: number[]): Observable<number> {
    return this.client.send('add.when-told', numbers);
  }
}

/** An instance answers nobody before it is told to go on. */
@Controller()
class Handlers {
  readonly #isWaiting = new BehaviorSubject(false);

  @Post('go-on')
  goOn() {
    this.#isWaiting.next(false);
  }

  @MessagePattern('add.when-told')
  add(@Payload() numbers: number[]) {
    this.#isWaiting.next(true);
    begun.add(numbers);
    return this.#isWaiting.pipe(first((isWaiting) => !isWaiting), map(() => sumOf(numbers)));
  }
}

let bench: ScenarioBench;
let apps: INestApplication[];
beforeAll(async () => {
  bench = await ScenarioBench.start();
  apps = [];
  for (let count = 0; count < 3; count += 1) {
    apps.push(await bench.hybrid({ imports: [bench.client()], controllers: [Routes, Handlers] }));
  }
});
afterAll(() => bench.stop());

/** The answers to one request of each application, which all wait in handlers while `meanwhile` is done. */
async function answersOf(asking: readonly INestApplication[], meanwhile: () => Promise<unknown>): Promise<number[]> {
  begun = new Journal();
  const answers = Promise.all(asking.map((app, index) => bodyOf(posted(app, 'ask', [1, index]))));
  await begun.has(asking.length);
  await meanwhile();
  await Promise.all(apps.map((app) => bodyOf(posted(app, 'go-on'))));
  return (await answers).map(Number);
}

describe('in the place of the Kafka transport, three instances with a client each', () => {
  it('get each the answer to its own request, all having waited at once', async () => {
    expect(await answersOf(apps, () => Promise.resolve())).toEqual([1, 2, 3]);
  });

  it('get their answers while the client of another instance is closed', async () => {
    const client = apps[0]!.get<MillraceClient>('ADDER');
    expect(await answersOf(apps.slice(1), () => client.close())).toEqual([1, 2]);
  });

  it('get their answers while the client of another instance connects, which then is answered too', async () => {
    const client = apps[0]!.get<MillraceClient>('ADDER');
    expect(await answersOf(apps.slice(1), () => client.connect())).toEqual([1, 2]);
    expect(await answersOf(apps.slice(0, 1), () => Promise.resolve())).toEqual([1]);
  });
});
