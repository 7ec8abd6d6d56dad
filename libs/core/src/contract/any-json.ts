/** Stands where the class of a payload would, for topics whose payloads are any JSON value. Nothing is an instance of it. */
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- it is only compared
export class AnyJson {}
