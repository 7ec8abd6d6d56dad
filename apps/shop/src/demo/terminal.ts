import { wrap } from './wrap.js';

/** The part of a stream that is written to. */
export interface TextSink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
  /** Gives the output of others to the listener instead of writing it. */
  onOthers?(listener: (text: string) => void): void;
}

const BAR = 24;
/** Where a line has less room than this, the bar is short. */
const WIDE = 100;
const SHORT_BAR = 8;
const USUAL_COLUMNS = 80;
/** Where no bar can be drawn, a line now and then: after every tenth of the work, or this long. */
const QUIET_MS = 5_000;

/** Shows the progress of the demo: on a terminal in lines that fit it, above a bar that moves; else in plain lines. */
export class Terminal {
  readonly #sink: TextSink;
  #bar = '';
  #told = { tenth: -1, at: 0, text: '' };

  constructor(sink: TextSink) {
    this.#sink = sink;
    sink.onOthers?.((text) => this.say(text));
  }

  say(text: string): void {
    this.#erase();
    this.#sink.write(`${this.#fitted(printable(text))}\n`);
    this.#draw();
  }

  /**
   * @param share of the work that is done, 0 to 1; null when there is no end to it
   * @param texts the same in several lengths, the longest first
   */
  progress(share: number | null, texts: readonly [string, ...string[]]): void {
    if (this.#sink.isTTY) this.#move(share, texts);
    else this.#sometimes(share ?? 0, texts[0]);
  }

  /** Leaves the bar as it stands and goes on below it. */
  endProgress(): void {
    if (this.#bar !== '') this.#sink.write('\n');
    this.#bar = '';
  }

  #move(share: number | null, texts: readonly string[]): void {
    this.#erase();
    const drawn = bar(share, this.#room < WIDE ? SHORT_BAR : BAR);
    const text = texts.find(({ length }) => drawn.length + length <= this.#room) ?? texts.at(-1);
    this.#bar = `${drawn}${text}`.slice(0, this.#room);
    this.#draw();
  }

  /** Characters of a line. The last column stays free: some terminals go to the next line when it is written to. */
  get #room(): number {
    return Math.max(20, (this.#sink.columns || USUAL_COLUMNS) - 1);
  }

  #fitted(text: string): string {
    return this.#sink.isTTY ? wrap(text, this.#room) : text;
  }

  #sometimes(share: number, text: string): void {
    const tenth = Math.floor(share * 10);
    const now = performance.now();
    if (text === this.#told.text || (tenth === this.#told.tenth && now - this.#told.at < QUIET_MS)) return;
    this.#told = { tenth, at: now, text };
    this.#sink.write(`${text}\n`);
  }

  #erase(): void {
    if (this.#bar !== '') this.#sink.write('\r\u001B[K');
  }

  #draw(): void {
    if (this.#bar !== '') this.#sink.write(this.#bar);
  }
}

function bar(share: number | null, length: number): string {
  if (share === null) return '';
  const full = Math.round(share * length);
  return `${'█'.repeat(full)}${'░'.repeat(length - full)} ${`${Math.floor(share * 100)}%`.padStart(4)}  `;
}

/** Names of files may hold control characters; a terminal would obey them. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- what is looked for
  return text.replace(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/g, '\uFFFD');
}
