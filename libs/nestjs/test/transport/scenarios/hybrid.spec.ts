import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost, type CallHandler, type CanActivate, Controller, type ExceptionFilter, type ExecutionContext,
  type INestApplication, Injectable, type LoggerService, Module, type NestInterceptor, Param, type PipeTransform, Post,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type AsyncMicroserviceOptions, type ClientProxy, ClientProxyFactory, ClientsModule, Ctx, MessagePattern,
  type MicroserviceOptions, Payload,
} from '@nestjs/microservices';
import { MillraceClient, type MillraceContext, MillraceServer } from '@millrace/nestjs';
import { EMPTY, lastValueFrom, type Observable } from 'rxjs';
import { Journal } from '../../fixture.js';
import { EventPattern, moduleOf } from '../fixture.js';
import { NUMBERS, sumOf } from './adder.js';
import { posted, ScenarioBench } from './scenario-bench.js';

const seen = new Journal();
const told = new Journal<unknown>();

/** Everything that an application can put around all handlers of a microservice. */
class Spy implements CanActivate, NestInterceptor, PipeTransform, ExceptionFilter {
  canActivate(context: ExecutionContext) {
    seen.add(`guard ${context.getType()}`);
    return true;
  }

  intercept(context: ExecutionContext, next: CallHandler) {
    seen.add(`interceptor ${context.getType()}`);
    return next.handle();
  }

  transform(value: unknown) {
    seen.add(`pipe ${JSON.stringify(value)}`);
    return value;
  }

  catch(error: Error, host: ArgumentsHost) {
    seen.add(`filter ${error.message} ${host.getType()}`);
    return EMPTY;
  }
}

let client: ClientProxy;

@Controller()
class Routes {
  @Post('ask/:pattern')
  ask(@Param('pattern') pattern: string): Observable<unknown> {
    return client.send(pattern, NUMBERS);
  }
}

@Controller()
class Handlers {
  @MessagePattern('add')
  add(@Payload() numbers: number[]) {
    return sumOf(numbers);
  }

  @MessagePattern('fail')
  fail() {
    throw new Error('no sum');
  }

  @MessagePattern('echo')
  echo(@Payload() data: unknown, @Ctx() context: MillraceContext) {
    return { data, metadata: context.getMetadata() ?? null };
  }

  @EventPattern('told')
  hear(@Payload() data: unknown, @Ctx() context: MillraceContext) {
    told.add({ data, metadata: context.getMetadata() });
  }
}

let bench: ScenarioBench;
let app: INestApplication;
beforeAll(async () => {
  bench = await ScenarioBench.start();
  app = await bench.hybrid({ controllers: [Routes, Handlers] }, (microservice) => {
    const spy = new Spy();
    microservice.useGlobalGuards(spy).useGlobalInterceptors(spy).useGlobalPipes(spy).useGlobalFilters(spy);
  });
});
beforeEach(() => {
  seen.entries.length = 0;
  client = bench.keep(ClientProxyFactory.create({ customClass: MillraceClient, options: { service: 'adder' } }));
});
afterAll(() => bench.stop());

describe('for the microservice of a hybrid application', () => {
  it('a global guard is asked for requests', async () => {
    await posted(app, 'ask/add');
    expect(seen.entries).toContain('guard rpc');
  });

  it('a global filter catches the error of a handler', async () => {
    await posted(app, 'ask/fail');
    expect(seen.entries).toContain('filter no sum rpc');
  });

  it('a global interceptor surrounds a handler', async () => {
    await posted(app, 'ask/add');
    expect(seen.entries).toContain('interceptor rpc');
  });

  it('a global pipe gets the data of a request', async () => {
    await posted(app, 'ask/add');
    expect(seen.entries).toContain('pipe [1,2,3,4,5]');
  });

  it('no listener for signals is left when the application has closed', async () => {
    const before = process.listenerCount('SIGTERM');
    const other = await NestFactory.create(moduleOf({ controllers: [Handlers] }), { logger: false });
    const microservice = other.connectMicroservice<MicroserviceOptions>({ strategy: new MillraceServer({ service: 'other' }) });
    microservice.enableShutdownHooks(['SIGTERM']);
    await other.startAllMicroservices();
    await other.init();
    expect(process.listenerCount('SIGTERM')).toBeGreaterThan(before);
    await other.close();
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});

describe('a microservice whose transport is made by a factory', () => {
  it('answers, with options that a provider of the application gave', async () => {
    @Injectable()
    class Transport {
      strategy() {
        return new MillraceServer({ service: 'made' });
      }
    }
    const made = ClientsModule.register([{ name: 'MADE', customClass: MillraceClient, options: { service: 'made' } }]);
    const type = moduleOf({ imports: [made], controllers: [Handlers], providers: [Transport] });
    const useFactory = (transport: Transport) => ({ strategy: transport.strategy() });
    const options = { logger: false as const, inject: [Transport], useFactory };
    const microservice = bench.keep(await NestFactory.createMicroservice<AsyncMicroserviceOptions>(type, options));
    await microservice.listen();
    const asking = microservice.get<ClientProxy>('MADE', { strict: false });
    expect(await lastValueFrom(asking.send('add', NUMBERS))).toBe(15);
  });
});

describe('the metadata that a dispatch hook attaches', () => {
  it('reaches the handler of a request, beside the data', async () => {
    client.setOnDispatchHook((packet) => void (packet.metadata = { tenant: 'north' }));
    expect(await lastValueFrom(client.send('echo', { id: 7 }))).toEqual({ data: { id: 7 }, metadata: { tenant: 'north' } });
  });

  it('reaches the handler of an event', async () => {
    client.setOnDispatchHook((packet) => void (packet.metadata = { tenant: 'south' }));
    await lastValueFrom(client.emit('told', { id: 8 }));
    expect(await told.has(1)).toEqual([{ data: { id: 8 }, metadata: { tenant: 'south' } }]);
  });

  it('is undefined in the context without a hook', async () => {
    expect(await lastValueFrom(client.send('echo', 'plain'))).toEqual({ data: 'plain', metadata: null });
  });

  it('is asked for once a packet, by pattern and data', async () => {
    const packets: object[] = [];
    client.setOnDispatchHook((packet) => void packets.push({ ...packet }));
    await lastValueFrom(client.send('echo', 1));
    await lastValueFrom(client.send('echo', 2));
    expect(packets).toEqual([{ pattern: 'echo', data: 1 }, { pattern: 'echo', data: 2 }]);
  });
});

describe('the log lines of the start that an application holds back', () => {
  @Module({})
  class EmptyModule {}

  class Lines implements LoggerService {
    readonly all: string[] = [];

    log(line: unknown) {
      this.all.push(String(line));
    }

    error(line: unknown) {
      this.log(line);
    }

    warn(line: unknown) {
      this.log(line);
    }
  }

  const strategy = () => new MillraceServer({ service: 'empty' });

  it('are written by init of a microservice that never listens', async () => {
    const logger = new Lines();
    const options = { strategy: strategy(), bufferLogs: true, logger };
    const microservice = bench.keep(await NestFactory.createMicroservice<MicroserviceOptions>(EmptyModule, options));
    expect(logger.all).toEqual([]);
    await microservice.init();
    expect(logger.all).toContainEqual(expect.stringContaining('Starting Nest'));
  });

  it('are held back further where they are to be written by hand', async () => {
    const logger = new Lines();
    const options = { strategy: strategy(), bufferLogs: true, autoFlushLogs: false, logger };
    const microservice = bench.keep(await NestFactory.createMicroservice<MicroserviceOptions>(EmptyModule, options));
    await microservice.init();
    expect(logger.all).toEqual([]);
    microservice.flushLogs();
    expect(logger.all).toContainEqual(expect.stringContaining('Starting Nest'));
  });

  it('are written by init of a hybrid application', async () => {
    const logger = new Lines();
    const hybrid = bench.keep(await NestFactory.create(EmptyModule, { bufferLogs: true, logger }));
    hybrid.connectMicroservice<MicroserviceOptions>({ strategy: strategy() });
    expect(logger.all).toEqual([]);
    await hybrid.init();
    expect(logger.all).toContainEqual(expect.stringContaining('successfully started'));
  });
});
