import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, type INestApplication, Inject } from '@nestjs/common';
import { type ClientProxy, MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { Journal } from '../../fixture.js';
import { EventPattern } from '../fixture.js';
import { Adder, AdderRoutes, LISTS, NUMBERS, SUMS } from './adder.js';
import { bodyOf, posted, ScenarioBench } from './scenario-bench.js';

const told = new Journal<unknown>();

@Controller()
class Routes extends AdderRoutes {
  constructor(@Inject('ADDER') readonly client: ClientProxy) {
    super();
  }
}

@Controller()
class Handlers extends Adder {
  readonly #first: Promise<void>;
  #release!: () => void;

  constructor() {
    super();
    this.#first = new Promise((resolve) => (this.#release = resolve));
  }

  @EventPattern('told')
  hear(@Payload() data: unknown) {
    told.add(data);
  }

  @MessagePattern('bytes')
  bytes(@Payload() bytes: Buffer) {
    return Buffer.concat([bytes, Buffer.from([0x80, 0xff, 0x00])]);
  }

  /** The first caller is answered after the second. */
  @MessagePattern('bytes-in-turn')
  async bytesInTurn(@Payload() name: string) {
    if (name === 'slow') await this.#first;
    else this.#release();
    return Buffer.from(name);
  }
}

let bench: ScenarioBench;
let app: INestApplication;
let client: ClientProxy;
beforeAll(async () => {
  bench = await ScenarioBench.start();
  app = await bench.hybrid({ imports: [bench.client()], controllers: [Routes, Handlers] });
  client = app.get<ClientProxy>('ADDER');
});
afterAll(() => bench.stop());

describe('in the place of the Redis transport', () => {
  it('an HTTP request gets the number that a message handler returns', async () => {
    expect(await bodyOf(posted(app, 'ask/add', NUMBERS))).toBe('15');
  });

  it('an HTTP request gets the number that the promise of a message handler resolves with', async () => {
    expect(await bodyOf(posted(app, 'ask/add-later', NUMBERS))).toBe('15');
  });

  it('an HTTP request gets the number that the Observable of a message handler emits', async () => {
    expect(await bodyOf(posted(app, 'ask/add-observed', NUMBERS))).toBe('15');
  });

  it('ten requests at once get each its own answer', async () => {
    expect(JSON.parse(await bodyOf(posted(app, 'ask-at-once', LISTS)))).toEqual(SUMS);
  });

  it('the client gets every number of a streamed answer', async () => {
    expect(await bodyOf(posted(app, 'running-sum', NUMBERS))).toBe('15');
  });

  it('an event handler gets what the client emits', async () => {
    await bodyOf(posted(app, 'tell', { news: true }));
    expect(await told.has(1)).toEqual([{ news: true }]);
  });
});

describe('in the place of the Redis transport with buffers', () => {
  it('an answer of bytes is a Buffer for the caller', async () => {
    const answer: unknown = await lastValueFrom(client.send('bytes', Buffer.from('data')));
    expect(Buffer.isBuffer(answer)).toBe(true);
  });

  it('answers of bytes reach each the caller that asked for them, whichever is ready first', async () => {
    const answers = await Promise.all(['slow', 'fast'].map((name) => lastValueFrom(client.send<Buffer>('bytes-in-turn', name))));
    expect(answers.map(String)).toEqual(['slow', 'fast']);
  });

  it('bytes that are no text arrive unchanged', async () => {
    const answer: unknown = await lastValueFrom(client.send('bytes', Buffer.from([0, 1, 2, 3, 255])));
    expect(answer).toEqual(Buffer.from([0, 1, 2, 3, 255, 0x80, 0xff, 0x00]));
  });
});
