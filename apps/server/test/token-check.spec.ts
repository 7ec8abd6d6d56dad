import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Post } from '@nestjs/common';
import { ServerBed } from './server-bed.js';

const token = 'a-token-that-is-longer-than-thirty-two';
const bearer = { authorization: `Bearer ${token}` };

/** Routes of the application whose paths begin like those of the server. */
@Controller('millrace/api/v1/own')
class OwnBelowTheApi {
  @Get()
  read(): object {
    return { own: true };
  }
}

@Controller('health')
class OwnHealth {
  @Get('details')
  read(): object {
    return { own: true };
  }

  @Post('live')
  change(): object {
    return { own: true };
  }
}

const bed = new ServerBed('check');
const start = (): Promise<void> => bed.startAlone(bed.module({ controllers: [OwnBelowTheApi, OwnHealth] }), { token });

describe('the server with a token', () => {
  it.each([
    '/millrace/api/v1/own', '/millrace/api/v1/own/', '/MILLRACE/API/V1/OWN', '/millrace/api/v1/own?a=/health/live', '/health/details', '/health/details/',
    '/HEALTH/DETAILS', '/health/live/../details', '/health/%64etails',
  ])('asks for it on a route of the application that begins like ours: %s', async (path) => {
    await start();
    expect(await bed.send(path)).toMatchObject({ status: 401, headers: { 'content-type': expect.stringContaining('application/problem+json') } });
    expect((await bed.send(path, { headers: bearer })).status).toBe(/[.%]/.test(path) ? 404 : 200);
  });

  it('lets everyone look at the probes, and nobody change anything there', async () => {
    await start();
    for (const path of ['/health/live', '/health/ready', '/millrace/api/v1/health/live', '/millrace/api/v1/health/ready?at=1']) {
      expect(await bed.send(path)).toMatchObject({ status: 200 });
      expect(await bed.send(path, { method: 'HEAD' })).toMatchObject({ status: 200 });
      expect(await bed.send(path, { method: 'POST' })).toMatchObject({ status: 401 });
    }
    expect(await bed.send('/health/live', { method: 'POST', headers: bearer })).toMatchObject({ status: 201 });
    for (const path of ['/health', '/health/live/', '/Health/live', '/health/live/more', '//health/live', '/']) {
      expect(await bed.send(path)).toMatchObject({ status: 401 });
    }
  });

  it('refuses a token in an address before it looks for one, and does not count that', async () => {
    await start();
    const inAddress = { status: 400, body: { detail: expect.stringContaining('A token in an address is seen by logs') } };
    for (let sent = 0; sent < 21; sent += 1) expect(await bed.send(`/millrace/api/v1/topics?token=${token}`)).toMatchObject(inAddress);
    for (const path of ['/topics?a=1&access_token=x', '/nowhere?token=', '/own?token=x', '/live?access_token=x', '/metrics?token=x']) {
      for (const headers of [{}, bearer, { authorization: 'Bearer x' }]) expect(await bed.send(`/millrace/api/v1${path}`, { headers })).toMatchObject(inAddress);
    }
    expect(await bed.send('/millrace/api/v1/topics')).toMatchObject({ status: 401 });
    // Such a parameter of a route of the application is none of ours.
    expect(await bed.send('/health/details?token=x', { headers: bearer })).toMatchObject({ status: 200 });
    expect(await bed.send('/health/details?token=x')).toMatchObject({ status: 401 });
  });

  it('tells a token that it does not know from one that is missing', async () => {
    await start();
    const detailOf = async (authorization?: string): Promise<unknown> => {
      const { status, headers, body } = await bed.send('/millrace/api/v1/topics', { headers: authorization === undefined ? {} : { authorization } });
      expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer']);
      return (body as { detail: unknown }).detail;
    };
    const missing = 'Send the token as the header Authorization: Bearer <token>.';
    expect([await detailOf(), await detailOf('Bearer'), await detailOf('Basic eDp5')]).toEqual([missing, missing, missing]);
    for (const sent of [`Bearer ${token}x`, 'bearer x', `Bearer ${'x'.repeat(600)}`]) {
      expect(await detailOf(sent)).toBe('The token in the header Authorization is not known here. Send another one: Authorization: Bearer <token>.');
    }
  });

  it('counts failures on routes of the application and on ours together', async () => {
    await start();
    const paths = ['/millrace/api/v1/own', '/health/details', '/millrace/api/v1/topics', '/nowhere'];
    const statuses: unknown[] = [];
    for (let guess = 0; guess < 20; guess += 1) statuses.push((await bed.send(paths[guess % 4]!, { headers: { authorization: `Bearer ${guess}` } })).status);
    expect(new Set(statuses)).toEqual(new Set([401]));
    for (const path of paths) expect(await bed.send(path)).toMatchObject({ status: 429, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } });
    expect(await bed.send('/health/live')).toMatchObject({ status: 200 });
    expect(await bed.send('/millrace/api/v1/own', { headers: bearer })).toMatchObject({ status: 200 });
  });
});
