/**
 * A line on the terminal that says what takes so long, and goes when it is over. Nothing is written where nobody
 * watches, or when it was quick.
 * @module
 */

const PATIENCE_MS = 400;
const STEP_MS = 100;
const CLEAR = '\r\x1b[K';

/**
 * @param what is done, such as `building the host`
 * @param seen how far it is, in a few words; looked at whenever the line is written
 */
export async function withProgress<T>(
  what: string,
  work: Promise<T>,
  seen: () => string = () => '',
): Promise<T> {
  const { stderr } = process;
  if (!stderr.isTTY) return work;
  const begin = Date.now();
  let isShown = false;
  const timer = setInterval(() => {
    const passed = Date.now() - begin;
    if (passed < PATIENCE_MS) return;
    isShown = true;
    const facts = [`${(passed / 1000).toFixed(0)} s`, seen()].filter((fact) => fact !== '');
    stderr.write(`${CLEAR}${what} ... ${facts.join(', ')}`);
  }, STEP_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (isShown) stderr.write(CLEAR);
  }
}

/**
 * The same for work that gives no timer a turn: it says itself what it does.
 * @param work told where to say it
 */
export function withSteps<T>(work: (step: (what: string) => void) => T): T {
  const { stderr } = process;
  let isShown = false;
  try {
    return work((what) => {
      if (!stderr.isTTY) return;
      isShown = true;
      stderr.write(`${CLEAR}${what} ...`);
    });
  } finally {
    if (isShown) stderr.write(CLEAR);
  }
}
