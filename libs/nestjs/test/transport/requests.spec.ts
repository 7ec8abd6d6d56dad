import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type CanActivate, Catch, Controller, type ExceptionFilter, UseFilters, UseGuards } from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { type MillraceContext, MillraceRecordBuilder } from '@millrace/nestjs';
import { type ErrorRecord, listen } from '@millrace/core';
import { CommandTape, TcpProxy, waitFor } from '@millrace/testing';
import { concat, finalize, firstValueFrom, from, interval, lastValueFrom, map, NEVER, Observable, of, range, Subject, take, tap, throwError, toArray } from 'rxjs';
import { TransportBench } from './fixture.js';

let bench: TransportBench;
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(() => bench.begin());
afterEach(() => bench.closeAll());
afterAll(() => bench.stop());

/** The value that the Observable fails with. */
async function errorOf(values: Observable<unknown>): Promise<unknown> {
  return lastValueFrom(values, { defaultValue: null }).then((value) => `no error, but ${String(value)}`, (error: unknown) => error);
}

/** Resolves with the error of the next handler that fails, as its service is told. */
async function nextFailure(): Promise<ErrorRecord> {
  const told: ErrorRecord[] = [];
  const stop = listen('call-failed', ({ error }) => void told.push(error));
  await waitFor(() => told.length > 0, { what: 'a failure to be told' }).finally(stop);
  return told[0]!;
}

/** A network in front of Redis; {@link TransportBench} closes it. */
async function openedProxy(): Promise<TcpProxy & { close: () => Promise<void> }> {
  const proxy = await TcpProxy.start(bench.redis.url);
  return Object.assign(proxy, { close: () => proxy.stop() });
}

async function openedTape(): Promise<CommandTape & { close: () => void }> {
  const tape = await CommandTape.start(bench.redis.url);
  return Object.assign(tape, { close: () => tape.stop() });
}

let torn = 0;
let made = 0;
/** The values of a handler. */
let source: Subject<string>;
beforeEach(() => {
  [torn, made] = [0, 0];
  source = new Subject();
});

class Refuse implements CanActivate {
  canActivate() {
    return false;
  }
}

@Catch(TypeError)
class Translate implements ExceptionFilter {
  catch(error: TypeError) {
    return throwError(() => ({ status: 'error', reason: error.message, code: 42 }));
  }
}

let wordless: unknown;

@Catch()
class Wordless implements ExceptionFilter {
  catch() {
    return throwError(() => wordless);
  }
}

@Controller()
class Sums {
  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[]) {
    return numbers.reduce((a, b) => a + b, 0);
  }

  @MessagePattern({ cmd: 'sum.later' })
  async later(@Payload() numbers: number[]) {
    return Promise.resolve(this.sum(numbers));
  }

  @MessagePattern({ cmd: 'sum.observable' })
  observable(@Payload() numbers: number[]) {
    return of(this.sum(numbers));
  }

  @MessagePattern('each')
  each(@Payload() numbers: number[]) {
    return from(numbers);
  }

  @MessagePattern('forever')
  forever() {
    return interval(1).pipe(
      map((tick) => tick),
      (values) => new Observable<number>((subscriber) => {
        const inner = values.subscribe(subscriber);
        return () => {
          inner.unsubscribe();
          torn += 1;
        };
      }),
    );
  }

  @MessagePattern('source')
  source() {
    return source.pipe(finalize(() => (torn += 1)));
  }

  /** All of its values at once. */
  @MessagePattern('torrent')
  torrent() {
    return range(0, 100_000).pipe(tap(() => (made += 1)));
  }

  @MessagePattern('circle')
  circle() {
    const circle: Record<string, unknown> = {};
    circle.itself = circle;
    return circle;
  }

  @MessagePattern('circles')
  circles() {
    return of(this.circle());
  }

  /** Its first value is no JSON, and it would go on for ever. */
  @MessagePattern('endless circles')
  endlessCircles() {
    return concat(this.circles(), NEVER).pipe(finalize(() => (torn += 1)));
  }

  @MessagePattern('circle as error')
  circleAsError() {
    throw new RpcException(this.circle());
  }

  @MessagePattern('nothing')
  nothing() {}

  @MessagePattern('null')
  null() {
    return null;
  }

  @MessagePattern('silent')
  silent() {
    return NEVER;
  }

  @MessagePattern('bytes')
  bytes(@Payload() bytes: Buffer) {
    return Buffer.concat([bytes, Buffer.from([0xff])]);
  }

  @MessagePattern('context')
  context(@Payload() _data: unknown, @Ctx() context: MillraceContext) {
    return [context.getSubject(), context.getPattern(), context.getHeaders(), context.getMetadata() ?? null];
  }

  @MessagePattern('wild.*')
  wild(@Ctx() context: MillraceContext) {
    return [context.getSubject(), context.getPattern()];
  }

  @MessagePattern('unknown-error')
  unknownError() {
    throw new Error('secret');
  }

  @MessagePattern('rpc-error')
  rpcError() {
    throw new RpcException({ code: 'OUT_OF_STOCK', left: 0 });
  }

  @MessagePattern('late-error')
  lateError() {
    return throwError(() => new RpcException('too late'));
  }

  @UseGuards(Refuse)
  @MessagePattern('guarded')
  guarded() {
    return 'in';
  }

  @UseFilters(new Wordless())
  @MessagePattern('wordless')
  wordless() {
    throw new Error('five');
  }

  @UseFilters(new Translate())
  @MessagePattern('translated')
  translated() {
    throw new TypeError('five');
  }
}

describe('a request', () => {
  it.each(['sum', 'sum.later', 'sum.observable'])('is answered by a handler of { cmd: %s }', async (cmd) => {
    await bench.listening([Sums]);
    expect(await firstValueFrom(bench.client().send({ cmd }, [1, 2, 3]))).toBe(6);
  });

  it('may be answered with null, and by nothing at all', async () => {
    await bench.listening([Sums]);
    const client = bench.client();
    expect(await lastValueFrom(client.send('null', {}).pipe(toArray()))).toEqual([null]);
    expect(await lastValueFrom(client.send('nothing', {}).pipe(toArray()))).toEqual([]);
  });

  it('may be, and be answered with, bytes', async () => {
    await bench.listening([Sums]);
    expect(await firstValueFrom(bench.client().send('bytes', Buffer.from([0, 1, 0xfe])))).toEqual(Buffer.from([0, 1, 0xfe, 0xff]));
  });

  it('carries the headers of a record and the metadata of the dispatch hook', async () => {
    await bench.listening([Sums]);
    const client = bench.client();
    client.setOnDispatchHook((packet) => void (packet.metadata = { tenant: 'ünder' }));
    const record = new MillraceRecordBuilder({ any: 1 }).setHeaders({ trace: 't-1' }).build();
    expect(await firstValueFrom(client.send('context', record))).toEqual(['context', 'context', { trace: 't-1' }, { tenant: 'ünder' }]);
  });

  it('is answered by the handler whose wildcards stand for its pattern', async () => {
    await bench.listening([Sums]);
    expect(await firstValueFrom(bench.client().send('wild.card', {}))).toEqual(['wild.card', 'wild.*']);
  });

  it('gets a stream of values in order', async () => {
    await bench.listening([Sums]);
    const numbers = Array.from({ length: 500 }, (_, index) => index);
    expect(await lastValueFrom(bench.client().send('each', numbers).pipe(toArray()))).toEqual(numbers);
  });

  it('leaves an Observable whose values come faster than its caller takes them, and tells both sides', async () => {
    await bench.listening([Sums], { answerBufferBytes: 200_000 });
    const proxy = bench.keep(await openedProxy());
    const client = bench.client({ redis: proxy.url });
    const failed = nextFailure();
    const values: string[] = [];
    const ended = errorOf(client.send('source', {}).pipe(tap((value: string) => values.push(value))));
    await waitFor(() => source.observed, { what: 'the handler to be called' });
    source.next('first');
    await waitFor(() => values.length === 1, { what: 'the first value' });
    // From now on nothing comes or goes, and at most a window of values is sent.
    proxy.blackHole();
    for (let value = 0; value < 300 && source.observed; value += 1) source.next('x'.repeat(1_000));
    expect(await failed).toMatchObject({ code: 'BACK_PRESSURE', message: expect.stringContaining('200000 bytes') });
    expect(torn).toBe(1);
    await proxy.pass();
    expect(await ended).toMatchObject({ code: 'BACK_PRESSURE' });
  });

  it('leaves an Observable that gives all of its values at once, and too many', async () => {
    await bench.listening([Sums], { answerBufferBytes: 10_000 });
    expect(await errorOf(bench.client().send('torrent', {}))).toMatchObject({ code: 'BACK_PRESSURE' });
    expect(made).toBeLessThan(1_000);
  });

  it('ends the Observable of its handler when it is unsubscribed', async () => {
    await bench.listening([Sums]);
    expect(await lastValueFrom(bench.client().send('forever', {}).pipe(take(3), toArray()))).toEqual([0, 1, 2]);
    await waitFor(() => torn === 1, { what: 'the Observable of the handler to be left' });
  });

  it('ends an Observable that has given nothing yet when it is unsubscribed', async () => {
    await bench.listening([Sums]);
    const waiting = bench.client().send('source', {}).subscribe();
    await waitFor(() => source.observed, { what: 'the handler to be called' });
    waiting.unsubscribe();
    await waitFor(() => torn === 1, { what: 'the Observable of the handler to be left' });
  });

  it('has a deadline always: the client stops waiting, and the handler is left', async () => {
    await bench.listening([Sums]);
    const client = bench.client({ timeout: '200ms' });
    expect(await errorOf(client.send('silent', {}))).toMatchObject({ code: 'CALL_TIMEOUT' });
    const record = new MillraceRecordBuilder({}).setTimeout('150ms').build();
    expect(await errorOf(bench.client().send('silent', record))).toMatchObject({ code: 'CALL_TIMEOUT' });
  });

  it('fails with what Nest says: the object of an RpcException, the words of a filter, and no secret', async () => {
    await bench.listening([Sums]);
    const client = bench.client();
    expect(await errorOf(client.send('unknown-error', {}))).toEqual({ status: 'error', message: 'Internal server error' });
    expect(await errorOf(client.send('rpc-error', {}))).toEqual({ code: 'OUT_OF_STOCK', left: 0 });
    expect(await errorOf(client.send('late-error', {}))).toEqual({ status: 'error', message: 'too late' });
    expect(await errorOf(client.send('guarded', {}))).toEqual({ status: 'error', message: 'Forbidden resource' });
    expect(await errorOf(client.send('translated', {}))).toEqual({ status: 'error', reason: 'five', code: 42 });
  });

  it.each(['unknown-error', 'circle', 'circles'])('keeps the exception of a handler within its service: %s', async (pattern) => {
    await bench.listening([Sums]);
    const tape = bench.keep(await openedTape());
    const failed = nextFailure();
    expect(await errorOf(bench.client().send(pattern, {}))).toEqual({ status: 'error', message: 'Internal server error' });
    const { message } = await failed;
    expect(message).toMatch(/^secret$|circular/);
    const written = await tape.text();
    expect(written).toContain('Internal server error');
    expect(written).not.toContain(message.slice(0, 20));
  });

  it.each(['', 0, false])('fails also with an error that Nest takes for none: %j', async (value) => {
    wordless = value;
    await bench.listening([Sums]);
    expect(await errorOf(bench.client().send('wordless', {}))).toEqual({ status: 'error', message: 'the handler failed without an error' });
  });

  it('leaves an Observable whose first value, given at once, is no JSON', async () => {
    await bench.listening([Sums]);
    expect(await errorOf(bench.client().send('endless circles', {}))).toEqual({ status: 'error', message: 'Internal server error' });
    expect(torn).toBe(1);
  });

  it('fails with the words for unknown errors where the object of an RpcException is no JSON', async () => {
    await bench.listening([Sums]);
    const failed = nextFailure();
    expect(await errorOf(bench.client().send('circle as error', {}))).toEqual({ status: 'error', message: 'Internal server error' });
    expect(await failed).toMatchObject({ message: 'Rpc Exception' });
  });

  it('fails where nobody handles its pattern, nobody serves it, or the client names no service', async () => {
    await bench.listening([Sums]);
    expect(await errorOf(bench.client().send('other', {}))).toBe('There is no matching message handler defined in the remote service.');
    expect(await errorOf(bench.client({ service: 'nobody' }).send('sum', {}))).toMatchObject({ code: 'NO_INSTANCE' });
    expect(await errorOf(bench.client({ service: undefined }).send('sum', {}))).toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('fails when its client is closed, which can be used again', async () => {
    await bench.listening([Sums]);
    const client = bench.client();
    await client.connect();
    const failed = errorOf(client.send('silent', {}));
    await firstValueFrom(client.send({ cmd: 'sum' }, [1]));
    await client.close();
    expect(await failed).toMatchObject({ code: 'CLOSED' });
    expect(await firstValueFrom(client.send({ cmd: 'sum' }, [4]))).toBe(4);
  });
});
