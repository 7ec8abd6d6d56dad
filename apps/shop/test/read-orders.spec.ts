import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Encoding } from '../src/orders/encoding.js';
import type { Order } from '../src/orders/order.js';
import { type MalformedLine, type OrdersRead, readOrders } from '../src/orders/read-orders.js';
import { TemporaryFolder } from './temporary-folder.js';

const HEADER = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country';
const GOOD = '536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom';
const AFTER = '536366,22633,HAND WARMER,2,2010-12-01 08:28:00,1.85,,France';

const folder = new TemporaryFolder();
beforeAll(() => folder.make());
afterAll(() => folder.remove());

interface Read extends OrdersRead {
  readonly told: readonly MalformedLine[];
}

async function read(path: string, encoding: Encoding = 'utf-8'): Promise<Read> {
  const told: MalformedLine[] = [];
  return { ...(await readOrders(path, { encoding, onMalformed: (malformed) => told.push(malformed) })), told };
}

let files = 0;

async function readText(content: string | Uint8Array): Promise<Read> {
  return read(await folder.write(`orders-${(files += 1)}.csv`, content));
}

function readLines(...lines: string[]): Promise<Read> {
  return readText(`${[HEADER, ...lines].join('\n')}\n`);
}

function invoices(orders: readonly Order[]): string[] {
  return orders.map(({ invoice }) => invoice);
}

describe('a file of orders', () => {
  test('becomes orders: invoices with their lines', async () => {
    const second = '536365,71053,"LANTERN, ""OLD""",-3,2010-12-01 08:26:00,0.125,17850.0,United Kingdom';
    const { orders, files: count, lines, malformed } = await readLines(GOOD, AFTER, second);
    expect({ count, lines, malformed }).toEqual({ count: 1, lines: 3, malformed: 0 });
    expect(orders).toEqual([
      {
        invoice: '536365',
        customerId: '17850',
        country: 'United Kingdom',
        placedAt: '2010-12-01 08:26:00',
        lines: [
          { stockCode: '85123A', quantity: 6, unitPrice: 2_550 },
          { stockCode: '71053', quantity: -3, unitPrice: 125 },
        ],
      },
      {
        invoice: '536366',
        customerId: null,
        country: 'France',
        placedAt: '2010-12-01 08:28:00',
        lines: [{ stockCode: '22633', quantity: 2, unitPrice: 1_850 }],
      },
    ]);
  });

  test('may have zero and negative prices, zero quantities and invoices that begin with a letter', async () => {
    const { orders, malformed } = await readLines(
      'A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,-11062.06,,United Kingdom',
      'C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom',
      '536414,22139,,0,2010-12-01 11:52:00,0.0,,United Kingdom',
      '536415,22139,,56,2010-12-01 11:52:00,-0,,United Kingdom',
    );
    expect(malformed).toBe(0);
    expect(orders.map(({ lines }) => lines[0]?.unitPrice)).toEqual([-11_062_060, 27_500, 0, 0]);
  });

  test.each([
    ['with CRLF and without a last line break', `${HEADER}\r\n${GOOD}\r\n${AFTER}`],
    ['with a byte order mark', `\uFEFF${HEADER}\n${GOOD}\n${AFTER}\n`],
    ['with empty lines', `\n${HEADER}\n\n${GOOD}\n\r\n\n${AFTER}\n\n`],
    ['with quoted names of columns and blanks around them', `${HEADER.replace(/\w+/g, '" $& "')}\n${GOOD}\n${AFTER}\n`],
    ['with line breaks inside a quoted field', `${HEADER}\n${GOOD.replace('WHITE', '"WHITE').replace('HEART', '\nHEART, ""NEW""\n"')}\n${AFTER}\n`],
    ['with letters of several bytes where the file is read in parts', `${HEADER}\n${GOOD}\n${AFTER.replace('HAND', 'ÉÉÉ'.repeat(10_000))}\n${`${AFTER}\n`.repeat(2_000)}`],
  ])('may come %s', async (_, content) => {
    const { orders, malformed } = await readText(content);
    expect(malformed).toBe(0);
    expect(invoices(orders)).toEqual(['536365', '536366']);
    expect(orders[0]?.lines).toEqual([{ stockCode: '85123A', quantity: 6, unitPrice: 2_550 }]);
  });

  test('may be Latin-1 when that is said', async () => {
    const file = await folder.write('latin1.csv', Buffer.from(`${HEADER}\n${GOOD.replace('United Kingdom', 'Åland')}\n`, 'latin1'));
    const { orders, malformed } = await read(file, 'latin1');
    expect({ malformed, country: orders[0]?.country }).toEqual({ malformed: 0, country: 'Åland' });
  });

  test('may have its columns in another order, and more of them', async () => {
    const content = 'Country,Note,UnitPrice,InvoiceNo,CustomerID,StockCode,Quantity,InvoiceDate,Description\nEIRE,x,1.5,7,,S,2,2010-12-01,D\n';
    const { orders } = await readText(content);
    expect(orders).toEqual([
      { invoice: '7', customerId: null, country: 'EIRE', placedAt: '2010-12-01', lines: [{ stockCode: 'S', quantity: 2, unitPrice: 1_500 }] },
    ]);
  });
});

describe('a malformed line', () => {
  test.each([
    ['too few columns', '536365,85123A,HEART,6', '4 columns, not 8'],
    ['too many columns', `${GOOD},more`, '9 columns, not 8'],
    ['an unquoted comma', GOOD.replace('HANGING', 'HANGING,'), '9 columns, not 8'],
    ['only blanks', '   ', '1 columns, not 8'],
    ['no invoice', GOOD.replace('536365', ''), 'InvoiceNo is empty'],
    ['an invoice with blanks', GOOD.replace('536365', '53 65'), 'InvoiceNo "53 65" is no invoice number'],
    ['an endless invoice', GOOD.replace('536365', '5'.repeat(65)), 'is no invoice number'],
    ['no stock code', GOOD.replace('85123A', ''), 'StockCode is empty'],
    ['a word for a quantity', GOOD.replace(',6,', ',six,'), 'Quantity "six" is no whole number'],
    ['no quantity', GOOD.replace(',6,', ',,'), 'Quantity "" is no whole number'],
    ['a broken quantity', GOOD.replace(',6,', ',6.5,'), 'Quantity "6.5"'],
    ['a huge quantity', GOOD.replace(',6,', ',12345678901,'), 'Quantity "12345678901"'],
    ['a quantity in exponents', GOOD.replace(',6,', ',6e3,'), 'Quantity "6e3"'],
    ['a word for a price', GOOD.replace('2.55', 'free'), 'UnitPrice "free" is no amount'],
    ['no price', GOOD.replace('2.55', ''), 'UnitPrice ""'],
    ['NaN', GOOD.replace('2.55', 'NaN'), 'UnitPrice "NaN"'],
    ['four decimals', GOOD.replace('2.55', '2.5555'), 'at most 3 decimals'],
    ['a price in exponents', GOOD.replace('2.55', '2e5'), 'UnitPrice "2e5"'],
    ['a currency', GOOD.replace('2.55', '£2.55'), 'UnitPrice "£2.55"'],
    ['no date', GOOD.replace('2010-12-01 08:26:00', 'yesterday'), 'InvoiceDate "yesterday" is no date'],
    ['a date that begins with the day', GOOD.replace('2010-12-01', '13/12/2010'), 'InvoiceDate "13/12/2010 08:26:00" begins with the day: write the year first'],
    ['a date as Germans write it', GOOD.replace('2010-12-01', '31.1.10'), 'begins with the day'],
    ['a decimal comma', GOOD.replace('2.55', '"2,55"'), 'UnitPrice "2,55" has a decimal comma: write a point'],
    ['a NUL byte', GOOD.replace('85123A', '85\u0000A'), 'StockCode "85\\u0000A" holds control characters'],
    ['an endless stock code', GOOD.replace('85123A', 'S'.repeat(129)), 'StockCode is longer than 128'],
    ['several faults', GOOD.replace('536365', '').replace(',6,', ',x,'), 'InvoiceNo is empty; Quantity "x"'],
    ['a quote in the middle of a field', GOOD.replace('HANGING', '7" HANGING" x'), 'a quote is neither'],
    ['text behind a closing quote', GOOD.replace('WHITE HANGING', '"WHITE" HANGING'), 'a quote is neither'],
    ['a quote that is not closed', GOOD.replace('WHITE', '"WHITE'), 'a quote is not closed'],
    ['more than 64 KiB', GOOD.replace('WHITE', 'W'.repeat(200_000)), 'longer than 64 KiB'],
    ['binary data', '\u0001\u0002\uFFFD,,\u0000', '3 columns, not 8'],
    ['the header again', HEADER, 'Quantity "Quantity"'],
  ])('with %s is told with its file and line, and does not stop the reading', async (_, line, problem) => {
    const { orders, told, lines, malformed } = await readLines(GOOD.replace('536365', '1'), line, AFTER);
    expect(invoices(orders)).toEqual(['1', '536366']);
    expect({ lines, malformed }).toEqual({ lines: 3, malformed: 1 });
    expect(told).toEqual([{ file: expect.stringContaining('orders-'), line: 3, problem: expect.stringContaining(problem) }]);
  });

  test('with an open quote costs one line, even where a later quote seems to close it', async () => {
    const open = GOOD.replace('WHITE', '"WHITE');
    const quoted = AFTER.replace('HAND', '"HAND,').replace('WARMER', 'WARMER"');
    const { orders, told } = await readLines(open, AFTER, quoted, open, AFTER, open);
    expect(told.map(({ line }) => line)).toEqual([2, 5, 7]);
    expect(orders).toHaveLength(1);
    expect(orders[0]?.lines).toHaveLength(3);
  });

  test('with an open quote costs one line of a long file', async () => {
    const many = Array.from({ length: 500 }, (_, index) => AFTER.replace('536366', `${index + 1}`));
    const { orders, told } = await readLines(GOOD.replace('WHITE', '"WHITE'), ...many);
    expect(told).toEqual([{ file: expect.anything(), line: 2, problem: 'a quote is not closed' }]);
    expect(orders).toHaveLength(500);
  });

  test('leaves the other lines of its invoice', async () => {
    const { orders } = await readLines(GOOD, GOOD.replace(',6,', ',x,'), GOOD.replace(',6,', ',8,'));
    expect(orders.map(({ lines }) => lines.map(({ quantity }) => quantity))).toEqual([[6, 8]]);
  });

  test('behind a field with line breaks is told with its own number', async () => {
    const { told } = await readLines(GOOD.replace('WHITE HANGING', '"WHITE\n\nHANGING"').replace('" HEART', ' HEART"'), 'x,y', AFTER);
    expect(told.map(({ line }) => line)).toEqual([5]);
  });
});

describe('a folder of orders', () => {
  test('is read by name, and an invoice may be spread over its files', async () => {
    const path = join(folder.path, 'spread');
    await mkdir(join(path, 'nested.csv'), { recursive: true });
    await folder.write('spread/b.CSV', `${HEADER}\n${AFTER}\n${GOOD.replace(',6,', ',7,')}\nbad\n`);
    await folder.write('spread/a.csv', `${HEADER}\n${GOOD}\n`);
    await folder.write('spread/notes.txt', 'no orders');
    const { orders, told, files: count, lines } = await read(path);
    expect({ count, lines }).toEqual({ count: 2, lines: 4 });
    expect(orders.map(({ invoice, lines: all }) => [invoice, all.length])).toEqual([['536365', 2], ['536366', 1]]);
    expect(told).toEqual([{ file: join(path, 'b.CSV'), line: 4, problem: expect.anything() }]);
  });

  test('is read without its hidden files, which are told', async () => {
    const path = join(folder.path, 'hidden');
    await mkdir(path);
    for (const name of ['.x.csv', '._x.csv', '~$x.csv', '.DS_Store']) await folder.write(`hidden/${name}`, 'no orders');
    await folder.write('hidden/x.csv', `${HEADER}\n${GOOD}\n`);
    const { files: count, hidden, malformed } = await read(path);
    expect({ count, malformed, hidden }).toEqual({ count: 1, malformed: 0, hidden: ['._x.csv', '.x.csv', '~$x.csv'] });
  });
});

describe('input that holds no orders is refused:', () => {
  async function refusal(path: string): Promise<unknown> {
    return read(path).then(
      () => null,
      (error: unknown) => error,
    );
  }

  test.each([
    ['an empty file', '', /the file is empty/],
    ['a file of empty lines', '\n\n', /the file is empty/],
    ['a file without a column', `${HEADER.replace(',UnitPrice', '')}\n`, /the column UnitPrice is missing/],
    ['a file without a header', `${GOOD}\n${AFTER}\n`, /InvoiceNo is missing[^]*Country is missing/],
    ['a file with a column twice', `${HEADER},Quantity\n`, /the column Quantity is there 2 times/],
    ['columns in other letters', `${HEADER.toLowerCase()}\n`, /InvoiceNo is missing/],
    ['a header whose quote is open', `"${HEADER}\n${GOOD}\n`, /a quote is not closed/],
    ['UTF-16', Buffer.from(`\uFEFF${HEADER}\n${GOOD}\n`, 'utf16le'), /its text is UTF-16.*iconv -f UTF-16/],
    ['UTF-16 without a mark', Buffer.from(`${HEADER}\n${GOOD}\n`, 'utf16le').swap16(), /its text is UTF-16/],
    ['Latin-1', Buffer.from(`${HEADER}\n${GOOD}\n${GOOD.replace('WHITE', 'CAF\xC9')}\n`, 'latin1'), /\.csv:3: its text is not UTF-8.*--encoding latin1/],
    ['gzip', gzipSync(`${HEADER}\n${GOOD}\n`), /compressed with gzip. Unpack it with gunzip/],
    ['a spreadsheet', Buffer.from('PK\x03\x04 and so on'), /a spreadsheet \(\.xlsx\).*"CSV UTF-8"/],
    ['semicolons', `${HEADER.replaceAll(',', ';')}\n${GOOD.replaceAll(',', ';')}\n`, /separated by semicolons, not by commas/],
    ['quoted names and semicolons', `\uFEFF"${HEADER.replaceAll(',', '";"')}"\r\n`, /separated by semicolons/],
    ['tabs', `\n${HEADER.replaceAll(',', '\t')}\n${GOOD.replaceAll(',', '\t')}\n`, /separated by tabs/],
    ['lines that end with CR alone', `${HEADER}\r${GOOD}\r`, /end with CR alone/],
    ['a file without any line break', 'x'.repeat(300_000), /longer than 64 KiB/],
    ['a header alone', `${HEADER}\n`, /There is no order in .*: it has no lines/],
    ['malformed lines alone', `${HEADER}\nx\ny\n`, /all of its 2 lines are malformed/],
  ])('%s', async (_, content, message) => {
    const error = await refusal(await folder.write(`refused-${(files += 1)}.csv`, content));
    expect(error).toMatchObject({ name: 'MillraceError', code: 'INVALID_INPUT', message: expect.stringMatching(message) });
  });

  test('a path where nothing is', async () => {
    const error = await refusal(join(folder.path, 'nowhere'));
    expect(error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(/ENOENT.*--generate/) });
  });

  test('an empty folder, and one without a .csv file', async () => {
    const path = join(folder.path, 'empty');
    await mkdir(path);
    expect(await refusal(path)).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining(`no .csv file in the folder ${path}`) });
    await folder.write('empty/orders.txt', HEADER);
    expect(await refusal(path)).toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('a folder of hidden and other files, which are named', async () => {
    const path = join(folder.path, 'unusable');
    await mkdir(path);
    for (const name of ['._orders.csv', 'orders.csv.gz']) await folder.write(`unusable/${name}`, HEADER);
    const message = expect.stringMatching(/no \.csv file in the folder[^]*hidden ones, which are not read: \._orders\.csv[^]*orders\.csv\.gz/);
    expect(await refusal(path)).toMatchObject({ code: 'INVALID_INPUT', message });
  });

  test('a FIFO, a socket and a device, alone or among files, by their names', async () => {
    const path = join(folder.path, 'special');
    await mkdir(path);
    await folder.write('special/a.csv', `${HEADER}\n${GOOD}\n`);
    const [fifo, socket, device] = ['b.csv', 'c.csv', 'd.csv'].map((name) => join(path, name)) as [string, string, string];
    execFileSync('mkfifo', [fifo]);
    const server = createServer().listen(socket);
    await once(server, 'listening');
    await symlink('/dev/zero', device);
    expect(await refusal(path)).toMatchObject({
      code: 'INVALID_INPUT',
      problems: [`${fifo} is a FIFO (named pipe)`, `${socket} is a socket`, `${device} is a device`],
    });
    expect(await refusal(fifo)).toMatchObject({ code: 'INVALID_INPUT', problems: [`${fifo} is a FIFO (named pipe)`] });
    server.close();
  });

  test('a file that is gone between listing and reading', async () => {
    const path = join(folder.path, 'dangling');
    await mkdir(path);
    await symlink(join(path, 'gone'), join(path, 'orders.csv'));
    expect(await refusal(path)).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('orders.csv') });
  });
});
