/** Work on the registry that comes up now and then, and is done by its one loop. */
export interface Duty {
  readonly isDue: boolean;
  /**
   * Does all that is due. It stays due when this fails.
   *
   * @throws RedisFailure
   */
  perform(): Promise<void>;
}
