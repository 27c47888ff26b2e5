/** Errors with a cause outside this program. Each is one line that says what is wrong and, if known, what to do. */

export class GVideoError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = this.constructor.name;
  }
}

/** A coded stream that breaks the rules of SYNTAX.md; names the field. */
export class BitstreamError extends GVideoError {}

/** A well-formed stream of a version or kind that this player does not know. */
export class UnsupportedError extends BitstreamError {}

/** A server that does not answer, or not with what was asked for. `status`: of HTTP, 0 without an answer. */
export class NetworkError extends GVideoError {
  /** @param {string} message
   * @param {number} status */
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** A playlist or container that breaks its rules. */
export class ContainerError extends GVideoError {}

/** A browser without something that the player cannot do without. */
export class BrowserError extends GVideoError {}

/** One line of any error: its message if a user can be expected to cause it, else with its class.
 * @param {unknown} error */
export function describe(error) {
  if (error instanceof GVideoError) return error.message;
  const other = /** @type {{name?: string, message?: string} | null | undefined} */ (error);
  return `${other?.name ?? "Error"}: ${other?.message ?? error}`;
}
