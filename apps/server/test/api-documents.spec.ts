import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { OPERATIONS } from '@millrace/admin';
import { defineTopic, MessageType, MillraceModule, Publisher, Topic } from '@millrace/nestjs';
import { connectServer } from '@millrace/redis';
import { startTestRedis, type TestRedis, uniqueName } from '@millrace/testing';
import { type INestApplication, Module, RequestMethod } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, MetadataScanner, NestFactory } from '@nestjs/core';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Type } from 'class-transformer';
import { Ajv } from 'ajv';
import { ArrayMinSize, IsDate, IsEmail, IsIn, IsInt, IsOptional, IsString, Length, Matches, Max, Min, ValidateNested } from 'class-validator';
import { MillraceServerModule } from '../src/index.js';
import { API, byHeader, send } from './fixture.js';

class Line {
  @IsString() item!: string;
  @IsInt() @Min(1) @Max(99) quantity!: number;
  @IsOptional() @ValidateNested() @Type(() => Line) bundle?: Line;
}

@Topic('test.documents.orders', { partitions: 3 })
class OrderPlaced {
  @Matches(/^o-\d+$/) orderId!: string;
  @IsOptional() @IsEmail() mail?: string;
  @IsIn(['card', 'invoice']) pays!: string;
  @IsDate() @Type(() => Date) at!: Date;
  @ValidateNested({ each: true }) @ArrayMinSize(1) @Type(() => Line) lines!: Line[];
  @IsString({ each: true }) @Length(1, 20, { each: true }) tags!: string[];
}

@MessageType('large', { version: 2 })
class LargeOrderPlaced extends OrderPlaced {
  @IsString() approvedBy!: string;
}

interface Api {
  readonly paths: Record<string, Record<string, { operationId: string; description: string; parameters: { name: string; schema?: object }[]; requestBody?: { content: { 'application/json': { schema: { properties: Record<string, unknown> } } } } }>>;
}

const prefix = uniqueName('documents');

let redis: TestRedis;
let app: INestApplication;

beforeAll(async () => {
  redis = await startTestRedis();
  const root = MillraceModule.forRoot({ redis: redis.url, prefix });
  @Module({
    imports: [DiscoveryModule, root, MillraceModule.forFeature([OrderPlaced, LargeOrderPlaced, defineTopic('test.documents.any')]), MillraceServerModule.forRoot(byHeader)],
  })
  class AppModule {}
  app = await NestFactory.create(AppModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  await app.get(Publisher).publish(defineTopic('test.documents.elsewhere', { partitions: 2 }), 1);
});
afterAll(async () => {
  await app.close();
  await redis.stop();
});

/** Every route that the controllers of the server have. */
function routes(): string[] {
  const scanner = new MetadataScanner();
  return app.get(DiscoveryService).getControllers().flatMap(({ instance }) => {
    const prototype = Object.getPrototypeOf(instance) as Record<string, object>;
    const own = Reflect.getMetadata('path', prototype['constructor']!) as string;
    return scanner.getAllMethodNames(prototype).flatMap((name) => {
      const path: unknown = Reflect.getMetadata('path', prototype[name]!);
      if (typeof path !== 'string') return [];
      const whole = `/${own}/${path}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1').replace(/:(\w+)/g, '{$1}');
      return [`${RequestMethod[Reflect.getMetadata('method', prototype[name]!) as number]!} ${whole}`];
    });
  });
}

describe('openapi.json', () => {
  it('is a valid OpenAPI 3.1 document of every route of the server, and of no other', async () => {
    const { status, body } = await send(app, `${API}/openapi.json`, { as: 'viewer' });
    expect(status).toBe(200);
    const validator = new Validator();
    expect(await validator.validate(body as Record<string, unknown>)).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    const { paths } = body as Api;
    const described = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    expect(described.sort()).toEqual(routes().sort());
    const ids = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(OPERATIONS.map(({ name }) => name)));
  });

  it('says of each use case its role and its options, as the table has them', async () => {
    const { paths } = (await send(app, `${API}/openapi.json`, { as: 'viewer' })).body as Api;
    for (const { method, path, role, inputs } of OPERATIONS) {
      const route = paths[path.replace(/:(\w+)/g, '{$1}')]![method.toLowerCase()]!;
      expect(route.description).toContain(`the role ${role}`);
      const names = method === 'GET' ? route.parameters.map(({ name }) => name) : Object.keys(route.requestBody!.content['application/json'].schema.properties);
      expect({ path, names }).toEqual({ path, names: expect.arrayContaining(Object.keys(inputs)) });
    }
    expect(paths['/topics']!['get']!.parameters).toContainEqual({ name: 'limit', in: 'query', schema: expect.objectContaining({ type: 'integer' }) });
  });

  it('is for viewers', async () => {
    for (const path of ['openapi.json', 'asyncapi.json']) {
      expect(await send(app, `${API}/${path}`)).toMatchObject({ status: 401 });
      expect(await send(app, `${API}/${path}`, { as: 'sender' })).toMatchObject({ status: 403 });
    }
  });
});

describe('asyncapi.json', () => {
  it('is a valid AsyncAPI 3.0 document of the topics of the application, and of those that are known in Redis', async () => {
    const { status, body } = await send(app, `${API}/asyncapi.json`, { as: 'viewer' });
    expect(status).toBe(200);
    const { schemasWithoutId } = createRequire(import.meta.url)('@asyncapi/specs') as { schemasWithoutId: Record<string, object> };
    const ajv = new Ajv({ strict: false, validateFormats: false });
    const isValid = ajv.compile(schemasWithoutId['3.0.0']!);
    expect({ valid: isValid(body), errors: isValid.errors }).toEqual({ valid: true, errors: null });
    expect(isValid({ ...(body as object), channels: { a: 1 } })).toBe(false);
    const { channels, operations } = body as { channels: Record<string, unknown>; operations: Record<string, unknown> };
    expect(Object.keys(channels).sort()).toEqual(['test.documents.any', 'test.documents.elsewhere', 'test.documents.orders']);
    expect(Object.keys(operations).sort()).toEqual(['publish.test.documents.any', 'publish.test.documents.orders']);
    expect(channels['test.documents.elsewhere']).toMatchObject({ messages: {}, 'x-millrace-partitions': 2 });
    expect(channels['test.documents.orders']).toMatchObject({
      'x-millrace-partitions': 3, messages: {
        payload: { payload: { $ref: '#/components/schemas/OrderPlaced' }, 'x-millrace-version': 1 },
        large: { payload: { $ref: '#/components/schemas/LargeOrderPlaced' }, 'x-millrace-version': 2 },
      },
    });
  });

  it('has the rules of the classes as schemas', async () => {
    const { body } = await send(app, `${API}/asyncapi.json`, { as: 'viewer' });
    const { schemas } = (body as { components: { schemas: Record<string, object> } }).components;
    expect(schemas['OrderPlaced']).toEqual({
      type: 'object', required: ['orderId', 'pays', 'at', 'lines', 'tags'],
      properties: {
        orderId: { type: 'string', pattern: '^o-\\d+$' }, mail: { type: 'string', format: 'email' }, pays: { enum: ['card', 'invoice'] },
        at: { type: 'string', format: 'date-time' }, lines: { type: 'array', minItems: 1, items: { $ref: '#/components/schemas/Line' } },
        tags: { type: 'array', items: { type: 'string', minLength: 1, maxLength: 20 } },
      },
    });
    expect(schemas['Line']).toEqual({
      type: 'object', required: ['item', 'quantity'],
      properties: { item: { type: 'string' }, quantity: { type: 'integer', minimum: 1, maximum: 99 }, bundle: { $ref: '#/components/schemas/Line' } },
    });
    expect(schemas['LargeOrderPlaced']).toMatchObject({ required: expect.arrayContaining(['approvedBy', 'orderId']) });
  });

  it('leaves out no topic that is known in Redis, however many there are', async () => {
    const names = Array.from({ length: 2_500 }, (_, index) => `test.documents.many-${index}`);
    const direct = await connectServer({ url: redis.url, name: 'spec' });
    await direct.control.call('HSET', `${prefix}:topics`, ...names.flatMap((name) => [name, '1']));
    direct.close();
    const { body } = await send(app, `${API}/asyncapi.json`, { as: 'viewer' });
    const { channels } = body as { channels: object };
    expect(names.filter((name) => !Object.hasOwn(channels, name))).toEqual([]);
  });
});
