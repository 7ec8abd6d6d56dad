/** The demo was asked to end. */
export class Stopped extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('stopped before all orders were handled');
    this.name = 'Stopped';
    this.exitCode = exitCode;
  }
}
