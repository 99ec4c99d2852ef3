/**
 * How a command fails: lines for standard error, each naming the thing, what was wrong with it, and the way out.
 * @module
 */

export const EXIT_FAILURE = 1;
/** Words that mean nothing: wrong use of the command line, a file that is not there, a fixture that is none. */
export const EXIT_USAGE = 2;

export class CommandError extends Error {
  /** @param faults one line each */
  constructor(
    readonly faults: readonly string[],
    readonly exitCode = EXIT_FAILURE,
  ) {
    super(faults.join('\n'));
  }
}

/** A failure of one line. */
export function failure(fault: string, exitCode = EXIT_FAILURE): CommandError {
  return new CommandError([fault], exitCode);
}

/** Prints a failure of any kind and returns the exit code it deserves. */
export function reportFailure(error: unknown): number {
  const { faults, exitCode } = asCommandError(error);
  for (const fault of faults) process.stderr.write(`mdevfs: ${fault}\n`);
  return exitCode;
}

export function asCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  return failure(error instanceof Error ? error.message : String(error));
}
