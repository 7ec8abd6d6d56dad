/**
 * The consumer of an ordered group that holds its entries in every partition, whoever owns it: when a partition changes hands,
 * its entries stay where they are. No member has such a name.
 */
export const OWNER = '~owner';
