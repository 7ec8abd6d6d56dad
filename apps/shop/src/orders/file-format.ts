import { COLUMNS } from './columns.js';

const MAGIC: readonly (readonly [name: string, start: readonly number[], cure: string])[] = [
  ['compressed with gzip', [0x1f, 0x8b], 'Unpack it with gunzip'],
  ['compressed with bzip2', [0x42, 0x5a, 0x68], 'Unpack it with bunzip2'],
  ['compressed with xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a], 'Unpack it with unxz'],
  ['compressed with zstd', [0x28, 0xb5, 0x2f, 0xfd], 'Unpack it with unzstd'],
  ['a ZIP archive or a spreadsheet (.xlsx)', [0x50, 0x4b, 0x03, 0x04], 'Unpack it, or save its sheet as "CSV UTF-8"'],
];

const SEPARATORS: readonly (readonly [separator: string, name: string])[] = [
  [';', 'semicolons'],
  ['\t', 'tabs'],
  ['|', 'bars'],
];

const LF = 0x0a;
const CR = 0x0d;

/**
 * The reason why the first bytes of a file cannot be orders, with advice; null when they may be orders.
 *
 * @param start the first 64 KiB, or all of it
 */
export function formatProblem(start: Buffer): string | null {
  const magic = MAGIC.find(([, bytes]) => bytes.every((byte, at) => start[at] === byte));
  if (magic) return `it is ${magic[0]}. ${magic[2]}.`;
  if (isUtf16(start)) return 'its text is UTF-16. Save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8.';
  if (start.includes(CR) && !start.includes(LF)) return 'its lines end with CR alone. Let them end with LF: tr "\\r" "\\n".';
  return separatorProblem(start);
}

/** By its byte order mark, or because every other byte of ASCII text is zero in it. */
function isUtf16(start: Buffer): boolean {
  const [first, second] = start;
  if (first === undefined || second === undefined) return false;
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff) || (first === 0) !== (second === 0);
}

function separatorProblem(start: Buffer): string | null {
  const header = start.toString('latin1').split('\n').find((line) => line.trim() !== '') ?? '';
  const other = SEPARATORS.find(([separator]) => namesColumns(header.split(separator)));
  if (!other) return null;
  return `its columns are separated by ${other[1]}, not by commas. Save it again with commas, and with points in its amounts.`;
}

/** Several, since one alone may be a part of another name. */
function namesColumns(fields: readonly string[]): boolean {
  const names = new Set(fields.map((field) => field.replace(/["\r\uFEFF]/g, '').trim()));
  return COLUMNS.filter((column) => names.has(column)).length > 1;
}
