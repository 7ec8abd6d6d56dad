/** The part of a stream that is written to. */
export interface TextSink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR = 24;
/** Where no bar can be drawn, a line now and then: after every tenth of the work, or this long. */
const QUIET_MS = 5_000;

/** Tells how the demo goes on: a bar that moves where there is a terminal, else plain lines. */
export class Terminal {
  readonly #sink: TextSink;
  #bar = '';
  #told = { tenth: -1, at: 0, text: '' };

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  say(text: string): void {
    this.#erase();
    this.#sink.write(`${printable(text)}\n`);
    this.#draw();
  }

  /** @param share of the work that is done, 0 to 1; null when there is no end to it */
  progress(share: number | null, text: string): void {
    if (this.#sink.isTTY) this.#move(share, text);
    else this.#sometimes(share ?? 0, text);
  }

  /** Leaves the bar as it stands and goes on below it. */
  endProgress(): void {
    if (this.#bar !== '') this.#sink.write('\n');
    this.#bar = '';
  }

  #move(share: number | null, text: string): void {
    this.#erase();
    this.#bar = `${bar(share)}${text}`.slice(0, Math.max(20, (this.#sink.columns || 80) - 1));
    this.#draw();
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

function bar(share: number | null): string {
  if (share === null) return '';
  const full = Math.round(share * BAR);
  return `${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${`${Math.floor(share * 100)}%`.padStart(4)}  `;
}

/** Names of files may hold control characters; a terminal would obey them. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- what is looked for
  return text.replace(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/g, '\uFFFD');
}
