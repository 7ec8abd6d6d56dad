import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Body, Controller, type INestApplication, Inject, Injectable, Module, Param, Post,
} from '@nestjs/common';
import {
  type ClientProxy, ClientsModule, type ClientsModuleOptionsFactory,
  MessagePattern, Payload, RpcException,
} from '@nestjs/microservices';
import { MillraceClient } from '@millrace/nestjs';
import { catchError, type Observable, of } from 'rxjs';
import { Journal } from '../../fixture.js';
import { EventPattern } from '../fixture.js';
import { Adder, AdderRoutes, LISTS, NUMBERS, SUMS } from './adder.js';
import { bodyOf, posted, ScenarioBench } from './scenario-bench.js';

const told = new Journal<unknown>();

/** Its callers tell errors of the other side from their own. */
class ExplicitClient extends MillraceClient {
  protected override serializeError(error: unknown): RpcException {
    return new RpcException(error as object);
  }
}

@Injectable()
class Places {
  readonly adder = { service: 'adder' };
}

@Module({ providers: [Places], exports: [Places] })
class PlacesModule {}

@Injectable()
class AdderOptions implements ClientsModuleOptionsFactory {
  constructor(readonly places: Places) {}

  createClientOptions() {
    return { customClass: MillraceClient, options: this.places.adder };
  }
}

@Controller()
class Routes extends AdderRoutes {
  readonly #clients: Record<string, ClientProxy>;

  constructor(
    @Inject('BY_FACTORY') readonly client: ClientProxy,
    @Inject('BY_CLASS') byClass: ClientProxy,
    @Inject('EXPLICIT') explicit: ClientProxy,
  ) {
    super();
    this.#clients = { byFactory: client, byClass, explicit };
  }

  @Post('ask-by/:client')
  askBy(@Param('client') client: string, @Body() numbers: number[]): Observable<number> {
    return this.#clients[client]!.send({ cmd: 'add' }, numbers);
  }

  @Post('is-explicit/:client')
  isExplicit(@Param('client') client: string): Observable<boolean> {
    return this.#clients[client]!.send<boolean>('fail', {}).pipe(catchError((error: unknown) => of(error instanceof RpcException)));
  }
}

@Controller()
class Handlers extends Adder {
  @EventPattern('told')
  hear(@Payload() data: unknown) {
    told.add(data);
  }

  @MessagePattern('fail')
  fail() {
    throw new RpcException('no sum today');
  }
}

describe.each([
  ['TCP', () => ScenarioBench.start()],
  ['TLS', () => ScenarioBench.startEncrypted()],
])('in the place of the %s transport', (_, start) => {
  let bench: ScenarioBench;
  let app: INestApplication;
  beforeAll(async () => {
    told.entries.length = 0;
    bench = await start();
    const places = { imports: [PlacesModule], inject: [Places] };
    const clients = ClientsModule.registerAsync([
      { ...places, name: 'BY_FACTORY', useFactory: ({ adder }: Places) => ({ customClass: MillraceClient, options: adder }) },
      { ...places, name: 'BY_CLASS', useClass: AdderOptions },
      { ...places, name: 'EXPLICIT', useFactory: ({ adder }: Places) => ({ customClass: ExplicitClient, options: adder }) },
    ]);
    app = await bench.hybrid({ imports: [clients], controllers: [Routes, Handlers] });
  });
  afterAll(() => bench.stop());

  it('a hybrid application asks itself for a number', async () => {
    expect(await bodyOf(posted(app, 'ask/add', NUMBERS))).toBe('15');
  });

  it('a hybrid application asks itself for the promise of a number', async () => {
    expect(await bodyOf(posted(app, 'ask/add-later', NUMBERS))).toBe('15');
  });

  it('a hybrid application asks itself for an Observable of a number', async () => {
    expect(await bodyOf(posted(app, 'ask/add-observed', NUMBERS))).toBe('15');
  });

  it('a client is made by a factory that gets a configuration', async () => {
    expect(await bodyOf(posted(app, 'ask-by/byFactory', NUMBERS))).toBe('15');
  });

  it('a client is made by a class that gets a configuration', async () => {
    expect(await bodyOf(posted(app, 'ask-by/byClass', NUMBERS))).toBe('15');
  });

  it('a hybrid application asks itself ten times at once', async () => {
    expect(JSON.parse(await bodyOf(posted(app, 'ask-at-once', LISTS)))).toEqual(SUMS);
  });

  it('a hybrid application asks itself for a stream of numbers', async () => {
    expect(await bodyOf(posted(app, 'running-sum', NUMBERS))).toBe('15');
  });

  it('a route whose request has no handler answers 500', async () => {
    expect(await posted(app, 'ask/unknown', NUMBERS)).toMatchObject({ status: 500 });
  });

  it('a hybrid application tells itself an event', async () => {
    await bodyOf(posted(app, 'tell', { news: true }));
    expect(await told.has(1)).toEqual([{ news: true }]);
  });

  it('a client of an own class makes what it wants of an error', async () => {
    expect(await bodyOf(posted(app, 'is-explicit/explicit'))).toBe('true');
  });

  it('a client gives an error as it came, when no class makes another of it', async () => {
    expect(await bodyOf(posted(app, 'is-explicit/byFactory'))).toBe('false');
  });
});
