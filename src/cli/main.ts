#!/usr/bin/env node
/**
 * The program: reads its command line, does what it says, and ends with the exit code that is due.
 * @module
 */

import { CommanderError } from 'commander';
import { EXIT_USAGE, reportFailure } from './error.js';
import { program } from './program.js';

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  else process.exitCode = reportFailure(error);
}
