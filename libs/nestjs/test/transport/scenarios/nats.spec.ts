import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, type INestApplication, Inject, Injectable, Param, Post } from '@nestjs/common';
import { type ClientProxy, CONTEXT, Ctx, MessagePattern, Payload, type RequestContext, RpcException } from '@nestjs/microservices';
import { type MillraceContext, MillraceRecordBuilder } from '@millrace/nestjs';
import { catchError, from, lastValueFrom, type Observable, of, scan, throwError } from 'rxjs';
import { Journal } from '../../fixture.js';
import { EventPattern } from '../fixture.js';
import { LISTS, NUMBERS, sumOf, SUMS } from './adder.js';
import { bodyOf, posted, ScenarioBench } from './scenario-bench.js';

const told = new Journal();

@Controller()
class Routes {
  constructor(@Inject('ADDER') readonly client: ClientProxy) {}

  @Post('ask/:subject')
  ask(@Param('subject') subject: string, @Body() numbers: number[]): Observable<number> {
    return this.client.send(subject, numbers);
  }

  @Post('running-sum')
  runningSum(@Body() numbers: number[]): Observable<number> {
    return this.client.send<number>('each.number', numbers).pipe(scan((sum, number) => sum + number));
  }

  @Post('ask-at-once')
  askAtOnce(@Body() lists: number[][]): Promise<number[]> {
    return Promise.all(lists.map((numbers) => lastValueFrom(this.client.send<number>('add.now', numbers))));
  }

  @Post('fail')
  fail(): Observable<unknown> {
    return this.client.send('fail', {}).pipe(catchError((error: unknown) => of(error)));
  }

  @Post('tell')
  tell(): Observable<unknown> {
    return this.client.emit('told', true);
  }

  @Post('with-headers')
  withHeaders(@Body() data: object): Observable<unknown> {
    return this.client.send('echo', new MillraceRecordBuilder(data).setHeaders({ 'x-version': '1.0.0' }).build());
  }
}

/** Made anew for each message, and knows which. */
@Injectable()
class Message {
  constructor(@Inject(CONTEXT) readonly request: RequestContext) {}
}

@Controller()
class Handlers {
  @MessagePattern('add.*')
  add(@Payload() numbers: number[]) {
    return sumOf(numbers);
  }

  @MessagePattern('later.*')
  async later(@Payload() numbers: number[]) {
    return Promise.resolve(sumOf(numbers));
  }

  @MessagePattern('observed.*')
  observed(@Payload() numbers: number[]) {
    return of(sumOf(numbers));
  }

  @MessagePattern('each.*')
  each(@Payload() numbers: number[]) {
    return from(numbers);
  }

  @MessagePattern('fail')
  fail() {
    return throwError(() => new RpcException('the sum is unknown'));
  }

  @MessagePattern('echo')
  echo(@Payload() data: object, @Ctx() context: MillraceContext) {
    return { data, headers: context.getHeaders() };
  }

  @EventPattern('told')
  hear(@Payload() data: boolean) {
    told.add(`first ${data}`);
  }
}

/** The second that hears of it, and one that is made for each message. */
@Controller()
class OtherHandlers {
  constructor(readonly message: Message) {}

  @EventPattern('told')
  hear(@Payload() data: boolean) {
    told.add(`second ${data} ${this.message.request.pattern as string}`);
  }
}

let bench: ScenarioBench;
let app: INestApplication;
beforeAll(async () => {
  bench = await ScenarioBench.start();
  app = await bench.hybrid({ imports: [bench.client()], controllers: [Routes, Handlers, OtherHandlers], providers: [Message] });
});
afterAll(() => bench.stop());

describe('in the place of the NATS transport', () => {
  it('a handler of a wildcard returns a number', async () => {
    expect(await bodyOf(posted(app, 'ask/add.now', NUMBERS))).toBe('15');
  });

  it('a handler of a wildcard returns the promise of a number', async () => {
    expect(await bodyOf(posted(app, 'ask/later.on', NUMBERS))).toBe('15');
  });

  it('a handler of a wildcard returns an Observable of a number', async () => {
    expect(await bodyOf(posted(app, 'ask/observed.once', NUMBERS))).toBe('15');
  });

  it('a handler of a wildcard streams its answer', async () => {
    expect(await bodyOf(posted(app, 'running-sum', NUMBERS))).toBe('15');
  });

  it('a handler of a wildcard answers ten requests at once', async () => {
    expect(JSON.parse(await bodyOf(posted(app, 'ask-at-once', LISTS)))).toEqual(SUMS);
  });

  it('the caller gets the status and the message of an RpcException', async () => {
    expect(JSON.parse(await bodyOf(posted(app, 'fail')))).toEqual({ status: 'error', message: 'the sum is unknown' });
  });

  it('two event handlers of one subject get an event both, one of them made for it', async () => {
    await bodyOf(posted(app, 'tell'));
    expect((await told.has(2)).sort()).toEqual(['first true', 'second true told']);
  });

  it('a handler gets the headers that a record carries beside its data', async () => {
    const answer = JSON.parse(await bodyOf(posted(app, 'with-headers', { items: [1, 2, 3] }))) as unknown;
    expect(answer).toEqual({ data: { items: [1, 2, 3] }, headers: { 'x-version': '1.0.0' } });
  });
});
