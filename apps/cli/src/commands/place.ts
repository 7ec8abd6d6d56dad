/** The place of a message: its partition and its offset. */
export const PLACE = /^(\d{1,3}):(\d{1,15})$/;
