import { describe, expect, it } from '@jest/globals';
import { Job, MillraceModule, Topic } from '@millrace/nestjs';
import { type CallHandler, Controller, type ExecutionContext, Get, type INestApplication, Module, type NestInterceptor } from '@nestjs/common';
import { IsInt } from 'class-validator';
import { map, type Observable } from 'rxjs';
import { MillraceServerModule, type MillraceServerOptions } from '../src/index.js';
import { ADAPTERS, API, byHeader, portOf } from './fixture.js';
import { ServerBed } from './server-bed.js';

@Topic('test.borders')
class Borders {
  @IsInt() amount!: number;
}

@Job('test-borders', { queue: 'borders' })
class BordersJob {
  @IsInt() amount!: number;
}

/** Routes of the application below our path, of a module that comes after ours. */
@Controller('millrace/api/v1/own')
class Own {
  @Get()
  read(): object {
    return { own: true };
  }
}

class Wrapping implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Module({ controllers: [Own] })
class OwnModule {}

const bed = new ServerBed('borders');

async function start(adapter: string, options: MillraceServerOptions, prefix = ''): Promise<void> {
  const imports = [MillraceModule.forFeature([Borders, BordersJob]), MillraceServerModule.forRoot(options), OwnModule];
  const prepare = (app: INestApplication): void => {
    app.useGlobalInterceptors(new Wrapping());
    app.setGlobalPrefix(prefix);
  };
  await bed.start(bed.module({ imports }), { adapter, prepare });
}

describe.each(Object.keys(ADAPTERS))('on %s', (adapter) => {
  it.each(['', 'internal'])('a path below ours that no route takes is a problem, behind the token (prefix %p)', async (prefix) => {
    await start(adapter, byHeader, prefix);
    const base = prefix === '' ? API : `/${prefix}${API}`;
    for (const path of [`${base}/nowhere`, base, `${base}/`, `${base}/topics/a/b/c/d`, `${base}/nowhere?x=1`]) {
      expect(await bed.send(path)).toMatchObject({ status: 401, body: { code: 'HTTP_401' } });
      expect(await bed.send(path, { as: 'viewer' })).toMatchObject({
        status: 404, body: { title: 'Not Found', status: 404, detail: 'There is no such route.', code: 'HTTP_404' },
        headers: { 'content-type': expect.stringContaining('application/problem+json'), 'content-security-policy': expect.stringContaining("default-src 'none'") },
      });
    }
    for (const path of [`${base}/TOPICS/a`, `${base}/topics/a/`]) expect((await bed.send(path, { method: 'DELETE', as: 'viewer' })).status).toBe(404);
    expect(await bed.send(`${base}/nowhere`, { as: 'viewer', body: '{not json' })).toMatchObject({ status: 404, body: { code: 'HTTP_404' } });
    expect(await bed.send(`${base}/nowhere`, { as: 'viewer', headers: { origin: 'https://evil.example' } })).toMatchObject({ status: 403 });
    // Others are Nest's, and the application's own routes stay.
    const elsewhere = await bed.send('/nowhere');
    expect(elsewhere.status).toBe(404);
    expect(elsewhere.headers['content-type']).not.toContain('problem');
    expect(await bed.send(`${base}/own`)).toMatchObject({ status: 200, body: { data: { own: true } } });
  });

  it.each([
    ['PUT', '/topics', 'GET, HEAD'], ['POST', '/topics', 'GET, HEAD'], ['DELETE', '/topics/test.borders', 'GET, HEAD'], ['GET', '/jobs/test-borders', 'POST'],
    ['PATCH', '/topics/test.borders/messages?limit=1', 'GET, HEAD, POST'], ['POST', '/openapi.json', 'GET, HEAD'], ['OPTIONS', '/overview', 'GET, HEAD'],
  ])('%s %s is answered 405 with the methods that the path has, behind the token', async (method, path, allow) => {
    await start(adapter, byHeader);
    expect(await bed.send(`${API}${path}`, { method })).toMatchObject({ status: 401, headers: expect.not.objectContaining({ allow }) });
    expect(await bed.send(`${API}${path}`, { method, as: 'viewer' })).toMatchObject({
      status: 405, headers: { allow }, body: { title: 'Method Not Allowed', detail: `This path takes ${allow} alone.`, code: 'HTTP_405' },
    });
  });

  it('a token in the address is 400 without one in the header, too', async () => {
    await start(adapter, byHeader);
    for (const path of ['/topics?token=x', '/topics?access_token=', '/nowhere?limit=1&token=x']) {
      for (const as of [undefined, 'viewer']) {
        const detail: unknown = expect.stringContaining('A token in an address is seen by logs');
        expect(await bed.send(API + path, { as })).toMatchObject({ status: 400, body: { title: 'Bad Request', detail, code: 'HTTP_400' } });
      }
    }
  });

  it('answers are not changed by interceptors of the application', async () => {
    await start(adapter, byHeader);
    const keyed = { as: 'sender', body: { amount: 1 }, headers: { 'idempotency-key': 'k' } };
    const stored = { id: expect.any(String), duplicate: false, partition: 0, offset: 0 };
    expect(await bed.send(`${API}/topics/test.borders/messages`, keyed)).toMatchObject({ status: 201, body: stored });
    expect(await bed.send(`${API}/topics/test.borders/messages`, keyed)).toMatchObject({ status: 200, body: { ...stored, duplicate: true } });
    expect(await bed.send(`${API}/jobs/test-borders`, keyed)).toMatchObject({ status: 201, body: { id: expect.any(String), duplicate: false } });
    expect(await bed.send(`${API}/jobs/test-borders`, keyed)).toMatchObject({ status: 200, body: { id: expect.any(String), duplicate: true } });
  });

  it('pages of the origins that are named may send requests, and others may not', async () => {
    await start(adapter, { ...byHeader, origins: ['https://Ops.example.com', 'http://localhost:8080'] });
    const statusOf = async (headers: Record<string, string>): Promise<number | undefined> =>
      (await bed.send(`${API}/topics/test.borders/messages`, { as: 'sender', body: { amount: 1 }, headers })).status;
    expect(await statusOf({ origin: 'https://ops.example.com', 'sec-fetch-site': 'same-origin' })).toBe(201);
    expect(await statusOf({ origin: 'http://localhost:8080', 'sec-fetch-site': 'cross-site' })).toBe(201);
    expect(await statusOf({ origin: `http://127.0.0.1:${portOf(bed.app)}` })).toBe(201);
    for (const origin of ['https://ops.example.com.evil.example', 'http://ops.example.com', 'https://ops.example.com:444', 'null', '', 'https://evil.example']) {
      expect({ origin, status: await statusOf({ origin }) }).toEqual({ origin, status: 403 });
    }
    expect(await statusOf({ 'sec-fetch-site': 'cross-site' })).toBe(403);
  });
});

it.each(['*', 'ops.example.com', 'https://ops.example.com/', 'ftp://ops.example.com', 'https://a@ops.example.com', 'https://ops.example.com/page', ''])(
  'the origin %p is none',
  (origin) => expect(() => MillraceServerModule.forRoot({ origins: [origin] })).toThrow('origins must be origins as browsers send them'),
);

it('the server alone answers so, too', async () => {
  await bed.startAlone(bed.module(), { token: 'x'.repeat(40) });
  const csp = { 'content-security-policy': "default-src 'none'; frame-ancestors 'none'" };
  expect(await bed.send(`${API}/nowhere`)).toMatchObject({ status: 401, headers: csp });
  expect(await bed.send(`${API}/nowhere`, { headers: { authorization: `Bearer ${'x'.repeat(40)}` } })).toMatchObject({ status: 404, headers: csp });
  expect(await bed.send('/health/live')).toMatchObject({ status: 200, headers: csp });
});
