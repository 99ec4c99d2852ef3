#!/usr/bin/env node
/**
 * The program: does what its command line says. The server behind `mdevfs run` is not for users, and has no time for a
 * command line: it is what the start of `run` waits for. So it is a file of its own in the bundle, too.
 * @module
 */

import { SERVE_RUN } from '../host/serve-run-name.js';

if (process.argv[2] === SERVE_RUN) await (await import('./serve-run.js')).main(process.argv.slice(3));
else await (await import('./program.js')).main();
