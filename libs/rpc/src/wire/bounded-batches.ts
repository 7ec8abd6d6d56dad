/** Most requests or answers that one script call carries. */
export const MOST_TOGETHER = 64;
/** About how much text it carries, in UTF-16 units: a larger call would hold up what others do in Redis. */
const MOST_TEXT = 262_144;

/**
 * Splits what goes to one stream into calls, in its order; an item that is too large goes alone.
 *
 * @param sizeOf the length of the texts of an item
 */
export function boundedBatches<Item>(items: readonly Item[], sizeOf: (item: Item) => number): (readonly Item[])[] {
  const batches: (readonly Item[])[] = [];
  let start = 0;
  let size = 0;
  items.forEach((item, index) => {
    const added = sizeOf(item);
    if (index > start && (index - start === MOST_TOGETHER || size + added > MOST_TEXT)) {
      batches.push(items.slice(start, index));
      start = index;
      size = 0;
    }
    size += added;
  });
  batches.push(start === 0 ? items : items.slice(start));
  return batches;
}
