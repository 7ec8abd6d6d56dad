import type { SeededRandom } from '../random/seeded-random.js';

export interface Article {
  readonly stockCode: string;
  readonly description: string;
  readonly unitPrice: string;
}

const COLOURS = ['RED', 'WHITE', 'IVORY', 'PINK', 'BLUE', 'ANTIQUE SILVER'] as const;
const THINGS = ['LANTERN', 'TEA TOWEL', 'CAKE STAND', 'HAND WARMER', 'PHOTO FRAME 7" X 5"', 'TIN, SET OF 3', 'DOORMAT'] as const;
const EXTRAS = ['', ' RETROSPOT', ' HEART', ', BOXED', ' "VINTAGE"', ' '] as const;

/** Made-up articles, with what makes real ones hard: commas, quotes and blanks in texts, up to three decimals in prices. */
export function catalogue(random: SeededRandom, size: number): readonly [Article, ...Article[]] {
  const articles = Array.from({ length: size }, (_, index) => article(random, index));
  return [article(random, size), ...articles];
}

function article(random: SeededRandom, index: number): Article {
  const letter = random.chance(0.2) ? random.pick(['A', 'B', 'S']) : '';
  return {
    stockCode: `${20_000 + index}${letter}`,
    description: `${random.pick(COLOURS)} ${random.pick(THINGS)}${random.pick(EXTRAS)}`,
    unitPrice: price(random),
  };
}

function price(random: SeededRandom): string {
  const whole = random.chance(0.7) ? random.integer(0, 9) : random.integer(10, 60);
  const decimals = random.pick([1, 2, 2, 2, 3]);
  return `${whole}.${random.integer(1, 10 ** decimals - 1).toString().padStart(decimals, '0')}`;
}
