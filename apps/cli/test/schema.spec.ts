import { createRequire } from 'node:module';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { ApplicationFolder } from './application-folder.js';
import { CliBed, rowsOf } from './cli-bed.js';
import { STEERING } from './topics.js';

const bed = new CliBed('schema', { isShared: true });

let folder: ApplicationFolder;
beforeAll(async () => void (folder = await ApplicationFolder.of('described.module')));
afterAll(() => folder.remove());

describe('millrace schema export', () => {
  it('prints the topics of an application as AsyncAPI, and makes none of its providers', async () => {
    const { code, stdout, stderr } = await bed.runProcess(['schema', 'export', '--app', folder.file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const document = JSON.parse(stdout) as object;
    expect(document).toMatchObject({
      channels: {
        'shop.orders': {
          'x-millrace-partitions': 3,
          messages: { payload: { payload: { $ref: '#/components/schemas/OrderPlaced' } }, large: { 'x-millrace-version': 2 } },
        },
      },
      components: { schemas: { OrderPlaced: { properties: { lines: { type: 'integer', maximum: 99 } }, required: ['orderId'] } } },
    });
    const { schemasWithoutId } = createRequire(import.meta.url)('@asyncapi/specs') as { schemasWithoutId: Record<string, object> };
    const isValid = new Ajv({ strict: false, validateFormats: false }).compile(schemasWithoutId['3.0.0']!);
    expect({ valid: isValid(document), errors: isValid.errors }).toEqual({ valid: true, errors: null });
  });

  it('prints them as one JSON Schema that messages are checked by', async () => {
    const { code, stdout } = await bed.runProcess(['schema', 'export', '--jsonschema'], { MILLRACE_APP: folder.file });
    expect(code).toBe(0);
    const isValid = new Ajv2020({ strict: false }).compile(JSON.parse(stdout) as object);
    expect(isValid({ 'shop.orders': { payload: { orderId: 'o-1', lines: 2 } } })).toBe(true);
    expect(isValid({ 'shop.orders': { payload: { orderId: 'o-1', lines: 100 } } })).toBe(false);
    expect(isValid({ 'shop.orders': { large: { orderId: 'o-1' } } })).toBe(false);
  });

  it('says what to do without an application or a server, for a file that is none, and for one without Millrace', async () => {
    expect(await bed.run(['schema', 'export'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/Say --app .* or --url/) as unknown });
    expect(await bed.run(['schema', 'export', '--app', 'a.js', '--url', 'http://127.0.0.1:1'])).toMatchObject({ code: 2, stderr: expect.stringContaining('Leave one out') as unknown });
    expect(await bed.run(['schema', 'export', '--app', join(folder.path, 'none.js')])).toMatchObject({ code: 2, stderr: expect.stringContaining('Build the application first') as unknown });
    const alone = join(bed.home, 'app.mjs');
    await writeFile(alone, '');
    expect(await bed.runProcess(['schema', 'export', '--app', alone])).toMatchObject({ code: 3, stderr: expect.stringContaining('npm install @millrace/nestjs') as unknown });
    expect(await bed.run(['schema', 'export', '--url', 'http://127.0.0.1:1'])).toMatchObject({ code: 5, stderr: expect.stringContaining('[API_UNREACHABLE]') as unknown });
  });

  it('asks for the file of the module where another one is named, and names no variable that nobody set', async () => {
    const main = join(folder.path, 'main.mjs');
    await writeFile(main, 'export const started = true;\n');
    const advice = 'exports no module: export your root module as default or as AppModule, and name its file, not the one that starts the application.';
    expect(await bed.runProcess(['schema', 'export', '--app', main])).toEqual({ code: 2, stdout: '', stderr: `error: ${main} ${advice} [INVALID_OPTIONS]\n` });
    await writeFile(main, 'throw new Error("started");\n');
    const { code, stderr } = await bed.runProcess(['schema', 'export', '--app', main]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${main} cannot be loaded: Error: started.`)]);
    expect((await bed.run(['schema', 'export', '--help'])).stdout).toContain('one that starts the application, as dist/main.js');
  });
});

describe('millrace schema diff', () => {
  const ORDER = { type: 'object', properties: { orderId: { type: 'string' }, lines: { type: 'integer', maximum: 99 } }, required: ['orderId'] };

  /** A file with the topic `shop.orders`. */
  async function exported(name: string, schema: object): Promise<string> {
    const path = join(bed.home, `${name}.json`);
    const channels = { 'shop.orders': { messages: { payload: { payload: schema } } } };
    await writeFile(path, JSON.stringify({ asyncapi: '3.0.0', channels, components: { schemas: {} } }));
    return path;
  }

  it('lists breaking and compatible changes, and ends with 7 for those that it is told to fail on', async () => {
    const [old, wider, tighter] = [
      await exported('old', ORDER), await exported('wider', { ...ORDER, properties: { ...ORDER.properties, note: {} } }),
      await exported('tighter', { ...ORDER, properties: { orderId: { enum: ['\u001B[31m'] } } }),
    ];
    expect(await bed.run(['schema', 'diff', old, old, '--fail-on', 'any'])).toEqual({ code: 0, stdout: '', stderr: 'Nothing has changed.\n' });
    expect(await bed.json(['schema', 'diff', old, wider])).toEqual({
      apiVersion: 1, breaking: 0, compatible: 1, items: [{ kind: 'compatible', path: 'shop.orders/payload/note', what: 'the field is new' }],
    });
    expect(await bed.run(['schema', 'diff', old, wider, '--fail-on', 'any'])).toMatchObject({ code: 7, stderr: expect.stringContaining('0 of 1 changes are breaking') as unknown });
    const { code, stdout } = await bed.run(['schema', 'diff', old, tighter]);
    expect(code).toBe(7);
    expect(rowsOf(stdout).map(({ KIND, PATH }) => `${KIND} ${PATH}`)).toEqual(['breaking shop.orders/payload/lines', 'breaking shop.orders/payload/orderId']);
    expect(stdout).not.toMatch(STEERING);
  });

  it('compares a file with an application, and takes both kinds of documents', async () => {
    const paths = ['--asyncapi', '--jsonschema'].map((kind) => join(bed.home, `live${kind}.json`));
    for (const path of paths) {
      const { stdout } = await bed.runProcess(['schema', 'export', path.includes('async') ? '--asyncapi' : '--jsonschema', '--app', folder.file]);
      await writeFile(path, stdout);
      expect(await bed.runProcess(['schema', 'diff', path, '--app', folder.file, '--fail-on', 'any'])).toMatchObject({ code: 0, stdout: '' });
    }
    expect(await bed.run(['schema', 'diff', ...paths, '--fail-on', 'any'])).toMatchObject({ code: 0 });
    expect(await bed.run(['schema', 'diff', await exported('old', ORDER), paths[0]!])).toMatchObject({ code: 0, stdout: expect.stringContaining('large') as unknown });
  });

  it.each([
    ['is no JSON', '{'], ['has no topics of millrace schema export', '[]'], ['has no topics of millrace schema export', '{"asyncapi":"2.6.0","channels":{}}'],
  ])('says that a file %s', async (what, text) => {
    const path = join(bed.home, 'bad.json');
    await writeFile(path, text);
    expect(await bed.run(['schema', 'diff', path, path])).toMatchObject({ code: 2, stderr: expect.stringContaining(`${path} ${what}`) as unknown });
  });

  it('says that a file is not there', async () => {
    expect(await bed.run(['schema', 'diff', 'none.json', 'none.json'])).toMatchObject({ code: 2, stderr: expect.stringContaining('none.json cannot be read') as unknown });
  });
});
