/** @returns one of the items, which are not empty */
export function oneOf<Item>(items: readonly Item[], random: () => number): Item {
  return items[Math.floor(random() * items.length)]!;
}

/** Draws so many of the kinds, in a random order: each at least once if there are so many. */
export function drawKinds<Kind>(all: readonly Kind[], count: number, random: () => number): Kind[] {
  const kinds = shuffled(all, random);
  return shuffled(Array.from({ length: count }, (_, index) => kinds[index] ?? oneOf(kinds, random)), random);
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items.map((item) => ({ item, at: random() })).sort((one, other) => one.at - other.at).map(({ item }) => item);
}
