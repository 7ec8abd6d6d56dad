/** How a group hands messages out. */
export type Mode = 'shared' | 'ordered';
